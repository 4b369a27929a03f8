"""Which records are taken in, and which partitions wait outside; each record is decided by a `AdmissionPolicy`.

Pausing throws a partition's prefetched records away and every rebalance forgets pauses, so a refused record is always
sought back: what was refused is delivered again, whatever happened in between.
"""

from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition
from ringback_common.clock import Clock
from ringback_common.outcomes import Received
from ringback_events.keys import tenant_of

from ringback_stream import telemetry
from ringback_stream.aside.policy import AdmissionPolicy, WaitInKafka
from ringback_stream.consume.assignment import Assignment
from ringback_stream.consume.offsets import OffsetTracker, TakeResult
from ringback_stream.consume.partitions import Partition
from ringback_stream.consume.records import KafkaRecord, received
from ringback_stream.consume.runner import MayGoOn, Runner
from ringback_stream.flows import BatchedFlow, KeyedFlow, Lane, LaneKind
from ringback_stream.lanes import due_ms

__all__ = ["BackpressureGate"]

Described = tuple[str, KafkaRecord]
"""A record and its topic's contract name."""


class BackpressureGate:
    """Takes records in, one by one, or sends their partition away until it may go on."""

    def __init__(
        self,
        flow: KeyedFlow | BatchedFlow,
        runner: Runner,
        policy: AdmissionPolicy,
        assignment: Assignment,
        clock: Clock,
    ) -> None:
        self._group = flow.group
        self._policy = policy
        self._lanes = {lane.topic.name: lane for lane in flow.lanes}
        self._runner = runner
        self._assignment = assignment
        self._clock = clock
        self._open = False
        self._outside: dict[TopicPartition, MayGoOn] = {}
        self._looking: dict[TopicPartition, tuple[Partition, MayGoOn]] = {}
        """Partitions that are read ahead while their head waits."""

    def open(self) -> None:
        """A new assignment: nothing is paused."""
        self._outside.clear()
        self._looking.clear()
        self._open = True

    def close(self) -> None:
        """Take nothing more."""
        self._open = False
        self._outside.clear()
        self._looking.clear()

    def take(self, client: Any, records: Sequence[Described]) -> None:
        """Take in what may be, in order; a partition with a refused record waits outside, sought back to it."""
        if not self._open:
            return
        refused: set[Partition] = set()
        for topic, record in records:
            partition = Partition(topic, record.partition)
            tracker = self._assignment.trackers.of(partition)
            self._note(partition, record)
            if self._is_looking(record):
                continue
            if tracker is None or partition in refused or not self._admit(client, partition, tracker, record):
                refused.add(partition)
        for partition in {Partition(topic, record.partition) for topic, record in records}:
            self._forget_passed(partition)
        telemetry.child(telemetry.PAUSED, self._group).set(len(self._outside))

    def go_to(self, client: Any, named: TopicPartition, offset: int) -> None:
        """Read a partition at another offset: what it waited for was about records that are not there."""
        if self._outside.pop(named, None) is not None:
            client.resume(named)
        self._looking.pop(named, None)
        client.seek(named, offset)

    def look_again(self, client: Any) -> None:
        """Let those in that may go on."""
        for named, (partition, may_go_on) in tuple(self._looking.items()):
            tracker = self._assignment.trackers.of(partition)
            if tracker is not None and may_go_on():
                del self._looking[named]
                client.seek(named, tracker.next_offset)
        for named, may_go_on in tuple(self._outside.items()):
            if may_go_on():
                del self._outside[named]
                client.resume(named)
        telemetry.child(telemetry.PAUSED, self._group).set(len(self._outside))

    @property
    def is_open(self) -> bool:
        """Whether records are taken in."""
        return self._open

    @property
    def waiting_outside(self) -> int:
        """Partitions paused, or read ahead."""
        return len(self._outside) + len(self._looking)

    def is_outside(self, named: TopicPartition) -> bool:
        """Whether the head of a partition waits in Kafka."""
        return named in self._outside or named in self._looking

    def _admit(self, client: Any, partition: Partition, tracker: OffsetTracker, record: KafkaRecord) -> bool:
        named = TopicPartition(record.topic, record.partition)
        lane = self._lanes[partition.topic]
        looked = tracker.look_at(record.offset)  # first: to decide may be to say that a tenant is asked for it
        if looked is not TakeResult.TAKEN:
            return looked is TakeResult.REPEAT or self._go_back(client, named, tracker)
        taking = received(partition.topic, record)
        decided = self._not_due(taking, lane) or self._policy.decide(lane, tracker, taking)
        if isinstance(decided, WaitInKafka):
            tracker.refuse(record.timestamp)
            self._wait(client, named, partition, tracker, decided)
            return False
        tracker.take(record.offset, timestamp_ms=record.timestamp, deferred_early=decided is not None)
        ticket = self._assignment.take(partition, record.offset)
        if decided is None:
            self._runner.offer(ticket, taking, lane.kind)
        else:
            self._policy.answer(ticket, taking, decided)
        return True

    def _go_back(self, client: Any, named: TopicPartition, tracker: OffsetTracker) -> bool:
        client.seek(named, tracker.next_offset)
        return False

    def _wait(
        self, client: Any, named: TopicPartition, partition: Partition, tracker: OffsetTracker, wait: WaitInKafka
    ) -> None:
        ahead = self._policy.ahead(partition) if wait.looking else None
        if ahead is None:
            client.pause(named)
            client.seek(named, tracker.next_offset)
            self._outside[named] = wait.may_go_on
            return
        self._looking[named] = partition, wait.may_go_on
        if ahead.seen > tracker.next_offset + 1:  # it was looked at before, up to there
            client.seek(named, ahead.seen)

    def _forget_passed(self, partition: Partition) -> None:
        ahead, tracker = self._policy.ahead(partition), self._assignment.trackers.of(partition)
        if ahead is not None and tracker is not None:
            ahead.passed(tracker.next_offset)

    def _note(self, partition: Partition, record: KafkaRecord) -> None:
        ahead = self._policy.ahead(partition)
        if ahead is not None:
            ahead.note(record.offset, tenant_of(record.key or b""))

    def _is_looking(self, record: KafkaRecord) -> bool:
        return bool(self._looking) and TopicPartition(record.topic, record.partition) in self._looking

    def _not_due(self, record: Received, lane: Lane) -> WaitInKafka | None:
        due = due_ms(record, lane.longest_wait) if lane.kind is LaneKind.RETRY else None
        if due is None or self._now_ms() >= due:
            return None
        return WaitInKafka(lambda: self._now_ms() >= due)

    def _now_ms(self) -> float:
        return self._clock.now().timestamp() * 1000
