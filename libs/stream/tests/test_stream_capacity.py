"""What may be under way to Kafka at once: counted, in bytes, and open again whatever becomes of those that wait."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_stream.publish.capacity import CapacityLimit
from ringback_testing.properties import examples
from ringback_testing.virtual_time import VirtualTimeLoop


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("byte_count", "fitting"), [(1, 3), (40, 2), (1000, 1)])
async def test_count_and_bytes_are_limited_and_a_large_one_enters_alone(byte_count: int, fitting: int) -> None:
    """Three callers or 100 bytes; the next enters when one has left."""
    limit = CapacityLimit(3, 100)
    for _ in range(fitting):
        await asyncio.wait_for(limit.enter(byte_count), 1)
    waiting = asyncio.create_task(limit.enter(byte_count))
    await _turns()
    assert not waiting.done()
    limit.leave(byte_count)
    await asyncio.wait_for(waiting, 1)


async def test_a_block_that_fails_leaves() -> None:
    """Its bytes are not lost to the others."""
    limit = CapacityLimit(1, 100)
    with pytest.raises(ZeroDivisionError):
        async with limit.hold(100):
            raise ZeroDivisionError
    await asyncio.wait_for(limit.enter(100), 1)


async def test_a_caller_cancelled_as_it_is_woken_leaves_its_turn_to_the_next() -> None:
    """Both waited, the first was woken and cancelled in one turn of the loop: the second must not wait for ever."""
    limit = CapacityLimit(1, 100)
    await limit.enter(1)
    first, second = (asyncio.create_task(limit.enter(1)) for _ in range(2))
    await _turns()
    limit.leave(1)
    first.cancel()
    await asyncio.wait_for(second, 1)
    assert first.cancelled()


async def test_a_caller_cancelled_while_it_waits_takes_no_turn() -> None:
    """A departure wakes one that still waits."""
    limit = CapacityLimit(1, 100)
    await limit.enter(1)
    first, second = (asyncio.create_task(limit.enter(1)) for _ in range(2))
    await _turns()
    first.cancel()
    await _turns()
    limit.leave(1)
    await asyncio.wait_for(second, 1)


@examples(100)
@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_the_limit_holds_and_all_enter_that_are_not_cancelled(callers: list[tuple[int, int, bool]]) -> None:
    """Property: of any callers, some cut off at any time, never more are in than the limit allows, and all end."""
    limit, inside = CapacityLimit(4, 100), list[int]()

    async def call(byte_count: int, seconds: int, *, is_cut_off: bool) -> None:
        async with asyncio.timeout(seconds / 2 if is_cut_off else None):
            async with limit.hold(byte_count):
                inside.append(byte_count)
                assert len(inside) == 1 or (len(inside) <= 4 and sum(inside) <= 100)
                try:
                    await asyncio.sleep(seconds)
                finally:
                    inside.remove(byte_count)

    async def all_of_them() -> list[BaseException | None]:
        calls = (call(byte_count, seconds, is_cut_off=cut) for byte_count, seconds, cut in callers)
        return await asyncio.gather(*calls, return_exceptions=True)

    loop = VirtualTimeLoop()
    try:
        ended = loop.run_until_complete(all_of_them())
    finally:
        loop.close()
    assert all(isinstance(each, TimeoutError) for each in ended if each is not None)
    assert [each for each, (*_, cut) in zip(ended, callers, strict=True) if each is not None and not cut] == []
