"""Everything at random: the faults of other rows, drawn from the seed."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from ringback_faults.actions.registry import action, perform
from ringback_faults.ledgers import Act
from ringback_faults.pairs import members_among
from ringback_faults.row import Step
from ringback_faults.scene import Scene

__all__ = ["chaos"]

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
    """A fault out of the pool every so often, begun whether or not the one before is over; of a pair one is struck."""
    ends, striking = time.time() + seconds, dict[str, asyncio.Task[None]]()
    async with asyncio.TaskGroup() as group:
        while time.time() < ends:
            free = [name for name in _POOL if name not in striking or striking[name].done()]
            target = scene.random.choice(free)
            said = scene.random.choice(_POOL[target])
            struck = scene.random.choice(members_among(scene.stack.processes, target)) if target in _SERVICES else ""
            step = Step.model_validate(said | ({"process": struck} if struck else {}))
            scene.note(Act(time.time(), time.time(), "chaos", struck or target, {"drawn": str(said["do"])}))
            striking[target] = group.create_task(perform(scene, step))
            await asyncio.sleep(every)
