"""While Graph as a whole is away: everything waits in Kafka, nothing leaves, and one record can still ask Graph."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest
from ringback_common.errors import Throttled, Transient
from ringback_common.outcomes import Drop, Emit, Outcome, Reason, Received
from ringback_common.scopes import Scope
from ringback_events.topics import FETCH, FETCH_RETRY_10S
from ringback_stream.aside.policy import WaitInKafka
from ringback_stream.consume.byte_budget import current_hold
from ringback_stream.flows import Lane, LaneKind
from ringback_testing import eventually
from ringback_testing.aside_rig import Gate, requested, running_aside


class Away:
    """A step for which Graph is away but for one slow read, until it answers everybody that they are throttled."""

    def __init__(self) -> None:
        self.is_back = False
        self.read = asyncio.Event()
        self.asked: list[bytes | None] = []

    async def __call__(self, records: Sequence[Received]) -> Sequence[Outcome]:
        """Hang for the slow one."""
        self.asked.append(records[0].key)
        with current_hold().asking():
            if records[0].key == b"t|slow":
                await self.read.wait()
                return [Emit()]
            if not self.is_back:
                raise Transient("away")
        raise Throttled(Scope.tenant("t"), 60.0)


async def test_while_graph_is_away_one_record_is_let_in_to_ask_and_nothing_leaves() -> None:
    """Also when all that is left in hand is a read that goes on; after a first answer everything has its time again."""
    away = Away()
    async with running_aside(away, within=1.0) as rig:
        rig.offer(0, "t|slow")
        for offset in range(1, 12):
            rig.offer(offset, f"t|{offset}")
        await eventually(lambda: rig.runner.is_probing)
        await asyncio.sleep(1.2)
        assert rig.written == []
        waiting = rig.policy.decide(Lane(FETCH), rig.tracker, requested("t|50", 50))
        assert isinstance(waiting, WaitInKafka)
        away.is_back = True
        await eventually(lambda: not rig.runner.is_cut_off)
        assert rig.written == []
        await eventually(lambda: len(rig.written) == 12)


async def test_while_graph_is_away_a_tenant_without_room_waits_in_kafka() -> None:
    """With nothing else in hand than a slow read its head may come in; without room it is not moved either."""
    away = Away()
    async with running_aside(away, within=1.0, largest_share=1, least_share=1) as rig:
        rig.offer(0, "t|slow")
        for offset in range(1, 12):
            rig.offer(offset, f"u{offset}|1")
        await eventually(lambda: rig.runner.is_cut_off)
        queue = rig.runner._queue
        for offset in range(1, 12):
            queue.take_back(queue.first_waiting(f"u{offset}|1".encode()))
        assert not rig.runner.is_probing
        assert rig.policy.decide(Lane(FETCH), rig.tracker, requested("v|1", 50)) is None
        waiting = rig.policy.decide(Lane(FETCH), rig.tracker, requested("t|50", 50))
        assert isinstance(waiting, WaitInKafka)
        assert not waiting.may_go_on()


async def test_a_key_without_a_slot_keeps_nobody_from_probing() -> None:
    """A tenant's reads hang in all of its slots when Graph goes away: another tenant's record is let in to ask."""
    gate = Gate()
    async with running_aside(gate, within=5.0, in_flight_per_tenant=2) as rig:
        for offset in range(3):
            rig.offer(offset, f"t|{offset}")
        await eventually(lambda: len(gate.begun) == 2)
        for _ in range(12):
            rig.runner._breaker.failed(rig.runner._clock.monotonic(), probe=False)
        assert rig.runner.is_cut_off
        assert rig.policy.decide(Lane(FETCH), rig.tracker, requested("u|1", 9)) is None
        rig.offer(9, "u|1")
        assert isinstance(rig.policy.decide(Lane(FETCH), rig.tracker, requested("v|1", 10)), WaitInKafka)


async def test_nothing_is_written_for_a_read_that_goes_on_while_graph_is_away() -> None:
    """Its copy waits in Kafka until either is over."""
    gate = Gate()
    async with running_aside(gate) as rig:
        rig.offer(0, "t|1")
        await eventually(lambda: rig.finished == [0])
        for _ in range(12):
            rig.runner._breaker.failed(rig.runner._clock.monotonic(), probe=False)
        waiting = rig.policy.decide(Lane(FETCH_RETRY_10S, LaneKind.RETRY), rig.tracker, rig.copy())
        assert isinstance(waiting, WaitInKafka)
        assert not waiting.may_go_on()
        gate.open.set()
        await eventually(waiting.may_go_on)


async def test_a_drain_lets_an_overtaken_read_go_on_although_graph_is_away() -> None:
    """Its offset would stay open, and all that was finished above it would be done again."""
    gate = Gate()
    async with running_aside(gate) as rig:
        rig.offer(0, "t|1")
        await eventually(lambda: gate.begun)
        for _ in range(12):
            rig.runner._breaker.failed(rig.runner._clock.monotonic(), probe=False)
        await rig.runner.drain(2.0)
        assert rig.finished == [0]


class AnsweredHere(Away):
    """Some records are answered without Graph: too old, of a tenant that is known to be throttled, or to be silent."""

    async def __call__(self, records: Sequence[Received]) -> Sequence[Outcome]:
        """Ask for all others."""
        match (records[0].key or b"").split(b"|"):
            case _, b"old":
                self.asked.append(records[0].key)
                return [Drop(Reason.TOO_OLD)] * len(records)
            case b"held", _:
                self.asked.append(records[0].key)
                raise Throttled(Scope.tenant("held"), 60.0)
            case b"silent", _:
                with suppress(Transient):
                    await super().__call__(records)
                return [Drop(Reason.TENANT_PAUSED)] * len(records)
            case _:
                return await super().__call__(records)


@pytest.mark.parametrize("key", ["t|old", "held|1", "silent|1"])
async def test_what_was_not_answered_does_not_say_that_graph_is_back(key: str) -> None:
    """The next record asks, at once; until it is answered all others wait in Kafka and none is tried in vain."""
    away = AnsweredHere()
    async with running_aside(away, within=5.0) as rig:
        for offset in range(12):
            rig.offer(offset, f"u{offset}|1")
        await eventually(lambda: rig.runner.is_cut_off)
        away.asked.clear()
        queue = rig.runner._queue
        for offset in range(12):
            queue.take_back(queue.first_waiting(f"u{offset}|1".encode()))
        rig.offer(20, key)
        await eventually(lambda: away.asked == [key.encode()], 5)
        await asyncio.sleep(0.05)
        assert rig.runner.is_cut_off
        assert rig.policy.decide(Lane(FETCH), rig.tracker, requested("v|1", 50)) is None
        away.is_back = True
        rig.offer(50, "v|1")
        await eventually(lambda: not rig.runner.is_cut_off, 0.5)


async def test_what_asked_nobody_does_not_hide_that_graph_is_away() -> None:
    """Three of four records are too old, and all that ask fail: each of these is tried once."""
    away = AnsweredHere()
    async with running_aside(away, within=5.0) as rig:
        for offset in range(48):
            rig.offer(offset, f"u{offset}|{'old' if offset % 4 else 'asks'}")
        await eventually(lambda: rig.runner.is_cut_off or len(away.asked) == 48)
        await asyncio.sleep(0.02)
        assert rig.runner.is_cut_off
