"""The keeper as a process, with a real Kafka and the Graph simulator: subscriptions come to be and come back."""

import asyncio
import base64
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio
import yaml
from aiokafka import AIOKafkaProducer
from ringback_events.keys import tenant_key
from ringback_events.partition import partition_for
from ringback_events.topics import (
    AUDIT,
    CONTROL,
    FETCH,
    INTERNAL_DEAD_LETTERS,
    LIFECYCLE,
    RESTRICTED_DEAD_LETTERS,
    STATUS,
)
from ringback_ingest.client_state import NotificationQuery, new_keys_file
from ringback_local.kafka import Broker
from ringback_local.ports import lease_ports
from ringback_local.simulator import RunningSimulator
from ringback_testing import dump_topic, eventually
from ringback_testing.fixtures import MakeTopics
from ringback_testing.json_values import is_object
from ringback_testing.processes import ProcessFactory, RunningProcess
from ringback_testing.records import Record

pytestmark = pytest.mark.integration

NEEDED = (*(FETCH, LIFECYCLE), *(AUDIT, STATUS, CONTROL), *(INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS))


class Graph:
    """What the tests ask the simulator for."""

    def __init__(self, simulator: RunningSimulator) -> None:
        self.simulator = simulator

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """A request to the control API; the answer's JSON."""
        url = f"{self.simulator.control_url}{path}"
        async with aiohttp.ClientSession() as session, session.request(method, url, json=body) as answer:
            assert answer.status < 300, await answer.text()
            return orjson.loads(await answer.read() or b"null")

    async def subscriptions(self, tenant_id: str) -> list[dict[str, Any]]:
        """What the tenant has now."""
        answer = await self.call("GET", "/control/subscriptions")
        listed: list[dict[str, Any]] = answer["subscriptions"] if is_object(answer) else answer
        return [each for each in listed if each["tenantId"] == tenant_id]

    def asked(self, tenant_id: str) -> list[tuple[float, int]]:
        """When the tenant's subscriptions were asked for or changed, and the answers, by the simulator's ledger."""
        lines = [orjson.loads(line) for line in self.simulator.ledger_file.read_bytes().splitlines()]
        requests = [line for line in lines if line["kind"] == "request" and line["tenantId"] == tenant_id]
        return sorted((line["at"], line["status"]) for line in requests if line["route"] == "subscriptions")

    def created(self, tenant_id: str) -> int:
        """How often a subscription of the tenant was created."""
        return sum(status == 201 for _, status in self.asked(tenant_id))


