"""What topics held before it was taken from them: logs that were deleted, records that retention removed. Pure.

A topic that is made anew counts its offsets from 0 again. In the ledgers they go on where the log before it ended, with
those of the commits: so a place means one record, and what is known of the time before stays true.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition

from ringback_faults.ledgers import Commit, TopicRecord

__all__ = [
    "Kept",
    "begins_of",
    "commits_counted_on",
    "counted_on",
    "origin_counted_on",
    "place_counted_on",
    "records_of",
    "removed_places",
]

Place = tuple[str, int, int]
"""(topic, partition, offset)"""
_ORIGIN, _ORIGIN_NAMES = "ringback_dlq_", ("topic", "partition", "offset", "timestamp")
"""Headers with which a dead letter names the record that it is of."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a topic held before it was taken away.

    Attributes:
        at: when, Unix seconds; what is committed later is of what came after.
        topic: its name.
        records: all of them, as they were read.
        ends: of a log that was deleted, the next offset of each partition; empty where only records were removed.
        unread: of records that were removed, the places of those that their group had not read.
    """

    at: float
    topic: str
    records: Sequence[Any]
    ends: Mapping[int, int] = field(default_factory=dict[int, int])
    unread: frozenset[Place] = frozenset()


def begins_of(kept: Sequence[Kept], ends: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """Where to read from, of a row that began at `ends`: what was made anew since then is read from its beginning."""
    anew = {one.topic for one in kept if one.ends}
    return {part: end for part, end in ends.items() if part.topic not in anew}


def counted_on(kept: Sequence[Kept], record: Any, *, until: float = float("inf")) -> Any:
    """A record with its place in the ledgers, if it stood in the topic after all that was taken before `until`."""
    shift = _shift(kept, record.topic, record.partition, until)
    return dataclasses.replace(record, offset=record.offset + shift) if shift else record


def records_of(kept: Sequence[Kept], ends: Mapping[TopicPartition, int]) -> Iterator[Any]:
    """Every record that was taken away in a row that began at `ends`, with its place in the ledgers."""
    for one in kept:
        for record in one.records:
            placed = counted_on(kept, record, until=one.at)
            if placed.offset >= ends.get(TopicPartition(placed.topic, placed.partition), 0):
                yield placed


def commits_counted_on(kept: Sequence[Kept], commits: Iterable[Commit]) -> tuple[Commit, ...]:
    """Commits, each counted as the records of the log that it is of."""
    return tuple(
        dataclasses.replace(one, offset=one.offset + _shift(kept, one.topic, one.partition, one.at)) for one in commits
    )


def place_counted_on(kept: Sequence[Kept], place: Place, at: float) -> Place:
    """Where a record stands in the ledgers that was appended at `at`, in Unix seconds, and given this place then."""
    topic, partition, offset = place
    return topic, partition, offset + _shift(kept, topic, partition, at)


def origin_counted_on(kept: Sequence[Kept], record: TopicRecord) -> TopicRecord:
    """A dead letter whose headers name the place of its origin in the ledgers; any other record as it is.

    A service writes the offset in the log that it read. Which log that was follows from the time of the origin's
    append, which is in the headers, too; where it is not, from the time of the dead letter.
    """
    topic, partition, offset, time = (record.headers.get(_ORIGIN + name, b"") for name in _ORIGIN_NAMES)
    if not (partition.isdigit() and offset.isdigit()):
        return record
    at = int(time) / 1000 if time.isdigit() else record.at
    _, _, place = place_counted_on(kept, (topic.decode(errors="replace"), int(partition), int(offset)), at)
    return dataclasses.replace(record, headers={**record.headers, f"{_ORIGIN}offset": str(place).encode()})


def removed_places(kept: Sequence[Kept]) -> frozenset[Place]:
    """Places, as in the ledgers, of records that were removed before their group had read them."""
    return frozenset(place_counted_on(kept, place, one.at) for one in kept for place in one.unread)


def _shift(kept: Sequence[Kept], topic: str, partition: int, until: float) -> int:
    """How many offsets the logs had that this partition lost before a moment."""
    return sum(one.ends.get(partition, 0) for one in kept if one.topic == topic and one.at < until)
