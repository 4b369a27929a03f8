"""I2: nothing vanishes, neither an accepted item nor a record between two hops. Pure.

What was removed from a topic before it was read is exempt, record by record, item by item.
What is above the last commit of its partition is still in flight and is I9's business: then the row never drained.
"""

from collections.abc import Iterator

from ringback_faults.ledgers import Ledgers
from ringback_faults.oracle.effects import NEVER, Effects
from ringback_faults.oracle.index import ENRICHER, SINK, Index
from ringback_faults.oracle.items import committed, is_in_flight, is_refused, is_removed

__all__ = ["lost_items", "lost_records"]


def lost_items(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each accepted item that is neither stored, in its version or a later one, nor a dead letter."""
    for item, at, end in index.accepted:
        stored = ledgers.calls.get(item.key)
        if stored is not None and stored.version >= item.version:
            continue
        if is_refused(item, at, end, index) or is_in_flight(item, at, end, ledgers, index):
            continue
        if is_removed(item, at, end, ledgers, index):
            continue
        held = "nothing" if stored is None else f"version {stored.version}"
        yield f"lost: item {item.item} of {item.key[1]} version {item.version}, accepted at {at:.3f}; stored is {held}"


def lost_records(ledgers: Ledgers, index: Index, effects: Effects) -> Iterator[str]:
    """A sentence for each record that was committed and led to nothing."""
    for group, held in ((ENRICHER, effects.lanes), (SINK, effects.records)):
        for (topic, partition, offset), at in held.items():
            removed = (topic, partition, offset) in ledgers.removed
            if at == NEVER and not removed and offset < committed(group, topic, partition, ledgers, index):
                yield f"{group} took {topic}/{partition}/{offset} and nothing came of it"
