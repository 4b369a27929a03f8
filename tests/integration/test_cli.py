"""The operator's command, as a process, against a real Kafka and a real PostgreSQL."""

import json
import uuid
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from ringback_common.clock import SystemClock
from ringback_common.settings import LimitsSettings
from ringback_events import topics
from ringback_events.keys import control_key
from ringback_events.record import CallRecord
from ringback_local.kafka import Broker
from ringback_sink.store.handlers import RecordsStep
from ringback_sink.store.postgres.migrate import migrate
from ringback_sink.store.postgres.store import PostgresStore
from ringback_testing import ProcessFactory, eventually
from ringback_testing.call_records import call_record, received
from ringback_testing.command import Ended, ringback
from ringback_testing.fixtures import MakeTopics

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


@pytest.fixture
def kafka_settings(kafka: Broker, topic_prefix: str) -> dict[str, str]:
    """The way to Kafka, under a prefix of this test."""
    return {
        "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "RINGBACK_KAFKA__TOPIC_PREFIX": topic_prefix,
    }


async def test_topics_are_made_mended_and_then_left_alone(
    kafka: Broker, topic_prefix: str, kafka_settings: dict[str, str]
) -> None:
    """A dry run changes nothing; apply makes every topic; a drifted setting is seen and mended."""
    planned = await ringback(kafka_settings, "topics", "apply", "--replication", "1")
    assert planned.code == 0
    assert "Nothing was changed" in planned.err
    missing = await ringback(kafka_settings, "topics", "diff", "--json")
    assert (missing.code, len(missing.document)) == (1, len(topics.ALL_TOPICS))
    assert (await ringback(kafka_settings, "topics", "apply", "--yes", "--replication", "1")).code == 0
    assert (await ringback(kafka_settings, "topics", "diff", "--json")).document == []
    await drift(kafka, topic_prefix + topics.FETCH.name, {"retention.ms": "1000"})
    drifted = await ringback(kafka_settings, "topics", "diff", "--json")
    found = {row["what"]: row["found"] for row in drifted.document}
    assert drifted.code == 1
    assert found["retention.ms"] == 1000
    assert (await ringback(kafka_settings, "topics", "apply", "--yes")).code == 0
    assert (await ringback(kafka_settings, "topics", "diff")).code == 0


async def drift(kafka: Broker, name: str, configs: dict[str, str]) -> None:
    """Change a topic behind the contract's back."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=configs)])
    finally:
        await admin.close()


async def test_a_call_a_dead_letter_and_the_status_are_found(
    kafka: Broker,
    make_topics: MakeTopics,
    topic_prefix: str,
    database: str,
    process: ProcessFactory,
    kafka_settings: dict[str, str],
) -> None:
    """What the store holds is shown: a call by its id without names, a dead letter from list to bytes, who is well."""
    needed = (
        topics.RECORDS,
        topics.STATUS,
        topics.CONTROL,
        topics.AUDIT,
        topics.INTERNAL_DEAD_LETTERS,
        topics.RESTRICTED_DEAD_LETTERS,
    )
    await make_topics(*(topic.name for topic in needed))
    await migrate(database)
    settings = kafka_settings | {"RINGBACK_STORE__DSN": database}
    await process("store", ["ringback-sink", "store"], settings)
    record = call_record("Some-Call", parties=3)
    await send(kafka, topic_prefix, record)

    async def known() -> Ended | None:
        ended = await ringback(settings, "lookup", "Some-Call", "--json")
        return ended if ended.code == 0 else None

    looked_up = await eventually(known, timeout=30)
    (call,) = looked_up.document
    assert (call["call"]["version"], len(call["parties"]), len(call["versions"])) == (1, 3, 1)
    assert (len(call["sessions"]), call["causes"]["failures"][0]["stage"]) == (3, "midcall")
    names = [party.display_name for party in record.parties if party.display_name]
    assert names
    assert not [name for name in names if name in looked_up.out]
    shown = await ringback(settings, "lookup", "Some-Call", "--people")
    assert [name for name in names if name not in shown.out] == []

    async def refused() -> Any:
        return (await ringback(settings, "dlq", "ls", "--json")).document

    (dead,) = await eventually(refused, timeout=30)
    assert dead["reason"] == "undecodable"
    head = await ringback(settings, "dlq", "show", dead["where"], "--json")
    assert head.document["headers"]["ringback_dlq_topic"] == topics.RECORDS.name
    assert "canary" not in head.out
    assert "canary" in (await ringback(settings, "dlq", "show", dead["where"], "--payload")).out

    async def well() -> bool:
        status = await ringback(settings, "status", "--json")
        return status.code == 0 and any(row["process"].startswith("store") for row in status.document)

    await eventually(well, timeout=40)


async def send(kafka: Broker, prefix: str, record: CallRecord) -> None:
    """One good record and one that cannot be decoded."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    try:
        for one in (received(record), received(call_record("poison"), value=b'{"canary": "Zo')):
            await producer.send_and_wait(prefix + one.topic, one.value, one.key, headers=list(one.headers))
    finally:
        await producer.stop()