@dataclass
class World:
    """Everything a keeper needs, with a webhook that answers the handshakes."""

    folder: Path
    graph: Graph
    bootstrap_servers: str
    prefix: str
    topics: dict[str, str]
    webhook_port: int
    process: ProcessFactory

    @property
    def env(self) -> dict[str, str]:
        """The environment of ingest's processes."""
        return {
            "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "RINGBACK_KAFKA__TOPIC_PREFIX": self.prefix,
            "RINGBACK_TIME_SCALE": "60",
            "RINGBACK_WEBHOOK__HOST": "127.0.0.1",
            "RINGBACK_WEBHOOK__PORT": str(self.webhook_port),
            "RINGBACK_WEBHOOK__DRAIN_SECONDS": "0",
            "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE": str(self.folder / "keys.json"),
        }

    async def keeper(self, *, ready: bool = True, installation: str = "test") -> RunningProcess:
        """Start a keeper."""
        env = self.env | {
            "RINGBACK_INSTALLATION_ID": installation,
            "RINGBACK_TENANTS_FILE": str(self.folder / "tenants.yaml"),
            "RINGBACK_GRAPH__CAFILE": str(self.graph.simulator.ca_file),
        }
        return await self.process("keeper", ["ringback-ingest", "keeper"], env, ready=ready)

    async def tenants(self, *tenant_ids: str) -> str:
        """Register tenants at the simulator and write the file; the app's id."""
        client_id = str(uuid.uuid4())
        known = [{"tenantId": t, "clientId": client_id, "clientSecret": "s3cret-of-test"} for t in tenant_ids]
        await self.graph.call("POST", "/control/tenants", {"tenants": known})
        (self.folder / "secret").write_text("s3cret-of-test")
        self.write_tenants(client_id, *tenant_ids)
        return client_id

    def write_tenants(self, client_id: str, *tenant_ids: str, hooks: str | None = None) -> None:
        """Write the file; `hooks` is where notifications and lifecycle events shall go, the webhook's if not given."""
        hooks = hooks or f"http://127.0.0.1:{self.webhook_port}/graph"
        entries = [
            {
                "tenant_id": tenant_id,
                "client_id": client_id,
                "graph_url": self.graph.simulator.graph_url,
                "authority_url": self.graph.simulator.authority_url,
                "credential": {"secret_file": "secret"},
                "notification_url": f"{hooks}/notifications",
                "lifecycle_url": f"{hooks}/lifecycle",
            }
            for tenant_id in tenant_ids
        ]
        replacement = self.folder / "tenants.new"
        replacement.write_text(yaml.safe_dump({"version": 1, "tenants": entries}))
        replacement.replace(self.folder / "tenants.yaml")

    async def dump(self, topic: str) -> list[Record]:
        """The records of a topic."""
        return await dump_topic(self.bootstrap_servers, self.topics[topic])

    async def audit(self, tenant_id: str) -> list[tuple[str, str, str]]:
        """What the audit says about a tenant: action, reason, outcome."""
        entries = [orjson.loads(record.value or b"") for record in await self.dump(AUDIT.name)]
        return [(e["action"], e["reason"], e["outcome"]) for e in entries if e["tenantId"] == tenant_id]

    async def reported(self, tenant_id: str, subscription: str, reason: str | None) -> None:
        """Wait until the newest status of the tenant says so."""

        async def newest() -> bool:
            records = [orjson.loads(record.value) for record in await self.dump(STATUS.name) if record.value]
            details = [r["detail"] for r in records if r["tenantId"] == tenant_id and "subscription" in r["detail"]]
            return bool(details) and (details[-1]["subscription"], details[-1]["reason"]) == (subscription, reason)

        await eventually(newest, timeout=40)

    async def active(self, tenant_id: str) -> dict[str, Any]:
        """Wait until the tenant has exactly one subscription."""

        async def one() -> dict[str, Any] | None:
            found = await self.graph.subscriptions(tenant_id)
            return found[0] if len(found) == 1 else None

        return await eventually(one, timeout=30)


@pytest_asyncio.fixture
async def world(
    kafka: Broker,
    make_topics: MakeTopics,
    topic_prefix: str,
    simulator: RunningSimulator,
    process: ProcessFactory,
    tmp_path: Path,
) -> AsyncIterator[World]:
    """A webhook that listens, topics, and the simulator."""
    (tmp_path / "keys.json").write_bytes(new_keys_file("k1", secrets.token_bytes(32)))
    topics = await make_topics(*(topic.name for topic in NEEDED))
    with lease_ports(1) as ports:
        made = World(tmp_path, Graph(simulator), kafka.bootstrap_servers, topic_prefix, topics, ports[0], process)
        await process("webhook", ["ringback-ingest", "webhook"], made.env)
        yield made


Tenant = Callable[[], Awaitable[str]]


def some_tenants(count: int) -> list[str]:
    """Tenants no other test has."""
    return [str(uuid.uuid4()) for _ in range(count)]


async def test_creates_a_subscription_that_delivers(world: World) -> None:
    """From an empty tenant to a subscription as wanted, whose notifications the webhook takes for genuine."""
    (tenant,) = some_tenants(1)
    await world.tenants(tenant)
    await world.keeper()
    subscription = await world.active(tenant)
    assert subscription["resource"].strip("/") == "communications/callRecords"
    assert subscription["changeType"] == "updated"
    assert NotificationQuery.of_url(subscription["notificationUrl"]) == NotificationQuery("callrecords", "k1", "test")
    await world.graph.call("POST", "/control/calls", {"tenantId": tenant, "shape": "peerToPeer"})

    async def announced() -> bool:
        return any(
            (record.key or b"").startswith(tenant.encode())
            for record in await world.dump("callrecords.internal.fetch.v1")
        )

    await eventually(announced)
    assert await world.audit(tenant) == [("subscription.create", "missing", "done")]


