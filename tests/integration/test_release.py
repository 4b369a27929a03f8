"""`ringback dlq release` and `discard` on a real Kafka: back to the source, once, whatever interrupts, and audited."""

import asyncio
import getpass
import signal
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from ringback_events.keys import call_key
from ringback_events.topics import (
    AUDIT,
    CALLS,
    CONTROL,
    FETCH,
    FETCH_ASIDES,
    FETCH_BULK,
    FETCH_RETRIES,
    FETCH_RETRY_60M,
    INTERNAL_DEAD_LETTERS,
    RECORDS,
    RESTRICTED_DEAD_LETTERS,
    SESSIONS,
    STATUS,
)
from ringback_local.kafka import Broker
from ringback_local.simulator import RunningSimulator
from ringback_local.topics import create_contract_topics
from ringback_sink.store.postgres.migrate import migrate
from ringback_testing import ProcessFactory, dump_topic, eventually
from ringback_testing.command import ringback
from ringback_testing.fixtures import KafkaBroker, MakeTopics
from ringback_testing.operated import Operated, open_operated

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

TOPICS = (
    *(INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS, AUDIT, FETCH, FETCH_BULK),
    *(RECORDS, CONTROL, STATUS),
)
PASSED_THROUGH = (*FETCH_RETRIES, *FETCH_ASIDES, SESSIONS, CALLS)
"""What the enricher needs besides."""
TEN_DAYS = timedelta(days=10)
RELEASE = ("dlq", "release", "--why", "OPS-7", "--yes", "--json")


@pytest.fixture
async def operated(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics, simulator: RunningSimulator, tmp_path: Path
) -> AsyncIterator[Operated]:
    """The topics a decision reads and writes, those of the store, and one tenant of the simulator."""
    await make_topics(*(topic.name for topic in TOPICS))
    async with open_operated(kafka, topic_prefix, simulator, tmp_path) as rig:
        yield rig


async def test_a_ten_days_old_letter_outlives_a_retention_pass_and_is_processed(
    kafka_broker: KafkaBroker, simulator: RunningSimulator, process: ProcessFactory, tmp_path: Path
) -> None:
    """The broker's clock stamps a release: a pass that deletes what calls itself ten days old leaves it."""
    broker = kafka_broker(properties={"log.retention.check.interval.ms": "500", "log.initial.task.delay.ms": "100"})
    await create_contract_topics(broker.bootstrap_servers, names=[topic.name for topic in (*TOPICS, *PASSED_THROUGH)])
    async with open_operated(broker, "", simulator, tmp_path) as rig:
        first, second = await rig.call(), await rig.call()
        await rig.send([rig.letter(first, FETCH, TEN_DAYS), rig.letter(second, FETCH_RETRY_60M, TEN_DAYS)])
        released = await rig.command(*RELEASE, "--reason", "not_found")
        assert released.document["carried"]["done"] == 2, released.out
        await record_of_ten_days_ago_is_deleted(broker)
        asked_again = {each.key for each in await rig.on(FETCH_BULK)}
        assert asked_again == {call_key(rig.tenant, first), call_key(rig.tenant, second)}
        assert await rig.on(FETCH) == []
        enricher = await process("fetch", ["ringback-enricher", "fetch"], rig.environment)

        async def both() -> bool:
            return {each.key for each in await rig.on(CALLS)} == {call_key(rig.tenant, c) for c in (first, second)}

        await eventually(both, 60)
        assert len(await rig.on(INTERNAL_DEAD_LETTERS)) == 2
        assert await enricher.stop() == 0


async def record_of_ten_days_ago_is_deleted(broker: Broker) -> None:
    """Wait until the broker has deleted a record that carries its own time, kept as long as the fetch lane."""
    configs = FETCH.kafka_configs() | {"message.timestamp.type": "CreateTime"}
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic("stamped", 1, 1, topic_configs=configs)])
    await admin.close()
    long_ago = int((datetime.now(UTC) - TEN_DAYS).timestamp() * 1000)
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers)
    await producer.start()
    await producer.send_and_wait("stamped", b"x", timestamp_ms=long_ago)
    await producer.stop()

    async def deleted() -> bool:
        return await dump_topic(broker.bootstrap_servers, "stamped") == []

    await eventually(deleted, 60)


