"""The webhook as a process, with a real Kafka: what 202 promises, and what happens when Kafka does not answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio
from ringback_events.fetch import FetchRequest
from ringback_events.headers import read_headers
from ringback_events.partition import partition_for
from ringback_events.topics import FETCH, LIFECYCLE
from ringback_ingest.client_state import CALL_RECORDS, client_state, keys_of, new_keys_file
from ringback_local.kafka import Broker
from ringback_local.ports import lease_ports
from ringback_local.topics import create_contract_topics
from ringback_testing import dump_topic, eventually
from ringback_testing.fixtures import KafkaBroker, MakeTopics
from ringback_testing.processes import ProcessFactory, RunningProcess

pytestmark = pytest.mark.integration

TENANT = "dc368399-474c-4d40-900c-6265431fd81f"
KEYS = new_keys_file("k1", bytes(range(32)))
RING = keys_of(KEYS, "KEYS")
QUERY = "slot=callrecords&kid=k1&installation=test"


class Webhook:
    """A running webhook and the address Graph would know."""

    def __init__(self, process: RunningProcess, port: int) -> None:
        self.process = process
        self.port = port

    async def post(self, body: bytes, path: str = "/graph/notifications", query: str = QUERY) -> int:
        """POST a body; the status of the answer."""
        url = f"http://127.0.0.1:{self.port}{path}?{query}"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers={"content-type": "application/json"}) as answer,
        ):
            return answer.status

    async def accepts(self) -> bool:
        """Whether Kafka is connected: the first genuine POST is answered 202."""
        return await self.post(body(item("warm-up"))) == 202


Start = Callable[..., Awaitable[Webhook]]


@pytest_asyncio.fixture
async def start(process: ProcessFactory, tmp_path: Path) -> Start:
    """Starts a webhook on a port of its own."""
    keys_file = tmp_path / "keys.json"
    keys_file.write_bytes(KEYS)

    async def make(bootstrap_servers: str, prefix: str = "") -> Webhook:
        with lease_ports(1) as ports:
            env = {
                "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": bootstrap_servers,
                "RINGBACK_KAFKA__TOPIC_PREFIX": prefix,
                "RINGBACK_WEBHOOK__HOST": "127.0.0.1",
                "RINGBACK_WEBHOOK__PORT": str(ports[0]),
                "RINGBACK_WEBHOOK__DRAIN_SECONDS": "0",
                "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE": str(keys_file),
            }
            return Webhook(await process("webhook", ["ringback-ingest", "webhook"], env), ports[0])

    return make


def item(call_id: str, **members: Any) -> dict[str, Any]:
    """A genuine notification of a call."""
    return {
        "subscriptionId": "5d6e1b0f-4f51-4a3b-9d9c-1f2b3c4d5e6f",
        "clientState": client_state(RING.active, TENANT, CALL_RECORDS),
        "changeType": "updated",
        "resource": f"communications/callRecords/{call_id}",
        "resourceData": {"@odata.type": "#microsoft.graph.callRecord", "id": call_id},
        "tenantId": TENANT,
    } | members


def body(*items: object) -> bytes:
    """The items as Graph posts them."""
    return orjson.dumps({"value": items})


async def calls(bootstrap_servers: str, real_name: str) -> list[str]:
    """The calls the fetch lane holds, but for those of the warm-up."""
    records = await dump_topic(bootstrap_servers, real_name)
    found = [FetchRequest.model_validate_json(record.value or b"").call_id for record in records]
    return [call for call in found if call != "warm-up"]


async def test_accepted_is_in_kafka(kafka: Broker, topic_prefix: str, make_topics: MakeTopics, start: Start) -> None:
    """What was answered 202 can be read from the topic, where the contract says, with its headers."""
    topics = await make_topics(FETCH.name, LIFECYCLE.name)
    webhook = await start(kafka.bootstrap_servers, topic_prefix)
    await eventually(webhook.accepts)
    forged = item("forged", clientState="k1.forged")
    missed = item("x", lifecycleEvent="missed", changeType=None)
    assert await webhook.post(body(item("one"), forged, None, item("two"), missed)) == 202
    records = await dump_topic(kafka.bootstrap_servers, topics[FETCH.name])
    assert await calls(kafka.bootstrap_servers, topics[FETCH.name]) == ["one", "two"]
    for record in records:
        assert record.partition == partition_for(FETCH.name, record.key, FETCH.partitions)
        assert read_headers(record.headers).tenant_id == TENANT
    (event,) = await dump_topic(kafka.bootstrap_servers, topics[LIFECYCLE.name])
    assert orjson.loads(event.value or b"")["lifecycleEvent"] == "missed"
    metrics = await webhook.process.metrics()
    assert 'ringback_webhook_items_total{outcome="forged"} 1.0' in metrics
    assert 'ringback_webhook_items_total{outcome="malformed_item"} 1.0' in metrics


async def test_a_rotation_loses_no_notification(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics, start: Start, tmp_path: Path
) -> None:
    """Items of a subscription whose key this webhook has not read are 503 until it has; the repetition is in Kafka."""
    topics = await make_topics(FETCH.name, LIFECYCLE.name)
    webhook = await start(kafka.bootstrap_servers, topic_prefix)
    await eventually(webhook.accepts)
    rotated = new_keys_file("k9", bytes(range(1, 33)))
    state = client_state(keys_of(rotated, "KEYS").active, TENANT, CALL_RECORDS)
    data, query = body(item("new", clientState=state), item("old")), QUERY.replace("k1", "k9")
    assert await webhook.post(data, query=query) == 503
    assert await calls(kafka.bootstrap_servers, topics[FETCH.name]) == ["old"]
    (tmp_path / "keys.json").write_bytes(rotated)
    answers: list[int] = []

    async def repeated() -> bool:
        answers.append(await webhook.post(data, query=query))
        return answers[-1] == 202

    await eventually(repeated, 15)
    assert set(answers[:-1]) == {503}
    assert "new" in await calls(kafka.bootstrap_servers, topics[FETCH.name])
    assert 'outcome="awaiting_key"} ' in await webhook.process.metrics()


async def test_concurrent_posts_are_all_there(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics, start: Start
) -> None:
    """Two hundred POSTs at once share rounds, and every one answered 202 is there once."""
    topics = await make_topics(FETCH.name, LIFECYCLE.name)
    webhook = await start(kafka.bootstrap_servers, topic_prefix)
    await eventually(webhook.accepts)
    names = [f"call-{number}" for number in range(200)]
    statuses = await asyncio.gather(*(webhook.post(body(item(name))) for name in names))
    assert set(statuses) == {202}
    assert sorted(await calls(kafka.bootstrap_servers, topics[FETCH.name])) == sorted(names)


async def test_frozen_broker_means_503(kafka_broker: KafkaBroker, start: Start) -> None:
    """While Kafka does not acknowledge, no POST is answered 2xx: the first after its 2 s, the next ones at once."""
    broker = await asyncio.to_thread(kafka_broker)
    await create_contract_topics(broker.bootstrap_servers, names=(FETCH.name, LIFECYCLE.name))
    webhook = await start(broker.bootstrap_servers)
    await eventually(webhook.accepts)
    broker.pause()
    try:
        took, status = await timed(webhook.post(body(item("stuck"))))
        assert status == 503
        assert took < 3  # Graph waits no longer
        took, status = await timed(webhook.post(body(item("refused"))))
        assert status == 503
        assert took < 1.5  # at once: less than its 2 s
        assert await webhook.post(body(item("x", clientState="forged"))) == 202
        assert await webhook.process.ready()
    finally:
        broker.resume()
    await eventually(webhook.accepts)
    assert await webhook.post(body(item("after"))) == 202
    # What was answered 503 may have been written all the same: Graph's repeat is harmless. What was refused was not.
    assert set(await calls(broker.bootstrap_servers, FETCH.name)) - {"stuck"} == {"after"}


async def timed(answer: Awaitable[int]) -> tuple[float, int]:
    """Seconds and status of a POST."""
    began = time.monotonic()
    status = await answer
    return time.monotonic() - began, status


async def test_starts_without_kafka(kafka_broker: KafkaBroker, start: Start) -> None:
    """Without Kafka it is live and ready, answers 503, echoes validation, and takes up its work when Kafka comes."""
    broker = await asyncio.to_thread(kafka_broker)
    await create_contract_topics(broker.bootstrap_servers, names=(FETCH.name, LIFECYCLE.name))
    await asyncio.to_thread(broker.stop)
    webhook = await start(broker.bootstrap_servers)
    assert await webhook.post(body(item("early"))) == 503
    assert await webhook.post(body(), path="/graph/lifecycle") == 202
    await asyncio.to_thread(broker.start)
    await eventually(webhook.accepts)
    assert await calls(broker.bootstrap_servers, FETCH.name) == []


async def test_stop_finishes_posts_in_flight(kafka_broker: KafkaBroker, start: Start) -> None:
    """SIGTERM while a POST waits for Kafka: it is answered by what Kafka says, and the process ends with 0."""
    broker = await asyncio.to_thread(kafka_broker)
    await create_contract_topics(broker.bootstrap_servers, names=(FETCH.name, LIFECYCLE.name))
    webhook = await start(broker.bootstrap_servers)
    await eventually(webhook.accepts)
    broker.pause()
    waiting = asyncio.create_task(webhook.post(body(item("last"))))
    await asyncio.sleep(0.3)  # the POST must have arrived; nothing outside shows that it has
    stopping = asyncio.create_task(webhook.process.stop())
    await eventually(lambda: any("webhook stops" in line["message"] for line in webhook.process.logs()))
    broker.resume()
    assert await waiting == 202
    assert await stopping == 0
    assert await calls(broker.bootstrap_servers, FETCH.name) == ["last"]


@pytest.mark.parametrize(
    ("content", "settings", "named"),
    [
        (None, {}, "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE"),
        (b"{}", {}, "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE"),
        (
            new_keys_file("dev1", bytes(32)),
            {"RINGBACK_PROFILE": "production", "RINGBACK_KAFKA__SECURITY_PROTOCOL": "SSL"},
            "RINGBACK_PROFILE=dev",
        ),
        (
            KEYS,
            {"RINGBACK_KAFKA__SECURITY_PROTOCOL": "SSL", "RINGBACK_KAFKA__SSL_CAFILE": "/nowhere"},
            "RINGBACK_KAFKA__SSL_CAFILE",
        ),
        (KEYS, {"RINGBACK_WEBHOOK__HOST": "192.0.2.1"}, "RINGBACK_WEBHOOK__HOST"),
        (KEYS, {"RINGBACK_ADMIN__HOST": "192.0.2.1"}, "RINGBACK_ADMIN__HOST"),
    ],
    ids=["missing file", "not a keys file", "dev key", "no such CA", "not our address", "not our admin address"],
)
async def test_mistake_ends_with_one_sentence(
    process: ProcessFactory, tmp_path: Path, content: bytes | None, settings: dict[str, str], named: str
) -> None:
    """What cannot be used ends the process with 2 and a sentence that names the setting."""
    keys_file = tmp_path / "keys.json"
    if content is not None:
        keys_file.write_bytes(content)
    env = {
        "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE": str(keys_file),
    }
    ended = await process("webhook", ["ringback-ingest", "webhook"], env | settings, ready=False)
    assert await ended.exited() == 2
    sentence = ended.output().splitlines()[-1]
    assert sentence.startswith("RINGBACK_")
    assert named in sentence