async def test_recreates_what_vanished(world: World) -> None:
    """A subscription that Graph drops without a word is found missing at the next look and created again."""
    (tenant,) = some_tenants(1)
    await world.tenants(tenant)
    await world.keeper()
    first = await world.active(tenant)
    await world.graph.call("DELETE", f"/control/subscriptions/{first['id']}")
    second = await world.active(tenant)
    assert second["id"] != first["id"]


async def test_lifecycle_events_are_obeyed(world: World) -> None:
    """ReauthorizationRequired is answered by a PATCH, subscriptionRemoved by a new subscription, missed is reported."""
    (tenant,) = some_tenants(1)
    await world.tenants(tenant)
    await world.keeper()
    first = await world.active(tenant)
    for event in ("missed", "reauthorizationRequired"):
        await world.graph.call("POST", f"/control/subscriptions/{first['id']}/lifecycle", {"event": event})
    renewed = ("subscription.renew", "reauthorization_required", "done")

    async def audited() -> bool:
        return renewed in await world.audit(tenant)

    await eventually(audited)
    await world.graph.call("POST", f"/control/subscriptions/{first['id']}/lifecycle", {"event": "subscriptionRemoved"})

    async def replaced() -> bool:
        return [s["id"] for s in await world.graph.subscriptions(tenant)] not in ([], [first["id"]])

    await eventually(replaced)

    async def reported() -> bool:
        reports = [orjson.loads(record.value) for record in await world.dump(STATUS.name) if record.value]
        return any(r["tenantId"] == tenant and r["detail"].get("missedEvents") == 1 for r in reports)

    await eventually(reported)


async def test_foreign_subscription_is_reported(world: World) -> None:
    """Another installation's subscription is left alone, the status is red and names the reason."""
    (tenant,) = some_tenants(1)
    await world.tenants(tenant)
    first = await world.keeper(installation="other")
    theirs = await world.active(tenant)
    assert await first.stop() == 0
    await world.keeper()
    await world.reported(tenant, "foreign_subscription", None)
    assert [s["id"] for s in await world.graph.subscriptions(tenant)] == [theirs["id"]]


async def test_a_typo_costs_no_subscription_and_a_right_address_is_moved_to(world: World) -> None:
    """Graph itself refuses the wrong address and the working subscription stays; a right address replaces it."""
    (tenant,) = some_tenants(1)
    app = await world.tenants(tenant)
    await world.keeper()
    working = await world.active(tenant)
    world.write_tenants(app, tenant, hooks="http://127.0.0.1:9/graph")
    await world.reported(tenant, "outdated", "validation")
    assert await world.graph.subscriptions(tenant) == [working]
    world.write_tenants(app, tenant, hooks=f"http://localhost:{world.webhook_port}/graph")
    await world.reported(tenant, "active", None)
    (moved,) = await world.graph.subscriptions(tenant)
    assert moved["notificationUrl"].startswith(f"http://localhost:{world.webhook_port}/")
    audited = [(action, reason) for action, reason, outcome in await world.audit(tenant) if outcome == "done"]
    assert audited == [
        ("subscription.create", "missing"),
        ("subscription.prove", "url_changed"),
        ("subscription.delete", "proof"),
        ("subscription.delete", "url_changed"),
        ("subscription.create", "url_changed"),
    ]


async def test_a_withdrawn_key_is_replaced(world: World) -> None:
    """Our subscription whose key is gone is ours still: one with the new key takes its place."""
    (tenant,) = some_tenants(1)
    await world.tenants(tenant)
    await world.keeper()
    first = await world.active(tenant)
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    keys = {"active": "k2", "keys": [{"kid": "k2", "secret": secret}], "withdrawn": ["k1"]}
    (world.folder / "keys.json").write_bytes(orjson.dumps(keys))

    async def replaced() -> bool:
        standing = await world.graph.subscriptions(tenant)
        kids = [NotificationQuery.of_url(each["notificationUrl"]).kid for each in standing]
        return kids == ["k2"] and standing[0]["id"] != first["id"]

    await eventually(replaced, timeout=40)
    audited = [(action, reason) for action, reason, outcome in await world.audit(tenant) if outcome == "done"]
    assert ("subscription.delete", "key_not_valid") in audited


