"""The keyed runner: one step at a time per key over all lanes; a sick key or tenant delays only itself."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from ringback_common.clock import Clock
from ringback_common.errors import Throttled, Transient
from ringback_common.outcomes import Emit, Outcome, Received
from ringback_common.traces import SpanKind, span

from ringback_stream import telemetry
from ringback_stream.breaker import Breaker, BreakerState
from ringback_stream.client import octets_of
from ringback_stream.failures import Action, Situation, action_for
from ringback_stream.flows import KeyedFlow, LaneKind
from ringback_stream.in_hand import Hold
from ringback_stream.keyqueue import Item, KeyQueue, Work
from ringback_stream.runner import MayGoOn
from ringback_stream.settlement import Answered, Settlement
from ringback_stream.watermarks import Ticket, Watermark

__all__ = ["KeyedRunner"]

_PUT_OFF_WITHIN = 2.0
"""Seconds to write, at the end of a drain, what was cut off to where held records go."""


class _Stepping(NamedTuple):
    """A step under way: when it began, its bytes, and the seconds it had waited for them by then."""

    began: float
    hold: Hold
    waited: float


class KeyedRunner:
    """Runs a keyed flow; see `ringback_stream.runner.Runner` for what each method promises.

    Args:
        flow: what to run.
        settlement: carries out what steps say.
        clock: monotonic time.
        is_overtaken: whether a newer record of the same partition is finished.
    """

    def __init__(
        self, flow: KeyedFlow, settlement: Settlement, clock: Clock, is_overtaken: Callable[[Ticket], bool]
    ) -> None:
        self._flow = flow
        self._settlement = settlement
        self._clock = clock
        self._is_overtaken = is_overtaken
        self._tasks: asyncio.TaskGroup | None = None
        self._queue = KeyQueue(flow.caps, flow.key_interval)
        self._breaker = Breaker()
        self._running: dict[asyncio.Task[None], Work] = {}
        self._probe: asyncio.Task[None] | None = None
        self._arrivals: dict[Ticket, float] = {}
        self._stepping: dict[int, _Stepping] = {}
        self._settling: set[bytes] = set()  # keys whose step has answered
        self._moved_at = clock.monotonic()
        self._changed = asyncio.Event()
        self._open = False

    # -- the intake's side --

    def refusal(
        self,
        watermark: Watermark,
        received: Received,
        kind: LaneKind,
    ) -> MayGoOn | None:
        """Refuse at the span, at the tenant's keys, and while the breaker is open and has something to probe with."""
        caps = self._flow.caps
        if self._held_by_breaker():
            return lambda: not self._held_by_breaker()
        if watermark.span >= caps.span:
            self._press()
            return lambda: watermark.span <= caps.low * caps.span
        if self._queue.tenant_is_full(received, kind):
            self._press()
            return lambda: not self._queue.tenant_is_full(received, kind)
        return None

    def offer(self, ticket: Ticket, received: Received, kind: LaneKind) -> None:
        """Queue the record under its key."""
        now = self._clock.monotonic()
        self._arrivals[ticket] = now
        self._queue.offer(Item(ticket, received, kind, now), now)
        self._changed.set()

    async def room(self) -> None:
        """Never waits: a lane at its cap must not keep the others from being read."""

    def resume(self) -> None:
        """Start steps again."""
        self._open = True
        self._changed.set()

    def close(self) -> None:
        """Start nothing more of what waits."""
        self._open = False

    async def drain(self, seconds: float) -> None:
        """What runs gets until the deadline, and so does what was overtaken; the rest is given back.

        A commit cannot say "all but this one": what waits below a finished record would repeat it. So an overtaken step
        that is not done by then is cut off, and its records go where held ones go.
        """
        self._open = False
        try:
            if not await self._finish(seconds, put_off=False):
                await self._cut_off()
                await self._finish(_PUT_OFF_WITHIN, put_off=True)
        finally:
            self.drop()

    def drop(self) -> None:
        """Cancel what runs and forget everything."""
        self._open = False
        for task in self._running:
            task.cancel()
        self._running.clear()
        self._arrivals.clear()
        self._queue.clear()

    @property
    def oldest_arrival(self) -> float | None:
        """Records are taken in, and kept here, in order of time."""
        return next(iter(self._arrivals.values()), None)

    @property
    def stuck_since(self) -> float | None:
        """The oldest step, what it waited for bytes left out; or ready work that nobody starts."""
        if self._stepping:
            return min(step.began + step.hold.waited - step.waited for step in self._stepping.values())
        arrived, closed = self.oldest_arrival, self._breaker.state is BreakerState.CLOSED
        if arrived is None or self._running or not closed or self._queue.next_change(self._clock.monotonic()):
            return None
        return max(arrived, self._moved_at)

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

    async def _finish(self, seconds: float, *, put_off: bool) -> bool:
        """Wait until nothing runs and nothing is overtaken; False if that takes longer."""
        begun: set[bytes] = set()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._close_gaps(begun, put_off=put_off):
                    await asyncio.wait(tuple(self._running), return_when=asyncio.FIRST_COMPLETED)
                return True
        return False

    async def _cut_off(self) -> None:
        """Cancel the steps that have no answer yet; what is being written may already be read by others."""
        cut = {task: work for task, work in self._running.items() if work.key not in self._settling}
        for task in cut:
            task.cancel()
        if cut:
            await asyncio.wait(tuple(cut), timeout=_PUT_OFF_WITHIN)
        now = self._clock.monotonic()
        for task, work in cut.items():
            if task.cancelled() and work.items[0].ticket in self._arrivals:  # the assignment may be lost meanwhile
                self._queue.again(work, now, now)

    def _close_gaps(self, begun: set[bytes], *, put_off: bool) -> bool:
        """Start what was overtaken, each key once; what may not run now, or failed, goes where held records go.

        Returns whether anything runs.
        """
        now = self._clock.monotonic()
        may_not = put_off or self._breaker.state is not BreakerState.CLOSED
        for name in self._queue.overtaken(self._is_overtaken):
            held = may_not or name in begun or self._queue.is_held(name, now)
            may_start = self._flow.on_held is not None if held else self._queue.has_slot(name)
            if may_start and self._tasks is not None:
                begun.add(name)
                self._start(self._tasks, self._queue.begin(name, now), held=held)
        return bool(self._running)

    def _start_all(self, tasks: asyncio.TaskGroup, now: float) -> None:
        if self._open:
            self._queue.wake(now)
        while self._open and self._flow.on_held is not None and (work := self._queue.next_overheld(now)) is not None:
            self._start(tasks, work, held=True)
        while self._open and self._breaker.allows(now) and (work := self._queue.next(now)) is not None:
            self._start(tasks, work, held=False)

    def _start(self, tasks: asyncio.TaskGroup, work: Work, *, held: bool) -> None:
        probe = not held and self._breaker.begin()
        task = tasks.create_task(self._give_up_held(work) if held else self._step(work, probe=probe))
        self._running[task] = work
        if probe:
            self._probe = task
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._moved_at = self._clock.monotonic()
        if task is self._probe and self._breaker.state is BreakerState.HALF_OPEN:
            self._breaker.abandoned(self._moved_at)  # cancelled, perhaps before it had begun to run
        self._changed.set()

    async def _change(self, looked_at: float) -> None:
        """Wait until a record is offered, a step ends, or a hold, a delay or the next probe ends.

        Args:
            looked_at: the monotonic time by which `_start_all` has just decided. What ends later is waited for, even if
                it has ended by now: uvloop's timers may fire a millisecond early, and compared with a newer time the
                end would count as past and never be acted on.
        """
        queued, probe_at = self._queue.next_change(looked_at), self._breaker.probe_at
        due = [at for at in (queued, probe_at) if at is not None and at > looked_at] if self._open else []
        try:
            async with asyncio.timeout(max(0.001, min(due) - self._clock.monotonic()) if due else None):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    async def _step(self, work: Work, *, probe: bool) -> None:
        records = [item.received for item in work.items]
        topic = records[0].topic
        with span(
            f"process {topic}",
            SpanKind.CONSUMER,
            parent=records[0].headers,
            links=[record.headers for record in records[1:]],
            root=work.kind is not LaneKind.LIVE,
        ):
            async with self._flow.in_hand.hold() as hold:
                await self._carry_out(work, records, hold, probe=probe)

    async def _carry_out(self, work: Work, records: Sequence[Received], hold: Hold, *, probe: bool) -> None:
        """Let the step answer, then write what it made: its slot ends with the answer, its bytes with the last ack."""
        began = self._clock.monotonic()
        try:
            outcomes = await self._answer(work, records, _Stepping(began, hold, hold.waited))
        except Transient as failure:
            hold.shrink(0)
            await self._failed(work, failure, probe=probe)
            return
        hold.shrink(sum(map(_octets, outcomes)))
        self._queue.answered(work)
        self._changed.set()
        telemetry.child(telemetry.STEP_SECONDS, self._flow.group).observe(self._clock.monotonic() - began)
        telemetry.child(telemetry.STEP_RECORDS, self._flow.group).observe(len(records))
        self._breaker.succeeded(probe=probe)
        if probe:  # no other success changes what it lets through
            telemetry.child(telemetry.BREAKER_OPEN, self._flow.group).set(0)
        await self._settle(work, outcomes, attempts=1)

    async def _answer(self, work: Work, records: Sequence[Received], stepping: _Stepping) -> Sequence[Outcome]:
        self._stepping[id(work)] = stepping
        try:
            return await self._flow.step(records)
        finally:
            del self._stepping[id(work)]

    async def _failed(self, work: Work, failure: Transient, *, probe: bool) -> None:
        now = self._clock.monotonic()
        if isinstance(failure, Throttled):
            self._breaker.succeeded(probe=probe)  # the other side answered
        else:
            self._breaker.failed(now, probe=probe)
        closed = self._breaker.state is BreakerState.CLOSED
        telemetry.child(telemetry.BREAKER_OPEN, self._flow.group).set(not closed)
        # A failure that everybody meets is not held against this key.
        attempts, seconds = self._queue.failed(work, now) if closed and not isinstance(failure, Throttled) else (0, 0.0)
        action = action_for(failure, self._situation(attempts, seconds))
        telemetry.child(telemetry.STEPS, self._flow.group, action).inc()
        match action:
            case Action.WAIT if isinstance(failure, Throttled):
                await self._wait(work, failure, now)
            case Action.PAUSE:
                self._queue.again(work, now, now)
            case Action.RETRY:
                self._queue.again(work, now, now + self._pause(attempts))
            case _:
                outcomes = [self._flow.on_exhausted(item.received, attempts) for item in work.items]
                await self._settle(work, outcomes, attempts)

    def _situation(self, attempts: int, seconds: float) -> Situation:
        if self._breaker.state is not BreakerState.CLOSED:
            return Situation.GENERAL
        budget = self._flow.retry
        return Situation.EXHAUSTED if attempts >= budget.attempts or seconds >= budget.seconds else Situation.ALONE

    def _pause(self, attempts: int) -> float:
        """Exponential, with jitter: keys that failed together do not come back together."""
        budget = self._flow.retry
        spread = random.uniform(0.5, 1.0)  # noqa: S311 - not for secrecy
        return min(budget.first * 2 ** (attempts - 1), budget.longest) * spread

    async def _wait(self, work: Work, throttled: Throttled, now: float) -> None:
        """A tenant's records wait in hand for a while; one that alone must wait would hold its partition back."""
        kind, _, scope = throttled.scope.partition(":")
        defer = self._flow.on_throttled
        if kind == "tenant":
            self._queue.hold(scope, now, throttled.retry_after)
            # The scope may name another tenant than the key; the key itself waits in any case.
            self._queue.again(work, now, now if scope == work.tenant else now + throttled.retry_after)
        elif defer is None:
            self._queue.again(work, now, now + throttled.retry_after)
        else:
            outcomes = [defer(item.received, throttled.retry_after) for item in work.items]
            await self._settle(work, outcomes, attempts=1)

    async def _give_up_held(self, work: Work) -> None:
        on_held = self._flow.on_held
        assert on_held is not None  # noqa: S101 - asked before it is started
        await self._settle(work, [on_held(item.received) for item in work.items], attempts=1)

    async def _settle(self, work: Work, outcomes: Sequence[Outcome], attempts: int) -> None:
        if len(outcomes) != len(work.items):
            raise RuntimeError("a step must answer each record it was given")
        answers = [
            Answered(item.ticket, item.received, outcome) for item, outcome in zip(work.items, outcomes, strict=True)
        ]
        self._settling.add(work.key)
        try:
            done = await self._settlement.settle(answers, attempts)
        finally:
            self._settling.discard(work.key)
        if self._flow.on_settled is not None:
            self._flow.on_settled(done)
        for item in work.items:
            self._arrivals.pop(item.ticket, None)
        self._queue.finish(work, self._clock.monotonic())

    def _held_by_breaker(self) -> bool:
        # An assignment that ends takes its records along: with empty hands nobody could ever probe.
        return self._breaker.state is not BreakerState.CLOSED and bool(self._arrivals)

    def _press(self) -> None:
        if self._queue.paused_tenants:
            self._queue.press(set(self._queue.paused_tenants))
            self._changed.set()


def _octets(outcome: Outcome) -> int:
    """Bytes of what is to be written."""
    return sum(octets_of(each) for stage in outcome.stages for each in stage) if isinstance(outcome, Emit) else 0
