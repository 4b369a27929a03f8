"""The keyed runner and its breaker: whatever happens to what is in hand, a probe can still ask."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ringback_common.clock import SystemClock
from ringback_common.errors import Throttled, Transient
from ringback_common.outcomes import Drop, Emit, Message, Outcome, Reason, Received
from ringback_common.scopes import Scope
from ringback_events.topics import FETCH
from ringback_stream.consume.breaker import Breaker
from ringback_stream.consume.byte_budget import ByteBudget, current_hold
from ringback_stream.consume.keyed_runner import KeyedRunner
from ringback_stream.consume.offsets import OffsetTracker, Ticket
from ringback_stream.consume.outcome_handler import OutcomeHandler
from ringback_stream.consume.partitions import Partition
from ringback_stream.flows import Caps, KeyedFlow, Lane, LaneKind
from ringback_testing import eventually

PARTITION = Partition(FETCH.name, 0)
_LATER = Received(FETCH.name, 0, 99, 0, b"t|99", b"")


def _given_up(_record: Received, _attempts: int) -> Outcome:
    raise AssertionError("nothing is given up while most calls fail")


def _offer(runner: KeyedRunner, offset: int) -> None:
    record = Received(FETCH.name, 0, offset, 0, f"t|{offset}".encode(), b"")
    assert runner.refusal(OffsetTracker(0), record, LaneKind.LIVE) is None
    runner.offer(Ticket(PARTITION, offset, 1), record, LaneKind.LIVE)


async def _with_an_open_breaker(
    step: Callable[[Sequence[Received]], Awaitable[Sequence[Outcome]]],
) -> tuple[KeyedRunner, asyncio.Task[None]]:
    """A runner, and the task it runs in, of which every step has failed until it lets nothing more in."""
    nobody: Any = None
    flow = KeyedFlow("g", (Lane(FETCH),), step, _given_up)
    runner = KeyedRunner(
        flow, OutcomeHandler(nobody, "s", "g", lambda _ticket: True), SystemClock(), lambda _ticket: False
    )
    running = asyncio.create_task(runner.run())
    runner.resume()
    for offset in range(12):
        _offer(runner, offset)
    async with asyncio.timeout(5):
        while runner.refusal(OffsetTracker(0), _LATER, LaneKind.LIVE) is None:
            await asyncio.sleep(0.01)
    return runner, running


async def test_an_assignment_lost_while_the_breaker_is_open_leaves_the_next_one_a_probe() -> None:
    """With nothing in hand that could be the probe, a record is let in; and no second one."""
    away, answered = True, asyncio.Event()

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        if away:
            raise Transient("the other side is away")
        answered.set()
        return [Emit()] * len(records)

    runner, running = await _with_an_open_breaker(step)
    may_go_on = runner.refusal(OffsetTracker(0), _LATER, LaneKind.LIVE)
    assert may_go_on is not None
    assert not may_go_on()
    runner.drop()
    away = False
    assert may_go_on()
    runner.resume()
    _offer(runner, 20)
    assert runner.refusal(OffsetTracker(0), _LATER, LaneKind.LIVE) is not None
    async with asyncio.timeout(5):
        await answered.wait()
    assert runner.refusal(OffsetTracker(0), _LATER, LaneKind.LIVE) is None
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_probe_that_is_cancelled_before_it_began_leaves_the_next_one_a_probe() -> None:
    """The assignment is lost in the very moment the probe is started: another probe must be possible."""
    away, answered = True, asyncio.Event()

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        if away:
            raise Transient("the other side is away")
        answered.set()
        return [Emit()] * len(records)

    runner, running = await _with_an_open_breaker(step)
    runner.drop()
    away = False
    await asyncio.sleep(Breaker.PAUSE.first + 0.1)
    runner.resume()
    _offer(runner, 20)
    await asyncio.sleep(0)  # the probe is created, and has not run yet
    runner.drop()
    await asyncio.sleep(0.01)
    assert not answered.is_set()
    runner.resume()
    _offer(runner, 21)
    async with asyncio.timeout(5):
        await answered.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_record_that_alone_is_throttled_leaves_its_partition_at_once() -> None:
    """It is deferred after its first answer, so what lies behind it is committed; a tenant's records wait in hand."""
    finished, deferred = list[int](), list[tuple[int, float]]()
    nobody: Any = None

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        if records[0].offset == 0:
            raise Throttled(Scope.record("t", "0"), 300.0)
        return [Emit()]

    def defer(record: Received, retry_after: float) -> Outcome:
        deferred.append((record.offset, retry_after))
        return Drop(Reason.CANARY)

    outcome_handler = OutcomeHandler(nobody, "s", "g", lambda ticket: finished.append(ticket.offset) is None)
    flow = KeyedFlow("g", (Lane(FETCH),), step, _given_up, on_throttled=defer)
    runner = KeyedRunner(flow, outcome_handler, SystemClock(), lambda _ticket: False)
    running = asyncio.create_task(runner.run())
    runner.resume()
    for offset in range(3):
        _offer(runner, offset)
    async with asyncio.timeout(5):
        while len(finished) < 3:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (sorted(finished), deferred) == ([0, 1, 2], [(0, 300.0)])