async def test_two_keepers_share_the_tenants(world: World) -> None:
    """Each tenant is kept by one of two keepers; when one ends the other takes over, and nothing is created twice."""
    tenants = some_tenants(8)
    await world.tenants(*tenants)
    first, _second = await asyncio.gather(world.keeper(), world.keeper())
    await asyncio.gather(*(world.active(tenant) for tenant in tenants))
    assert await first.stop() == 0
    for tenant in tenants:
        (subscription,) = await world.graph.subscriptions(tenant)
        await world.graph.call("DELETE", f"/control/subscriptions/{subscription['id']}")
    await asyncio.gather(*(world.active(tenant) for tenant in tenants))
    await eventually(lambda: all(world.graph.created(tenant) >= 2 for tenant in tenants))  # the ledger is written late
    assert {tenant: world.graph.created(tenant) for tenant in tenants} == dict.fromkeys(tenants, 2)


async def test_a_retry_after_holds_for_the_keeper_that_follows(world: World) -> None:
    """The keeper with the Retry-After is stopped; the one that follows asks nothing of the tenant before the time."""
    (tenant,) = some_tenants(1)
    await world.tenants(tenant)
    first = await world.keeper()
    await world.active(tenant)
    throttle = {"tenantId": tenant, "route": "subscriptions", "effect": "throttle", "retryAfter": 20, "count": 1}
    await world.graph.call("POST", "/control/faults", throttle)

    def stated() -> float | None:
        return next((at for at, status in world.graph.asked(tenant) if status == 429), None)

    at = await eventually(stated)
    assert await first.stop() == 0
    await world.keeper()
    assert time.time() < at + 20, "the keeper was replaced too late for anything to be seen"
    following = await eventually(lambda: [one for one, _ in world.graph.asked(tenant) if one > at], timeout=40)
    assert min(following) - at >= 20


async def test_tenant_added_to_the_file(world: World) -> None:
    """A tenant that comes into the file while the keeper runs gets its subscription without a restart."""
    old, new = some_tenants(2)
    await world.tenants(old)
    await world.keeper()
    await world.active(old)
    await world.tenants(old, new)
    await world.active(new)


async def test_undecodable_lifecycle_record_is_a_dead_letter(world: World) -> None:
    """What the keeper cannot read becomes a dead letter; the tenant is kept."""
    (tenant,) = some_tenants(1)
    await world.tenants(tenant)
    producer = AIOKafkaProducer(bootstrap_servers=world.bootstrap_servers)
    await producer.start()
    key = tenant_key(tenant)
    partition = partition_for(LIFECYCLE.name, key, LIFECYCLE.partitions)
    await producer.send_and_wait(world.topics[LIFECYCLE.name], b"not json", key, partition)
    await producer.stop()
    await world.keeper()
    await world.active(tenant)

    async def refused() -> bool:
        return len(await world.dump(INTERNAL_DEAD_LETTERS.name)) == 1

    await eventually(refused)


@pytest.mark.parametrize(
    ("left_out", "named"),
    [
        ("RINGBACK_TENANTS_FILE", "RINGBACK_TENANTS_FILE"),
        ("RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE", "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE"),
        ("RINGBACK_KAFKA__BOOTSTRAP_SERVERS", "RINGBACK_KAFKA__BOOTSTRAP_SERVERS"),
        (None, "tenants.yaml"),
    ],
    ids=["no tenants file", "no keys", "no broker", "tenants file missing"],
)
async def test_mistake_ends_with_one_sentence(
    process: ProcessFactory, tmp_path: Path, left_out: str | None, named: str
) -> None:
    """A setting that is missing, or a file it names, ends the keeper with 2 and a sentence that says which."""
    keys_file = tmp_path / "keys.json"
    keys_file.write_bytes(new_keys_file("k1", bytes(32)))
    env = {
        "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "RINGBACK_TENANTS_FILE": str(tmp_path / "tenants.yaml"),
        "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE": str(keys_file),
    }
    given = {name: value for name, value in env.items() if name != left_out}
    ended = await process("keeper", ["ringback-ingest", "keeper"], given, ready=False)
    assert await ended.exited() == 2
    (sentence,) = ended.output().splitlines()
    assert named in sentence
