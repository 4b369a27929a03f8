"""The one object that commits: explicit offsets, never above the lowest unfinished, one commit at a time."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from ringback_common import logs
from ringback_common.clock import Clock

from ringback_stream import telemetry
from ringback_stream.consume.offsets import OffsetTracker, OffsetTrackers, Ticket
from ringback_stream.consume.ownership import PROOF_INTERVAL, Ownership
from ringback_stream.consume.partitions import Partition

__all__ = ["Assignment", "Committer"]

_log = logs.logger(__name__)

_COMMIT_EVERY = 0.2
"""Seconds: what a crash repeats besides the work in flight, against one request per interval."""
_COMMIT_WITHIN = 5.0


class Committer(Protocol):
    """What the assignment needs of aiokafka's consumer."""

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Commit exactly these offsets."""
        ...


class Assignment:
    """What is assigned now, how far it is, and how far the broker knows it.

    Args:
        group: label of the metrics.
        clock: monotonic time.
        full_name: adds the installation's prefix to a topic.
        on_lost: called when the broker says that another member has the assignment.
        ownership: is given each accepted commit; with it idle partitions are committed every 2 s too.
    """

    def __init__(
        self,
        group: str,
        clock: Clock,
        full_name: Callable[[str], str],
        on_lost: Callable[[], None],
        ownership: Ownership | None = None,
    ) -> None:
        self.trackers = OffsetTrackers()
        self._group = group
        self._clock = clock
        self._full_name = full_name
        self._on_lost = on_lost
        self._ownership = ownership
        self._lock = asyncio.Lock()
        self._proved_at = float("-inf")
        self.progressed_at = clock.monotonic()
        """Monotonic time something was last taken, finished or assigned; the watchdog reads it."""
        self.taken_at = self.progressed_at
        """The same, of what was taken or assigned."""

    def begin(self, starts: Mapping[Partition, int]) -> None:
        """An assignment begins at these offsets."""
        self.trackers.assign(starts)
        self._proved_at = float("-inf")
        self.progressed_at = self.taken_at = self._clock.monotonic()
        telemetry.child(telemetry.ASSIGNED, self._group).set(len(starts))
        if self._ownership is not None:
            self._ownership.assigned(starts.keys())

    def resume(self, partition: Partition, oldest: int) -> bool:
        """Go on at the oldest record of a log that does not hold what was to be read next; says which of two it was.

        Returns:
            Whether there was something to mend: the partition is still assigned, and goes on elsewhere.
        """
        tracker = self.trackers.of(partition)
        if tracker is None:
            return False
        removed = self.trackers.resume(partition, oldest)
        if removed is None:
            self._abandon(partition, tracker)
            telemetry.child(telemetry.RESTARTS, self._group, partition.topic).inc()
            _log.error(
                "A log ends below the offset that was to be read next; the partition is read from its beginning.",
                group=self._group, topic=partition.topic, partition=partition.number, offset=tracker.next_offset,
            )  # fmt: skip
        elif removed:
            telemetry.child(telemetry.REMOVED, self._group, partition.topic).inc(removed)
            _log.error(
                "Records were removed by retention before they were read.",
                group=self._group, topic=partition.topic, partition=partition.number, count=removed,
            )  # fmt: skip
        return removed != 0

    def end(self, how: str) -> None:
        """The assignment is over: revoked, lost or stopped."""
        if self.trackers.partitions:
            telemetry.child(telemetry.REBALANCES, self._group, how).inc()
        for partition in self.trackers.partitions:
            tracker = self.trackers.of(partition)
            if tracker is not None:
                self._abandon(partition, tracker)
        self.trackers.drop()
        telemetry.child(telemetry.ASSIGNED, self._group).set(0)
        self.disown()

    def _abandon(self, partition: Partition, tracker: OffsetTracker) -> None:
        if tracker.unfinished:
            telemetry.child(telemetry.ABANDONED, self._group, partition.topic).inc(tracker.unfinished)
            telemetry.child(telemetry.IN_HAND, self._group, partition.topic).dec(tracker.unfinished)

    def disown(self) -> None:
        """Ownership ends before the assignment does: nothing is written to Graph while draining."""
        if self._ownership is not None:
            self._ownership.dropped()

    def take(self, partition: Partition, offset: int) -> Ticket:
        """The ticket of a record that its tracker has just taken."""
        self.progressed_at = self.taken_at = self._clock.monotonic()
        telemetry.child(telemetry.RECEIVED, self._group, partition.topic).inc()
        telemetry.child(telemetry.IN_HAND, self._group, partition.topic).inc()
        return self.trackers.ticket(partition, offset)

    def finish(self, ticket: Ticket) -> bool:
        """Finish a record; False if its assignment is over."""
        self.progressed_at = self._clock.monotonic()
        if not self.trackers.finish(ticket):
            return False
        telemetry.child(telemetry.IN_HAND, self._group, ticket.partition.topic).dec()
        return True

    async def keep_committing(self, committer: Callable[[], Committer | None]) -> None:
        """Commit whatever is new, five times a second, for ever."""
        while True:
            await asyncio.sleep(_COMMIT_EVERY)
            consumer = committer()
            if consumer is not None:
                await self.commit(consumer)

    async def commit(self, committer: Committer, *, within: float = _COMMIT_WITHIN) -> None:
        """Commit what is new now. The first refusal means the assignment is lost; silence is tried again later."""
        async with self._lock:
            epoch, offsets = self.trackers.epoch, self._offsets()
            if not offsets:
                return
            sent_at = self._clock.monotonic()
            answer = await self._send(committer, offsets, within)
            telemetry.child(telemetry.COMMITS, self._group, answer).inc()
            if answer == "accepted":
                self._accepted(epoch, offsets, sent_at)
            elif answer == "lost" and epoch == self.trackers.epoch:
                _log.warning("The assignment is lost; what is unfinished will be redelivered.", group=self._group)
                self.end("lost")
                self._on_lost()

    def _offsets(self) -> dict[Partition, int]:
        if self._ownership is not None and self._clock.monotonic() - self._proved_at >= PROOF_INTERVAL:
            return self.trackers.positions()
        return self.trackers.committable()

    async def _send(self, committer: Committer, offsets: Mapping[Partition, int], within: float) -> str:
        named: dict[TopicPartition, Any] = {
            TopicPartition(self._full_name(partition.topic), partition.number): offset
            for partition, offset in offsets.items()
        }
        try:
            async with asyncio.timeout(within):
                await committer.commit(named)
        except (CommitFailedError, IllegalStateError):
            return "lost"
        except (KafkaError, TimeoutError) as failure:
            _log.warning("A commit was not answered; it will be repeated.", error_class=type(failure).__name__)
            return "unanswered"
        return "accepted"

    def _accepted(self, epoch: int, offsets: Mapping[Partition, int], sent_at: float) -> None:
        if not self.trackers.accepted(epoch, offsets):
            return
        telemetry.child(telemetry.COMMIT_SECONDS, self._group).observe(self._clock.monotonic() - sent_at)
        if self._ownership is not None:
            self._ownership.proved(offsets.keys(), sent_at)
            if len(offsets) == len(self.trackers.partitions):
                self._proved_at = sent_at
