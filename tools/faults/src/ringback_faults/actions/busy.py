"""Moments at which a fault hurts, and the moment it is over: as the broker and /readyz report them."""

import asyncio
import time
from collections.abc import Sequence

from aiokafka.errors import KafkaError
from ringback_events import topics
from ringback_local.polling import until

from ringback_faults.contract import ENRICHER, SINK
from ringback_faults.pairs import service_of
from ringback_faults.scene import Scene

__all__ = ["READY_SECONDS", "again_ready", "held_still", "respawned", "until_busy"]

READY_SECONDS = 180.0
"""A killed consumer's successor waits up to 15 s for the group, and for a broker that died meanwhile: beside others of
its kind that one read its logs for 70 s and more. No goal: recovery is judged from the ledgers."""
_BUSY_SECONDS = 30.0
_LOOK_SECONDS = 2.0
_IN_FLIGHT_SECONDS = 0.03
"""In which a commit that was sent before reaches the broker."""
_LANES = (topics.FETCH.name, topics.FETCH_BULK.name)
_HELD: dict[str, tuple[str, Sequence[str]]] = {"enricher": (ENRICHER, _LANES), "store": (SINK, (topics.RECORDS.name,))}


async def until_busy(scene: Scene, process: str) -> int:
    """Wait for a moment at which a consumer has unfinished records, and tell how many; 0 for the others, at once.

    The broker tells of groups: of a pair it is what both have.
    """
    group, names = _HELD.get(service_of(process), ("", ()))
    deadline = time.monotonic() + _BUSY_SECONDS
    while group and time.monotonic() < deadline:
        try:
            if held := sum((await scene.lags.of(group, names)).values()):
                return held
            await asyncio.sleep(0.01)
        except (KafkaError, OSError):
            await asyncio.sleep(0.2)  # the broker is the victim of another fault just now
    return 0


async def held_still(scene: Scene, process: str) -> int:
    """Stop (SIGSTOP) a consumer while it has unfinished records, and tell how many; the others are left running.

    Looked at while it runs, it may finish and commit all of it between the look and the fault.
    """
    deadline = time.monotonic() + _BUSY_SECONDS
    while held := await until_busy(scene, process):
        await asyncio.sleep(scene.random.uniform(0.0, 0.02))
        scene.stack.pause(process)
        still = 0
        try:
            await asyncio.sleep(_IN_FLIGHT_SECONDS)
            still = await _held(scene, process, otherwise=held)
        finally:
            if not still:
                scene.stack.resume(process)
        if still or time.monotonic() > deadline:
            return still
    return 0


async def _held(scene: Scene, process: str, *, otherwise: int) -> int:
    group, names = _HELD[service_of(process)]
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            return sum((await scene.lags.of(group, names)).values())
    except (KafkaError, OSError, TimeoutError):
        return otherwise


async def respawned(scene: Scene, process: str, before: int) -> None:
    """Wait until a process is another one than `before`."""
    processes = scene.stack.processes
    await until(lambda: processes[process].pid != before, READY_SECONDS)


async def again_ready(scene: Scene, process: str, before: int) -> None:
    """Wait until another process than `before` is ready; raises StartFailed."""
    deadline = time.monotonic() + READY_SECONDS
    await respawned(scene, process, before)
    await scene.stack.ready(process, timeout=deadline - time.monotonic())
