"""Memory under a cap of the kernel's, with more waiting than fits into it."""

import asyncio
import time

from ringback_faults.actions.registry import action
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["look_at_memory"]

_MIB = 1024 * 1024


@action("look at memory")
async def look_at_memory(scene: Scene, seconds: float = 0.0) -> None:
    """Note of each capped process the most it ever had, in MiB, whether it runs under its cap, how often it met it."""
    memory = scene.needed(scene.world.memory, "capped memory")
    await asyncio.sleep(seconds)
    at = time.time()
    for process in scene.world.kind.memory_mib:
        peak = memory.peak(process) or 0
        capped = memory.holds(process, scene.stack.processes[process].pid)
        detail = {"mib": peak / _MIB, "squeezed": float(memory.squeezed(process)), "capped": float(capped)}
        scene.note(Act(at, at, "memory peak", process, detail))
