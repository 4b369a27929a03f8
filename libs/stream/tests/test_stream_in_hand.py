"""The budget of bytes: never exceeded, no step waits for ever, one at the limit passes alone."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ringback_stream.consume.byte_budget import ByteBudget, ByteLease, current_hold
from ringback_testing.virtual_time import VirtualTimeLoop

LARGEST = 50
_TURNS = 2_000
"""Of the event loop: more than thirty steps of five sizes need, one behind the other; nothing waits for time."""
SIZES = st.lists(st.integers(0, LARGEST), min_size=1, max_size=5)


@given(
    steps=st.lists(SIZES, min_size=1, max_size=30),
    shared=st.integers(0, 150),
    first=st.integers(0, 20),
    kept=st.integers(0, 40),
    cut=st.sets(st.integers(0, 29), max_size=6),
)
@settings(deadline=None)
def test_it_is_never_exceeded_and_every_step_ends(
    steps: Sequence[Sequence[int]], shared: int, first: int, kept: int, cut: set[int]
) -> None:
    """Steps that grow, are cut off, shrink and end in any order: all that were not cut off end."""
    cut &= set(range(len(steps)))
    ended = asyncio.run(_run(ByteBudget(LARGEST + shared, LARGEST, first, kept), LARGEST + shared, steps, cut))
    assert ended >= set(range(len(steps))) - cut


async def _run(budget: ByteBudget, total: int, steps: Sequence[Sequence[int]], cut: set[int]) -> set[int]:
    ended = set[int]()

    async def step(number: int, sizes: Sequence[int]) -> None:
        async with budget.hold() as hold:
            for size in sizes:
                await hold.take(size)
                assert budget.byte_count <= total
                await asyncio.sleep(0)
            assert hold.granted >= min(sum(sizes), LARGEST)
            hold.shrink(sum(sizes) // 2)
            await asyncio.sleep(0)
            assert budget.byte_count <= total
        ended.add(number)

    tasks = [asyncio.create_task(step(number, sizes)) for number, sizes in enumerate(steps)]
    for _ in range(3):
        await asyncio.sleep(0)
    for number in cut:
        tasks[number].cancel()
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    for number, task in enumerate(tasks):
        if number not in cut and task.done():
            task.result()
        task.cancel()
    await asyncio.wait(tasks)
    assert budget.byte_count == 0
    return ended


async def test_one_at_the_limit_passes_alone() -> None:
    """A budget of one largest step: the second begins when the first has ended."""
    budget, order = ByteBudget(LARGEST, LARGEST, 1), list[str]()

    async def step(name: str) -> None:
        async with budget.hold() as hold:
            await hold.take(LARGEST)
            order.append(f"{name} has it")
            await asyncio.sleep(0)
            order.append(f"{name} ends")

    await asyncio.gather(step("a"), step("b"))
    assert order == ["a has it", "a ends", "b has it", "b ends"]


async def test_whoever_waits_longest_for_bytes_is_served_first() -> None:
    """A large claim is not passed by the small ones of other steps that have begun."""
    budget, order = ByteBudget(100, 50), list[str]()
    async with budget.hold() as one, budget.hold() as other, budget.hold() as third:
        await one.take(40)
        await other.take(20)  # of the reserve
        async with budget.hold() as fourth:
            large = asyncio.create_task(_note(third, 30, "large", order))
            await asyncio.sleep(0)
            waiting = [large, asyncio.create_task(_note(fourth, 5, "small", order))]
            await asyncio.sleep(0)
            assert order == []
            one.shrink(0)
            await asyncio.wait(waiting)
    assert order == ["large", "small"]


async def _note(hold: ByteLease, size: int, name: str, order: list[str]) -> None:
    await hold.take(size)
    order.append(name)


async def test_small_steps_pass_while_large_ones_wait_for_each_other() -> None:
    """One has the reserve, a second waits for it: a step that begins needs neither."""
    budget = ByteBudget(total=100, largest=60, first=5, kept=10)
    async with budget.hold() as large:
        await large.take(60)
        async with budget.hold() as second:
            waiting = asyncio.create_task(second.take(55))
            await asyncio.sleep(0)
            async with asyncio.timeout(20), budget.hold() as small:
                await small.take(5)
            assert not waiting.done()
            large.shrink(0)
            await waiting


async def test_the_reserve_is_left_when_room_appears_later() -> None:
    """What grows no more moves to the shared part as soon as others have left it, and the next large step goes on."""
    budget = ByteBudget(total=100, largest=60, first=5)
    async with budget.hold() as large:
        async with budget.hold() as other:
            await other.take(35)
            await large.take(60)
            large.shrink(30)  # 5 of the shared part are free
        async with asyncio.timeout(20), budget.hold() as next_one:
            await next_one.take(60)


async def test_whoever_waits_to_begin_gets_what_the_reserve_s_new_owner_leaves() -> None:
    """Else it would wait until some step ends: while one large read is all that is in hand, for minutes."""
    budget = ByteBudget(total=100, largest=60, first=5)
    async with budget.hold() as large:
        await large.take(38)  # 2 of the shared part are free
        begun = asyncio.Event()
        small = asyncio.create_task(_begin(budget, begun))
        await asyncio.sleep(0)
        assert budget.byte_count == 38
        await large.take(20)  # it moves to the reserve with all that it has: the shared part is empty
        assert budget.byte_count == 58 + 5
        begun.set()
        await small


async def test_bytes_come_back_at_once_when_a_waiting_step_is_cut_off() -> None:
    """What stood behind it is served."""
    budget = ByteBudget(60, 50)
    async with budget.hold() as one, budget.hold() as two, budget.hold() as three:
        await one.take(10)
        await two.take(5)  # of the reserve
        cut = asyncio.create_task(three.take(11))
        await asyncio.sleep(0)
        cut.cancel()
        one.shrink(0)
        async with asyncio.timeout(20), budget.hold() as four:
            await four.take(10)


def test_the_oldest_claim_is_as_old_as_its_wait() -> None:
    """Of steps that begin and of steps that grow: who came later makes it no younger; granted, the next is the oldest.

    One waits from the beginning, one from 3 s on; looked at 5 s from the beginning, and when the first has its bytes.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(_ages_of_beginning()) == [0, 5, 2, 0]
        assert runner.run(_ages_of_growing()) == [0, 5, 2, 0]


