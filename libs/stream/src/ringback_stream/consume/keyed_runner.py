"""The keyed runner: one step at a time per key over all lanes; a sick key or tenant delays only itself."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from ringback_common.backoff import Backoff
from ringback_common.clock import Clock
from ringback_common.errors import Throttled, Transient
from ringback_common.outcomes import Emit, Message, Outcome, Reason, Received, Reject
from ringback_common.scopes import ScopeKind
from ringback_common.traces import SpanKind, span

from ringback_stream import telemetry
from ringback_stream.aside.admission import ShareAdmission
from ringback_stream.aside.deadlines import AsideDeadlines, AsideTargets, RunnerState
from ringback_stream.consume.breaker import Breaker, BreakerState
from ringback_stream.consume.byte_budget import ByteLease
from ringback_stream.consume.failures import Action, FailureContext, action_for
from ringback_stream.consume.key_queue import Item, KeyQueue, Work
from ringback_stream.consume.offsets import OffsetTracker, Ticket
from ringback_stream.consume.outcome_handler import OutcomeHandler, StepResult
from ringback_stream.consume.runner import MayGoOn
from ringback_stream.consume.running_steps import RunningStep, RunningSteps
from ringback_stream.flows import KeyedFlow, LaneKind
from ringback_stream.publish.client import size_of

__all__ = ["KeyedRunner"]

_LOOK = 0.005
"""Seconds between looks at whether all is written, while draining."""


class KeyedRunner:
    """Runs a keyed flow; see `ringback_stream.consume.runner.Runner` for what each method promises.

    Args:
        flow: what to run.
        outcome_handler: carries out what steps say.
        clock: monotonic time.
        is_overtaken: whether a newer record of the same partition is finished.
        putting: of a flow with an `Aside`.
    """

    def __init__(
        self,
        flow: KeyedFlow,
        outcome_handler: OutcomeHandler,
        clock: Clock,
        is_out_of_order: Callable[[Ticket], bool],
        putting: AsideTargets | None = None,
    ) -> None:
        self._flow = flow
        self._outcome_handler = outcome_handler
        self._clock = clock
        self._is_out_of_order = is_out_of_order
        self._tasks: asyncio.TaskGroup | None = None
        self._queue = KeyQueue(flow.caps, flow.key_interval)
        self._breaker = Breaker()
        self._steps = RunningSteps()
        self._running: dict[asyncio.Task[None], RunningStep] = {}
        self._arrivals: dict[Ticket, float] = {}
        self._moved_at = clock.monotonic()
        self._changed = asyncio.Event()
        self._open = False
        self.admission, self.leaving = (None, None) if putting is None else self._parts(putting)

    def _parts(self, putting: AsideTargets) -> tuple[ShareAdmission, AsideDeadlines]:
        admission = ShareAdmission(putting.aside, self._flow.caps, self._queue, self._clock)
        in_hand = RunnerState(self._queue, self._steps, self._flow.on_exhausted)
        return admission, AsideDeadlines(putting, in_hand, admission.shares, self._clock, self._answered_for)

    # -- called by the back-pressure gate --

    def refusal(self, tracker: OffsetTracker, received: Received, kind: LaneKind) -> MayGoOn | None:
        """Refuse at the span, at the tenant's keys, and while the breaker is open and has something to probe with."""
        caps = self._flow.caps
        if self.is_probing:
            return lambda: not self.is_probing
        if tracker.window >= caps.window:
            return lambda: tracker.window <= caps.low * caps.window
        if self._queue.tenant_is_full(received, kind):
            return lambda: not self._queue.tenant_is_full(received, kind)
        return None

    @property
    def is_cut_off(self) -> bool:
        """Whether the breaker is open: the other side is away, and all but the probe waits in Kafka."""
        return self._breaker.state is not BreakerState.CLOSED

    @property
    def is_probing(self) -> bool:
        """Whether the breaker is open and a probe runs or could begin; if not, a record must be taken in to be one."""
        return self.is_cut_off and (self._queue.may_begin() or self._has_probe)

    @property
    def _has_probe(self) -> bool:
        return any(step.is_probe for step in self._steps)

    def offer(self, ticket: Ticket, received: Received, kind: LaneKind) -> None:
        """Queue the record under its key."""
        now = self._clock.monotonic()
        item = Item(ticket, received, kind, now)
        self._arrivals[ticket] = now
        if self.leaving is not None:
            self.leaving.stays(item)
        self._queue.offer(item, now)
        self._changed.set()

    async def wait_for_capacity(self) -> None:
        """Never waits: a lane at its cap must not keep the others from being read."""

    def resume(self) -> None:
        """Start steps again."""
        self._open = True
        self._changed.set()

    def close(self) -> None:
        """Start nothing more of what waits."""
        self._open = False

    async def drain(self, seconds: float) -> None:
        """Finish what runs, and what lies below finished records, until the deadline; give the rest back.

        A commit cannot say "all but this one": what waits below a finished record would repeat it. So it is put aside,
        or, of a flow that puts nothing aside, started.
        """
        self._open = False
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await (self._finish() if self.leaving is None else self._finish_or_leave(self.leaving))
        finally:
            self.drop()

    def drop(self) -> None:
        """Cancel what runs and forget everything."""
        self._open = False
        for task in self._running:
            task.cancel()
        self._running.clear()
        self._arrivals.clear()
        self._steps.clear()
        if self.leaving is not None:
            self.leaving.clear()
        self._queue.clear()

    # -- what others ask --

    @property
    def oldest_arrival(self) -> float | None:
        """Records are taken in, and kept here, in order of time."""
        return next(iter(self._arrivals.values()), None)

    @property
    def stuck_since(self) -> float | None:
        """The oldest step, what it waited for bytes left out; or ready work that is not started."""
        since = self._steps.stuck_since
        return self.unstarted_since if since is None else since

    @property
    def unstarted_since(self) -> float | None:
        """Since when no step has begun or ended although one may begin; None if none may."""
        now = self._clock.monotonic()
        if not self._open or self.is_cut_off or not self._queue.can_start(now):
            return None
        return max(self._moved_at, self._queue.oldest_waiting(now).get("ready", now))

    def oldest_by_reason(self) -> Mapping[str, float]:
        """When the oldest unfinished record arrived, by what it waits for; monotonic."""
        waiting = self._queue.oldest_waiting(self._clock.monotonic())
        items = (item for step in self._steps for item in step.work.items)
        running = min((item.arrived for item in items if item.ticket in self._arrivals), default=None)
        return waiting if running is None else {**waiting, "running": running}

    def oldest_key(self, why: str) -> bytes:
        """Of the steps' records or of the queue's."""
        if why != "running":
            return self._queue.oldest_key(why, self._clock.monotonic())
        items = [item for step in self._steps for item in step.work.items if item.ticket in self._arrivals]
        oldest = min(items, key=lambda item: item.arrived, default=None)
        return b"" if oldest is None else oldest.received.key or b""

    @property
    def keys_of_a_tenant(self) -> int:
        """The largest number of unfinished keys that one tenant has."""
        return self._queue.most_of_a_tenant()

    # -- running --

    async def run(self) -> None:
        """Start whatever may start, whenever something changes or becomes due."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                while True:
                    now = self._clock.monotonic()
                    self._start_all(tasks, now)
                    await self._change(now)
            finally:
                self._tasks = None

    async def _finish(self) -> None:
        begun: set[bytes] = set()
        while self._start_out_of_order(begun):
            await asyncio.wait(tuple(self._running), return_when=asyncio.FIRST_COMPLETED)

    def _start_out_of_order(self, begun: set[bytes]) -> bool:
        """Start what lies below finished records and may run now, each key once; returns whether anything runs."""
        now = self._clock.monotonic()
        for name in self._queue.out_of_order(self._is_out_of_order):
            held = name in begun or self._queue.is_held(name, now) or self.is_cut_off
            if not held and self._queue.has_slot(name) and self._tasks is not None:
                begun.add(name)
                self._start(self._tasks, self._queue.begin(name, now))
        return bool(self._running)

    async def _finish_or_leave(self, leaving: AsideDeadlines) -> None:
        """Ends early when the writer has ended: after a bug, or a halt."""
        while self._tasks is not None and (self._is_owed(leaving) or leaving.is_writing):
            leaving.look(self._clock.monotonic())
            await asyncio.sleep(_LOOK)

    def _is_owed(self, leaving: AsideDeadlines) -> bool:
        """Put aside what waits below finished records; returns whether a step runs that must end.

        One whose records are not answered for must, and one of which something is being written.
        """
        for name in self._queue.out_of_order(self._is_out_of_order):
            leaving.put_aside(self._queue.first_waiting(name))
        return any(step.is_writing or not step.is_alone for step in self._running.values())

    def _answered_for(self, ticket: Ticket) -> None:
        self._arrivals.pop(ticket, None)

    def _start_all(self, tasks: asyncio.TaskGroup, now: float) -> None:
        if not self._open:
            return
        self._queue.wake(now)
        if self.leaving is not None and not self.is_cut_off:  # while Graph as a whole is away nothing leaves
            self.leaving.look(now)
        while self._breaker.allows(now) and (work := self._queue.next(now)) is not None:
            self._start(tasks, work)

    def _start(self, tasks: asyncio.TaskGroup, work: Work) -> None:
        step = RunningStep(work, is_probe=self._breaker.begin())
        task = tasks.create_task(self._step(step))
        self._moved_at = self._clock.monotonic()
        self._running[task] = step
        self._steps.add(step)
        task.add_done_callback(lambda _: self._ended(task, step))

    def _ended(self, task: asyncio.Task[None], step: RunningStep) -> None:
        self._running.pop(task, None)
        self._steps.ended(step)
        self._moved_at = self._clock.monotonic()
        if step.is_probe and self._breaker.state is BreakerState.HALF_OPEN and not self._has_probe:
            self._breaker.abandoned(self._moved_at)  # cancelled, perhaps before it had begun to run
        self._changed.set()

    async def _change(self, looked_at: float) -> None:
        """Wait until a record is offered, a step ends, or a hold, a delay, a deadline or the next probe comes.

        Args:
            looked_at: the monotonic time by which `_start_all` has just decided. What ends later is waited for, even if
                it has ended by now: uvloop's timers may fire a millisecond early, and compared with a newer time the
                end would count as past and never be acted on.
        """
        must_leave = self.leaving.at(looked_at) if self.leaving is not None and not self.is_cut_off else None
        moments = (self._queue.next_change(looked_at), self._breaker.probe_at, must_leave)
        due = [at for at in moments if at is not None and at > looked_at] if self._open else []
        try:
            async with asyncio.timeout(max(0.001, min(due) - self._clock.monotonic()) if due else None):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    # -- one step --

    async def _step(self, step: RunningStep) -> None:
        records = [item.received for item in step.work.items]
        topic = records[0].topic
        with span(
            f"process {topic}",
            SpanKind.CONSUMER,
            parent=records[0].headers,
            links=[record.headers for record in records[1:]],
            root=step.work.kind is not LaneKind.LIVE,
        ):
            async with self._flow.in_hand.hold() as hold:
                await self._carry_out(step, records, hold)

    async def _carry_out(self, step: RunningStep, records: Sequence[Received], hold: ByteLease) -> None:
        """Let the step answer, then write what it made: its slot ends with the answer, its bytes with the last ack."""
        began = self._clock.monotonic()
        step.begin(hold, began)
        try:
            outcomes = await self._flow.step(records)
        except Transient as failure:
            step.began = None
            hold.shrink(0)
            await self._failed(step, failure)
            return
        step.began = None
        hold.shrink(sum(map(_bytes, outcomes)))
        self._queue.answered(step.work)
        self._changed.set()
        telemetry.child(telemetry.STEP_SECONDS, self._flow.group).observe(self._clock.monotonic() - began)
        telemetry.child(telemetry.STEP_RECORDS, self._flow.group).observe(len(records))
        self._note_answer(step)
        if step.is_alone:
            await self._publish(step, outcomes)
        else:
            if self.admission is not None:
                self.admission.shares.served(step.work.tenant)
            await self._apply(step, outcomes, attempts=1)

    def _note_answer(self, step: RunningStep) -> None:
        """The step has an answer: the other side's, whatever that said, or one that it had without it."""
        if not self._was_answered(step):
            if step.is_probe:
                step.is_probe = False
                self._breaker.inconclusive(self._clock.monotonic())
            return
        self._breaker.succeeded(probe=step.is_probe)
        if step.is_probe:  # no other answer changes what it lets through
            telemetry.child(telemetry.BREAKER_OPEN, self._flow.group).set(0)
            if self.leaving is not None:
                self.leaving.begin_anew()

    def _was_answered(self, step: RunningStep) -> bool:
        """Steps of a flow that puts aside say when they ask; of any other flow every answer is the other side's."""
        return self.leaving is None or (step.hold is not None and step.hold.is_answered)

    async def _failed(self, step: RunningStep, failure: Transient) -> None:
        now, work = self._clock.monotonic(), step.work
        if isinstance(failure, Throttled):
            self._note_answer(step)
        else:
            self._breaker.failed(now, probe=step.is_probe)
            telemetry.child(telemetry.BREAKER_OPEN, self._flow.group).set(self.is_cut_off)
        # A general failure does not count as one of this key.
        alone = not self.is_cut_off and not isinstance(failure, Throttled)
        attempts, seconds = self._queue.failed(work, now) if alone else (0, 0.0)
        action = action_for(failure, self._situation(attempts, seconds))
        telemetry.child(telemetry.STEPS, self._flow.group, action).inc()
        if step.is_alone:
            self._failed_alone(work, failure, now)
            return
        match action:
            case Action.WAIT if isinstance(failure, Throttled):
                await self._wait(step, failure, now)
            case Action.PAUSE:
                self._queue.again(work, now, now)
            case Action.RETRY if not self._leaves_by(step, again := now + self._pause(attempts)):
                self._queue.again(work, now, again)
            case _:
                outcomes = [self._flow.on_exhausted(item.received, attempts) for item in work.items]
                await self._apply(step, outcomes, attempts)

    def _leaves_by(self, step: RunningStep, at: float) -> bool:
        return self.leaving is not None and self.leaving.leaves_by(step, at)

    def _failed_alone(self, work: Work, failure: Transient, now: float) -> None:
        """A read whose records are answered for has failed: their copies are requests like any other."""
        if isinstance(failure, Throttled):
            self._hold_tenant(failure, now)
        if self.leaving is not None:
            self.leaving.reads.ended(work.key)
        self._queue.finish(work, now)

    def _hold_tenant(self, throttled: Throttled, now: float) -> str | None:
        """Hold back the tenant that has to wait; None if the scope is not a tenant."""
        kind, tenant_id, _ = throttled.scope
        if kind is not ScopeKind.TENANT:
            return None
        self._queue.hold(tenant_id, now, throttled.retry_after)
        return tenant_id

    def _situation(self, attempts: int, seconds: float) -> FailureContext:
        if self.is_cut_off:
            return FailureContext.GENERAL
        budget = self._flow.retry
        return (
            FailureContext.EXHAUSTED
            if attempts >= budget.attempts or seconds >= budget.seconds
            else FailureContext.ALONE
        )

    def _pause(self, attempts: int) -> float:
        """Exponential, with jitter: keys that failed together do not come back together."""
        return Backoff(self._flow.retry.first, self._flow.retry.longest, jitter=0.5).after(attempts)

    async def _wait(self, step: RunningStep, throttled: Throttled, now: float) -> None:
        """A tenant's records wait in hand for a while; one that alone must wait would hold its partition back."""
        work, defer, held = step.work, self._flow.on_throttled, self._hold_tenant(throttled, now)
        if held is None and defer is not None:
            outcomes = [defer(item.received, throttled.retry_after) for item in work.items]
            await self._apply(step, outcomes, attempts=1)
        else:
            # The scope may name another tenant than the key; the key itself waits in any case.
            self._queue.again(work, now, now if held == work.tenant else now + throttled.retry_after)

    async def _publish(self, step: RunningStep, outcomes: Sequence[Outcome]) -> None:
        """Write what a read has found whose records are answered for; what it said of them is said of their copies."""
        lanes = {lane.topic.name for lane in self._flow.lanes}
        stages = [stage for outcome in outcomes if isinstance(outcome, Emit) for stage in outcome.stages]
        found = tuple(stage for stage in stages if not any(message.topic in lanes for message in stage))
        step.is_writing = True
        published = await self._outcome_handler.publish(step.work.items[0].received, found)
        answers = outcomes if published else [Reject(Reason.TOO_LARGE, "TooLarge")] * len(outcomes)
        if self._flow.on_applied is not None:
            self._flow.on_applied(answers)
        if self.leaving is not None:
            self.leaving.reads.ended(step.work.key, [_without(answer, found) for answer in answers])
        self._queue.finish(step.work, self._clock.monotonic())

    async def _apply(self, step: RunningStep, outcomes: Sequence[Outcome], attempts: int) -> None:
        work = step.work
        if len(outcomes) != len(work.items):
            raise RuntimeError("a step must answer each record it was given")
        answers = [self._answered(item, outcome) for item, outcome in zip(work.items, outcomes, strict=True)]
        step.is_writing = True
        done = await self._outcome_handler.apply(answers, attempts)
        if self._flow.on_applied is not None:
            self._flow.on_applied(done)
        for item in work.items:
            self._arrivals.pop(item.ticket, None)
            if self.leaving is not None:
                self.leaving.has_left(item.ticket)
        self._queue.finish(work, self._clock.monotonic())

    def _answered(self, item: Item, outcome: Outcome) -> StepResult:
        if self.leaving is not None:
            outcome = self.leaving.on_its_lane(item.received, item.kind, outcome)
        return StepResult(item.ticket, item.received, outcome)


def _without(outcome: Outcome, published: Sequence[Sequence[Message]]) -> Outcome:
    """What is left to do for a record once its publication is written."""
    if not isinstance(outcome, Emit):
        return outcome
    return replace(outcome, stages=tuple(stage for stage in outcome.stages if stage not in published))


def _bytes(outcome: Outcome) -> int:
    """Bytes of what is to be written."""
    return sum(size_of(each) for stage in outcome.stages for each in stage) if isinstance(outcome, Emit) else 0
