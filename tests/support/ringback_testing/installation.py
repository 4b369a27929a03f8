"""The whole stack as processes, with a test's hands and eyes: Graph's control, the topics, the store, the spans."""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp
import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from ringback_events.keys import call_key
from ringback_events.partition import partition_for
from ringback_events.topics import ALL_TOPICS, CALLS, FETCH, RECORDS, Topic
from ringback_local.kafka import clients
from ringback_local.run_folder import tenants_of
from ringback_local.simulator import ledger
from ringback_local.stack import Stack, StackOptions

from ringback_testing.records import Record, read_on
from ringback_testing.span_collector import SpanCollector, open_span_collector
from ringback_testing.transcript import TRANSCRIPT, secrets_of
from ringback_testing.waiting import eventually

SERVICES = ("webhook", "keeper", "enricher", "store")
DSN_PASSWORD = "pw-kept-in-the-connection-string"
GRAPH_TIMEOUT_SECONDS = 10.0
"""How long Graph may be silent; in production thrice as long, which only the tests that wait for it would notice."""


@dataclass
class Installation:
    """A running stack."""

    stack: Stack
    control: aiohttp.ClientSession
    reader: AIOKafkaConsumer
    producer: AIOKafkaProducer
    store: "asyncpg.Pool[asyncpg.Record]"
    collector: SpanCollector
    prefix: str
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _seen: dict[str, list[Record]] = field(default_factory=lambda: defaultdict[str, list[Record]](list))

    @property
    def tenants(self) -> list[str]:
        """Ids of the tenants; the last two share a partition of the fetch lanes."""
        return self.stack.tenants

    async def graph(self, method: str, path: str, body: object = None) -> Any:
        """Ask the simulator's control API."""
        async with self.control.request(method, f"/control/{path}", json=body) as answer:
            content = await answer.read()
            assert answer.status < 300, content
            return orjson.loads(content) if content else None

    async def call(self, shape: str, tenant: int = 0, **more: Any) -> dict[str, Any]:
        """Let a call end; Graph notifies of it by default."""
        body = {"tenantId": self.tenants[tenant], "shape": shape, "versionMark": True} | more
        return await self.graph("POST", "calls", body)

    async def install(self, document: dict[str, Any], next_link: str) -> None:
        """Let Graph serve this document to the first tenant, and notify of it."""
        body = {"document": document, "nextLink": next_link, "notify": True}
        await self.graph("PUT", f"records/{self.tenants[0]}/{document['id']}", body)

    async def requests(self, call_id: str) -> list[dict[str, Any]]:
        """What the ledger says was asked about a call."""
        return [line async for line in ledger(self.control, "request") if line["callId"] == call_id]

    async def accepted(self) -> dict[str, list[float]]:
        """By call: when its items were answered 2xx, in Unix seconds."""
        answered = defaultdict[str, list[float]](list)
        async for post in ledger(self.control, "post"):
            if 200 <= (post["status"] or 0) < 300:
                for item in post["items"]:
                    answered[item["callId"]].append(post["end"])
        return answered

    async def on(self, topic: Topic, call_id: str | None = None) -> list[Record]:
        """What lies on a topic, of one call or of all."""
        async with self._reading:
            await self._read_on()
        found = self._seen[self.prefix + topic.name]
        return [each for each in found if call_id is None or (each.key or b"").endswith(call_id.encode())]

    async def _read_on(self) -> None:
        """Read every topic to its end as of now."""
        async for name, batch in read_on(self.reader):
            self._seen[name] += batch

    async def values(self, topic: Topic, call_id: str) -> list[dict[str, Any]]:
        """The events of one call on a topic."""
        return [orjson.loads(each.value or b"") for each in await self.on(topic, call_id)]

    async def record(self, call_id: str, version: int = 1) -> dict[str, Any]:
        """The restricted record of a version of a call that was stored."""
        of_version = [each for each in await self.values(RECORDS, call_id) if each["version"] == version]
        assert of_version, f"no record of version {version}"
        return of_version[0]

    async def row(self, call_id: str) -> asyncpg.Record | None:
        """The store's row of a call."""
        return await self.store.fetchrow("SELECT * FROM callrecords.call WHERE call_id = $1", call_id)

    async def stored(self, call_id: str, version: int = 1, timeout: float = 60.0) -> asyncpg.Record:
        """Wait until the row is of this version at least, and its open call is published; the row."""

        async def row_of_version() -> asyncpg.Record | None:
            row = await self.row(call_id)
            return row if row is not None and row["version"] >= version else None

        async def opened() -> bool:
            return any(call["version"] >= version for call in await self.values(CALLS, call_id))

        row = await eventually(row_of_version, timeout)
        await eventually(opened, timeout)
        assert row is not None
        return row

    async def metrics(self, name: str) -> str:
        """The text of a process's /metrics."""
        url = f"http://127.0.0.1:{self.stack.processes[name].admin_port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return await answer.text()

    def trusted(self) -> ssl.SSLContext:
        """What a client of the simulator has to trust."""
        return ssl.create_default_context(cafile=self.stack.simulator.ca_file)

    async def subscribed(self) -> bool:
        """Whether every tenant has its subscription."""
        return (await self.graph("GET", "state"))["subscriptions"] == len(self.tenants)

    async def publish(self, topic: Topic, key: bytes, value: bytes) -> None:
        """Write a record of the test's own, where the contract puts its key."""
        partition = partition_for(topic.name, key, topic.partitions)
        await self.producer.send_and_wait(self.prefix + topic.name, value, key=key, partition=partition)


