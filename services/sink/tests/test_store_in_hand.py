"""The store prepares a transaction beside the one that is written, as far as both fit into what it may have in hand."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest
from ringback_common.clock import SystemClock
from ringback_common.outcomes import Emit, Received
from ringback_common.settings import LimitsSettings
from ringback_sink.store import handlers
from ringback_sink.store.adapters.calls import Written
from ringback_sink.store.handlers import ROWS, RecordsStep
from ringback_testing import eventually
from ringback_testing.call_records import call_record, received

MIB = 1024 * 1024
SIZE = 3 * MIB


def padded(name: str) -> Received:
    """A record of 3 MiB, so that two are two transactions."""
    small = received(call_record(name, parties=2))
    return replace(small, value=(small.value or b"").ljust(SIZE))


class Paused:
    """Calls that are written once the test lets them be."""

    def __init__(self) -> None:
        self.may = asyncio.Event()

    async def write(self, _plan: object, _worth: object) -> Written:
        """Write none of them, late."""
        await self.may.wait()
        return Written(1, 0, 0)


@pytest.mark.parametrize(("mib", "beside"), [(2 * ROWS * SIZE // MIB, True), (2 * ROWS * SIZE // MIB - 1, False)])
async def test_two_transactions_are_in_hand_only_if_both_fit(
    monkeypatch: pytest.MonkeyPatch, mib: int, *, beside: bool
) -> None:
    """Else the second is prepared when the first is written; both are answered for either way."""
    prepared, calls = list[Received](), Paused()
    made: Any = handlers._prepared
    monkeypatch.setattr(handlers, "_prepared", lambda one, largest: (prepared.append(one), made(one, largest))[1])
    limits = LimitsSettings(record_bytes=4 * MIB, in_hand_bytes=mib * MIB)
    fake: Any = calls
    step = asyncio.create_task(RecordsStep(fake, SystemClock(), limits)([padded("a"), padded("b")]))
    await eventually(lambda: len(prepared) >= 1 + beside)
    await asyncio.sleep(0.2)
    assert len(prepared) == 1 + beside
    calls.may.set()
    assert await step == [Emit(), Emit()]


class Slow:
    """A transaction that takes its time to be rolled back."""

    def __init__(self) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()

    async def write(self, _plan: object, _worth: object) -> Written:
        """Hang, and when cut off end late."""
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await self.may_end.wait()
        raise AssertionError("nobody lets it end otherwise")


def a_step(calls: Any, *records: Received) -> asyncio.Task[Any]:
    """A step over these, with room for all of them."""
    limits = LimitsSettings(record_bytes=4 * MIB, in_hand_bytes=2 * ROWS * SIZE)
    return asyncio.create_task(RecordsStep(calls, SystemClock(), limits)(records))


@pytest.mark.parametrize("times", [1, 2])
async def test_a_record_that_is_prepared_in_a_thread_is_in_hand_until_that_has_ended(
    monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """After a lost assignment the next batch would be prepared beside it: the largest records twice in memory."""
    begun, done = threading.Event(), threading.Event()
    monkeypatch.setattr(handlers, "_prepared", lambda *_: (begun.set(), done.wait(5))[1])
    step = a_step(Paused(), padded("a"))
    await asyncio.to_thread(begun.wait, 5)
    for _ in range(times):
        step.cancel()
        await asyncio.sleep(0.01)
    ended = step.done()
    done.set()
    await asyncio.wait((step,))
    assert (ended, step.cancelled()) == (False, True)


async def test_a_transaction_that_is_cut_off_is_waited_for_until_it_is_cut_off_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A drain that is late cancels the step; where PostgreSQL is silent the stop itself does so once more."""
    calls, prepares, may, second = Slow(), threading.Event(), threading.Event(), padded("b")
    real = handlers._prepared

    def prepared(received: Received, largest: int) -> Any:
        if received is second:
            prepares.set()
            may.wait(5)
        return real(received, largest)

    monkeypatch.setattr(handlers, "_prepared", prepared)
    step = a_step(calls, padded("a"), second)
    await calls.begun.wait()
    await asyncio.to_thread(prepares.wait, 5)
    step.cancel()
    may.set()
    await asyncio.sleep(0.2)
    assert not step.done()
    step.cancel()
    await asyncio.wait((step,), timeout=5)
    assert step.cancelled()
    calls.may_end.set()