async def test_a_release_is_the_original_without_its_refusal(operated: Operated) -> None:
    """Key, bytes and foreign headers are the original ones; attempts and trace begin anew; the run is named."""
    retried = (("ringback_attempt", b"6"), ("ringback_due", b"1"), ("ringback_reason", b"not_found"))
    headers = (*retried, ("traceparent", b"00-1-2-01"), ("ce_id", b"first"), ("theirs", b"\xff"))
    value = b'{"whatever": "it was"'
    await operated.send([operated.letter("call-a", value=value, headers=headers)])
    planned = await operated.command("dlq", "release", "--all", "--json")
    assert (planned.document["carried"], await operated.on(FETCH_BULK)) == (None, [])
    run = (await operated.command(*RELEASE, "--all")).document["run"]
    (released,) = await operated.on(FETCH_BULK)
    assert (released.key, released.value) == (call_key(operated.tenant, "call-a"), value)
    marks = [("ringback_replay", b"true"), ("ringback_run", run.encode())]
    assert list(released.headers) == [("ce_id", b"first"), ("theirs", b"\xff"), *marks]


async def test_a_filter_releases_what_it_says_and_leaves_the_rest(operated: Operated) -> None:
    """Each given word must hold; what is left alone stays undecided, and what was released is not released again."""
    await operated.send([operated.letter("a"), operated.letter("b"), operated.letter("c", FETCH_RETRY_60M)])
    since = ("--since", "2026-01-01", "--reason", "not_found")
    assert (await operated.command(*RELEASE, *since, "--until", "2026-01-02")).document["count"] == 0
    assert (await operated.command(*RELEASE, *since, "--source", FETCH_RETRY_60M.name)).code == 0
    assert [(each.key or b"").decode().partition("|")[2] for each in await operated.on(FETCH_BULK)] == ["c"]
    assert (await operated.command(*RELEASE, *since)).document["count"] == 2
    found = await operated.on(FETCH_BULK)
    assert sorted((each.key or b"").decode().partition("|")[2] for each in found) == ["a", "b", "c"]


@pytest.mark.parametrize(("how", "repeated"), [(signal.SIGKILL, 40), (signal.SIGTERM, 0)], ids=["killed", "asked"])
async def test_an_interrupted_release_goes_on_where_it_was(
    operated: Operated, how: signal.Signals, repeated: int
) -> None:
    """Asked to stop, it repeats nothing; killed, at most the step that was under way. Nothing is left out."""
    await operated.send([operated.letter(f"call-{number}") for number in range(200)])
    child = await operated.begin(*RELEASE, "--all", "--max-rate", "40")

    async def some() -> bool:
        return len(await operated.on(FETCH_BULK)) >= 80

    await eventually(some)
    child.send_signal(how)
    async with asyncio.timeout(60):
        _, reported = await child.communicate()
    assert child.returncode == (-9 if how is signal.SIGKILL else 1), reported
    before = len(await operated.on(FETCH_BULK))
    assert before < 200
    assert (await operated.command(*RELEASE, "--all", "--max-rate", "5000")).code == 0
    released = Counter(each.key for each in await operated.on(FETCH_BULK))
    assert len(released) == 200
    assert released.total() - 200 <= repeated
    assert (await operated.command("dlq", "release", "--all", "--json")).document["count"] == 0


