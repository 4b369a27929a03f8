"""I2: nothing vanishes, neither an accepted item nor a record between two hops. Pure.

What is above the last commit of its partition is still in flight and is I9's business: then the row never drained.
"""

from collections.abc import Iterator

from ringback_events import topics

from ringback_faults.ledgers import Key, Ledgers, TopicRecord
from ringback_faults.oracle.effects import NEVER, Effects
from ringback_faults.oracle.index import ENRICHER, SINK, Index

__all__ = ["lost_items", "lost_records"]


def lost_items(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each accepted item that is neither stored, in its version or a later one, nor a dead letter."""
    for item, at, _ in index.accepted:
        stored = ledgers.calls.get(item.key)
        if stored is not None and stored.version >= item.version:
            continue
        if index.letters.get(item.key) or _in_flight(item.key, ledgers, index):
            continue
        held = "nothing" if stored is None else f"version {stored.version}"
        yield f"lost: item {item.item} of {item.key[1]} version {item.version}, accepted at {at:.3f}; stored is {held}"


def lost_records(ledgers: Ledgers, index: Index, effects: Effects) -> Iterator[str]:
    """A sentence for each record that was committed and led to nothing."""
    for group, held in ((ENRICHER, effects.lanes), (SINK, effects.records)):
        for (topic, partition, offset), at in held.items():
            if at == NEVER and offset < _committed(group, topic, partition, ledgers, index):
                yield f"{group} took {topic}/{partition}/{offset} and nothing came of it"


def _in_flight(key: Key, ledgers: Ledgers, index: Index) -> bool:
    return any(_uncommitted(record, ENRICHER, ledgers, index) for record in index.lanes.get(key, ())) or any(
        _uncommitted(record, SINK, ledgers, index)
        for record in index.published.get(key, ())
        if record.topic == topics.RECORDS.name
    )


def _uncommitted(record: TopicRecord, group: str, ledgers: Ledgers, index: Index) -> bool:
    return record.offset >= _committed(group, record.topic, record.partition, ledgers, index)


def _committed(group: str, topic: str, partition: int, ledgers: Ledgers, index: Index) -> int:
    commits = index.commits.get((group, topic, partition), ())
    start = ledgers.starts.get((group, topic, partition), 0)
    return max([start, *(commit.offset for commit in commits)])
