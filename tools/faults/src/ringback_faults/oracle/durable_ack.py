"""I1: what was answered 2xx stands in Kafka. Pure.

Each accepted item has a record of its own on internal.fetch, appended while its POST was under way: not later than the
answer, for then 2xx was a hope. Items of a POST that got another answer, or none, may have been written or not, also
later than the POST ended. A record that no POST explains was made up.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ringback_events import topics

from ringback_faults.ledgers import Key, Ledgers, TopicRecord
from ringback_faults.oracle.index import Index

__all__ = ["missing_items", "unexplained_records"]

_RUN = "ringback_run"
"""Header of a record that an operator's command wrote."""
_ROUNDING = 0.001
"""Kafka's times are whole milliseconds, rounded down."""


@dataclass(slots=True)
class _Call:
    accepted: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    unknown: list[float] = field(default_factory=list[float])
    records: list[float] = field(default_factory=list[float])


def missing_items(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each accepted item without a record of its own in time."""
    for key, call in _calls(ledgers, index).items():
        lost, _ = _matched(call.accepted, call.records)
        for at, end in lost:
            yield f"an item of {key[1]}, POST {at:.3f} to {end:.3f} answered 2xx, has no record of its own by then"


def unexplained_records(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each record on internal.fetch that the webhook wrote without a POST that contains it."""
    for key, call in _calls(ledgers, index).items():
        lost, left = _matched(call.accepted, call.records)
        begun = sorted([*call.unknown, *(at for at, _ in lost)])
        for at in sorted(left):
            if begun and begun[0] <= at + _ROUNDING:
                begun.pop(0)
            else:
                yield f"a fetch request of {key[1]} at {at:.3f} that no POST explains"


def _calls(ledgers: Ledgers, index: Index) -> dict[Key, _Call]:
    calls: defaultdict[Key, _Call] = defaultdict(_Call)
    for item, at, end in index.accepted:
        calls[item.key].accepted.append((at, end))
    for post in ledgers.posts:
        if not post.accepted:
            for item in post.items:
                if item.planted != "forgedClientState":
                    calls[item.key].unknown.append(post.at)
    for key, records in index.lanes.items():
        calls[key].records += [record.at for record in records if _of_webhook(record)]
    return calls


def _of_webhook(record: TopicRecord) -> bool:
    # A released dead letter is a notification byte for byte, its id included; only the run of the command is new.
    released = _RUN in record.headers
    return record.topic == topics.FETCH.name and b":webhook:" in (record.event_id or b"") and not released


def _matched(
    spans: Sequence[tuple[float, float]], moments: Sequence[float]
) -> tuple[list[tuple[float, float]], list[float]]:
    """Give each moment to the open span that ends first, which leaves the fewest spans; spans and moments left over."""
    waiting = sorted(spans, reverse=True)
    opened: list[tuple[float, float]] = []
    lost: list[tuple[float, float]] = []
    left: list[float] = []
    for moment in sorted(moments):
        while waiting and waiting[-1][0] <= moment + _ROUNDING:
            at, end = waiting.pop()
            heapq.heappush(opened, (end, at))
        while opened and opened[0][0] < moment:
            end, at = heapq.heappop(opened)
            lost.append((at, end))
        if opened:
            heapq.heappop(opened)
        else:
            left.append(moment)
    return lost + [(at, end) for end, at in opened] + waiting, left
