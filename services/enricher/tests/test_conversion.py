"""Deriving large records: beside the event loop, one at a time, within the bytes in hand."""

import asyncio
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from ringback_enricher.adapters.graph import GraphRecords
from ringback_enricher.conversion import CONVERTING, READING, Conversions
from ringback_graph.answers import Found
from ringback_graph.room import Room
from ringback_graph.tenants import Tenant
from ringback_stream.consume.byte_budget import ByteBudget

MIB = 1024 * 1024


async def test_the_event_loop_goes_on_while_a_large_record_is_derived() -> None:
    """It gets its turns; a small record is derived where it is, and does not wait for the large one."""
    conversions, done = Conversions(), threading.Event()
    large = asyncio.create_task(conversions.make(done.wait, MIB))
    await asyncio.sleep(0.01)
    here = threading.get_ident()
    assert await conversions.make(threading.get_ident, 45_000) == here
    assert not large.done()
    done.set()
    assert await large


async def test_large_records_take_turns() -> None:
    """Two at once would take twice the memory and the same time."""
    conversions, running, most = Conversions(), list[int](), 0

    def make() -> None:
        nonlocal most
        running.append(1)
        most = max(most, len(running))
        time.sleep(0.01)
        running.pop()

    await asyncio.gather(*(conversions.make(make, MIB) for _ in range(4)))
    assert most == 1


async def test_the_bytes_of_a_conversion_are_waited_for() -> None:
    """It begins when there is room for what it makes, and not before."""
    conversions, budget = Conversions(), ByteBudget(CONVERTING * MIB + 10, CONVERTING * MIB)

    async def other(begun: asyncio.Event, end: asyncio.Event) -> None:
        async with budget.hold() as hold:
            await hold.take(11)  # of the reserve
            begun.set()
            await end.wait()

    begun, end = asyncio.Event(), asyncio.Event()
    holding = asyncio.create_task(other(begun, end))
    await begun.wait()
    async with budget.hold():
        making = asyncio.create_task(conversions.make(lambda: True, MIB))
        await asyncio.sleep(0.02)
        assert not making.done()
        end.set()
        assert await making
    await holding


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_a_conversion_that_is_cut_off_is_waited_for(times: int) -> None:
    """Its thread cannot be stopped: until it has ended, its bytes are in hand and its turn is taken."""
    conversions, done, budget = Conversions(), threading.Event(), ByteBudget()

    async def convert() -> None:
        async with budget.hold():
            await conversions.make(done.wait, MIB)

    cut = asyncio.create_task(convert())
    await asyncio.sleep(0.01)
    next_one = asyncio.create_task(conversions.make(done.is_set, MIB))
    for _ in range(times):
        cut.cancel()
        await asyncio.sleep(0.01)
    meanwhile = (cut.done(), next_one.done(), budget.byte_count)
    done.set()
    assert meanwhile == (False, False, CONVERTING * MIB)
    await asyncio.wait((cut,))
    assert (cut.cancelled(), budget.byte_count) == (True, 0)
    assert await next_one


async def test_what_is_read_counts_as_the_objects_it_becomes() -> None:
    """Each byte of JSON several times, while it comes in; an attempt that begins anew counts from nothing."""
    budget, granted = ByteBudget(1000, 1000), list[int]()

    class Reader:
        async def read(self, *_asked: object, room: Room) -> Found:
            for _ in range(2):
                room.restart()
                await room.take(50)
                granted.append(budget.byte_count)
            await room.ahead(100)
            granted.append(budget.byte_count)
            return Found({}, 1, 2, datetime.now(UTC))

    reader: Any = Reader()
    async with budget.hold():
        await GraphRecords(reader).read(Tenant.model_construct(), "call", bulk=False)
    assert granted == [READING * 50, READING * 50, READING * 150]
    assert budget.byte_count == 0
