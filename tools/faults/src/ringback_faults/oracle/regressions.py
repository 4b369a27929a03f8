"""I5: nothing goes back. Pure.

In the store no change of a current row that took effect leads to the same or a lower (version, revision). On a topic
the versions of a call rise, all in the partition of its key; a call that was unfinished at a rebalance may go back
once, for two processes may have had it in hand.
"""

from collections.abc import Iterator, Sequence

from ringback_events import topics

from ringback_faults.contract import call_key, partition_of
from ringback_faults.ledgers import Generation, Key, Ledgers, TopicRecord
from ringback_faults.oracle.index import DEAD_LETTERS, ENRICHER, LANES, Index, place_of
from ringback_faults.oracle.uniqueness import in_hand_at

__all__ = ["inversions", "lowered_rows", "misplaced"]

_ORDERED = (topics.RECORDS.name, topics.CALLS.name)
_KEYED = (topics.RECORDS.name, topics.CALLS.name, topics.SESSIONS.name)
_PLACED = frozenset(_KEYED) | LANES | DEAD_LETTERS


def lowered_rows(ledgers: Ledgers) -> Iterator[str]:
    """A sentence for each change of a current row that did not raise it, by its own word or by the one before."""
    held: dict[Key, tuple[int, int]] = {}
    for write in ledgers.writes:
        before = max(write.before or (0, 0), held.get(write.key, (0, 0)))
        held[write.key] = write.after
        if write.after <= before:
            yield f"{write.key[1]} went from {before} to {write.after} in the store at {write.at:.3f}"


def inversions(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each lower version behind a higher one that no rebalance excuses."""
    rebalances = [state for state in ledgers.generations if state.group == ENRICHER]
    for key, published in index.published.items():
        shared = [state for state in rebalances if in_hand_at(state.at, key, ledgers, index)]
        for topic in _ORDERED:
            yield from _inversions_on(topic, key, [one for one in published if one.topic == topic], shared)


def _inversions_on(
    topic: str, key: Key, published: Sequence[TopicRecord], rebalances: Sequence[Generation]
) -> Iterator[str]:
    newest: tuple[int, int] = (0, 0)
    newest_at = 0.0
    excused: set[int] = set()
    for record in sorted(published, key=lambda one: (one.partition, one.offset)):
        reported = (record.version or 0, record.revision or 0)
        if reported >= newest:
            newest, newest_at = reported, record.at
            continue
        near = {state.generation for state in rebalances if newest_at - _TWO_OWNERS <= state.at <= record.at} - excused
        if near:
            excused.add(min(near))
        else:
            yield f"{topic} of {key[1]}: {reported} at {record.at:.3f} behind {newest}"


_TWO_OWNERS = 60.0
"""Seconds before a rebalance in which the member that is put out may have published."""


def misplaced(ledgers: Ledgers, index: Index) -> Iterator[str]:
    """A sentence for each event under a key that is not its call's, and for each record outside its key's partition.

    What the harness itself planted may lie anywhere.
    """
    for published in index.published.values():
        for record in published:
            if record.topic in _KEYED and not _well_keyed(record):
                yield f"{record.place} lies under a key that is not its call's"
    for record in ledgers.records:
        if record.topic in _PLACED and place_of(record) not in ledgers.planted and not _well_placed(record):
            yield f"{record.place} lies in a partition that is not its key's"


def _well_keyed(record: TopicRecord) -> bool:
    tenant, subject = (record.headers.get(name, b"").decode(errors="replace") for name in ("ce_tenantid", "ce_subject"))
    return record.raw_key == call_key(tenant, subject)


def _well_placed(record: TopicRecord) -> bool:
    return record.partition == partition_of(record.topic, record.raw_key or b"")
