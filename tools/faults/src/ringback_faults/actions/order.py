"""Notifications and versions out of order, in bursts, again and again."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ringback_events import topics

from ringback_faults.actions.planting import planting
from ringback_faults.actions.registry import action
from ringback_faults.collect.store_dump import connected
from ringback_faults.collect.topic_dump import ends_of, partitions_of, reading, records_between
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["burst", "late_copies"]

_STORED_SECONDS = 20.0
_FORGET = """
DELETE FROM callrecords.call_version_row v
USING callrecords.call c JOIN unnest($1::text[], $2::text[], $3::text[]) AS o(tenant, call, number)
  ON c.tenant_id = o.tenant AND c.call_id = o.call
WHERE v.call_key = c.call_key AND v.version = o.number::bigint AND c.version > v.version
RETURNING c.tenant_id, c.call_id, v.version"""
_COUNT = """
SELECT count(*) FROM callrecords.call_version v
JOIN unnest($1::text[], $2::text[], $3::text[]) AS o(tenant, call, number)
ON v.tenant_id = o.tenant AND v.call_id = o.call AND v.version = o.number::bigint"""


class _Columns(NamedTuple):
    """Versions of calls, as the queries take them."""

    tenants: list[str]
    calls: list[str]
    versions: list[str]


@action("burst")
async def burst(scene: Scene, calls: int = 10, most: int = 50, storm: int = 100) -> None:
    """Calls that are announced up to `most` times each, and one that is announced `storm` times at once."""
    at, sent = time.time(), 0
    tenant = scene.stack.tenants[0]
    order = {"tenantId": tenant, "shape": "peerToPeer", "versionMark": True, "copies": calls + 1}
    made: list[str] = (await scene.ask("POST", "calls", order))["callIds"]
    counts = [storm, *(scene.random.randint(1, most) for _ in range(calls))]
    for call, count in zip(made, counts, strict=True):
        await scene.ask("POST", f"calls/{tenant}/{call}/notify", {"count": count})
        sent += count
    scene.note(Act(at, time.time(), "burst", "graph", {"notifications": sent, "calls": calls + 1}))


@action("late copies")
async def late_copies(scene: Scene, most: int = 40, *, unknown: bool = False) -> None:
    """Records of versions that newer ones have followed are written once more, as by a process that slept.

    With `unknown` they are of as many versions, and the store is made to forget first that it ever had these: as if
    that process had slept before it wrote them for the first time. Of these `forgotten` versions `gone` are not stored
    again soon.
    """
    at, copied = time.time(), 0
    bootstrap = scene.stack.bootstrap_servers
    async with reading(bootstrap) as consumer, planting(scene) as planter:
        ends = await ends_of(consumer, await partitions_of(bootstrap, [topics.RECORDS.name]))
        newest: dict[bytes, Any] = {}
        older: dict[tuple[Any, ...], Any] = {}
        async for record in records_between(consumer, {}, ends):
            if record.timestamp / 1000 < scene.started or "ce_callversion" not in _headers(record):
                continue
            if record.key in newest:
                earlier = newest[record.key]
                version = (record.key, _headers(earlier)["ce_callversion"])
                older[version if unknown else (earlier.partition, earlier.offset)] = earlier
            newest[record.key] = record
        written = list(older.values())[:most]
        forgotten = await _forget(scene, written) if unknown else _Columns([], [], [])
        for record in written:
            await planter.plant(record.topic, record.key, record.value, _headers(record))
            copied += 1
    gone = await _still_gone(scene, forgotten)
    detail = {"copied": copied, "forgotten": len(forgotten.versions), "gone": gone}
    scene.note(Act(at, time.time(), "late copies", topics.RECORDS.name, detail))


async def _forget(scene: Scene, records: Sequence[Any]) -> "_Columns":
    """Take versions out of the history whose calls have newer ones."""
    facts = [_headers(record) for record in records]
    reported = [[one[name].decode() for one in facts] for name in ("ce_tenantid", "ce_subject", "ce_callversion")]
    async with connected(scene.stack.dsn) as connection:
        rows = await connection.fetch(_FORGET, *reported)
    return _Columns([row[0] for row in rows], [row[1] for row in rows], [str(row[2]) for row in rows])


async def _still_gone(scene: Scene, forgotten: "_Columns") -> int:
    """How many of them the history does not have again after a while."""
    gone, deadline = len(forgotten.versions), time.monotonic() + _STORED_SECONDS
    async with connected(scene.stack.dsn) as connection:
        while gone and time.monotonic() < deadline:
            gone = len(forgotten.versions) - await connection.fetchval(_COUNT, *forgotten)
            await asyncio.sleep(0.1)
    return gone


def _headers(record: Any) -> Mapping[str, bytes]:
    return dict(record.headers)
