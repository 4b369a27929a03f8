"""Services die or freeze between two of their own steps."""

import time
from typing import Literal

from ringback_faults.actions.busy import again_ready
from ringback_faults.actions.registry import action
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["die_at"]

_REACHED_SECONDS = 120.0
"""Longer than the partitions of two killed processes before this one wait for their new owners, on a slow machine."""


@action("die at")
async def die_at(
    scene: Scene, process: Literal["webhook", "enricher", "store"], points: list[str], times: int = 1
) -> None:
    """SIGKILL at each of these points of `ringback_faults.points.places`; the next when it is ready again."""
    there = scene.needed(scene.world.points, "points")
    for point in points * times:
        there.arm(process, point)
        reached = await there.until_reached(process, point, _REACHED_SECONDS)
        if reached is None:
            return  # nothing on record: the row lacks its evidence
        await again_ready(scene, process, reached.pid)
        scene.note(Act(reached.at, time.time(), "point", process, {"pid": reached.pid, "at_point": point}))
