"""What is in hand for too long: who waits is put aside, who is read is answered for by a copy, and the read goes on."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import nullcontext

import pytest
from ringback_common.errors import Throttled, Transient
from ringback_common.outcomes import Accounting, Drop, Emit, Outcome, Reason, Received
from ringback_common.scopes import Scope
from ringback_events.topics import FETCH, FETCH_ASIDE, FETCH_ASIDES, FETCH_BULK, FETCH_RETRY_10S
from ringback_stream.aside import writer
from ringback_stream.consume.byte_budget import current_hold
from ringback_stream.consume.partitions import Partition
from ringback_stream.flows import Lane, LaneKind
from ringback_testing import eventually
from ringback_testing.aside_rig import Gate, deferred, requested, running_aside


async def test_a_read_goes_on_while_its_copy_stands_for_it() -> None:
    """Its offset is finished; what it finds is published; its copy is then answered as the read was."""
    gate = Gate()
    async with running_aside(gate) as rig:
        rig.offer(0, "t|1")
        await eventually(lambda: rig.finished == [0])
        assert rig.topics() == [FETCH_RETRY_10S.name]
        copy = rig.copy()
        waiting = rig.policy.decide(Lane(FETCH_RETRY_10S, LaneKind.RETRY), rig.tracker, copy)
        assert isinstance(waiting, Emit)
        assert waiting.accounting is Accounting.DEFERRED
        gate.open.set()
        await eventually(lambda: "published" in rig.topics())
        await eventually(lambda: rig.answer_of(copy) == Emit())
        assert rig.leaving.answer_of(copy, LaneKind.LIVE) is None
    assert gate.begun == [b"t|1"]
    assert rig.finished == [0]


async def test_only_what_graph_was_asked_for_is_held_against_a_record_as_slow() -> None:
    """One that waits for its tenant's budget, if most of the time only, comes again and nothing is counted.

    Its tenant's share is halved: it was too much.
    """
    gate = asyncio.Event()

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        if records[0].key == b"t|late":
            await asyncio.sleep(0.07)
        with current_hold().asking() if records[0].key != b"u|waits" else nullcontext():
            await gate.wait()
        return [Emit()] * len(records)

    async with running_aside(step, largest_share=40) as rig:
        rig.offer(0, "t|asked")
        rig.offer(1, "t|late")
        rig.offer(2, "u|waits")
        await eventually(lambda: sorted(rig.finished) == [0, 1, 2])
        assert rig.topics() == [FETCH_RETRY_10S.name] * 3
        assert rig.slow == [b"t|asked"]
        assert [rig.admission.shares.of(tenant) for tenant in "tuv"] == [20, 20, 40]
        gate.set()


async def test_reads_that_take_long_leave_their_tenant_s_share_to_others_until_they_fill_its_slots() -> None:
    """Bulk's slots first; then as many live ones as the least share."""
    gate = Gate()
    async with running_aside(gate, largest_share=3, least_share=2, in_flight_bulk=1) as rig:
        for offset in range(2):
            rig.offer(offset, f"t|{offset}")
        await eventually(lambda: len(rig.finished) == 2)
        assert rig.admission.has_capacity(requested("t|9"), LaneKind.LIVE)
        for offset in range(2, 3):
            rig.offer(offset, f"t|{offset}")
        await eventually(lambda: len(rig.finished) == 3)
        assert not rig.admission.has_capacity(requested("t|9"), LaneKind.LIVE)
        assert rig.admission.has_capacity(requested("u|9"), LaneKind.LIVE)
        gate.open.set()
        await eventually(lambda: rig.admission.has_capacity(requested("t|9"), LaneKind.LIVE))


async def test_bulk_is_taken_in_as_its_slots_become_free_and_halves_nobody_s_share() -> None:
    """What waited for one would be written again every few seconds."""
    gate = Gate()
    async with running_aside(gate, in_flight_bulk=2, largest_share=40) as rig:
        for offset in range(2):
            assert rig.admission.has_capacity(requested("t|9"), LaneKind.BULK)
            rig.offer(offset, f"t|{offset}", LaneKind.BULK)
        assert not rig.admission.has_capacity(requested("t|9"), LaneKind.BULK)
        rig.offer(2, "t|2", LaneKind.BULK)
        await eventually(lambda: len(rig.finished) == 3)
        assert sorted(rig.topics()) == sorted([FETCH_RETRY_10S.name, FETCH_RETRY_10S.name, FETCH_BULK.name])
        assert rig.admission.shares.of("t") == 40
        gate.open.set()
        await eventually(lambda: rig.admission.has_capacity(requested("t|9"), LaneKind.BULK))


