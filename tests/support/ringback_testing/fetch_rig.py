"""A running fetch process between a Kafka of its own prefix and Graphs of the test's choice."""

import base64
import re
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from ringback_events.keys import call_key
from ringback_events.partition import partition_for
from ringback_events.times import wire_time
from ringback_events.topics import (
    AUDIT,
    CALLS,
    CONTROL,
    FETCH,
    FETCH_LANES,
    FETCH_RETRIES,
    INTERNAL_DEAD_LETTERS,
    LIFECYCLE,
    RECORDS,
    RESTRICTED_DEAD_LETTERS,
    SESSIONS,
    STATUS,
    Topic,
)
from ringback_local.kafka import clients
from ringback_local.topics import create_contract_topics

from ringback_testing.processes import ProcessFactory, RunningProcess
from ringback_testing.records import Record, headers_of, read_on
from ringback_testing.transcript import TRANSCRIPT
from ringback_testing.waiting import eventually

__all__ = ["CLIENT_SECRET", "Fetching", "TenantAt", "open_fetching", "tenants_file"]

CLIENT_SECRET = "client-secret-of-the-edge"
READ = (
    *(*FETCH_LANES, INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS),
    *(RECORDS, SESSIONS, CALLS),
)
BESIDE = (AUDIT, CONTROL, LIFECYCLE, STATUS)
"""What the processes beside it need, the store and a webhook; not all topics: on a busy machine each costs seconds."""


@dataclass(frozen=True, slots=True)
class TenantAt:
    """A tenant and where its Graph and its authority are."""

    tenant_id: str
    graph_url: str
    authority_url: str


@dataclass
class Fetching:
    """The process and its topics."""

    prefix: str
    process: RunningProcess
    producer: AIOKafkaProducer
    reader: AIOKafkaConsumer
    _seen: dict[str, list[Record]] = field(default_factory=lambda: defaultdict[str, list[Record]](list))

    async def ask(self, tenant_id: str, call_id: str) -> None:
        """Write a fetch request, as the webhook does."""
        asked = {
            "tenantId": tenant_id,
            "callId": call_id,
            "source": "webhook",
            "receivedAt": wire_time(datetime.now(UTC)),
        }
        await self.write(call_key(tenant_id, call_id), orjson.dumps(asked))

    async def write(self, key: bytes, value: bytes) -> None:
        """Write anything to the fetch lane, where the contract puts the key."""
        partition = partition_for(FETCH.name, key, FETCH.partitions)
        await self.producer.send_and_wait(self.prefix + FETCH.name, value, key=key, partition=partition)

    async def on(self, topic: Topic, call_id: str | None = None) -> list[Record]:
        """What lies on a topic, of one call or of all."""
        async for name, batch in read_on(self.reader):
            self._seen[name] += batch
            TRANSCRIPT.said(f"headers on {name}", headers_of(batch))
        found = self._seen[self.prefix + topic.name]
        return [each for each in found if call_id is None or (each.key or b"").endswith(b"|" + call_id.encode())]

    async def finished(self, topic: Topic) -> float:
        """How many records of a topic the process says it has finished."""
        line = rf'^ringback_stream_finished_total{{.*topic="{re.escape(topic.name)}".*}} (\S+)$'
        counted = re.findall(line, await self.process.metrics(), re.MULTILINE)
        return sum(map(float, counted))

    async def refused(self, call_id: str, timeout: float = 30.0) -> dict[str, str]:
        """Wait for the dead letter of a call; its headers, and nothing of the call was published."""
        letters = await eventually(lambda: self.on(INTERNAL_DEAD_LETTERS, call_id), timeout)
        assert await self.on(RECORDS, call_id) == []
        return {name: value.decode() for name, value in letters[0].headers}

    async def deferred(self, call_id: str, timeout: float = 40.0) -> dict[str, str]:
        """Wait until a call is put on a retry tier, the shortest first; the headers."""

        async def on_a_tier() -> list[Record]:
            return [record for tier in FETCH_RETRIES for record in await self.on(tier, call_id)]

        found = await eventually(on_a_tier, timeout)
        return {name: value.decode() for name, value in found[0].headers}

    async def published(self, call_id: str, timeout: float = 30.0) -> Record:
        """Wait for the open call, which is published last; the restricted record."""
        await eventually(lambda: self.on(CALLS, call_id), timeout)
        return (await self.on(RECORDS, call_id))[-1]


def tenants_file(folder: Path, tenants: Sequence[TenantAt]) -> Path:
    """A tenants file for these, with one secret for all."""
    secret = folder / "client-secret"
    secret.write_text(CLIENT_SECRET)
    entries = [
        {
            "tenant_id": tenant.tenant_id,
            "client_id": tenant.tenant_id,
            "graph_url": tenant.graph_url,
            "authority_url": tenant.authority_url,
            "credential": {"secret_file": str(secret)},
            "notification_url": "http://127.0.0.1:9/graph/notifications",
        }
        for tenant in tenants
    ]
    file = folder / "tenants.yaml"
    file.write_text(yaml.safe_dump({"tenants": entries}))
    return file


@asynccontextmanager
async def open_fetching(
    process: ProcessFactory,
    bootstrap_servers: str,
    prefix: str,
    folder: Path,
    env: Mapping[str, str],
) -> AsyncGenerator[Fetching]:
    """Yield a fetch process at 60 times Graph's pace; `env` names its tenants and whom it trusts."""
    await create_contract_topics(bootstrap_servers, prefix, names=[topic.name for topic in (*READ, *BESIDE)])
    keys = folder / "pseudonym-keys.json"
    key = base64.b64encode(bytes(range(3, 35))).decode()
    keys.write_bytes(orjson.dumps({"active": "t1", "keys": {"t1": {"key": key}}}))
    whole = {
        "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": bootstrap_servers,
        "RINGBACK_KAFKA__TOPIC_PREFIX": prefix,
        "RINGBACK_PRIVACY__KEYS_FILE": str(keys),
        "RINGBACK_TIME_SCALE": "60",
    } | dict(env)
    names = [prefix + topic.name for topic in READ]
    reading = clients.consumer(bootstrap_servers, *names, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all") as producer, reading as reader:
        running = await process("fetch", ["ringback-enricher", "fetch"], env=whole)
        yield Fetching(prefix, running, producer, reader)
