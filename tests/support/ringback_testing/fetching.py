"""A fetch process before the simulated Graph, for tenants of the test's own that share a partition."""

import base64
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from ringback_events.keys import call_key
from ringback_events.partition import partition_for
from ringback_events.times import wire_time
from ringback_events.topics import (
    CALLS,
    CONTROL,
    FETCH,
    FETCH_LANES,
    INTERNAL_DEAD_LETTERS,
    RECORDS,
    RESTRICTED_DEAD_LETTERS,
    SESSIONS,
    STATUS,
    Topic,
)
from ringback_local.kafka import Broker, clients
from ringback_local.simulator import RunningSimulator

from ringback_testing.fixtures import MakeTopics
from ringback_testing.processes import ProcessFactory, RunningProcess
from ringback_testing.records import Record, read_on
from ringback_testing.waiting import eventually

__all__ = ["SimulatedFetching", "fetching"]

_TOPICS = (
    *(*FETCH_LANES, INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS),
    *(RECORDS, SESSIONS, CALLS, CONTROL, STATUS),
)


@dataclass
class SimulatedFetching:
    """A running fetch process with its Kafka, its Graph and its tenants."""

    prefix: str
    graph: RunningSimulator
    http: aiohttp.ClientSession
    producer: AIOKafkaProducer
    reader: AIOKafkaConsumer
    tenants: list[str] = field(default_factory=list[str])
    seen: dict[str, list[Record]] = field(default_factory=lambda: defaultdict[str, list[Record]](list))
    process: RunningProcess | None = None
    start: Callable[[], Awaitable[RunningProcess]] | None = None

    async def replace(self) -> None:
        """Stop the process and start another in its place."""
        assert self.process is not None
        assert self.start is not None
        assert await self.process.stop() == 0
        self.process = await self.start()

    async def control(self, method: str, path: str, body: object = None) -> Any:
        """Ask the simulator's control API."""
        async with self.http.request(method, self.graph.control_url + path, json=body) as answer:
            content = await answer.read()
            assert answer.status < 300, content
            return orjson.loads(content) if content else None

    async def call(self, shape: str, tenant: int = 0, **more: Any) -> dict[str, Any]:
        """Make a call in the simulator without a notification."""
        body = {"tenantId": self.tenants[tenant], "shape": shape, "notify": False, "versionMark": True} | more
        return await self.control("POST", "/control/calls", body)

    async def ask(self, call_id: str, tenant: int = 0, **more: Any) -> None:
        """Write a fetch request, as the webhook does."""
        await self.write(call_key(self.tenants[tenant], call_id), self.request(call_id, tenant, **more))

    def request(self, call_id: str, tenant: int = 0, **more: Any) -> bytes:
        """The value of a fetch request."""
        asked = {"tenantId": self.tenants[tenant], "callId": call_id, "source": "webhook"}
        return orjson.dumps(asked | {"receivedAt": wire_time(datetime.now(UTC))} | more)

    async def write(self, key: bytes, value: bytes) -> None:
        """Write anything to the fetch lane."""
        partition = partition_for(FETCH.name, key, FETCH.partitions)
        await self.producer.send_and_wait(self.prefix + FETCH.name, value, key=key, partition=partition)

    async def on(self, topic: Topic, call_id: str | None = None) -> list[Record]:
        """What lies on a topic, of one call or of all."""
        await self._read_on()
        found = self.seen[self.prefix + topic.name]
        return [each for each in found if call_id is None or (each.key or b"").endswith(call_id.encode())]

    async def _read_on(self) -> None:
        """Read every topic to its end."""
        async for name, batch in read_on(self.reader):
            self.seen[name] += batch

    async def values(self, topic: Topic, call_id: str) -> list[dict[str, Any]]:
        """The events of one call on a topic."""
        return [orjson.loads(each.value or b"") for each in await self.on(topic, call_id)]

    async def published(self, call_id: str, version: int = 1, timeout: float = 40.0) -> dict[str, Any]:
        """Wait for the open call of a version, which is published last; its restricted record."""

        async def is_there() -> bool:
            return any(call["version"] == version for call in await self.values(CALLS, call_id))

        await eventually(is_there, timeout)
        return next(each for each in await self.values(RECORDS, call_id) if each["version"] == version)

    async def requests(self, call_id: str) -> list[dict[str, Any]]:
        """What the simulator's ledger says was asked about a call."""
        lines: list[dict[str, Any]] = []
        offset = 0
        while True:
            page = await self.control("GET", f"/control/ledger?kind=request&limit=1000&offset={offset}")
            lines += [line for line in page["lines"] if line["callId"] == call_id]
            if page["nextOffset"] == offset or not page["lines"]:
                return lines
            offset = page["nextOffset"]