async def test_a_flow_is_told_of_the_deferrals_of_a_read_that_went_on_alone() -> None:
    """It counts on one check of a version that is due."""
    gate = asyncio.Event()
    later = deferred(requested("t|1"), FETCH_RETRY_10S.name)

    async def step(_records: Sequence[Received]) -> Sequence[Outcome]:
        await gate.wait()
        return [later]

    async with running_aside(step) as rig:
        rig.offer(0, "t|1")
        await eventually(lambda: rig.finished == [0])
        gate.set()
        await eventually(lambda: rig.settled == [later])
        assert rig.answer_of(rig.copy()) == later
    assert rig.topics() == [FETCH_RETRY_10S.name]


async def test_a_step_that_puts_a_record_aside_leaves_the_lane_to_the_runtime() -> None:
    """Where its tenant's others are; in bulk, at the end of its own lane."""

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        return [deferred(each, FETCH_ASIDE.name) for each in records]

    async with running_aside(step) as rig:
        rig.lanes.begin({Partition(topic.name, 0): 0 for topic in FETCH_ASIDES})
        first = rig.lanes.choose("u", 0)
        rig.lanes.expect(first, 0, "u")
        rig.offer(0, "t|1")
        rig.offer(1, "t|2", LaneKind.BULK)
        await eventually(lambda: len(rig.finished) == 2)
    (other,) = {topic.name for topic in FETCH_ASIDES} - {first}
    assert sorted(rig.topics()) == sorted([other, FETCH_BULK.name])


async def test_a_read_that_fails_after_all_leaves_its_copy_to_be_read() -> None:
    """It says nothing, and its call may be read again."""
    gate = asyncio.Event()

    async def step(_records: Sequence[Received]) -> Sequence[Outcome]:
        await gate.wait()
        raise Transient("timeout")

    async with running_aside(step) as rig:
        rig.offer(0, "t|1")
        await eventually(lambda: rig.finished == [0])
        copy = rig.copy()
        gate.set()
        await eventually(lambda: rig.answer_of(copy) is None)
        assert rig.admission.has_capacity(copy, LaneKind.RETRY)
    assert rig.topics() == [FETCH_RETRY_10S.name]


async def test_what_waits_too_long_for_a_slot_is_put_aside_and_its_tenants_share_is_halved() -> None:
    """It was not tried, so nothing is counted."""
    gate = Gate()
    async with running_aside(gate, in_flight=1, in_flight_bulk=0, largest_share=40) as rig:
        for offset in range(3):
            rig.offer(offset, f"t|{offset}")
        await eventually(lambda: sorted(rig.finished) == [0, 1, 2])
        assert sorted(rig.topics()) == sorted([FETCH_RETRY_10S.name, FETCH_ASIDE.name, FETCH_ASIDE.name])
        assert rig.admission.shares.of("t") == 20


