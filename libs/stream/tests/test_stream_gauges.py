"""What a flow tells of itself every second."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from ringback_common.outcomes import Emit, Outcome, Received
from ringback_common.settings import KafkaSettings
from ringback_events.topics import FETCH
from ringback_stream import telemetry
from ringback_stream.consume.byte_budget import ByteBudget
from ringback_stream.flows import KeyedFlow, Lane
from ringback_stream.process.supervisor import FlowSupervisor
from ringback_testing.counters import value_of
from ringback_testing.virtual_time import VirtualClock, VirtualTimeLoop

GROUP = "gauges"
NOWHERE = KafkaSettings(bootstrap_servers="nowhere:1")
UNUSED = cast("Any", None)


async def step(records: Sequence[Received]) -> Sequence[Outcome]:
    """Nothing to write."""
    return [Emit()] * len(records)


def reported() -> tuple[float, float]:
    """Bytes in hand, and the age of the oldest claim of more."""
    in_hand, oldest = (gauge.labels(GROUP) for gauge in (telemetry.IN_HAND_BYTES, telemetry.OLDEST_CLAIM))
    return value_of(in_hand), value_of(oldest)


def test_how_long_the_oldest_claim_has_waited_for_bytes_is_told() -> None:
    """A step finds no room for four seconds, then it does: the gauge, updated every second, rises and is 0 again."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        loop = cast("VirtualTimeLoop", runner.get_loop())
        assert runner.run(_looks(ByteBudget(10, 10, first=10), VirtualClock(loop))) == [(10, 0), (10, 3.5), (0, 0)]


async def _looks(budget: ByteBudget, clock: VirtualClock) -> list[tuple[float, float]]:
    flow = KeyedFlow(GROUP, (Lane(FETCH),), step, lambda _received, _attempts: Emit(), in_hand=budget)
    supervisor = FlowSupervisor(NOWHERE, "fetch", flow, UNUSED, UNUSED, clock)
    telling = asyncio.create_task(supervisor._tell(supervisor.assignment))
    async with budget.hold():
        attempts = [await _look_after(0.5)]
        waiting = asyncio.create_task(_pass(budget))
        attempts.append(await _look_after(4))
    await waiting
    attempts.append(await _look_after(1))
    telling.cancel()
    return attempts


class Waiting:
    """A runner with one record that waits for a slot, and a writer with one that goes to another lane."""

    keys_of_a_tenant = 1
    oldest_arrival = 2.0

    def oldest_by_reason(self) -> dict[str, float]:
        """Taken in at 6 s."""
        return {"ready": 6.0}


def test_how_long_the_oldest_record_is_unfinished_is_told_by_what_it_waits_for() -> None:
    """What left its queue for another lane keeps its offset open until it is written there."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        loop = cast("VirtualTimeLoop", runner.get_loop())
        runner.run(asyncio.sleep(10))
        flow = KeyedFlow(GROUP, (Lane(FETCH),), step, lambda _received, _attempts: Emit())
        supervisor = FlowSupervisor(NOWHERE, "fetch", flow, UNUSED, UNUSED, VirtualClock(loop))
        supervisor.writer = cast("Any", Waiting())
        supervisor._tell_of(cast("Any", Waiting()))
        now = loop.time()
    oldest = {why: value_of(telemetry.OLDEST_IN_HAND.labels(GROUP, why)) for why in ("ready", "writing", "tenant")}
    assert oldest == {"ready": now - 6, "writing": now - 2, "tenant": 0}


async def _look_after(seconds: float) -> tuple[float, float]:
    await asyncio.sleep(seconds)
    return reported()


async def _pass(budget: ByteBudget) -> None:
    async with budget.hold():
        return
