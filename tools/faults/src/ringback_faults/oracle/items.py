"""What became of one accepted item, apart from other items of its call. Pure.

An item is followed by the bytes of its request: those that the webhook wrote while the item's POST was under way. A
deferral and a dead letter keep them.
"""

from collections.abc import Iterable

from ringback_events import topics

from ringback_faults.ledgers import Item, Ledgers, TopicRecord
from ringback_faults.oracle.index import ENRICHER, LANES, SINK, Index, origin_of, place_of

__all__ = ["committed", "is_in_flight", "is_refused", "is_removed", "is_waiting"]

_ROUNDING = 0.001
"""Kafka's times are whole milliseconds, rounded down."""


def is_refused(item: Item, at: float, end: float, index: Index) -> bool:
    """Whether the item's own request is a dead letter, or a record of its version or of a later one."""
    own = _own_requests(item, at, end, index)
    return any(
        (_is_of_lane(letter) and letter.digest in own) or _is_of_record(letter, item.version)
        for letter in index.letters.get(item.key, ())
    )


def is_waiting(item: Item, at: float, end: float, ledgers: Ledgers, index: Index) -> bool:
    """Whether the item's own request stands above the last commit of its partition, on whatever lane."""
    own = _own_requests(item, at, end, index)
    requests = (record for record in index.lanes.get(item.key, ()) if record.digest in own)
    return _any_uncommitted(ENRICHER, requests, ledgers, index)


def is_removed(item: Item, at: float, end: float, ledgers: Ledgers, index: Index) -> bool:
    """Whether the item's own request was removed from its topic unread; with several that may be it, all of them."""
    own = _own_requests(item, at, end, index)
    requests = [place_of(record) for record in index.lanes.get(item.key, ()) if record.digest in own]
    return bool(requests) and ledgers.removed.issuperset(requests)


def is_in_flight(item: Item, at: float, end: float, ledgers: Ledgers, index: Index) -> bool:
    """Whether the item's own request waits, or a record of its version or of a later one."""
    records = (
        record
        for record in index.published.get(item.key, ())
        if record.topic == topics.RECORDS.name and (record.version or 0) >= item.version
    )
    return is_waiting(item, at, end, ledgers, index) or _any_uncommitted(SINK, records, ledgers, index)


def committed(group: str, topic: str, partition: int, ledgers: Ledgers, index: Index) -> int:
    """The highest offset a group ever committed; where it began, if it committed nothing."""
    commits = index.commits.get((group, topic, partition), ())
    start = ledgers.starts.get((group, topic, partition), 0)
    return max([start, *(commit.offset for commit in commits)])


def _own_requests(item: Item, at: float, end: float, index: Index) -> frozenset[bytes | None]:
    """Items of one call whose POSTs overlap may have each other's: nothing on the topic distinguishes them."""
    written = (record for record in index.lanes.get(item.key, ()) if record.topic == topics.FETCH.name)
    return frozenset(record.digest for record in written if at - _ROUNDING <= record.at <= end)


def _is_of_lane(letter: TopicRecord) -> bool:
    origin = origin_of(letter)
    return origin is not None and origin[0] in LANES


def _is_of_record(letter: TopicRecord, version: int) -> bool:
    origin = origin_of(letter)
    return origin is not None and origin[0] == topics.RECORDS.name and (letter.version or 0) >= version


def _any_uncommitted(group: str, records: Iterable[TopicRecord], ledgers: Ledgers, index: Index) -> bool:
    return any(record.offset >= committed(group, record.topic, record.partition, ledgers, index) for record in records)
