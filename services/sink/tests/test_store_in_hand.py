"""The store prepares a batch beside the one that is written, as far as both fit into what it may have in hand."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from ringback_common.clock import SystemClock
from ringback_common.outcomes import Emit, Outcome, Received
from ringback_common.settings import LimitsSettings
from ringback_sink.store.handlers import ROWS, RecordsStep
from ringback_sink.store.memory import MemoryStore
from ringback_sink.store.port import Prepared, Result, Row
from ringback_testing import eventually
from ringback_testing.call_records import call_record, received

MIB = 1024 * 1024
SIZE = 3 * MIB


def padded(name: str) -> Received:
    """A record of 3 MiB, so that two are two writes."""
    small = received(call_record(name, parties=2))
    return replace(small, value=(small.value or b"").ljust(SIZE))


class Paused(MemoryStore):
    """A store that writes once the test lets it, and does as the test says before a row is prepared."""

    def __init__(self, before: Callable[[int], object] = lambda _: None) -> None:
        super().__init__(SystemClock())
        self.prepared = 0
        self.before = before
        self.begun, self.may_write = asyncio.Event(), asyncio.Event()

    def prepare(self, row: Row) -> Prepared:
        """Count it."""
        self.prepared += 1
        self.before(self.prepared)
        return super().prepare(row)

    async def write(self, rows: Sequence[Prepared]) -> Sequence[Result]:
        """Write them late."""
        self.begun.set()
        await self.may_write.wait()
        return await super().write(rows)


class SlowToEnd(Paused):
    """A store whose write, cancelled, takes its time to be rolled back."""

    async def write(self, rows: Sequence[Prepared]) -> Sequence[Result]:  # noqa: ARG002 - as the port has it
        """Hang, and when cancelled end late."""
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await self.may_write.wait()
        raise AssertionError("only a cancellation ends it")


def a_step(store: Paused, *records: Received, mib: int = 2 * ROWS * SIZE // MIB) -> asyncio.Task[Sequence[Outcome]]:
    """A step over these that may have so much in hand."""
    limits = LimitsSettings(record_bytes=4 * MIB, in_hand_bytes=mib * MIB)
    return asyncio.ensure_future(RecordsStep(store, SystemClock(), limits)(records))


@pytest.mark.parametrize(("mib", "beside"), [(2 * ROWS * SIZE // MIB, True), (2 * ROWS * SIZE // MIB - 1, False)])
async def test_two_writes_are_in_hand_only_if_both_fit(mib: int, *, beside: bool) -> None:
    """Else the second is prepared when the first is written; both are stored either way."""
    store = Paused()
    step = a_step(store, padded("a"), padded("b"), mib=mib)
    await eventually(lambda: store.prepared >= 1 + beside)
    await asyncio.sleep(0.2)
    assert store.prepared == 1 + beside
    store.may_write.set()
    assert await step == [Emit(), Emit()]
    assert {call for _, call in store.calls} == {"a", "b"}


@pytest.mark.parametrize("times", [1, 2])
async def test_a_record_that_is_prepared_in_a_thread_is_in_hand_until_that_has_ended(times: int) -> None:
    """After a lost assignment the next batch would be prepared beside it: the largest records twice in memory."""
    begun, done = threading.Event(), threading.Event()
    step = a_step(Paused(before=lambda _: (begun.set(), done.wait(5))), padded("a"))
    await asyncio.to_thread(begun.wait, 5)
    for _ in range(times):
        step.cancel()
        await asyncio.sleep(0.01)
    ended = step.done()
    done.set()
    await asyncio.wait((step,))
    assert (ended, step.cancelled()) == (False, True)


async def test_a_write_that_is_cancelled_is_waited_for_until_it_is_cancelled_again() -> None:
    """A drain that is late cancels the step; where the store does not answer the stop itself does so once more."""
    prepares, may = threading.Event(), threading.Event()
    store = SlowToEnd(before=lambda number: number == 2 and (prepares.set(), may.wait(5)))
    step = a_step(store, padded("a"), padded("b"))
    await store.begun.wait()
    await asyncio.to_thread(prepares.wait, 5)
    step.cancel()
    may.set()
    await asyncio.sleep(0.2)
    assert not step.done()
    step.cancel()
    await asyncio.wait((step,), timeout=5)
    assert step.cancelled()
    store.may_write.set()
