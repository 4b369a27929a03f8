"""How far each assigned partition is behind the end of its log, which the broker is asked for.

What was fetched is no measure: a consumer that is given nothing would count as up to date.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple, Protocol

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from ringback_common.clock import Clock
from ringback_common.errors import ConfigError, Transient

from ringback_stream import telemetry
from ringback_stream.consume.assignment import Assignment
from ringback_stream.consume.first_records import FirstRecord
from ringback_stream.consume.offsets import OffsetTracker
from ringback_stream.consume.partitions import Partition
from ringback_stream.reading import Offsets

__all__ = ["LogEnds", "PartitionLag"]

_EVERY = 5.0
"""Seconds between two measurements."""
_ASK_WITHIN = 4.0
_PASSES = (KafkaError, TimeoutError, Transient, ConfigError)
"""What keeps a measurement from being made; ConfigError while a Secret of this process is being replaced."""

AskOffsets = Callable[[Collection[TopicPartition]], Awaitable[Offsets]]
ReadFirstRecords = Callable[[Offsets], AsyncIterator[tuple[TopicPartition, FirstRecord]]]


class LogEnds(Protocol):
    """What a measurement needs of aiokafka's consumer: one request to each broker that leads a partition."""

    async def end_offsets(self, partitions: Collection[TopicPartition], /) -> Offsets:
        """Where each log ends."""
        ...

    async def beginning_offsets(self, partitions: Collection[TopicPartition], /) -> Offsets:
        """Where each log begins."""
        ...


class _Unread(NamedTuple):
    """The oldest record of a partition that was not taken in.

    Attributes:
        next_offset: of the partition, when this was found.
        offset: its own, which is higher where retention or compaction removed what lay between.
        timestamp_ms: the broker's; while `is_read` is false, when the record was first seen to be there.
        is_read: whether it was read.
    """

    next_offset: int
    offset: int
    timestamp_ms: float
    is_read: bool


