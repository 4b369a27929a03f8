"""What may be committed: per partition the lowest unfinished offset, never above it.

An *epoch* is one partition in one assignment, as long as its log is the same. A ticket of an epoch that is over
finishes nothing, so work that outlived its assignment, or its log, cannot move the offsets of the next one.
"""

from collections import deque
from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple

from ringback_stream.consume.partitions import Partition

__all__ = ["OffsetTracker", "OffsetTrackers", "TakeResult", "Ticket"]


class Ticket(NamedTuple):
    """The right to finish one taken record."""

    partition: Partition
    offset: int
    epoch: int


class TakeResult(Enum):
    """What became of an offered record."""

    TAKEN = auto()
    REPEAT = auto()
    """It was taken before in this assignment: a seek back delivers twice."""
    GAP = auto()
    """Offsets before it were not seen. Go back to the next offset; a gap seen twice is real (retention, compaction)."""


class OffsetTracker:
    """Progress in one partition of one assignment.

    Args:
        start: where the assignment begins: the committed offset, else the oldest one.
        epoch: number of the assignment, or of the restart, that it began with.
        committed: what the broker has; None if that is `start`.
    """

    def __init__(self, start: int, epoch: int = 0, committed: int | None = None) -> None:
        self.epoch = epoch
        self._timestamps: deque[int | None] = deque()  # of what was taken
        self._refused_timestamp: int | None = None
        self._taken: deque[int] = deque()  # ascending; those finished above an unfinished one stay until it is finished
        self._finished: set[int] = set()
        self._deferred_early: deque[int] = (
            deque()
        )  # ascending, from the lowest unfinished to the next offset, finished or not
        self._next_offset = start
        self._committed = start if committed is None else committed
        self._highest_finished = start - 1
        self._doubted: int | None = None

    @property
    def next_offset(self) -> int:
        """The offset to be taken next."""
        return self._next_offset

    @property
    def lowest_unfinished(self) -> int:
        """What a commit may say at most: the oldest unfinished offset, or the next one when all is finished."""
        return self._taken[0] if self._taken else self._next_offset

    @property
    def committable(self) -> int | None:
        """The offset worth committing; None when the broker already has it."""
        lowest = self.lowest_unfinished
        return lowest if lowest > self._committed else None

    @property
    def committed(self) -> int:
        """The newest offset the broker has accepted."""
        return self._committed

    @property
    def highest_finished(self) -> int:
        """The newest finished offset; above an unfinished one it is repeated unless that one is finished too."""
        return self._highest_finished

    @property
    def window(self) -> int:
        """Offsets from the lowest unfinished to the next, without those deferred early: most that a crash repeats."""
        return self._next_offset - self.lowest_unfinished - len(self._deferred_early)

    @property
    def deferred_early(self) -> int:
        """Records deferred early above the lowest unfinished offset, which a crash now would defer again."""
        return len(self._deferred_early)

    @property
    def oldest_timestamp_ms(self) -> int | None:
        """The broker's time stamp of the lowest unfinished record; of one that was refused, if nothing was taken.

        None if neither is so.
        """
        return self._timestamps[0] if self._timestamps else self._refused_timestamp

    @property
    def unfinished(self) -> int:
        """Records taken and not finished."""
        return len(self._taken) - len(self._finished)

    def look_at(self, offset: int) -> TakeResult:
        """What would become of a record that is offered.

        A jump over unseen offsets is believed only when it is seen again after a seek back: a batch fetched for an
        earlier assignment, or one the client lost on the way, must not move the committable offset over records that
        no step has seen.
        """
        if offset < self._next_offset:
            return TakeResult.REPEAT
        if offset > self._next_offset and offset != self._doubted:
            self._doubted = offset
            return TakeResult.GAP
        return TakeResult.TAKEN

    def refuse(self, timestamp_ms: int) -> None:
        """Note the time stamp of the next record, which stays in Kafka for now."""
        self._refused_timestamp = timestamp_ms

    def take(self, offset: int, *, timestamp_ms: int | None = None, deferred_early: bool = False) -> TakeResult:
        """Take a record in, if `look_at` admits it; one that is deferred early does not count in the window."""
        looked = self.look_at(offset)
        if looked is not TakeResult.TAKEN:
            return looked
        self._taken.append(offset)
        self._timestamps.append(timestamp_ms)
        self._refused_timestamp = None
        if deferred_early:
            self._deferred_early.append(offset)
        self._next_offset, self._doubted = offset + 1, None
        return TakeResult.TAKEN

    def finish(self, offset: int) -> None:
        """Mark a taken record as finished.

        Raises:
            ValueError: it is not taken, or was finished before.
        """
        if not self.lowest_unfinished <= offset < self._next_offset or offset in self._finished:
            raise ValueError(f"offset {offset} is not unfinished")
        self._finished.add(offset)
        self._highest_finished = max(self._highest_finished, offset)
        while self._taken and self._taken[0] in self._finished:
            self._finished.discard(self._taken.popleft())
            self._timestamps.popleft()
        lowest = self.lowest_unfinished
        while self._deferred_early and self._deferred_early[0] < lowest:
            self._deferred_early.popleft()

    def skip_to(self, offset: int) -> None:
        """The log begins above the next offset: what lies between is gone, what was taken stays."""
        self._next_offset, self._doubted, self._refused_timestamp = offset, None, None

    def accepted(self, offset: int) -> None:
        """The broker accepted a commit; an answer that comes late never takes it back."""
        self._committed = max(self._committed, offset)


