"""What Graph's simulator does while things break: calls end, get versions, are announced twice."""

import time
from collections.abc import Mapping
from typing import Any

from ringback_local.polling import until
from ringback_local.workday import order_of

from ringback_faults.scene import Scene

__all__ = ["begin", "over"]

_PEACE: Mapping[str, Any] = {
    "paused": False,
    "concurrency": 64,
    "batchMax": 10,
    "duplicates": 0.0,
    "states": False,
    "shareUrl": True,
    "odd": 0.0,
    "keepAlive": True,
}
"""Delivery as a row finds it. Graph's slow and drop states are a fault of their own: with them on, a few seconds of
503 make Graph drop notifications, and there would be little left to lose by what comes after."""


async def begin(scene: Scene) -> None:
    """Undo what an earlier row ordered of the simulator, and let the row's calls begin to end."""
    order = scene.row.load
    await scene.ask("DELETE", "faults")
    await scene.ask("PATCH", "delivery", dict(_PEACE))
    await scene.ask("PATCH", "graph", {"latencySeconds": order.graph_delay})
    scene.started = time.time()
    await scene.ask("POST", "workday", _workday(scene))


async def over(scene: Scene, seconds: float) -> bool:
    """Wait until every call has ended, got its last version, and was announced; False if that takes too long."""

    async def done() -> bool:
        return (await scene.ask("GET", "workday"))["done"]

    return await until(done, seconds)


def _workday(scene: Scene) -> dict[str, Any]:
    order, scale = scene.row.load, scene.world.kind.time_scale
    seed = scene.random.getrandbits(31)  # of every call's id, too: rows of one world must not meet
    if order.week:
        return dict(order_of(seed, scene.stack.tenants, order.calls, order.seconds))
    return {
        "seed": seed,
        "tenants": list(scene.stack.tenants),
        "calls": order.calls,
        "durationSeconds": order.seconds,
        "shapes": dict(order.shapes),
        "lateVersionShare": order.late_versions,
        "lateVersionAfterSeconds": order.late_after * scale,
        "notFoundFirstShare": order.not_found_first,
        "duplicates": order.duplicates,
        "plantedDrops": order.forged,
        "throttleStorm": False,
        "specials": False,
        "versionMark": True,
    }
