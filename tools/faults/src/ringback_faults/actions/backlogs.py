"""Calls of neighbours, with nothing ahead of them and with the backlog of a sick tenant ahead in their partition."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ringback_faults.actions.planting import Planter, planting
from ringback_faults.actions.registry import action
from ringback_faults.actions.waiting import plant_waiting
from ringback_faults.ledgers import Act
from ringback_faults.oracle.behind import BACKLOG, CALM
from ringback_faults.scene import Scene

__all__ = ["backlog", "calm"]

_PACE_SECONDS = 0.1
"""Between two calls of neighbours; each comes with a request on a retry lane."""
_UNKNOWN_AT_FIRST = 5
"""One call in so many Graph does not know at first, so that Ringback itself puts its request on a retry lane."""
_LARGEST_BATCH = 100
_LOOK_SECONDS = 0.1
_CALL = {"shape": "peerToPeer", "versionMark": True}


@action("calm")
async def calm(scene: Scene, seconds: float, tenant: int = 0) -> None:
    """Calls of every tenant but this one while nothing is wrong: what neighbours are compared with later."""
    sick, at = scene.stack.tenants[tenant], time.time()
    async with planting(scene) as planter:
        await _neighbours(scene, planter, sick, seconds)
    scene.note(Act(at, time.time(), CALM, "neighbours", {"sick": sick}))


@action("backlog")
async def backlog(
    scene: Scene,
    live: int,
    waiting: int,
    seconds: float,
    tenant: int = 0,
    fault: dict[str, Any] | None = None,
    *,
    one: bool = False,
) -> None:
    """A sick tenant's requests lie ahead in the partition it shares; then its neighbours' calls come for a while.

    The enricher is held still (SIGSTOP) until all of the backlog stands in Kafka, and the fault lasts until the last
    neighbour's call has come.

    Args:
        scene: where.
        live: requests on the live lane, by way of the webhook.
        waiting: requests on a retry lane, as an enricher would have left them there; due soon after it goes on.
        seconds: for which neighbours' calls come.
        tenant: number of the sick one.
        fault: of Graph's, for this tenant alone; None: it has its backlog, and is well.
        one: whether the fault strikes only the first call of the backlog.
    """
    sick = scene.stack.tenants[tenant]
    async with planting(scene) as planter:
        calls, due = await _made(scene, sick, live), await _made(scene, sick, waiting, notify=False)
        async with _fault(scene, sick, fault, calls[0] if one else None):
            held = await _pile_up(scene, planter, sick, due)
            at = time.time()
            await _neighbours(scene, planter, sick, seconds)
    reported: dict[str, float | str] = {"sick": sick, "live": live, "waiting": waiting, "held": held}
    scene.note(Act(at, time.time(), BACKLOG, "neighbours", reported))


async def _made(scene: Scene, tenant: str, copies: int, *, notify: bool = True) -> list[str]:
    """Calls that ended at once; their notifications are kept back until `_pile_up`."""
    await scene.ask("PATCH", "delivery", {"paused": True})
    order = {"tenantId": tenant, "copies": copies, "notify": notify, **_CALL}
    return (await scene.ask("POST", "calls", order))["callIds"] if copies else []


async def _pile_up(scene: Scene, planter: Planter, tenant: str, waiting: Sequence[str]) -> float:
    """Let the backlog come while the enricher is held still; the seconds it was, by the time of its going on."""
    at = time.time()
    scene.stack.pause("enricher")
    try:
        await scene.ask("PATCH", "delivery", {"paused": False, "batchMax": _LARGEST_BATCH})
        await plant_waiting(planter, tenant, waiting, scene.world.kind.time_scale)
        await _delivered(scene)
        await scene.ask("PATCH", "delivery", {"batchMax": 10})
    finally:
        scene.stack.resume("enricher")
    return time.time() - at


async def _delivered(scene: Scene) -> None:
    while (await scene.ask("GET", "state"))["items"]["pending"]:  # noqa: ASYNC110 - Graph tells by asking
        await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def _fault(scene: Scene, tenant: str, fault: dict[str, Any] | None, call: str | None) -> AsyncGenerator[None]:
    """The fault strikes this tenant, or this one call of it, while the block lasts."""
    if fault is None:
        yield
        return
    at, scope = time.time(), {"tenantId": tenant, **({} if call is None else {"callId": call})}
    planted = (await scene.ask("POST", "faults", {**fault, **scope}))["id"]
    yield
    await scene.ask("DELETE", f"faults/{planted}")
    detail: dict[str, float | str] = {"fault": planted, "effect": str(fault["effect"]), "concerns": tenant}
    scene.note(Act(at, time.time(), "graph fault", str(fault.get("route", "any")), detail))


async def _neighbours(scene: Scene, planter: Planter, sick: str, seconds: float) -> None:
    """Calls of the other tenants in turn: one that is announced, and one whose request waits on a retry lane."""
    others = [tenant for tenant in scene.stack.tenants if tenant != sick]
    began = time.time()
    for number in itertools.count():
        if time.time() >= began + seconds:
            break
        tenant = others[number % len(others)]
        order = {"tenantId": tenant, **_CALL}
        await scene.ask("POST", "calls", {**order, "notFoundTimes": int(number % _UNKNOWN_AT_FIRST == 0)})
        made = await scene.ask("POST", "calls", {**order, "notify": False})
        await plant_waiting(planter, tenant, made["callIds"], scene.world.kind.time_scale)
        await asyncio.sleep(max(0.0, began + _PACE_SECONDS * (number + 1) - time.time()))