async def test_what_was_decided_leaves_the_list_and_is_audited_without_content(
    operated: Operated, database: str, process: ProcessFactory
) -> None:
    """One released, one discarded: `ls` shows neither, `--decided` both with who and why; the trail holds ids only."""
    canary = b'{"upn": "zoe.canary@example.org"'
    await operated.send([operated.letter(call, value=canary) for call in ("one", "two", "three")])
    await migrate(database)
    operated.environment["RINGBACK_STORE__DSN"] = database
    store = await process("store", ["ringback-sink", "store"], operated.environment)
    listed = await eventually(lambda: _listed(operated, 3))
    where = {row["call_id"]: row["where"] for row in listed}
    released = await operated.command(*RELEASE, where["one"])
    discarded = await operated.command("dlq", "discard", where["two"], "--why", "OPS-8", "--yes")
    assert (released.code, discarded.code) == (0, 0), discarded.err
    (left,) = await eventually(lambda: _listed(operated, 1))
    assert left["call_id"] == "three"
    decided = {row["call_id"]: row for row in (await operated.command("dlq", "ls", "--decided", "--json")).document}
    me = f"operator:{getpass.getuser()}"
    assert [(decided[call]["decision"], decided[call]["decided_by"]) for call in ("one", "two")] == [
        ("release", me),
        ("discard", me),
    ]
    assert (decided["two"]["why"], decided["three"]["decision"]) == ("OPS-8", None)
    assert [row["count"] for row in await _plan(operated)] == [1]
    assert [row["count"] for row in await _plan(operated, "--again")] == [3]
    trail = await operated.on(AUDIT)
    entries = [orjson.loads(entry.value or b"") for entry in trail]
    deeds = [(entry["action"], entry["targets"], entry["reason"]) for entry in entries if entry["outcome"] == "done"]
    assert sorted(deeds) == [
        ("dead_letter.discard", [where["two"]], "OPS-8"),
        ("dead_letter.release", [where["one"]], "OPS-7"),
    ]
    reported = released.out + released.err + discarded.out + discarded.err
    assert "canary" not in reported + repr([(entry.value, entry.headers) for entry in trail])
    assert b"canary" in ((await operated.on(FETCH_BULK))[0].value or b"")
    assert await store.stop() == 0


async def _listed(operated: Operated, count: int) -> list[dict[str, Any]]:
    rows = (await operated.command("dlq", "ls", "--json")).document
    return rows if len(rows) == count else []


async def _plan(operated: Operated, *more: str) -> list[dict[str, Any]]:
    return (await operated.command("dlq", "release", "--all", "--json", *more)).document["plan"]


async def test_what_graph_no_longer_has_is_left_alone(operated: Operated) -> None:
    """A request older than 30 days would be dropped unasked: the plan says so instead of losing it."""
    await operated.send([operated.letter("old", FETCH, timedelta(days=31))])
    ended = await operated.command(*RELEASE, "--all")
    assert [row["goes_to"] for row in ended.document["plan"]] == ["stays (too_old)"]
    assert (ended.document["carried"], await operated.on(FETCH_BULK)) == (None, [])


async def test_a_tenant_of_whom_no_letter_is_has_nothing_to_do(operated: Operated) -> None:
    """A healthy one has none; nor has one whose letters were decided about."""
    await operated.send([operated.letter("c", FETCH, timedelta(days=1))])
    healthy = await operated.command("dlq", "release", "--tenant", "11111111-2222-3333-4444-555555555555")
    assert (healthy.code, "Nothing to do." in healthy.err) == (0, True)
    for _ in range(2):
        ended = await operated.command("dlq", "discard", "--tenant", operated.tenant, "--why", "x", "--yes")
        assert ended.code == 0, ended.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["release"], "Say which dead letters"),
        (["release", "--all", "--reason", "not_found"], "Say which dead letters"),
        (["release", "7"], "A dead letter is named topic/partition/offset"),
        (["release", "--source", "fetch"], "--source takes the name of a topic"),
        (["release", "--since", "yesterday"], "--since takes a time like"),
        (["release", "--since", "2026-11-22", "--until", "2026-11-21"], "--until must be later than --since"),
        (["release", "--all", "--yes"], "Say why with --why"),
        (["discard", "--all", "--yes", "--why", " "], "Say why with --why"),
        (["discard", "--all", "--yes", "--why", "x" * 201], "--why takes one line"),
    ],
)
async def test_a_mistake_is_one_sentence_and_changes_nothing(arguments: list[str], sentence: str) -> None:
    """A mistyped option is reported at once, before Kafka is asked for anything."""
    ended = await ringback({"RINGBACK_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}, "dlq", *arguments)
    assert (ended.code, ended.err.startswith(sentence), ended.err.count("\n")) == (2, True, 1), ended.err
