"""Wall clocks that are wrong, and that jump."""

import asyncio
import time
from collections.abc import Mapping

from ringback_faults.actions.registry import action
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["shift_clocks"]


@action("shift clocks")
async def shift_clocks(scene: Scene, offsets: Mapping[str, float], seconds: float, *, keep: bool = False) -> None:
    """Set the wall clocks of processes so many seconds ahead, or behind, for a while.

    With `keep` they stay wrong over the steps that follow, until the next shift ends.
    """
    clocks, at = scene.needed(scene.world.clocks, "clocks to shift"), time.time()
    try:
        for process, offset in offsets.items():
            clocks.shift(process, offset)
        await asyncio.sleep(seconds)
    finally:
        if not keep:
            clocks.reset()
    for process, offset in offsets.items():
        scene.note(Act(at, time.time(), "shift clock", process, {"offset": offset}))
