"""Records of exactly the size that is still taken, and of one byte more."""

import asyncio
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from ringback_common.settings import LimitsSettings
from ringback_graph_simulator.plans import plan_call
from ringback_graph_simulator.records import Records

from ringback_faults.actions import processes
from ringback_faults.actions.processes import Service
from ringback_faults.actions.registry import action
from ringback_faults.collect.simulator_ledger import flushed_size, lines_since
from ringback_faults.ledgers import Act
from ringback_faults.oracle.limits import LIMIT
from ringback_faults.scene import Scene

__all__ = ["limit_records", "weight_of"]

_SETTING = "RINGBACK_LIMITS__RECORD_BYTES"
_SESSIONS = 70
"""More than a page of sessions. Its participants are not: each read ends with the request for them."""
_READ_SECONDS = 60.0
_LOOK_SECONDS, _BEGUN_SECONDS = 0.5, 0.05
_OK = 200
_LAST = "participants"
_READ = frozenset({"record", "sessions", _LAST})
_END = 1_790_000_000.0
"""Unix seconds at which these meetings ended, always the same: a date that is written shorter would weigh less."""

Pair = tuple[str, str]
"""(tenant, call)"""


@action("limit records")
async def limit_records(scene: Scene, copies: int = 4, kill: Service | None = None) -> None:
    """Meetings of exactly the limit and of one byte more, by turns, of all tenants in turn, announced together.

    What a read of one weighs is not computed but weighed: one that is not filled up is announced first, and the
    simulator's ledger tells the bytes of the replies that it was read by. `exact` and `above` are how many of the
    others weighed what they were to weigh when they were read, `calls_at` and `calls_above` their calls.

    With `kill` that process dies as soon as Graph has given a first answer about one of those at the limit.
    """
    at, limit = time.time(), _limit(scene)
    [sample] = await _announced(scene, [0])
    padding = limit - (await _weights(scene, [sample]))[sample]
    begin = await flushed_size(scene.control, scene.stack.simulator.ledger_file)
    made = await _announced(scene, [padding, padding + 1] * copies)
    whole, above = made[0::2], made[1::2]
    if kill is not None:
        await _begun(scene, frozenset(whole), begin)
        await processes.kill(scene, kill)
    weights = await _weights(scene, made)
    detail: dict[str, float | str] = {
        "exact": sum(weights[pair] == limit for pair in whole),
        "above": sum(weights[pair] == limit + 1 for pair in above),
        "calls_at": " ".join(call for _, call in whole),
        "calls_above": " ".join(call for _, call in above),
    }
    scene.note(Act(at, time.time(), LIMIT, "graph", detail))


def _limit(scene: Scene) -> int:
    reported = scene.world.kind.env.get("enricher", {}).get(_SETTING)
    return LimitsSettings().record_bytes if reported is None else int(reported)


async def _announced(scene: Scene, paddings: Iterable[int]) -> list[Pair]:
    """A meeting for each number of bytes to be filled up with; Graph tells of them once all are there."""
    made, meeting = list[Pair](), _meeting()
    for number, padding in enumerate(paddings):
        tenant = scene.stack.tenants[number % len(scene.stack.tenants)]
        call = str(uuid.UUID(int=scene.random.getrandbits(128), version=4))
        document = {**meeting, "id": call, "padding": "x" * padding}
        await scene.ask("PUT", f"records/{tenant}/{call}", {"document": document, "notify": False})
        made.append((tenant, call))
    for tenant, call in made:
        await scene.ask("POST", f"calls/{tenant}/{call}/notify", {})
    return made


def _meeting() -> dict[str, Any]:
    """A meeting of the simulator's, whole and always the same: calls of it weigh the same for every tenant."""
    records = Records(seed=1)
    plan = plan_call("limits", str(uuid.UUID(int=0)), "meeting", "limits", end=_END, sessions=_SESSIONS)
    people = {"participants_v2": records.participants(plan, 1), "sessions": list(records.sessions(plan, 1))}
    return {**records.header(plan, 1, plan.end), **people}


async def _begun(scene: Scene, pairs: frozenset[Pair], begin: int) -> None:
    """Wait until one of these is being read, by the ledger from that byte on; raises TimeoutError if none ever is."""
    file = scene.stack.simulator.ledger_file
    async with asyncio.timeout(_READ_SECONDS):
        while not any(_is_read_of(line, pairs) for line in lines_since(file, begin)):
            await asyncio.sleep(_BEGUN_SECONDS)
            await flushed_size(scene.control, file)


def _is_read_of(line: Mapping[str, Any], pairs: frozenset[Pair]) -> bool:
    return line["kind"] == "request" and line["route"] in _READ and (line["tenantId"], line["callId"]) in pairs


async def _weights(scene: Scene, pairs: Iterable[Pair]) -> dict[Pair, int]:
    """What each call weighed when it was read to its end; raises TimeoutError if one never is."""
    wanted, file, weights = set(pairs), scene.stack.simulator.ledger_file, dict[Pair, int]()
    async with asyncio.timeout(_READ_SECONDS):
        while wanted - weights.keys():
            await asyncio.sleep(_LOOK_SECONDS)
            await flushed_size(scene.control, file)
            weights = weight_of(lines_since(file, 0))
    return {pair: weights[pair] for pair in wanted}


def weight_of(lines: Iterable[Mapping[str, Any]]) -> dict[Pair, int]:
    """Bytes of the replies of one read of each call that was read up to its participants, by a ledger's lines.

    A read that was broken off is begun anew: of each kind of reply one counts. A later look at the version is no part.
    """
    replies: dict[Pair, dict[str, int]] = {}
    for line in lines:
        if line["kind"] == "request" and line["status"] == _OK and line["route"] in _READ:
            replies.setdefault((line["tenantId"], line["callId"]), {})[line["route"]] = line["bytes"]
    return {pair: sum(routes.values()) for pair, routes in replies.items() if _LAST in routes}
