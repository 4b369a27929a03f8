"""What several tests of ingest need: a key ring, bodies as Graph sends them, the webhook's own server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from ringback_common.clock import SystemClock
from ringback_ingest.client_state import CALL_RECORDS, Key, KeyRing, client_state, new_keys_file
from ringback_ingest.keys_file import KeysFile
from ringback_ingest.webhook.adapters.server import HttpServer
from ringback_ingest.webhook.core.genuine import Proof
from ringback_ingest.webhook.entry import NotificationEntry
from ringback_testing.subscribed import FakeGraph, FakeTopic, StoppedClock
from ringback_testing.webhook import Client, Connect, RecordingWriter

Listen = Callable[[], Awaitable[HttpServer]]

TENANT = "dc368399-474c-4d40-900c-6265431fd81f"
CALL = "e523d2ed-2966-4b6b-925b-754a88034cc5"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def ring() -> KeyRing:
    """One lasting key, and one that is on its way out until 13:00."""
    active = Key("k2", b"a" * 32)
    leaving = Key("k1", b"b" * 32, datetime(2026, 11, 22, 13, 0, tzinfo=UTC))
    return KeyRing(active, (active, leaving))


@pytest.fixture
def item(ring: KeyRing) -> Callable[..., dict[str, Any]]:
    """A genuine notification; members given by name replace its own, None removes one."""

    def make(**members: Any) -> dict[str, Any]:
        whole = {
            "subscriptionId": "5d6e1b0f-4f51-4a3b-9d9c-1f2b3c4d5e6f",
            "clientState": client_state(ring.active, TENANT, CALL_RECORDS),
            "changeType": "created",
            "resource": f"communications/callRecords/{CALL}",
            "subscriptionExpirationDateTime": "2026-11-25T00:00:00.000+00:00",
            "resourceData": {"@odata.type": "#Microsoft.Graph.callrecord", "id": CALL},
            "tenantId": TENANT,
        } | members
        return {name: value for name, value in whole.items() if value is not None}

    return make


@pytest.fixture
def body() -> Callable[..., bytes]:
    """The items as the body of a POST."""

    def make(*items: Any) -> bytes:
        return orjson.dumps({"value": list(items)})

    return make


@pytest_asyncio.fixture
async def writer() -> RecordingWriter:
    """A writer that acknowledges at once."""
    return RecordingWriter()


@pytest_asyncio.fixture
async def listen(writer: RecordingWriter, ring: KeyRing) -> AsyncIterator[Listen]:
    """Starts webhooks, each on a port of its own, and stops them after the test."""
    started: list[HttpServer] = []

    async def make() -> HttpServer:
        entry = NotificationEntry(writer, Proof(ring, NOW, "test"), SystemClock())
        listening = HttpServer(entry, "127.0.0.1", 0, 2048)
        await listening.start()
        started.append(listening)
        return listening

    yield make
    writer.gate.set()
    for listening in started:
        await listening.stop()


@pytest_asyncio.fixture
async def http(listen: Listen) -> HttpServer:
    """A listening webhook."""
    return await listen()


@pytest_asyncio.fixture
async def connect(http: HttpServer) -> AsyncIterator[Connect]:
    """Opens connections, and closes them after the test."""
    opened: list[asyncio.StreamWriter] = []

    async def make() -> Client:
        reader, out = await asyncio.open_connection("127.0.0.1", http.port)
        opened.append(out)
        return Client(reader, out)

    yield make
    for out in opened:
        out.close()


@pytest.fixture
def graph() -> FakeGraph:
    """A tenant without subscriptions."""
    return FakeGraph()


@pytest.fixture
def topic() -> FakeTopic:
    """The audit topic."""
    return FakeTopic()


@pytest.fixture
def keys(tmp_path: Path) -> KeysFile:
    """A keys file with one key."""
    path = tmp_path / "keys.json"
    path.write_bytes(new_keys_file("k1", bytes(range(32))))
    return KeysFile(path, "production", StoppedClock())
