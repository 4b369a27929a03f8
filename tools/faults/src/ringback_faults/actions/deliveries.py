"""Faults of delivery: how and how often Graph tells."""

import asyncio
import itertools
import time
from collections import Counter
from typing import Any

from ringback_faults.actions.registry import action
from ringback_faults.collect.simulator_ledger import flushed_size, lines_since
from ringback_faults.ledgers import Act
from ringback_faults.oracle.neighbours import CALLS
from ringback_faults.scene import Scene

__all__ = ["calls", "delivery", "flood", "graph_states"]

_TICK_SECONDS = 0.02
_NOT_YET_SECONDS = 9000.0
"""Graph's bound for the first version of a record."""


@action("delivery")
async def delivery(scene: Scene, settings: dict[str, Any], seconds: float | None = None) -> None:
    """Turn the simulator's delivery (`PATCH /control/delivery`), e.g. {paused: true}, {duplicates: 1.0, states: true}.

    With `seconds` it is turned back after that time, before the next step; else the next row turns it back.
    """
    at = time.time()
    before = await scene.ask("PATCH", "delivery", {})
    await scene.ask("PATCH", "delivery", settings)
    if seconds is not None:
        await asyncio.sleep(seconds)
        await scene.ask("PATCH", "delivery", before)
    scene.note(Act(at, time.time(), "delivery", "graph", {name: str(value) for name, value in settings.items()}))


@action("graph states")
async def graph_states(scene: Scene, seconds: float) -> None:
    """Graph minds slow answers for a while: it holds back what it has to tell, and drops it if answers stay away.

    The evidence: how often it became `slow` and `drop`, and how many notifications it `dropped`.
    """
    ledger, control = scene.stack.simulator.ledger_file, scene.control
    at, offset = time.time(), await flushed_size(control, ledger)
    before = (await scene.ask("GET", "workday"))["droppedByGraph"]
    await scene.ask("PATCH", "delivery", {"states": True})
    await asyncio.sleep(seconds)
    await scene.ask("PATCH", "delivery", {"states": False})
    dropped = (await scene.ask("GET", "workday"))["droppedByGraph"] - before
    await flushed_size(control, ledger)
    states = Counter(line["state"] for line in lines_since(ledger, offset) if line["kind"] == "delivery")
    detail = {"dropped": dropped, "slow": states["slow"], "drop": states["drop"]}
    scene.note(Act(at, time.time(), "graph states", "graph", detail))


@action("flood")
async def flood(scene: Scene, rate: int = 500, seconds: float = 10.0, among: int = 60) -> None:
    """Notifications at a rate, one to a POST, about `among` calls; the sender's ledger has the latency of each."""
    pool = await _new_calls(scene, among, "peerToPeer")
    await scene.ask("PATCH", "delivery", {"batchMax": 1})
    at, sent = time.time(), 0
    for tick in itertools.count():
        due = int(min(seconds, time.time() - at) * rate) - sent
        await scene.ask("POST", f"calls/{'/'.join(pool[tick % among])}/notify", {"count": due})
        sent += due
        if sent >= int(seconds * rate):
            break
        await asyncio.sleep(_TICK_SECONDS)
    await scene.ask("PATCH", "delivery", {"batchMax": 10})
    scene.note(Act(at, time.time(), "flood", "webhook", {"rate": rate, "sent": sent}))


@action("calls")
async def calls(scene: Scene, order: dict[str, Any], tenant: int = 0) -> None:
    """Calls besides the load's, in the simulator's words (`POST /control/calls`), e.g. {shape: largeMeeting}.

    Those that Graph does not know at first are a fault that concerns only themselves, for as long as a 404 means that.
    """
    at = time.time()
    made = await scene.ask("POST", "calls", {"tenantId": scene.stack.tenants[tenant], "versionMark": True, **order})
    unknown = min(float(order.get("visibleAfterSeconds", 0)), _NOT_YET_SECONDS) / scene.world.kind.time_scale
    concerned = {"concerns": CALLS} if unknown else {}
    scene.note(Act(at, at + unknown, "calls", "graph", {"calls": len(made["callIds"]), **concerned}))


async def _new_calls(scene: Scene, count: int, shape: str) -> list[tuple[str, str]]:
    """Calls of all tenants in turn, as (tenant, call)."""
    tenants = scene.stack.tenants
    order = {
        "shape": shape,
        "versionMark": True,
        "copies": -(-count // len(tenants)),
        "seed": scene.random.getrandbits(31),
    }
    made = [(name, (await scene.ask("POST", "calls", {"tenantId": name, **order}))["callIds"]) for name in tenants]
    turns = zip(*([(name, call) for call in ids] for name, ids in made), strict=True)
    return [pair for turn in turns for pair in turn][:count]
