"""Poison: what cannot be processed, written straight to the topics, and what the broker refuses."""

import asyncio
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from ringback_events import topics
from ringback_events.times import wire_time

from ringback_faults.actions.planting import planting
from ringback_faults.actions.poison_kinds import Poison, of_lanes, of_records
from ringback_faults.actions.registry import action
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["foreign_link", "oversize", "poison"]

_EXAMPLE = Path(__file__).resolve().parents[5] / "contracts" / "examples" / "record" / "nulls.json"
_SCRAMBLED = 12 * 1024 * 1024
"""Characters that do not compress: what Graph may send, and more than `restricted.records` takes."""


@action("poison")
async def poison(scene: Scene, to: str = "both", kinds: int = 99, every: float = 0.4) -> None:
    """Every kind of poison, one at a time among healthy records.

    Args:
        scene: where.
        to: lanes, records, or both.
        kinds: at most so many of each.
        every: seconds between two: more than 10 among 200 records would look like a bad release, and halt.
    """
    now = wire_time(datetime.now(UTC))
    tenant = scene.stack.tenants[0]
    example: dict[str, Any] = orjson.loads(_EXAMPLE.read_bytes())
    given: dict[str, Iterator[Poison]] = {}
    if to in {"lanes", "both"}:
        given[topics.FETCH.name] = of_lanes(tenant, now)
    if to in {"records", "both"}:
        given[topics.RECORDS.name] = of_records(tenant, now, example)
    async with planting(scene) as planter:
        for _ in range(kinds):
            taken = [(name, next(left, None)) for name, left in given.items()]
            if not any(one for _, one in taken):
                break
            for name, one in taken:
                if one is not None:
                    await planter.plant(name, one.key, one.value, one.headers, reason=one.reason)
            await asyncio.sleep(every)


@action("oversize")
async def oversize(scene: Scene) -> None:
    """A record that the broker refuses, among records that it takes."""
    tenant = scene.stack.tenants[0]
    made = await scene.ask("POST", "calls", {"tenantId": tenant, "shape": "peerToPeer", "notify": False})
    call, at = made["callId"], time.time()
    large = {
        "id": call,
        "version": 1,
        "type": "peerToPeer",
        "joinWebUrl": secrets.token_urlsafe(_SCRAMBLED * 3 // 4),
        "sessions": [{"id": call}],  # without one it would be asked for again first
    }
    await scene.ask("PUT", f"records/{tenant}/{call}", {"document": large, "nextLink": "own", "notify": True})
    scene.note(Act(at, time.time(), "oversize", "graph", {"bytes": _SCRAMBLED}))


@action("foreign link")
async def foreign_link(scene: Scene) -> None:
    """A meeting whose next link leads to a stranger; nothing of it may be asked for there, nor kept."""
    at, tenant = time.time(), scene.stack.tenants[0]
    order = {"tenantId": tenant, "shape": "meeting", "sessions": 100, "notify": False}
    call = (await scene.ask("POST", "calls", order))["callId"]
    await scene.ask("POST", "faults", {"effect": "foreignNextLink", "route": "record", "callId": call})
    await scene.ask("POST", f"calls/{tenant}/{call}/notify", {})
    scene.note(Act(at, time.time(), "foreign link", "graph"))