async def test_what_must_leave_while_nothing_is_taken_leaves_once_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else happens that could wake the runner."""
    monkeypatch.setattr(writer, "_WAITING", 1)
    async with running_aside(Gate(), in_flight=1, in_flight_bulk=0) as rig:
        rig.moved.clear()
        for offset in range(4):
            rig.offer(offset, f"t|{offset}")
        await asyncio.sleep(0.3)
        assert rig.finished == []
        rig.moved.set()
        await eventually(lambda: len(rig.finished) == 4)


async def test_a_record_that_failed_goes_to_its_tier_and_not_aside() -> None:
    """In place it is tried again only while that fits."""

    async def step(_records: Sequence[Received]) -> Sequence[Outcome]:
        raise Transient("500")

    async with running_aside(step) as rig:
        rig.offer(0, "t|1")
        await eventually(lambda: rig.finished == [0])
    assert rig.topics() == ["given up"]


async def test_a_tenant_that_is_told_to_wait_has_no_room_and_its_records_leave() -> None:
    """For no longer than a record may be in hand it would have."""

    async def step(_records: Sequence[Received]) -> Sequence[Outcome]:
        raise Throttled(Scope.tenant("t"), 20.0)

    async with running_aside(step) as rig:
        rig.offer(0, "t|1")
        await eventually(lambda: rig.finished == [0])
        assert not rig.admission.has_capacity(requested("t|9", 9), LaneKind.LIVE)
        assert rig.admission.has_capacity(requested("u|9", 9), LaneKind.LIVE)
        assert not rig.admission.is_starving("t", bulk=False)
    assert rig.topics() == [FETCH_ASIDE.name]


async def test_a_drain_waits_for_what_a_read_has_found_and_not_for_the_read() -> None:
    """A publication that broke off would be written once more, by the process that reads the copy."""
    gate = Gate()
    async with running_aside(gate) as rig:
        rig.taken.clear()
        rig.offer(0, "t|1")
        await eventually(lambda: rig.finished == [0])
        gate.open.set()
        await asyncio.sleep(0.05)
        asyncio.get_running_loop().call_later(0.2, rig.taken.set)
        await rig.runner.drain(5.0)
        assert "published" in rig.topics()
    hanging = Gate()
    async with running_aside(hanging) as rig:
        rig.offer(0, "t|1")
        await eventually(lambda: hanging.begun)
        async with asyncio.timeout(20):
            await rig.runner.drain(60.0)
    assert rig.topics() == [FETCH_RETRY_10S.name]


async def test_a_drain_puts_aside_what_came_behind_a_read_that_goes_on_alone() -> None:
    """It was overtaken: given back it would repeat what was finished above it. The read itself is not waited for."""
    gate = Gate()
    async with running_aside(gate, within=0.3) as rig:
        rig.offer(0, "t|1")
        await eventually(lambda: rig.finished == [0])
        rig.offer(1, "t|1")
        await rig.runner.drain(5.0)
        assert rig.finished == [0, 1]
        assert rig.topics() == [FETCH_RETRY_10S.name, FETCH_ASIDES[0].name]


async def test_a_drain_after_a_halt_waits_for_nobody() -> None:
    """Neither the runner nor the writer runs any more: what they had would only use up the time."""
    async with running_aside(Gate()) as rig:
        rig.moved.clear()
        rig.offer(0, "t|1")
        await eventually(lambda: rig.writer.is_busy)
        await rig.end()
        async with asyncio.timeout(20):
            await rig.runner.drain(60.0)


async def test_a_step_that_has_just_ended_is_not_let_go_on() -> None:
    """Its key waits again, with a record that came meanwhile: both are finished, by whatever comes first."""
    ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    begun: list[int] = []

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        begun.append(len(records))
        if len(begun) == 1:
            await ending
        return [Emit()] * len(records)

    async with running_aside(step, within=0.2) as rig:
        rig.offer(0, "t|1")
        await asyncio.sleep(0.1)
        rig.offer(1, "t|1")
        await asyncio.sleep(0.02)
        time.sleep(0.085)
        ending.set_exception(Throttled(Scope.tenant("t"), 0.02))
        rig.runner._changed.set()
        await eventually(lambda: sorted(rig.finished) == [0, 1])
        assert not rig.leaving.reads.goes_on(b"t|1")


async def test_a_share_is_not_halved_for_what_waits_for_a_step_of_its_own_key() -> None:
    """It was not its tenant's turn that it waited for; and it was not tried, so nothing is counted."""
    gate = asyncio.Event()
    failures = [Transient("500")]

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        if failures:
            raise failures.pop()
        with current_hold().asking():
            await gate.wait()
        return [Emit()] * len(records)

    async with running_aside(step, within=1.0, largest_share=40) as rig:
        rig.offer(0, "t|1")
        await asyncio.sleep(0.4)  # it has failed once, and runs again
        rig.offer(1, "t|1")
        await eventually(lambda: len(rig.finished) == 2)
        assert sorted(rig.topics()) == sorted([FETCH_RETRY_10S.name, FETCH_ASIDE.name])
        assert rig.admission.shares.of("t") == 40
        gate.set()


async def test_a_tenant_that_is_told_to_wait_again_and_again_gets_a_smaller_share() -> None:
    """What is in hand by the end of each wait is written once more."""

    async def step(_records: Sequence[Received]) -> Sequence[Outcome]:
        raise Throttled(Scope.tenant("t"), 0.15)

    async with running_aside(step, largest_share=40) as rig:
        rig.offer(0, "t|1")
        await eventually(lambda: rig.finished == [0])
        assert rig.admission.shares.of("t") == 20


async def test_what_ends_at_the_door_is_expected_on_no_lane() -> None:
    """Its tenant would be taken to wait there, and others would be moved for it."""
    async with running_aside(Gate(), largest_share=0, least_share=0) as rig:
        rig.lanes.begin({Partition(topic.name, 0): 0 for topic in FETCH_ASIDES})
        rig.ends = Drop(Reason.TOO_OLD)
        assert rig.policy.decide(Lane(FETCH), rig.tracker, requested("v|1")) == rig.ends
        known = [rig.lanes.of(Partition(topic.name, 0)) for topic in FETCH_ASIDES]
        assert not any(ahead.knows("v") for ahead in known if ahead is not None)
