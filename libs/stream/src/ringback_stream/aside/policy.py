"""What becomes of a record that a poll brought: it is taken in, answered without a step, or waits in Kafka."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from ringback_common.clock import Clock
from ringback_common.outcomes import Emit, Outcome, Received
from ringback_events.keys import tenant_of

from ringback_stream.aside.lanes import AsideLanes
from ringback_stream.aside.lookahead import Lookahead
from ringback_stream.aside.move_limiter import MoveLimiter
from ringback_stream.aside.writer import AsideWriter
from ringback_stream.consume.key_queue import key_of
from ringback_stream.consume.keyed_runner import KeyedRunner
from ringback_stream.consume.offsets import OffsetTracker, Ticket
from ringback_stream.consume.partitions import Partition
from ringback_stream.consume.runner import MayGoOn, Runner
from ringback_stream.flows import Aside, Lane, LaneKind

__all__ = ["AdmissionPolicy", "AsidePolicy", "PausingPolicy", "WaitInKafka"]


class WaitInKafka(NamedTuple):
    """The record stays in Kafka.

    Attributes:
        may_go_on: asked again and again whether its partition may be read on.
        looking: until then its partition is read ahead, to know which tenants wait behind it.
    """

    may_go_on: MayGoOn
    looking: bool = False


class AdmissionPolicy(Protocol):
    """Decides for each record, in the order of its partition."""

    def decide(self, lane: Lane, tracker: OffsetTracker, received: Received) -> Outcome | WaitInKafka | None:
        """None: take it in. An outcome: answer it so, without a step."""
        ...

    def answer(self, ticket: Ticket, received: Received, outcome: Outcome) -> None:
        """Carry out what was decided for a record without a step."""
        ...

    def ahead(self, partition: Partition) -> Lookahead | None:
        """What is known of the records behind the next one; None of a lane in which no tenant waits for another."""
        ...

    def begin(self, starts: Mapping[Partition, int]) -> None:
        """A new assignment begins at these offsets."""
        ...

    def begin_anew(self, partition: Partition, start: int) -> None:
        """A partition goes on at another offset, perhaps in another log."""
        ...

    async def wait_for_capacity(self) -> None:
        """Wait a little before the next records, if that spares a pause."""
        ...

    def drop(self) -> None:
        """The assignment is over: forget what is not written yet."""
        ...


class PausingPolicy:
    """Of a flow that puts nothing aside: what is too much waits, and its partition with it."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def decide(self, lane: Lane, tracker: OffsetTracker, received: Received) -> WaitInKafka | None:
        """Wait where the runner refuses."""
        may_go_on = self._runner.refusal(tracker, received, lane.kind)
        return None if may_go_on is None else WaitInKafka(may_go_on)

    def answer(self, ticket: Ticket, received: Received, outcome: Outcome) -> None:  # noqa: ARG002 - the port's signature
        """Never called: `decide` gives no outcome.

        Raises:
            AssertionError: it was called.
        """
        raise AssertionError("a record was answered in a flow that answers none without a step")

    def ahead(self, partition: Partition) -> None:  # noqa: ARG002 - the port's signature
        """This policy does not read ahead."""
        return

    def begin(self, starts: Mapping[Partition, int]) -> None:
        """Nothing is remembered."""

    def begin_anew(self, partition: Partition, start: int) -> None:
        """The same."""

    async def wait_for_capacity(self) -> None:
        """The runner has room of its own."""

    def drop(self) -> None:
        """Nothing waits here."""


