"""The door: which records are taken in, and which partitions wait outside.

Pausing throws a partition's prefetched records away and every rebalance forgets pauses, so a refused record is always
sought back: what was refused is delivered again, whatever happened meanwhile.
"""

from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition
from ringback_common.clock import Clock
from ringback_common.outcomes import Outcome, Received

from ringback_stream import telemetry
from ringback_stream.assignment import Assignment
from ringback_stream.diversion import Diversion
from ringback_stream.flows import BatchedFlow, KeyedFlow, Lane, LaneKind
from ringback_stream.lanes import due_ms
from ringback_stream.partitions import Partition
from ringback_stream.records import Record, received
from ringback_stream.runner import MayGoOn, Runner
from ringback_stream.watermarks import Taken, Watermark

__all__ = ["Intake"]

Described = tuple[str, Record]
"""A record and its topic's contract name."""


class Intake:
    """Takes records in, one by one, or sends their partition away until it may go on."""

    def __init__(
        self,
        flow: KeyedFlow | BatchedFlow,
        runner: Runner,
        diversion: Diversion,
        assignment: Assignment,
        clock: Clock,
    ) -> None:
        self._group = flow.group
        self._diversion = diversion
        self._lanes = {lane.topic.name: lane for lane in flow.lanes}
        self._runner = runner
        self._assignment = assignment
        self._clock = clock
        self._open = False
        self._outside: dict[TopicPartition, MayGoOn] = {}

    def open(self) -> None:
        """A new assignment: nothing is paused."""
        self._outside.clear()
        self._open = True

    def close(self) -> None:
        """Take nothing more."""
        self._open = False
        self._outside.clear()

    def take(self, client: Any, records: Sequence[Described]) -> None:
        """Take in what may be, in order; a partition with a refused record waits outside, sought back to it."""
        if not self._open:
            return
        refused: set[Partition] = set()
        for topic, record in records:
            partition = Partition(topic, record.partition)
            watermark = self._assignment.watermarks.of(partition)
            if watermark is None or partition in refused or not self._admit(client, partition, watermark, record):
                refused.add(partition)
        for topic, record in dict(records).items():  # the newest of each topic
            age = max(0.0, self._now_ms() - record.timestamp) / 1000
            telemetry.child(telemetry.LANE_AGE, self._group, topic).set(age)
        telemetry.child(telemetry.PAUSED, self._group).set(len(self._outside))

    def go_to(self, client: Any, named: TopicPartition, offset: int) -> None:
        """Read a partition at another offset: what it waited for was about records that are not there."""
        if self._outside.pop(named, None) is not None:
            client.resume(named)
        client.seek(named, offset)

    def look_again(self, client: Any) -> None:
        """Let those in that may go on."""
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
        """Partitions paused."""
        return len(self._outside)

    def is_outside(self, named: TopicPartition) -> bool:
        """Whether a partition is paused by us."""
        return named in self._outside

    def _admit(self, client: Any, partition: Partition, watermark: Watermark, record: Record) -> bool:
        named = TopicPartition(record.topic, record.partition)
        lane = self._lanes[partition.topic]
        if record.offset < watermark.head:
            return True  # a seek back delivers twice
        taking = received(partition.topic, record)
        not_due = self._not_due(taking, lane)
        outcome = self._diversion.outcome(taking) if not_due is None else None
        may_go_on = not_due or self._refusal(watermark, taking, lane.kind, outcome)
        if may_go_on is not None:
            client.pause(named)
            client.seek(named, watermark.head)
            self._outside[named] = may_go_on
            return False
        if watermark.take(record.offset, diverted=outcome is not None) is Taken.GAP:
            client.seek(named, watermark.head)
            return False
        ticket = self._assignment.take(partition, record.offset)
        if outcome is None:
            self._runner.offer(ticket, taking, lane.kind)
        else:
            self._diversion.offer(ticket, taking, outcome)
        return True

    def _refusal(
        self, watermark: Watermark, taking: Received, kind: LaneKind, outcome: Outcome | None
    ) -> MayGoOn | None:
        if outcome is not None:
            return self._diversion.refusal(watermark)
        may_go_on = self._runner.refusal(watermark, taking, kind)
        if may_go_on is None:
            return None
        return lambda: may_go_on() or self._diversion.outcome(taking) is not None

    def _not_due(self, record: Received, lane: Lane) -> MayGoOn | None:
        due = due_ms(record, lane.longest_wait) if lane.kind is LaneKind.RETRY else None
        if due is None or self._now_ms() >= due:
            return None
        return lambda: self._now_ms() >= due

    def _now_ms(self) -> float:
        return self._clock.now().timestamp() * 1000