class _SlowKafka:
    """A producer whose acks come when they are let."""

    def __init__(self) -> None:
        self.acked = asyncio.Event()

    async def stages(self, _stages: Sequence[Sequence[Message]]) -> None:
        await self.acked.wait()


async def _two_keys(flow: KeyedFlow, kafka: Any) -> tuple[KeyedRunner, asyncio.Task[None]]:
    outcome_handler = OutcomeHandler(kafka, "s", "g", lambda _ticket: True)
    runner = KeyedRunner(flow, outcome_handler, SystemClock(), lambda _ticket: False)
    running = asyncio.create_task(runner.run())
    runner.resume()
    for offset in (1, 2):
        _offer(runner, offset)
    return runner, running


async def _end(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_slot_ends_with_the_answer_and_not_with_the_ack() -> None:
    """While Kafka has not taken what one step made, the next one reads; the key itself is not run again."""
    kafka, begun = _SlowKafka(), list[bytes | None]()

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        begun.append(records[0].key)
        return [Emit(((Message("t", b"k", b"v" * 100),),))] * len(records)

    flow = KeyedFlow("g", (Lane(FETCH),), step, _given_up, caps=Caps(in_flight=1))
    runner, running = await _two_keys(flow, kafka)
    await asyncio.sleep(0.05)
    _offer(runner, 1)
    await eventually(lambda: len(begun) == 2)
    await asyncio.sleep(0.05)
    assert begun == [b"t|1", b"t|2"]
    kafka.acked.set()
    await eventually(lambda: begun == [b"t|1", b"t|2", b"t|1"])
    await _end(running)


async def test_what_waits_for_kafka_is_bounded_in_bytes() -> None:
    """A step begins only while the budget has room beside what is not acknowledged yet."""
    kafka, begun = _SlowKafka(), list[bytes | None]()

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        begun.append(records[0].key)
        await current_hold().take(900)
        return [Emit(((Message("t", b"k", b"v" * 500),),))] * len(records)

    flow = KeyedFlow("g", (Lane(FETCH),), step, _given_up, in_hand=ByteBudget(1000, 1000, 600))
    _, running = await _two_keys(flow, kafka)
    await asyncio.sleep(0.05)
    assert begun == [b"t|1"]
    kafka.acked.set()
    await eventually(lambda: len(begun) == 2)
    await asyncio.sleep(0.05)
    assert begun == [b"t|1", b"t|2"]
    await _end(running)


async def test_waiting_for_bytes_is_no_hang() -> None:
    """What other steps hold, and Kafka does not take, is not held against the one that waits for it."""
    kafka, asked = _SlowKafka(), SystemClock().monotonic()

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        await current_hold().take(900)
        return [Emit(((Message("t", b"k", b"v" * 500),),))] * len(records)

    flow = KeyedFlow("g", (Lane(FETCH),), step, _given_up, in_hand=ByteBudget(2100, 1000, 100))
    runner, running = await _two_keys(flow, kafka)
    _offer(runner, 3)
    await asyncio.sleep(0.3)
    assert runner.stuck_since is not None
    assert runner.stuck_since > asked + 0.2
    kafka.acked.set()
    await _end(running)


class _Clock(SystemClock):
    """Returns the given times one after the other, then the last one again and again."""

    def __init__(self) -> None:
        self.moments = [0.0]

    def monotonic(self) -> float:
        """The next moment."""
        return self.moments.pop(0) if len(self.moments) > 1 else self.moments[0]


async def test_a_hold_that_ends_while_the_runner_looks_ends_all_the_same() -> None:
    """The timer fires a little early, as uvloop's do, and the hold ends before the runner sleeps again."""
    asked, answered = asyncio.Event(), asyncio.Event()

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        if not asked.is_set():
            asked.set()
            raise Throttled(Scope.tenant("t"), 10.0)
        answered.set()
        return [Emit()] * len(records)

    nobody: Any = None
    clock = _Clock()
    flow = KeyedFlow("g", (Lane(FETCH),), step, _given_up)
    runner = KeyedRunner(flow, OutcomeHandler(nobody, "s", "g", lambda _ticket: True), clock, lambda _ticket: False)
    running = asyncio.create_task(runner.run())
    runner.resume()
    _offer(runner, 0)
    await asked.wait()
    await asyncio.sleep(0.05)
    clock.moments = [9.9999, 10.0001]
    runner.resume()
    async with asyncio.timeout(5):
        await answered.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
