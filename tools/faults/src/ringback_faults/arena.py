"""One row in a running world: mark, load, faults, drain, collect, judge."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from ringback_faults import load
from ringback_faults.actions import perform
from ringback_faults.collect import Sampler, collect, drained, mark
from ringback_faults.ledgers import Ledgers
from ringback_faults.oracle import check, fault_over
from ringback_faults.result import Result
from ringback_faults.row import Row
from ringback_faults.scene import Scene, open_scene
from ringback_faults.worlds import World

__all__ = ["observe", "run_row"]

_LOAD_GRACE_SECONDS = 60.0
"""Beyond the load's own time: what was refused is sent again, the last versions come later."""


async def run_row(world: World, row: Row, seed: int, tell: Callable[[str], None] = lambda _: None) -> Result:
    """Run one row and judge it; raises as `observe`."""
    began = time.monotonic()
    verdict = check(await observe(world, row, seed, tell), row.expect, row.judged)
    return Result(
        row=row.row, fault=row.fault, world=row.world, seed=seed, seconds=time.monotonic() - began,
        verdict=verdict, logs=str(world.stack.run_folder), demanded=tuple(row.expect.evidence),
    )  # fmt: skip


async def observe(
    world: World,
    row: Row,
    seed: int,
    tell: Callable[[str], None] = lambda _: None,
    watch: Callable[[Scene], AbstractAsyncContextManager[object]] = nullcontext,
) -> Ledgers:
    """Run one row; what others wrote down of it meanwhile.

    Args:
        world: where.
        row: what to do.
        seed: of every draw.
        tell: called with the stage that the row has reached.
        watch: opened over the load and the faults, to show them.

    Raises:
        ExceptionGroup: of StartFailed, if a process did not come back after a fault.
        StartFailed: a tenant has no subscription.
        ValueError: the simulator refused what the row's file orders.
    """
    baseline = await mark(world)
    async with open_scene(world, row, seed) as scene, Sampler(world, scene.members) as sampler, watch(scene):
        tell("load")
        await load.begin(scene)
        await _break(scene, tell)
        faulted = fault_over(scene.acts, scene.started)
        tell("drain")
        over = await load.over(scene, row.load.seconds + _LOAD_GRACE_SECONDS)
        finished = await drained(world, row.expect.standstill_seconds) if over else None
    tell("judge")
    return await collect(
        world, baseline, scene.acts, sampler.samples, scene.started, faulted, finished, tuple(scene.kept)
    )


async def _break(scene: Scene, tell: Callable[[str], None]) -> None:
    async with asyncio.TaskGroup() as group:
        for number, step in enumerate(scene.row.steps, start=1):
            await scene.until(step.at)
            tell(f"{number}/{len(scene.row.steps)} {step.do}")
            under_way = group.create_task(perform(scene, step))
            if not step.beside:
                await under_way
