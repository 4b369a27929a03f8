"""Where the judgement's facts come from: the simulator's ledger, dumps of the topics, and the store."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
import asyncpg
import orjson
from aiokafka import TopicPartition
from ringback_events import topics
from ringback_events.keys import split_call_key

from ringback_local.demo.canonical import children_of
from ringback_local.demo.judge import Children, Expected, Key, Stored
from ringback_local.kafka import clients

__all__ = ["Dump", "dump", "expected_calls", "ledger", "stored_calls"]

_STORED = """
SELECT c.tenant_id, c.call_id, c.version, c.document::text AS document,
  (SELECT array_agg(s.session_id) FROM callrecords.session s
    WHERE s.tenant_id = c.tenant_id AND s.call_id = c.call_id) AS session_ids,
  (SELECT count(*) - count(DISTINCT s.ordinal) FROM callrecords.session s
    WHERE s.tenant_id = c.tenant_id AND s.call_id = c.call_id) AS twice_sessions,
  (SELECT count(*) - count(DISTINCT p.index) FROM callrecords.participant p
    WHERE p.tenant_id = c.tenant_id AND p.call_id = c.call_id) AS twice_participants,
  (SELECT count(*) - count(DISTINCT v.version) FROM callrecords.call_version v
    WHERE v.tenant_id = c.tenant_id AND v.call_id = c.call_id) AS twice_versions,
  count(*) OVER (PARTITION BY c.tenant_id, c.call_id) - 1 AS twice_call
FROM callrecords.call c"""


async def expected_calls(control: aiohttp.ClientSession) -> dict[Key, Expected]:
    """Every call as the simulator knows it."""
    calls: dict[Key, Expected] = {}
    async with control.get("/control/expected") as answer:
        async for line in answer.content:
            entry = orjson.loads(line)
            calls[(entry["tenantId"], entry["callId"])] = _expected(entry)
    return calls


def _expected(entry: Mapping[str, Any]) -> Expected:
    return Expected(
        accepted={int(version): items for version, items in entry["accepted"].items()},
        planted_drops=entry["plantedDrops"],
        served=frozenset(entry["served"]),
        versions={
            int(version): Children(
                held["sessions"], held["participants"], held["sessionsHash"], held["participantsHash"]
            )
            for version, held in entry["versions"].items()
        },
        is_group=entry["type"] != "peerToPeer",
    )


async def stored_calls(dsn: str) -> dict[Key, Stored]:
    """Every call as the store has it, its children hashed from its document and compared with its rows."""
    connection = cast("Any", await asyncpg.connect(dsn))
    calls: dict[Key, Stored] = {}
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            async for row in connection.cursor(_STORED, prefetch=200):
                calls[(row["tenant_id"], row["call_id"])] = _stored(row)
    finally:
        await connection.close()
    return calls


def _stored(row: Mapping[str, Any]) -> Stored:
    document: dict[str, Any] = orjson.loads(row["document"])
    told = Counter(session.get("id") for session in document.get("sessions") or ())
    surplus = row["twice_sessions"] + row["twice_participants"] + row["twice_versions"] + row["twice_call"]
    return Stored(row["version"], children_of(document), Counter(row["session_ids"] or ()) == told, surplus)


async def ledger(control: aiohttp.ClientSession, kind: str) -> AsyncIterator[dict[str, Any]]:
    """Every line of one kind of the simulator's ledger, oldest first."""
    offset = 0
    while True:
        query = {"offset": str(offset), "limit": "5000", "kind": kind}
        async with control.get("/control/ledger", params=query) as answer:
            page = orjson.loads(await answer.read())
        for line in page["lines"]:
            yield line
        if page["nextOffset"] == offset:
            return
        offset = page["nextOffset"]


@dataclass(slots=True)
class Dump:
    """What a topic holds, without the payloads: event ids, keys, broker times."""

    records: int = 0
    ids: Counter[bytes] = field(default_factory=Counter[bytes])
    keys: set[Key] = field(default_factory=set[Key])
    appended: dict[tuple[str, str, int], int] = field(default_factory=dict[tuple[str, str, int], int])
    """(tenant, call, version) → first broker time in ms."""
    origins: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """(source topic, reason) of dead letters."""

    @property
    def repeats(self) -> int:
        """Records whose event id another record of the topic has too."""
        return sum(times - 1 for times in self.ids.values())


async def dump(bootstrap: str, topic: str) -> Dump:
    """Read a topic from its beginning to its end as of now."""
    held = Dump()
    async with clients.consumer(bootstrap, max_partition_fetch_bytes=1 << 20) as consumer:
        partitions = [TopicPartition(topic, part) for part in range(topics.topic(topic).partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(part) < ends[part] for part in partitions]):
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                for record in batch:
                    _note(held, record)
    return held


def _note(held: Dump, record: Any) -> None:
    headers = {name: value or b"" for name, value in record.headers}
    held.records += 1
    held.ids[headers.get("ce_source", b"") + headers.get("ce_id", b"")] += 1
    key = split_call_key(record.key or b"")
    held.keys.add(key)
    if "ce_callversion" in headers:
        held.appended.setdefault((*key, int(headers["ce_callversion"])), record.timestamp)
    if "ringback_dlq_reason" in headers:
        origin = headers.get("ringback_dlq_topic", b"").decode(), headers["ringback_dlq_reason"].decode()
        held.origins[origin] += 1
