"""S10: a captured POST that is sent a thousand times costs Graph a request in 2 s and the store no row.

A burst of a hundred costs two fetches (tests/integration/test_enricher.py). A thousand cost more, four when sent within
1.2 s: what is tested here is the bound of ADR 0020, that steps of a call begin 2 s apart.
"""

import asyncio
import time
import uuid
from itertools import pairwise
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from ringback_events.topics import FETCH, INTERNAL_DEAD_LETTERS, LIFECYCLE, RECORDS
from ringback_ingest.client_state import CALL_RECORDS, client_state, keys_of
from ringback_local.kafka import Broker
from ringback_local.postgres import Postgres
from ringback_sink.store.postgres.migrate import migrate
from ringback_testing import ProcessFactory, eventually
from ringback_testing.fetch_rig import Fetching
from ringback_testing.public_port import KEYS, PublicPort, StartWebhook, body, item
from ringback_testing.simulated import Simulated
from ringback_testing.webhook import post, status

pytestmark = [pytest.mark.edge, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]

TIMES, CONNECTIONS = 1000, 20
APART = 1.5
"""Seconds between two requests of a call: its steps begin 2 s apart (ADR 0020), and the first request comes later than
its step, by a token and a TLS handshake."""
MOST_FETCHES = 12
"""At most 256 of a partition are in hand, so 1,000 take four turns of a step each, and a slow machine some more."""
TABLES = ("call", "call_version", "participant", "session", "stream")


async def test_a_captured_post_replayed_a_thousand_times_changes_nothing(
    fetching: Fetching,
    simulated: Simulated,
    start_webhook: StartWebhook,
    processes: ProcessFactory,
    postgres: Postgres,
    kafka: Broker,
) -> None:
    """After the first fetch and its rows: every replay is answered 202, fetches 2 s apart, not one row more."""
    names = {topic.name: fetching.prefix + topic.name for topic in (FETCH, LIFECYCLE)}
    webhook = await start_webhook(fetching.prefix, names)
    dsn = await _store(processes, postgres, kafka, fetching)
    made = await simulated("POST", "calls", {"tenantId": simulated.tenant_id, "shape": "smallMeeting", "notify": False})
    captured = post(body(_genuine(simulated.tenant_id, made["callId"])))
    connection = await asyncpg.connect(dsn)
    try:
        async with webhook.connected() as client:
            await client.send(captured)
            assert status(await client.answer()) == 202
        of_call = "SELECT count(*) = 1 FROM callrecords.call WHERE call_id = $1"
        await eventually(lambda: connection.fetchval(of_call, made["callId"]), 60)
        rows, first = await _rows(connection), await _fetches(simulated, made["callId"])
        began = time.time()
        statuses = await asyncio.gather(*(_replay(webhook, captured) for _ in range(CONNECTIONS)))
        sent = time.time() - began
        assert [answered for each in statuses for answered in each] == [202] * TIMES
        await eventually(lambda: _all_finished(fetching), 150)
        assert len(await fetching.on(FETCH, made["callId"])) == TIMES + 1
        times = (await _fetches(simulated, made["callId"]))[len(first) :]
        took = times[-1] - began
        print(f"{TIMES} replays in {sent:.1f} s, done in {took:.1f} s: {len(times)} fetches")  # noqa: T201 - figures
        assert min(later - earlier for earlier, later in pairwise([*first, *times])) > APART
        assert len(times) <= MOST_FETCHES
        assert await _rows(connection) == rows
        assert await fetching.on(INTERNAL_DEAD_LETTERS, made["callId"]) == []
        assert len(await fetching.on(RECORDS, made["callId"])) == 1
    finally:
        await connection.close()


async def _store(processes: ProcessFactory, postgres: Postgres, kafka: Broker, fetching: Fetching) -> str:
    """A database of its own with a running store."""
    name = f"edge_{uuid.uuid4().hex[:8]}"
    connection = await asyncpg.connect(postgres.dsn)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    dsn = urlunsplit(urlsplit(postgres.dsn)._replace(path=f"/{name}"))
    await migrate(dsn)
    env = {
        "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "RINGBACK_KAFKA__TOPIC_PREFIX": fetching.prefix,
        "RINGBACK_STORE__DSN": dsn,
    }
    await processes("store", ["ringback-sink", "store"], env)
    return dsn


def _genuine(tenant_id: str, call_id: str) -> dict[str, object]:
    state = client_state(keys_of(KEYS, "KEYS").active, tenant_id, CALL_RECORDS)
    return item(call_id, tenantId=tenant_id, clientState=state)


async def _replay(webhook: PublicPort, captured: bytes) -> list[int]:
    async with webhook.connected() as client:
        statuses: list[int] = []
        for _ in range(TIMES // CONNECTIONS):
            await client.send(captured)
            statuses.append(status(await client.answer()))
        return statuses


async def _rows(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, int]:
    counts = {table: f"SELECT count(*) FROM callrecords.{table}" for table in TABLES}  # noqa: S608 - our own names
    return {table: await connection.fetchval(count) for table, count in counts.items()}


async def _fetches(simulated: Simulated, call_id: str) -> list[float]:
    """When the record was asked for, by the simulator's ledger."""
    lines = [line for line in await simulated.requests() if line["callId"] == call_id and line["route"] == "record"]
    return sorted(line["at"] for line in lines)


async def _all_finished(fetching: Fetching) -> bool:
    """Whether everything that lies on the lane is finished, by the process's own count."""
    return await fetching.finished(FETCH) >= len(await fetching.on(FETCH))