class AsidePolicy:
    """Of a flow that puts aside what exceeds its tenant's share in hand; see `ringback_stream.aside`."""

    def __init__(self, aside: Aside, runner: KeyedRunner, lanes: AsideLanes, writer: AsideWriter, clock: Clock) -> None:
        assert runner.admission is not None  # noqa: S101 - it runs a flow with an `Aside`
        assert runner.leaving is not None  # noqa: S101 - the same
        self._aside = aside
        self._runner = runner
        self._admission = runner.admission
        self._leaving = runner.leaving
        self._lanes = lanes
        self._writer = writer
        self._clock = clock
        self._moves = MoveLimiter(clock)

    def decide(self, lane: Lane, tracker: OffsetTracker, received: Received) -> Outcome | WaitInKafka | None:
        """Take in what has room, put the rest aside; what is aside already waits for its tenant.

        While Graph as a whole is away nothing is put aside: everything waits in Kafka.
        """
        runner = self._runner
        nothing_now = self._refusal(tracker)
        if nothing_now is not None:
            return WaitInKafka(nothing_now)
        answer = self._answer(received, lane.kind)
        if answer is not None or self._has_capacity(received, lane.kind):
            return answer
        if runner.is_cut_off:
            return WaitInKafka(lambda: not runner.is_cut_off or self._has_capacity(received, lane.kind))
        if lane.kind in (LaneKind.LIVE, LaneKind.RETRY):
            return self._moved(received, self._lanes.choose(tenant_of(key_of(received)), received.partition))
        return self._in_the_way(lane, tracker, received)

    def answer(self, ticket: Ticket, received: Received, outcome: Outcome) -> None:
        """Have it written with others."""
        self._writer.offer(ticket, received, outcome)

    def ahead(self, partition: Partition) -> Lookahead | None:
        """What was seen behind the next record."""
        return self._lanes.of(partition)

    def begin(self, starts: Mapping[Partition, int]) -> None:
        """Nothing is known of what lies behind the next records."""
        self._lanes.begin(starts)
        self._writer.resume()

    def begin_anew(self, partition: Partition, start: int) -> None:
        """The same, of one partition."""
        self._lanes.begin_anew(partition, start)

    async def wait_for_capacity(self) -> None:
        """Wait a little while much waits to be written."""
        await self._writer.wait_for_capacity()

    def drop(self) -> None:
        """What is being sent is written twice."""
        self._writer.drop()

    def _refusal(self, tracker: OffsetTracker) -> MayGoOn | None:
        """Refuse every record while a probe is under way, or while too much waits to be written."""
        runner = self._runner
        return (lambda: not runner.is_probing) if runner.is_probing else self._writer.refusal(tracker)

    def _in_the_way(self, lane: Lane, tracker: OffsetTracker, received: Received) -> Outcome | WaitInKafka:
        """A record that is aside, or in bulk, and has no room: it moves only where others wait behind it."""
        tenant, partition = tenant_of(key_of(received)), Partition(received.topic, received.partition)
        bulk = lane.kind is LaneKind.BULK

        def must_move() -> bool:
            return self._is_old(received) or self._lanes.starving(
                partition,
                tracker.next_offset,
                tenant,
                lambda other: self._admission.is_starving(other, bulk=bulk),
                lambda other: self._admission.is_full(other, bulk=bulk),
            )

        if must_move() and self._moves.take():
            return self._moved(received, self._lanes.beyond(partition, tenant))
        wants = self._admission.wants
        return WaitInKafka(lambda: wants(received, lane.kind) or (self._moves.are_due and must_move()), looking=True)

    def _answer(self, received: Received, kind: LaneKind) -> Outcome | None:
        """Of a record whose call was read for it, or is being read; None of any other."""
        answer = self._leaving.answer_of(received, kind)
        if answer is None and self._leaving.is_being_read(received) and not self._runner.is_cut_off:
            return self._aside.busy(received, None)
        return answer

    def _has_capacity(self, received: Received, kind: LaneKind) -> bool:
        return not self._leaving.is_being_read(received) and self._admission.has_capacity(received, kind)

    def _moved(self, received: Received, topic: str) -> Outcome:
        """What becomes of a record that goes to a topic, where it is expected from now on unless it ends here."""
        outcome = self._aside.move(received, topic)
        if isinstance(outcome, Emit):
            self._lanes.expect(topic, received.partition, tenant_of(key_of(received)))
        return outcome

    def _is_old(self, received: Received) -> bool:
        """Whether retention would take it if it waited on as long again."""
        age_ms = self._clock.now().timestamp() * 1000 - received.timestamp_ms
        return age_ms > self._aside.keep_seconds * 1000