@pytest.mark.parametrize(
    ("settings", "arguments", "code", "sentence"),
    [
        ({}, ["topics", "diff"], 2, "RINGBACK_KAFKA__BOOTSTRAP_SERVERS is not set."),
        ({}, ["status"], 2, "Set exactly one of RINGBACK_STORE__DSN"),
        ({"RINGBACK_STORE__DSN": "mysql://x"}, ["status"], 2, "RINGBACK_STORE__DSN is not usable"),
        ({"RINGBACK_STORE__DSN": "postgresql://u:hush@127.0.0.1:1/x"}, ["lookup", "c"], 1, "The store does not answer"),
        ({"RINGBACK_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}, ["topics", "diff"], 1, "No Kafka answers"),
        ({"RINGBACK_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}, ["dlq", "show", "x"], 2, "A dead letter is named"),
    ],
)
async def test_a_mistake_is_one_sentence(
    settings: dict[str, str], arguments: list[str], code: int, sentence: str
) -> None:
    """An operator's typo names the setting; an absent server is said; nothing secret is quoted."""
    ended = await ringback(settings, *arguments)
    assert (ended.code, ended.err.startswith(sentence), ended.err.count("\n")) == (code, True, 1), ended.err
    assert "hush" not in ended.err + ended.out


async def test_an_unmigrated_store_says_what_to_run(database: str) -> None:
    """A fresh database is not a crash."""
    ended = await ringback({"RINGBACK_STORE__DSN": database}, "status")
    assert (ended.code, "run `ringback-sink migrate`" in ended.err) == (2, True)


async def test_lookup_says_why_and_cuts_no_json(database: str) -> None:
    """A poor stream with metric, value, network and device; 70 sessions in JSON, 60 in a table, which says so."""
    await migrate(database)
    record = call_record("poor", parties=70)
    poor = {"verdict": "poor", "verdict_metric": "averageJitterMs"}
    first = record.sessions[0]
    spoilt = first.model_copy(update={"streams": [first.streams[0].model_copy(update=poor)]})
    writer = PostgresStore(database, SystemClock())
    step = RecordsStep(writer, SystemClock(), LimitsSettings())
    await step([received(record.model_copy(update={"sessions": [spoilt, *record.sessions[1:]]}))])
    await writer.close()
    settings = {"RINGBACK_STORE__DSN": database}
    (call,) = (await ringback(settings, "lookup", "poor", "--json")).document
    (cause,) = call["causes"]["poor_streams"]
    assert (cause["metric"], cause["value"], cause["unit"]) == ("averageJitterMs", 4.25, "ms")
    assert [len(call[part]) for part in ("parties", "sessions")] == [70, 70]
    assert call["call"]["start_date_time"] == "2026-11-16T09:00:00.000000Z"
    shown = await ringback(settings, "lookup", "poor")
    assert "Why it was poor" in shown.out
    assert "the first 60 of 70" in shown.err
    narrow = await ringback({**settings, "COLUMNS": "80"}, "lookup", "poor", "--people")
    assert max(len(line) for line in narrow.out.splitlines()) <= 80


async def test_a_tenant_the_store_does_not_know_is_a_mistake(database: str) -> None:
    """Instead of a replay of nothing."""
    await migrate(database)
    days = ("--from", "2026-11-01", "--to", "2100-01-01")
    ended = await ringback({"RINGBACK_STORE__DSN": database}, "replay", "--tenant", str(uuid.uuid4()), *days)
    assert (ended.code, "The store has no call of the tenant" in ended.err) == (2, True)


async def test_an_unknown_call_is_said(database: str) -> None:
    """Looking up what is not there ends with 1 and a sentence."""
    await migrate(database)
    ended = await ringback({"RINGBACK_STORE__DSN": database}, "lookup", "nobody")
    assert (ended.code, "does not know this call" in ended.err) == (1, True)


async def test_a_halted_process_is_listed_and_resumed(
    kafka: Broker, make_topics: MakeTopics, topic_prefix: str, kafka_settings: dict[str, str]
) -> None:
    """A halt stands until an operator lifts it; a dry run lifts nothing; lifting what is not halted is a mistake."""
    await make_topics(topics.CONTROL.name, topics.AUDIT.name)
    halt = {
        "kind": "halt",
        "subject": "fetch",
        "reason": "schema_invalid",
        "since": "2026-11-22T10:00:00Z",
        "by": "fetch",
    }
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    try:
        await producer.send_and_wait(
            topic_prefix + topics.CONTROL.name, json.dumps(halt).encode(), control_key("halt", "fetch")
        )
    finally:
        await producer.stop()
    assert [row["process"] for row in (await ringback(kafka_settings, "resume", "--json")).document] == ["fetch"]
    assert "add --yes" in (await ringback(kafka_settings, "resume", "fetch")).err
    assert len((await ringback(kafka_settings, "resume", "--json")).document) == 1
    assert (await ringback(kafka_settings, "resume", "fetch", "--yes")).code == 0
    assert (await ringback(kafka_settings, "resume", "--json")).document == []
    assert (await ringback(kafka_settings, "resume", "fetch", "--yes")).code == 2