class PartitionLag:
    """Measures `ringback_lag_records` and `ringback_oldest_unfinished_seconds` of one group member.

    Unfinished is what is in hand, and what the log holds from the next offset on. The time stamp of a record in hand is
    known. That of one which the broker has had for a whole interval and the consumer has not brought is read, once.

    Args:
        group: label of the metrics.
        assignment: what is assigned, and how far it is.
        clock: compared with the broker's time stamps.
        full_name: adds the installation's prefix to a topic.
        read_first_records: reads the first record from each offset on, without a group.
    """

    def __init__(
        self,
        group: str,
        assignment: Assignment,
        clock: Clock,
        full_name: Callable[[str], str],
        read_first_records: ReadFirstRecords,
    ) -> None:
        self._group = group
        self._trackers = assignment.trackers
        self._clock = clock
        self._full_name = full_name
        self._read_first_records = read_first_records
        self._ends: dict[Partition, int] = {}
        self._unread: dict[Partition, _Unread] = {}
        self._shown: set[Partition] = set()

    async def run(self, client: Callable[[], LogEnds | None]) -> None:
        """Measure every 5 s until cancelled; then this member shows nothing more."""
        try:
            while True:
                consumer = client()
                if consumer is not None:
                    await self.measure(consumer)
                await asyncio.sleep(_EVERY)
        finally:
            self._hide(self._shown)

    async def measure(self, client: LogEnds) -> None:
        """Ask for the ends of all logs, then show. While no broker answers the lag stays and the age grows.

        Nothing that keeps a broker from answering ends the process: the flow itself meets it, too.
        """
        ends = await self._of_topics(client.end_offsets, self._trackers.partitions)
        self._ends.update({at: end for at, end in ends.items() if at in self._trackers.partitions})
        behind = [at for at in self._trackers.partitions & ends.keys() if self._is_behind(at)]
        begins = await self._of_topics(client.beginning_offsets, behind)
        with suppress(*_PASSES):
            async with asyncio.timeout(_ASK_WITHIN):
                await self._read_stamps(begins)
        self._hide((self._shown | self._ends.keys()) - self._trackers.partitions)
        for partition in self._trackers.partitions & self._ends.keys():
            self._show(partition)

    async def _of_topics(self, ask: AskOffsets, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Offsets by partition. Each topic is asked for by itself: aiokafka answers for none if one has no leader."""
        topics: dict[str, dict[TopicPartition, Partition]] = {}
        for at in partitions:
            topics.setdefault(at.topic, {})[TopicPartition(self._full_name(at.topic), at.number)] = at
        answers = await asyncio.gather(*(_asked(ask, list(named)) for named in topics.values()))
        pairs = zip(topics.values(), answers, strict=True)
        return {named[at]: offset for named, answer in pairs for at, offset in answer.items()}

    async def _read_stamps(self, begins: Mapping[Partition, int]) -> None:
        looked = {at: self._look(at, begin) for at, begin in begins.items()}
        unknown = {
            TopicPartition(self._full_name(at.topic), at.number): (at, offset)
            for at, offset in looked.items()
            if offset is not None
        }
        async for place, first in self._read_first_records({place: offset for place, (_, offset) in unknown.items()}):
            self._found(unknown[place][0], first)

    def _is_behind(self, partition: Partition) -> bool:
        tracker = self._trackers.of(partition)
        is_behind = tracker is not None and tracker.next_offset < self._ends[partition]
        if not is_behind:
            self._unread.pop(partition, None)
        return is_behind

    def _look(self, partition: Partition, begin: int) -> int | None:
        """Note where the oldest unread record lies; returns that offset if its time stamp has to be read."""
        tracker, known = self._trackers.of(partition), self._unread.get(partition)
        if tracker is None:
            return None
        next_offset = tracker.next_offset
        offset = max(begin, next_offset, known.offset if known and known.next_offset == next_offset else 0)
        if known is None or (known.next_offset, known.offset) != (next_offset, offset):
            self._unread[partition] = _Unread(next_offset, offset, self._now_ms(), is_read=False)
            return None
        is_needed = not known.is_read and _timestamp_ms(tracker, known) is None
        return offset if is_needed and offset < self._ends[partition] else None

    def _found(self, partition: Partition, first: FirstRecord) -> None:
        known = self._unread.get(partition)
        if known is None:
            return
        if first.timestamp_ms is None:  # compaction emptied the log's end
            self._unread[partition] = _Unread(known.next_offset, first.offset, self._now_ms(), is_read=False)
        else:
            self._unread[partition] = _Unread(known.next_offset, first.offset, first.timestamp_ms, is_read=True)

    def _show(self, partition: Partition) -> None:
        tracker, known, end = self._trackers.of(partition), self._unread.get(partition), self._ends[partition]
        if tracker is None:
            return
        oldest_unread = known.offset if known and known.next_offset == tracker.next_offset else tracker.next_offset
        unread = max(0, end - oldest_unread)
        lag = tracker.unfinished + unread
        timestamp_ms = _timestamp_ms(tracker, known)
        if timestamp_ms is None and known is not None:
            timestamp_ms = known.timestamp_ms
        age = 0.0 if not lag or timestamp_ms is None else max(0.0, (self._now_ms() - timestamp_ms) / 1000)
        labels = (self._group, partition.topic, str(partition.number))
        telemetry.LAG_RECORDS.labels(*labels).set(lag)
        telemetry.OLDEST_UNFINISHED.labels(*labels).set(age)
        self._shown.add(partition)

    def _hide(self, partitions: Collection[Partition]) -> None:
        """Remove the series of partitions that another member may show now."""
        for partition in tuple(partitions):
            if partition in self._shown:
                labels = (self._group, partition.topic, str(partition.number))
                telemetry.LAG_RECORDS.remove(*labels)
                telemetry.OLDEST_UNFINISHED.remove(*labels)
                self._shown.discard(partition)
            self._ends.pop(partition, None)
            self._unread.pop(partition, None)

    def _now_ms(self) -> float:
        return self._clock.now().timestamp() * 1000


async def _asked(ask: AskOffsets, places: Collection[TopicPartition]) -> Offsets:
    """The offsets of one topic's partitions; of none if they cannot be had within four seconds."""
    with suppress(*_PASSES):
        async with asyncio.timeout(_ASK_WITHIN):
            return await ask(places)
    return {}


def _timestamp_ms(tracker: OffsetTracker, known: _Unread | None) -> int | None:
    """The time stamp of the oldest record in hand, or of one that was refused and is still the next."""
    if tracker.unfinished or known is None or known.offset == tracker.next_offset:
        return tracker.oldest_timestamp_ms
    return None