def _neighbours(count: int) -> list[str]:
    """Tenants that share one partition of the fetch lanes."""
    by_partition = defaultdict[int, list[str]](list)
    while True:
        tenant = str(uuid.uuid4())
        shared = by_partition[partition_for(FETCH.name, call_key(tenant, "any"), FETCH.partitions)]
        shared.append(tenant)
        if len(shared) == count:
            return shared


async def _register(rig: SimulatedFetching, folder: Path, count: int) -> Path:
    entries: list[dict[str, Any]] = []
    for tenant in _neighbours(count):
        client = str(uuid.uuid4())
        secret = folder / f"secret-{tenant}"
        secret.write_text("a-secret-of-a-test")
        known = {"tenantId": tenant, "clientId": client, "clientSecret": "a-secret-of-a-test"}
        await rig.control("POST", "/control/tenants", {"tenants": [known]})
        rig.tenants.append(tenant)
        entries.append(
            {
                "tenant_id": tenant,
                "client_id": client,
                "graph_url": rig.graph.graph_url,
                "authority_url": rig.graph.authority_url,
                "credential": {"secret_file": str(secret)},
                "notification_url": "http://127.0.0.1:9/graph/notifications",
            }
        )
    file = folder / "tenants.yaml"
    file.write_text(yaml.safe_dump({"tenants": entries}))
    return file


def _keys(folder: Path) -> Path:
    file = folder / "keys.json"
    file.write_bytes(orjson.dumps({"active": "t1", "keys": {"t1": {"key": base64.b64encode(bytes(32)).decode()}}}))
    return file


@pytest.fixture
async def fetching(
    request: pytest.FixtureRequest,
    kafka: Broker,
    topic_prefix: str,
    make_topics: MakeTopics,
    simulator: RunningSimulator,
    process: ProcessFactory,
    tmp_path: Path,
) -> AsyncIterator[SimulatedFetching]:
    """Start one fetch process for two tenants of the test's own; its parameter is the time scale."""
    await make_topics(*(topic.name for topic in _TOPICS))
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all")
    names = [topic_prefix + topic.name for topic in _TOPICS]
    reading = clients.consumer(kafka.bootstrap_servers, *names, auto_offset_reset="earliest")
    async with aiohttp.ClientSession() as http, producer, reading as reader:
        rig = SimulatedFetching(topic_prefix, simulator, http, producer, reader)
        environment = {
            "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "RINGBACK_KAFKA__TOPIC_PREFIX": topic_prefix,
            "RINGBACK_INSTALLATION_ID": "test",
            "RINGBACK_TENANTS_FILE": str(await _register(rig, tmp_path, 2)),
            "RINGBACK_GRAPH__CAFILE": str(simulator.ca_file),
            "RINGBACK_PRIVACY__KEYS_FILE": str(_keys(tmp_path)),
            "RINGBACK_TIME_SCALE": str(getattr(request, "param", 60)),
        }
        rig.start = lambda: process("fetch", ["ringback-enricher", "fetch"], env=environment)
        rig.process = await rig.start()
        yield rig
        await rig.control("DELETE", "/control/faults")
        assert await rig.process.stop() == 0
