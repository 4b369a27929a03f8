"""Faults of Ringback's own processes: sudden death, orderly end, freezing."""

import asyncio
import time
from typing import Literal

from ringback_local.polling import until

from ringback_faults.actions.busy import READY_SECONDS, again_ready, held_still, respawned
from ringback_faults.actions.registry import action
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["Service", "freeze", "kill", "terminate"]

Service = Literal["webhook", "keeper", "enricher", "store", "webhook-2", "enricher-2", "store-2"]
"""The second ones are there in a world of pairs."""


@action("kill")
async def kill(scene: Scene, process: Service, times: int = 1, every: float = 0.0, *, ready: bool = True) -> None:
    """SIGKILL while work is in hand, so often, with at least `every` seconds between two kills.

    The fault ends when the next process is `ready`; without that, when the next process begins.
    """
    for _ in range(times):
        began = time.time()
        held = await held_still(scene, process)
        at, pid = time.time(), scene.stack.processes[process].pid
        scene.stack.kill(process)
        await (again_ready if ready else respawned)(scene, process, pid)
        scene.note(Act(at, time.time(), "kill", process, {"pid": pid, "held": held}))
        await asyncio.sleep(max(scene.random.uniform(0.0, 0.3), began + every - time.time()))


@action("kill again")
async def kill_again(scene: Scene, process: Service, times: int = 2, within: float = 3.0) -> None:
    """SIGKILL, and once more up to `within` seconds after the next process began, while it still recovers."""
    for number in range(1, times + 1):
        held = await held_still(scene, process)
        at, pid = time.time(), scene.stack.processes[process].pid
        scene.stack.kill(process)
        await respawned(scene, process, pid)
        if number == times:
            await again_ready(scene, process, pid)
        scene.note(Act(at, time.time(), "kill", process, {"pid": pid, "held": held}))
        if number < times:
            await asyncio.sleep(scene.random.uniform(0.0, within))


@action("terminate")
async def terminate(scene: Scene, process: Service, times: int = 1) -> None:
    """SIGTERM while work is in hand: the exit code and the seconds to the end are noted; then ready again."""
    for _ in range(times):
        await held_still(scene, process)
        at, pid, before = time.time(), scene.stack.processes[process].pid, len(_exit_codes(scene, process))
        scene.stack.supervisor.terminate(process)
        await until(lambda before=before: len(_exit_codes(scene, process)) > before, READY_SECONDS)
        ended, codes = time.time(), _exit_codes(scene, process)[before:]
        await again_ready(scene, process, pid)
        detail = {"pid": pid, "exit_code": codes[0] if codes else -1, "seconds": ended - at}
        scene.note(Act(at, time.time(), "terminate", process, detail))


@action("freeze")
async def freeze(scene: Scene, process: Service, seconds: float = 20.0) -> None:
    """SIGSTOP while work is in hand, SIGCONT after a while: past 15 s the group takes it for dead."""
    held = await held_still(scene, process)
    at = time.time()
    scene.stack.pause(process)
    try:
        await asyncio.sleep(seconds)
    finally:
        scene.stack.resume(process)
    scene.note(Act(at, time.time(), "freeze", process, {"held": held, "seconds": seconds}))


def _exit_codes(scene: Scene, process: str) -> list[int]:
    return [event.exit_code or 0 for event in scene.stack.events if event.name == process and event.what == "died"]
