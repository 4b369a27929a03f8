"""What is in hand for as long as it may be leaves its partition: it goes aside, or its read goes on without it."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from ringback_common.clock import Clock
from ringback_common.outcomes import Emit, Message, Outcome, Received
from ringback_events.keys import tenant_of

from ringback_stream.aside.detached_reads import DetachedReads
from ringback_stream.aside.lanes import AsideLanes
from ringback_stream.aside.shares import TenantShares
from ringback_stream.aside.writer import AsideWriter
from ringback_stream.consume.key_queue import Item, KeyQueue, key_of
from ringback_stream.consume.offsets import Ticket
from ringback_stream.consume.running_steps import RunningStep, RunningSteps
from ringback_stream.flows import Aside, LaneKind, OnExhausted

__all__ = ["AsideDeadlines", "AsideTargets", "RunnerState"]

_LOOK = 0.1
"""Seconds between looks while what waits to be written has no room for more."""


class AsideTargets(NamedTuple):
    """Where a flow puts records aside, and who writes them there."""

    aside: Aside
    lanes: AsideLanes
    writer: AsideWriter


class RunnerState(NamedTuple):
    """What a runner has in hand: what waits, what runs, and what becomes of a record that fails for good."""

    queue: KeyQueue
    steps: RunningSteps
    on_exhausted: OnExhausted


class AsideDeadlines:
    """Knows which records are still to be answered for, and by when.

    Args:
        putting: lanes and writer.
        in_hand: where the records are.
        shares: gets to know when a tenant's records waited in vain.
        clock: monotonic time.
        answered: called for each record that was answered for here.
    """

    def __init__(
        self,
        putting: AsideTargets,
        in_hand: RunnerState,
        shares: TenantShares,
        clock: Clock,
        answered: Callable[[Ticket], None],
    ) -> None:
        self._aside, self._lanes, self._writer = putting
        self._queue, self._steps, self._on_exhausted = in_hand
        self._shares = shares
        self._clock = clock
        self._answered = answered
        self._staying: dict[Ticket, Item] = {}  # by arrival
        self._not_before = clock.monotonic()
        self.reads = DetachedReads()

    def stays(self, item: Item) -> None:
        """Note a record that was taken in, to be answered for by its deadline."""
        self._staying[item.ticket] = item

    def has_left(self, ticket: Ticket) -> None:
        """Forget a record that its own step has finished."""
        self._staying.pop(ticket, None)

    def begin_anew(self) -> None:
        """Begin the time of every record anew: until now all waited for a Graph that was away."""
        self._not_before = self._clock.monotonic()

    def clear(self) -> None:
        """The assignment is over."""
        self._staying.clear()
        self.reads.clear()

    def at(self, now: float) -> float | None:
        """When the next record must leave; a little later if it must already, and cannot."""
        deadline = next((self._deadline(item) for item in self._staying.values()), None)
        return deadline if deadline is None or deadline > now else now + _LOOK

    def leaves_by(self, step: RunningStep, at: float) -> bool:
        """Whether a record of a step must have left by that time."""
        return any(at >= self._deadline(item) for item in step.work.items)

    @property
    def is_writing(self) -> bool:
        """Whether something that left is not written yet."""
        return self._writer.is_busy

    def look(self, now: float) -> None:
        """Let everything leave that must, as far as what waits to be written has room."""
        waited = set[str]()
        while self._staying and self._writer.has_capacity:
            item = next(iter(self._staying.values()))
            if self._deadline(item) > now:
                break
            del self._staying[item.ticket]
            if self._leaves(item) and item.kind is not LaneKind.BULK:
                waited.add(tenant_of(key_of(item.received)))
        for tenant in waited:
            self._shares.overdue(tenant)

    def put_aside(self, item: Item) -> bool:
        """Put aside what waits for the same key as this record; what failed before goes to a retry lane.

        Returns:
            Whether it waited in vain for its tenant's turn.
        """
        taken = self._queue.take_back(item)
        for each in taken.items:
            self._answer(each, self._outcome(each, taken.attempts))
        return taken.waited_for_slot

    def answer_of(self, received: Received, kind: LaneKind) -> Outcome | None:
        """What a read that went on has said about a record of which this is the copy; None if nothing."""
        answer = self.reads.answer(received) if kind is LaneKind.RETRY else None
        return None if answer is None else self.on_its_lane(received, kind, answer)

    def is_being_read(self, received: Received) -> bool:
        """Whether a read of this record's call goes on for others."""
        return self.reads.goes_on(key_of(received))

    def on_its_lane(self, received: Received, kind: LaneKind, outcome: Outcome) -> Outcome:
        """The outcome of a step, and if it puts the record aside, the lane on which that tenant's records are."""
        match outcome:
            case Emit(stages=((Message() as message,),)) if self._lanes.has(message.topic):
                topic = self._lane_of(received, kind)
                self._lanes.expect(topic, received.partition, tenant_of(key_of(received)))
                return replace(outcome, stages=((replace(message, topic=topic),),))
            case _:
                return outcome

    def _deadline(self, item: Item) -> float:
        return max(item.arrived, self._not_before) + self._aside.within

    def _leaves(self, item: Item) -> bool:
        """Answer for one record; returns whether it waited in vain for its tenant's turn, be it within its step."""
        step = self._steps.of(key_of(item.received))
        # A step may have ended and not be forgotten yet: then its key does not run.
        if step is None or item not in step.work.items or not self._queue.runs(step.work.key):
            return self.put_aside(item)
        return not (step.is_writing or step.is_alone) and self._let_go_on(step)

    def _let_go_on(self, step: RunningStep) -> bool:
        """Answer for the records of a step by copies; it goes on alone.

        Returns:
            Whether it waited for something else than Graph, most of the time: that is not held against the records.
        """
        waited = step.asked < self._aside.within / 2
        copy = self._aside.busy if waited else self._aside.slow
        self._queue.detach(step.work)
        step.is_alone = True
        names = self.reads.begin(step.work.key, len(step.work.items))
        for item, name in zip(step.work.items, names, strict=True):
            self._answer(item, copy(item.received, name))
        return waited

    def _outcome(self, item: Item, attempts: int) -> Outcome:
        if attempts:
            return self._on_exhausted(item.received, attempts)
        moved = self._aside.move(item.received, self._lane_of(item.received, item.kind))
        return self.on_its_lane(item.received, item.kind, moved)

    def _lane_of(self, received: Received, kind: LaneKind) -> str:
        """Where a record waits for its tenant; bulk at the end of its own lane, lest it becomes anything else."""
        if kind is LaneKind.BULK:
            return received.topic
        return self._lanes.choose(tenant_of(key_of(received)), received.partition)

    def _answer(self, item: Item, outcome: Outcome) -> None:
        self._staying.pop(item.ticket, None)
        self._answered(item.ticket)
        self._writer.offer(item.ticket, item.received, outcome)