async def _ages_of_beginning() -> list[float]:
    budget = ByteBudget(10, 10, first=10)
    async with AsyncExitStack() as full:
        await full.enter_async_context(budget.hold())
        ages = [budget.oldest_claim]
        gates = [asyncio.Event(), asyncio.Event()]
        first = asyncio.create_task(_begin(budget, gates[0]))
        await asyncio.sleep(3)
        second = asyncio.create_task(_begin(budget, gates[1]))
        await asyncio.sleep(2)
        ages.append(budget.oldest_claim)
    ages.append(budget.oldest_claim)
    second.cancel()
    gates[0].set()
    await asyncio.wait((first, second))
    return [*ages, budget.oldest_claim]


async def _begin(budget: ByteBudget, gate: asyncio.Event) -> None:
    async with budget.hold():
        await gate.wait()


async def _ages_of_growing() -> list[float]:
    budget = ByteBudget(60, 50)
    async with budget.hold() as one, budget.hold() as two, budget.hold() as three, budget.hold() as four:
        await one.take(10)
        await two.take(5)  # of the reserve
        ages = [budget.oldest_claim]
        first = asyncio.create_task(three.take(11))
        await asyncio.sleep(3)
        second = asyncio.create_task(four.take(12))
        await asyncio.sleep(2)
        ages.append(budget.oldest_claim)
        two.shrink(0)
        ages.append(budget.oldest_claim)
        await first
        three.shrink(0)
        await second
        return [*ages, budget.oldest_claim]


async def test_a_step_finds_its_own_bytes() -> None:
    """Each task has its own; outside of a step there are no bounds."""
    budget = ByteBudget(100, 50)

    async def step() -> bool:
        async with budget.hold() as hold:
            await asyncio.sleep(0)
            return current_hold() is hold

    assert await asyncio.gather(step(), step()) == [True, True]
    await current_hold().take(10**12)


def test_the_largest_must_fit() -> None:
    """Else it would wait for ever."""
    with pytest.raises(ValueError, match="fit"):
        ByteBudget(49, 50)
