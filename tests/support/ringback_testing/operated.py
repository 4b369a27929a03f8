"""Kafka, Graph and one tenant, with what the enricher, the store and the operator's command need as settings."""

import asyncio
import base64
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import yaml
from ringback_common.outcomes import Message, Reason, Received, Reject
from ringback_events.keys import call_key
from ringback_events.times import wire_time
from ringback_events.topics import FETCH, Topic
from ringback_local.kafka import Broker
from ringback_local.simulator import RunningSimulator
from ringback_stream.consume.dead_letters import dead_letter

from ringback_testing.command import Ended, ringback, start_ringback
from ringback_testing.records import Record, dump_topic
from ringback_testing.streaming import send_all, settings_for

__all__ = ["Operated", "open_operated"]

_SECRET = "a-secret-of-a-test"


@dataclass
class Operated:
    """One tenant of a simulated Graph on the topics of a test; nothing runs by itself."""

    kafka: Broker
    prefix: str
    graph: RunningSimulator
    http: aiohttp.ClientSession
    tenant: str
    environment: dict[str, str] = field(default_factory=dict[str, str])

    async def call(self, **more: Any) -> str:
        """Make a call in the simulator without a notification, and return its id."""
        body = {"tenantId": self.tenant, "shape": "peerToPeer", "notify": False} | more
        return (await self._control("POST", "calls", body))["callId"]

    def request(self, call_id: str, age: timedelta = timedelta(0)) -> bytes:
        """The bytes of a notification's fetch request."""
        asked = {"tenantId": self.tenant, "callId": call_id, "source": "webhook"}
        return orjson.dumps(asked | {"receivedAt": wire_time(datetime.now(UTC) - age)})

    def letter(
        self,
        call_id: str,
        source: Topic = FETCH,
        age: timedelta = timedelta(0),
        value: bytes | None = None,
        headers: tuple[tuple[str, bytes | None], ...] = (),
    ) -> Message:
        """The dead letter a fetch request of that age would have become."""
        stamped = int((datetime.now(UTC) - age).timestamp() * 1000)
        key, request = call_key(self.tenant, call_id), self.request(call_id, age) if value is None else value
        refused = Received(source.name, 0, 0, stamped, key, request, headers)
        return dead_letter(refused, Reject(Reason.NOT_FOUND), "fetch", 6)

    async def send(self, messages: Sequence[Message]) -> None:
        """Write messages, one after the other."""
        await send_all(settings_for(self.kafka.bootstrap_servers, self.prefix), messages)

    async def on(self, topic: Topic) -> list[Record]:
        """What a topic holds now."""
        return await dump_topic(self.kafka.bootstrap_servers, self.prefix + topic.name)

    async def command(self, *arguments: str) -> Ended:
        """Run `ringback` to its end."""
        return await ringback(self.environment, *arguments)

    async def begin(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start `ringback`."""
        return await start_ringback(self.environment, *arguments)

    async def _control(self, method: str, path: str, body: object) -> Any:
        async with self.http.request(method, f"{self.graph.control_url}/control/{path}", json=body) as answer:
            content = await answer.read()
            assert answer.status < 300, content
            return orjson.loads(content) if content else None

    async def register(self, folder: Path) -> None:
        """Make the tenant known to the simulator, and to the processes by their files."""
        client, secret, keys = str(uuid.uuid4()), folder / "secret", folder / "keys.json"
        await self._control(
            "POST",
            "tenants",
            {"tenants": [{"tenantId": self.tenant, "clientId": client, "clientSecret": _SECRET}]},
        )
        secret.write_text(_SECRET)
        reported = {"active": "t1", "keys": {"t1": {"key": base64.b64encode(bytes(32)).decode()}}}
        keys.write_bytes(orjson.dumps(reported))
        entry = {
            "tenant_id": self.tenant,
            "client_id": client,
            "graph_url": self.graph.graph_url,
            "authority_url": self.graph.authority_url,
            "credential": {"secret_file": str(secret)},
            "notification_url": "http://127.0.0.1:9/graph/notifications",
        }
        tenants = folder / "tenants.yaml"
        tenants.write_text(yaml.safe_dump({"tenants": [entry]}))
        self.environment |= {
            "RINGBACK_TENANTS_FILE": str(tenants),
            "RINGBACK_PRIVACY__KEYS_FILE": str(keys),
            "RINGBACK_GRAPH__CAFILE": str(self.graph.ca_file),
        }


@asynccontextmanager
async def open_operated(
    kafka: Broker, prefix: str, graph: RunningSimulator, folder: Path, dsn: str | None = None
) -> AsyncGenerator[Operated]:
    """Register a tenant of the test's own; the contract's topics must exist under the prefix."""
    async with aiohttp.ClientSession() as http:
        operated = Operated(kafka, prefix, graph, http, str(uuid.uuid4()))
        operated.environment |= {
            "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "RINGBACK_KAFKA__TOPIC_PREFIX": prefix,
            "XDG_STATE_HOME": str(folder / "state"),
        }
        if dsn is not None:
            operated.environment["RINGBACK_STORE__DSN"] = dsn
        await operated.register(folder)
        yield operated