class OffsetTrackers:
    """All partitions of the current assignment."""

    def __init__(self) -> None:
        self._epoch = 0
        self._by_partition: dict[Partition, OffsetTracker] = {}

    @property
    def epoch(self) -> int:
        """Grows with each assignment begun and each one ended, and with each partition begun anew within one."""
        return self._epoch

    @property
    def partitions(self) -> frozenset[Partition]:
        """What is assigned now."""
        return frozenset(self._by_partition)

    @property
    def unfinished(self) -> int:
        """Records taken and not finished, over all partitions."""
        return sum(tracker.unfinished for tracker in self._by_partition.values())

    def assign(self, starts: Mapping[Partition, int]) -> int:
        """Begin an assignment, each partition at its start, and forget the one before; returns its epoch."""
        self._epoch += 1
        self._by_partition = {partition: OffsetTracker(start, self._epoch) for partition, start in starts.items()}
        return self._epoch

    def drop(self) -> None:
        """End the assignment, revoked or lost: what is unfinished will be redelivered, to whomever."""
        self._epoch += 1
        self._by_partition = {}

    def resume(self, partition: Partition, oldest: int) -> int | None:
        """The broker says that a partition's log does not hold the next offset: go on at the log's oldest record.

        A log that begins above it has lost what lies between, to retention. One that begins below it must end
        below it, too: it was made anew, cut or restored, or the offset was set too high. Then nothing that was taken
        or committed says anything about this log: tickets of it are over, and the next commit goes back. That is the
        only one that does.

        Args:
            partition: which; it is assigned.
            oldest: offset of the oldest record the log holds, or of the next one to come.

        Returns:
            How many records were removed before they were read: 0 where there is nothing to mend any more; None where
            the partition is begun anew.
        """
        next_offset = self._by_partition[partition].next_offset
        if oldest < next_offset:
            self._epoch += 1
            self._by_partition[partition] = OffsetTracker(oldest, self._epoch, committed=oldest - 1)
            return None
        self._by_partition[partition].skip_to(oldest)
        return oldest - next_offset

    def of(self, partition: Partition) -> OffsetTracker | None:
        """The progress of a partition; None if it is not assigned."""
        return self._by_partition.get(partition)

    def ticket(self, partition: Partition, offset: int) -> Ticket:
        """The ticket of a record that was just taken."""
        return Ticket(partition, offset, self._by_partition[partition].epoch)

    def finish(self, ticket: Ticket) -> bool:
        """Finish a taken record; False, and nothing changes, if its assignment is over or its log another."""
        tracker = self._held(ticket)
        if tracker is None:
            return False
        tracker.finish(ticket.offset)
        return True

    def is_out_of_order(self, ticket: Ticket) -> bool:
        """Whether a newer record of its partition is finished: given back now, it would repeat that one."""
        tracker = self._held(ticket)
        return tracker is not None and ticket.offset < tracker.highest_finished

    def committable(self) -> dict[Partition, int]:
        """What to commit now, by partition."""
        offsets = {partition: tracker.committable for partition, tracker in self._by_partition.items()}
        return {partition: offset for partition, offset in offsets.items() if offset is not None}

    def positions(self) -> dict[Partition, int]:
        """What a commit may say for every partition, new or not: the proof of ownership of an idle one."""
        return {partition: tracker.lowest_unfinished for partition, tracker in self._by_partition.items()}

    def accepted(self, epoch: int, offsets: Mapping[Partition, int]) -> bool:
        """Note what the broker accepted; False, and nothing changes, if the epoch has changed since it was sent."""
        if epoch != self._epoch:
            return False
        for partition, offset in offsets.items():
            self._by_partition[partition].accepted(offset)
        return True

    def _held(self, ticket: Ticket) -> OffsetTracker | None:
        tracker = self._by_partition.get(ticket.partition)
        return tracker if tracker is not None and tracker.epoch == ticket.epoch else None
