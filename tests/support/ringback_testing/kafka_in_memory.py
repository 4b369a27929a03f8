"""The edge of aiokafka as the runtime uses it, in memory: a log, a group's offsets, and answers a test decides about.

It judges every commit as the broker sees it: never back, but for a log that ends below it, and never over a record
whose effect is not written.
"""

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from ringback_common.errors import Transient
from ringback_common.outcomes import Message, MessageHeaders

__all__ = ["Answer", "Entry", "GroupInMemory", "LogInMemory", "ProducerInMemory"]

OF = "of"
"""Header of a message: the records whose effect it is, as `topic|partition|offset|timestamp`, by commas."""
_MOST = 500
"""Records of a poll that asks for no number: `max_poll_records`, as aiokafka takes it."""
_PLACE = ("topic", "partition", "offset", "timestamp")


class Answer(Enum):
    """What becomes of the next commit."""

    ACCEPTED = auto()
    UNANSWERED = auto()
    """The broker never saw it; aiokafka tries again until the caller cancels."""
    ACCEPTED_IN_SILENCE = auto()
    """The broker took it, its answer was lost: the caller sees no difference."""
    LATE = auto()
    """The broker takes its time."""


class Entry(ConsumerRecord[bytes, bytes]):
    """A record of the log, as aiokafka gives it."""

    def __init__(
        self,
        topic: str,
        partition: int,
        offset: int,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        sizes = (len(key or b""), len(value or b""))
        super().__init__(topic, partition, offset, timestamp, 0, key, value, None, *sizes, headers)

    @property
    def name(self) -> str:
        """Its name in the header `of`; the time stamp tells it from one at the same offset of another log."""
        return f"{self.topic}|{self.partition}|{self.offset}|{self.timestamp}"


@dataclass
class LogInMemory:
    """What lies in the partitions, what the group has committed, and what was really worked on."""

    entries: dict[TopicPartition, list[Entry]]
    done: set[str] = field(default_factory=set[str])
    """Names of the records whose effect is written."""
    begins: Counter[TopicPartition] = field(default_factory=Counter[TopicPartition])
    shorter: set[TopicPartition] = field(default_factory=set[TopicPartition])
    """Partitions whose log ends below what is committed: one commit may go back."""
    times: Counter[str] = field(default_factory=Counter[str])
    committed: dict[TopicPartition, int] = field(default_factory=dict[TopicPartition, int])
    ends: Counter[TopicPartition] = field(default_factory=Counter[TopicPartition])

    def append(
        self,
        place: TopicPartition,
        key: bytes,
        headers: MessageHeaders,
        stamp: int,
        gap: int,
        value: bytes | None = b"{}",
    ) -> Entry:
        """Add a record; `gap` offsets before it are missing, as after compaction."""
        offset = self.ends[place] + gap
        entry = Entry(place.topic, place.partition, offset, stamp, key, value, headers)
        self.entries[place].append(entry)
        self.ends[place] = offset + 1
        return entry

    def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Take a commit; it fails the test if it says too much or goes back."""
        for place, offset in offsets.items():
            if place in self.shorter and offset > self.ends[place]:
                self.committed[place] = offset  # of the log that was, sent before anyone knew
                continue
            goes_back = offset < self.committed.get(place, 0)
            assert not goes_back or place in self.shorter, f"{place}: from {self.committed[place]} to {offset}"
            self.shorter.discard(place)
            lost = [
                entry.name for entry in self.entries[place] if entry.offset < offset and entry.name not in self.done
            ]
            assert not lost, f"{offset} is committed over {lost}"
            self.committed[place] = offset

    def make_anew(self, place: TopicPartition) -> None:
        """The log is another, and empty."""
        self.entries[place], self.begins[place], self.ends[place] = [], 0, 0
        self.shorter.add(place)

    def remove(self, place: TopicPartition, begin: int) -> None:
        """Retention takes what lies below an offset."""
        self.entries[place] = [entry for entry in self.entries[place] if entry.offset >= begin]
        self.begins[place] = begin

    def effect(self, headers: Sequence[tuple[str, bytes]]) -> None:
        """Note whose effect a written message is."""
        reported = {name: value.decode() for name, value in headers}
        if "ringback_dlq_topic" in reported:
            reported[OF] = "|".join(reported[f"ringback_dlq_{part}"] for part in _PLACE)
        for name in reported[OF].split(","):
            self.done.add(name)
            self.times[name] += 1


class GroupInMemory:
    """One member's consumer."""

    def __init__(self, log: LogInMemory) -> None:
        self._log = log
        self._assigned: set[TopicPartition] = set()
        self._ends: dict[TopicPartition, int] = {}
        self.listener: ConsumerRebalanceListener | None = None
        self.position: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self._lost: set[TopicPartition] = set()
        self.answers: list[Answer] = []
        self.generation = 0
        self.is_member = False
        self.refused_in: int | None = None
        """The generation in which a commit was refused last."""
        self.gate = asyncio.Event()

    def join(self, places: Collection[TopicPartition]) -> None:
        """A new generation with these partitions; pauses and positions are forgotten, as aiokafka forgets them."""
        self.generation += 1
        self.is_member, self._assigned = True, set(places)
        self.paused.clear()
        self._ends.clear()
        self.position = {place: self._log.committed[place] for place in places if place in self._log.committed}

    async def rebalance(self, places: Collection[TopicPartition]) -> None:
        """Give back what there is, after the listener, then have these; the listener is called before they are read."""
        if self.listener is not None:
            await _awaited(self.listener.on_partitions_revoked(self.assignment()))
        self.join(places)
        if self.listener is not None:
            await _awaited(self.listener.on_partitions_assigned(self.assignment()))

    def leave(self) -> None:
        """The generation is over: from now on every commit is refused."""
        self.is_member = False
        self._assigned = set()

    def assignment(self) -> set[TopicPartition]:
        """What is assigned."""
        return set(self._assigned)

    def poll(self, place: TopicPartition, most: int, skip: int) -> list[Entry]:
        """The next records of a partition; `skip` of them are lost on the way, though never twice running.

        What is missing again after a seek back does not exist: that is how the runtime tells a gap from a loss.
        """
        if place in self.paused or place not in self._assigned or place in self.out_of_range():
            return []
        self._ends[place] = self._log.ends[place]
        skip = 0 if place in self._lost else skip
        (self._lost.add if skip else self._lost.discard)(place)
        ahead = [entry for entry in self._log.entries[place] if entry.offset >= self.position[place]][: most + skip]
        if ahead:
            self.position[place] = ahead[-1].offset + 1
        return ahead[skip:]

    def out_of_range(self) -> dict[TopicPartition, int]:
        """Where a fetch would be answered with an error."""
        log = self._log
        return {
            place: at
            for place, at in self.position.items()
            if place in self._assigned - self.paused and not log.begins[place] <= at <= log.ends[place]
        }

    async def getmany(
        self, *, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Entry]]:
        """The next records of all partitions.

        Raises:
            NoOffsetForPartitionError: a partition has no position.
            OffsetOutOfRangeError: its position is outside of its log.
        """
        self._check_positions()
        found: dict[TopicPartition, list[Entry]] = {}
        left = max_records or _MOST
        for place in sorted(self._assigned):
            if left and (entries := self.poll(place, left, 0)):
                found[place] = entries
                left -= len(entries)
        await asyncio.sleep(0 if found else timeout_ms / 1000)
        return found

    def _check_positions(self) -> None:
        for place in sorted(self._assigned - self.paused):
            if place not in self.position:
                raise NoOffsetForPartitionError(place)
            if place in (outside := self.out_of_range()):
                raise OffsetOutOfRangeError({place: outside[place]})

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go to an offset."""
        self._check(partition)
        self.position[partition] = offset

    def pause(self, *partitions: TopicPartition) -> None:
        """Deliver no more of these."""
        self._check(*partitions)
        self.paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        """Deliver them again."""
        self._check(*partitions)
        self.paused.difference_update(partitions)

    def _check(self, *partitions: TopicPartition) -> None:
        if not self._assigned.issuperset(partitions):
            raise IllegalStateError(f"{partitions} are not assigned")

    def highwater(self, partition: TopicPartition) -> int | None:
        """The end of a partition as of the last poll that asked for it."""
        assert partition in self._assigned
        return self._ends.get(partition)

    async def committed(self, partition: TopicPartition) -> int | None:
        """The group's offset."""
        return self._log.committed.get(partition)

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Where each log begins."""
        return {place: self._log.begins[place] for place in partitions}

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Where each log ends."""
        return {place: self._log.ends[place] for place in partitions}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Commit, if the generation still holds when the broker gets to it.

        Raises:
            CommitFailedError: the generation is over.
            IllegalStateError: a partition is not assigned.
        """
        self._check(*offsets)
        sent_in, answer = self.generation, self.answers.pop(0) if self.answers else Answer.ACCEPTED
        if answer is Answer.LATE:
            await self.gate.wait()
        if answer is Answer.UNANSWERED:
            await _for_ever()
        if not self.is_member or sent_in != self.generation:
            self.refused_in = sent_in
            raise CommitFailedError
        self._log.commit(offsets)
        if answer is Answer.ACCEPTED_IN_SILENCE:
            await _for_ever()


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _awaited(answer: object) -> None:
    if inspect.isawaitable(answer):  # a listener may be either, as aiokafka allows it
        await answer


class ProducerInMemory:
    """The producer: messages are written when the gate is open, also after the caller stopped waiting."""

    def __init__(self, log: LogInMemory) -> None:
        self._log = log
        self._writing: set[asyncio.Task[None]] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.refuses = 0
        """So many of the next writes are refused for now."""

    async def stages(self, stages: Sequence[Sequence[Message]]) -> None:
        """Write stage after stage."""
        for stage in stages:
            await asyncio.gather(*(self.send(message) for message in stage))

    async def send(self, message: Message) -> None:
        """Write one message; it arrives even if the one who waits is cancelled."""
        if self.refuses:
            self.refuses -= 1
            raise Transient("not now")
        await asyncio.shield(self._start(self._write(message)))

    async def send_together(self, messages: Sequence[Message], acked: Callable[[int], None]) -> list[int]:
        """Write many; what is refused comes back."""
        unwritten: list[int] = []
        for index, message in enumerate(messages):
            if self.refuses:
                self.refuses -= 1
                unwritten.append(index)
            else:
                await asyncio.shield(self._start(self._write(message)))
                acked(index)
        return unwritten

    def _start(self, writing: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(writing)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return task

    async def _write(self, message: Message) -> None:
        await self.gate.wait()
        self._log.effect([(name, value) for name, value in message.headers])