@asynccontextmanager
async def open_installation(tenants: int = 3) -> AsyncGenerator[Installation]:
    """Yield a stack at real time whose every trace is kept, each tenant with its subscription."""
    async with AsyncExitStack() as opened:
        collector = opened.enter_context(open_span_collector())
        options = StackOptions(
            tenants=tenants,
            time_scale=1.0,
            seed=seed_of_neighbours(tenants),
            env=dict.fromkeys(SERVICES, _traced(collector) | _patience()),
            dsn_password=DSN_PASSWORD,
        )
        stack = await opened.enter_async_context(Stack(options))
        opened.callback(transcribe, stack)
        prefix = stack.processes["webhook"].spec.env["RINGBACK_KAFKA__TOPIC_PREFIX"]
        installation = Installation(
            stack=stack,
            control=await opened.enter_async_context(aiohttp.ClientSession(stack.simulator.control_url)),
            reader=await opened.enter_async_context(_reader(stack, prefix)),
            producer=await opened.enter_async_context(AIOKafkaProducer(bootstrap_servers=stack.bootstrap_servers)),
            store=await opened.enter_async_context(asyncpg.create_pool(stack.dsn, min_size=1, max_size=4)),
            collector=collector,
            prefix=prefix,
        )
        await eventually(installation.subscribed, 60)
        yield installation


def transcribe(stack: Stack) -> None:
    """Have what a stack's services logged searched with everything else this session says."""
    for name in SERVICES:
        TRANSCRIPT.plant(secrets_of(stack.processes[name].spec.env))
        TRANSCRIPT.said(f"log of {name}", (stack.run_folder / f"{name}.log").read_bytes())


def _patience() -> dict[str, str]:
    return {"RINGBACK_GRAPH__TIMEOUT_SECONDS": str(GRAPH_TIMEOUT_SECONDS)}


def _traced(collector: SpanCollector) -> dict[str, str]:
    return {
        "RINGBACK_TELEMETRY__OTLP_ENDPOINT": collector.endpoint,
        "RINGBACK_TELEMETRY__TRACE_RATIO": "1.0",
        "OTEL_BSP_SCHEDULE_DELAY": "500",
    }


def _reader(stack: Stack, prefix: str) -> AbstractAsyncContextManager[AIOKafkaConsumer]:
    names = [prefix + topic.name for topic in ALL_TOPICS]
    return clients.consumer(stack.bootstrap_servers, *names, auto_offset_reset="earliest")


def seed_of_neighbours(tenants: int) -> int:
    """The first seed whose last two tenants share a partition of the fetch lanes."""

    def partition(tenant: str) -> int:
        return partition_for(FETCH.name, call_key(tenant, "any"), FETCH.partitions)

    def fits(seed: int) -> bool:
        *_, last_but_one, last = tenants_of(seed, tenants)
        return partition(last_but_one.tenant_id) == partition(last.tenant_id)

    return next(seed for seed in count(1) if fits(seed))
