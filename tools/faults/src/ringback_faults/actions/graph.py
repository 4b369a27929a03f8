"""Faults of Graph: which answers the simulator is ordered to give, and when."""

import asyncio
import time
from typing import Any

from ringback_faults.actions.registry import action
from ringback_faults.ledgers import Act
from ringback_faults.oracle.neighbours import CALLS
from ringback_faults.scene import Scene

__all__ = ["always_failing", "graph_fault", "wait"]


@action("graph fault")
async def graph_fault(
    scene: Scene, fault: dict[str, Any], seconds: float | None = None, tenant: int | None = None
) -> None:
    """Plant a fault in the simulator, in its own words (`POST /control/faults`).

    Args:
        scene: where.
        fault: e.g. {effect: throttle, route: records, retryAfter: 2, count: 20}.
        seconds: after which it is taken out again, before the next step; None leaves it, as a fault with a count ends
            by itself.
        tenant: number of the one tenant that it strikes; None is everybody.
    """
    struck = {} if tenant is None else {"tenantId": scene.stack.tenants[tenant]}
    at = time.time()
    planted = (await scene.ask("POST", "faults", {**fault, **struck}))["id"]
    concerned = {} if tenant is None else {"concerns": scene.stack.tenants[tenant]}
    detail: dict[str, float | str] = {"fault": planted, "effect": str(fault["effect"]), **concerned}
    if seconds is not None:
        await asyncio.sleep(seconds)
        detail["fired"] = await _fired(scene, planted)
        await scene.ask("DELETE", f"faults/{planted}")
    scene.note(Act(at, time.time(), "graph fault", str(fault.get("route", "any")), detail))


async def _fired(scene: Scene, planted: str) -> float:
    """How often a fault struck; 0 if it has been taken out already."""
    views = (await scene.ask("GET", "faults"))["faults"]
    return float(next((view["fired"] for view in views if view["id"] == planted), 0))


@action("always failing")
async def always_failing(
    scene: Scene, seconds: float, tenant: int = 0, status: int = 500, retry_after: int | None = None
) -> None:
    """One call for which Graph has nothing but this status for a while, to any process and however often."""
    at, name = time.time(), scene.stack.tenants[tenant]
    call = (await scene.ask("POST", "calls", {"tenantId": name, "shape": "peerToPeer", "notify": False}))["callId"]
    fault = {"effect": "status", "status": status, "route": "records", "callId": call, "retryAfter": retry_after}
    planted = (await scene.ask("POST", "faults", fault))["id"]
    await scene.ask("POST", f"calls/{name}/{call}/notify", {})
    await asyncio.sleep(seconds)
    await scene.ask("DELETE", f"faults/{planted}")
    scene.note(Act(at, time.time(), "always failing", "graph", {"concerns": CALLS}))


@action("clear graph faults")
async def clear(scene: Scene) -> None:
    """Take out every fault of Graph's."""
    at = time.time()
    await scene.ask("DELETE", "faults")
    scene.note(Act(at, time.time(), "clear", "graph"))


@action("wait")
async def wait(_scene: Scene, seconds: float) -> None:
    """Let time pass between two steps; no fault."""
    await asyncio.sleep(seconds)
