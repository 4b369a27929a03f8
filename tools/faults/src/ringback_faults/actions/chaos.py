"""Everything at random: the faults of other rows, drawn from the seed."""

import asyncio
import random
import time
from collections.abc import Container, Mapping
from typing import Any

from ringback_faults.actions.registry import action, perform
from ringback_faults.ledgers import Act
from ringback_faults.pairs import members_among
from ringback_faults.row import Step
from ringback_faults.scene import Scene

__all__ = ["chaos", "drawn_target"]

_OUTAGE: dict[str, Any] = {"effect": "status", "route": "records", "status": 503}
_POOL: Mapping[str, tuple[dict[str, Any], ...]] = {
    "webhook": ({"do": "kill"}, {"do": "terminate"}, {"do": "freeze", "seconds": 4}),
    "enricher": ({"do": "kill"}, {"do": "terminate"}, {"do": "kill again"}, {"do": "freeze", "seconds": 18}),
    "store": ({"do": "kill"}, {"do": "terminate"}, {"do": "kill again"}, {"do": "freeze", "seconds": 18}),
    "keeper": ({"do": "kill"}, {"do": "terminate"}),
    "broker": (
        {"do": "bounce broker", "how": "kill", "down": 1},
        {"do": "bounce broker", "how": "stop", "down": 1},
        {"do": "freeze broker", "seconds": 4},
    ),
    "database": (
        {"do": "bounce database", "how": "kill", "down": 2},
        {"do": "bounce database", "how": "stop", "down": 2},
        {"do": "freeze database", "seconds": 4},
    ),
    "graph": (
        {"do": "graph fault", "fault": {**_OUTAGE, "probability": 0.5}, "seconds": 5},
        {"do": "graph fault", "fault": _OUTAGE, "seconds": 4},
        {"do": "graph fault", "fault": {"effect": "throttle", "route": "records", "retryAfter": 5, "count": 20}},
        {"do": "graph fault", "fault": {"effect": "truncated", "route": "records", "count": 10}},
        {"do": "graph fault", "fault": {"effect": "status", "route": "token", "status": 503}, "seconds": 5},
    ),
    "delivery": (
        {"do": "delivery", "settings": {"duplicates": 1.0}, "seconds": 5},
        {"do": "delivery", "settings": {"paused": True}, "seconds": 3},
    ),
}
"""By what they strike: two faults of one target are not under way at once, of two targets they are."""
_SERVICES = frozenset({"webhook", "enricher", "store", "keeper"})


@action("chaos")
async def chaos(scene: Scene, seconds: float = 70.0, every: float = 10.0) -> None:
    """A fault out of the pool every so often, begun whether or not the one before is over; of a pair one is struck.

    `of_pair` counts those that left another process of the same service alone.
    """
    ends, striking, waiting = time.time() + seconds, dict[str, asyncio.Task[None]](), list(_POOL)
    async with asyncio.TaskGroup() as group:
        while time.time() < ends:
            busy = {name for name, task in striking.items() if not task.done()}
            target = drawn_target(scene.random, waiting, busy)
            said = scene.random.choice(_POOL[target])
            members = members_among(scene.stack.processes, target) if target in _SERVICES else [target]
            struck = scene.random.choice(members)
            step = Step.model_validate(said | ({"process": struck} if target in _SERVICES else {}))
            detail = {"drawn": str(said["do"]), "of_pair": float(len(members) > 1)}
            scene.note(Act(time.time(), time.time(), "chaos", struck, detail))
            striking[target] = group.create_task(perform(scene, step))
            await asyncio.sleep(every)


def drawn_target(draw: random.Random, waiting: list[str], busy: Container[str]) -> str:
    """A target that no fault is under way at; each is struck once before one is struck again.

    Args:
        draw: decides.
        waiting: those that were not struck yet; the drawn one is taken out, and once all are, all wait again.
        busy: those that are being struck.
    """
    free = [name for name in waiting if name not in busy] or [name for name in _POOL if name not in busy]
    target = draw.choice(free)
    if target in waiting:
        waiting.remove(target)
    if not waiting:
        waiting.extend(_POOL)
    return target
