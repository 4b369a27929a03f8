"""`ringback-enricher rederive` between a real Kafka and a store process: after a rule change every row follows."""

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from ringback_common.outcomes import Message, Reject
from ringback_common.settings import KafkaSettings
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1, RULES_NUMBER
from ringback_enricher.core.derive.sites import SiteMap
from ringback_enricher.core.publishing import Stages, publication
from ringback_events.headers import read_headers
from ringback_events.keys import call_key
from ringback_events.times import wire_time
from ringback_events.topics import (
    AUDIT,
    CALLS,
    CONTROL,
    INTERNAL_DEAD_LETTERS,
    RECORDS,
    RESTRICTED_DEAD_LETTERS,
    SESSIONS,
    STATUS,
    Topic,
)
from ringback_local.kafka import Broker
from ringback_sink.store.postgres.migrate import migrate
from ringback_stream.publish.producer import Producer
from ringback_testing import ProcessFactory, RunningProcess, dump_topic, eventually
from ringback_testing.fixtures import MakeTopics
from ringback_testing.graph_records import TENANT, meeting
from ringback_testing.records import Record

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

NAMES = [
    topic.name
    for topic in (RECORDS, SESSIONS, CALLS, AUDIT, STATUS, CONTROL, INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS)
]
HISTORY = "SELECT version, revision FROM callrecords.call_version GROUP BY 1, 2 ORDER BY 1, 2"
TABLES = ("call", "call_version", "participant", "session", "stream")
BEFORE = RuleSet(CQD_2026_1, SiteMap([("10.20.0.0/16", "Old Street")]), RULES_NUMBER)
NEXT = RULES_NUMBER + 1
"""The revision of a re-derivation, whose offset is 1."""
FETCHED = datetime.now(UTC) - timedelta(hours=1)
CALL_COUNT = 40


def version_of(
    call_id: str, version: int = 1, *, tables: RuleSet = BEFORE, fetched_at: datetime = FETCHED, replay: bool = False
) -> Stages:
    """What the fetch process publishes of a version of a call."""
    context = RecordContext(TENANT, call_id, wire_time(fetched_at), wire_time(fetched_at))
    record = derive(meeting() | {"id": call_id, "version": version}, context, tables)
    stages = publication(record, lambda _: lambda _party: None, replay=replay, canary=False)
    assert not isinstance(stages, Reject)
    return stages


@dataclass
class Rig:
    """Topics with the records of the revision before, and the command under test."""

    broker: Broker
    prefix: str
    process: ProcessFactory
    folder: Path
    producer: Producer
    calls: list[str]

    async def publish(self, *versions: Stages) -> None:
        """Write publications as the fetch process does."""
        for stages in versions:
            await self.producer.stages(stages)

    async def start(self, *arguments: str, offset: int = 1, site: str = "New Street") -> RunningProcess:
        """Start the command, with a site map of its own and a revision raised by so much."""
        keys, sites, tenants = (self.folder / name for name in ("keys.json", "sites.yaml", "tenants.yaml"))
        tenants.write_text("tenants: []\n")
        keys.write_bytes(orjson.dumps({"active": "t1", "keys": {"t1": {"key": base64.b64encode(bytes(32)).decode()}}}))
        sites.write_text(f"- {{site: {site}, subnets: [10.20.0.0/16]}}\n")
        environment = {
            "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "RINGBACK_KAFKA__TOPIC_PREFIX": self.prefix,
            "RINGBACK_PRIVACY__KEYS_FILE": str(keys),
            "RINGBACK_SITES_FILE": str(sites),
            "RINGBACK_TENANTS_FILE": str(tenants),
            "RINGBACK_RULES__REVISION_OFFSET": str(offset),
        }
        command = ["ringback-enricher", "rederive", "--json", *arguments]
        return await self.process("rederive", command, environment, ready=False)

    async def run(self, *arguments: str, code: int = 0, offset: int = 1) -> dict[str, Any]:
        """Run the command to its end; what it reports."""
        run = await self.start(*arguments, offset=offset)
        assert await run.exited(60) == code, run.output()
        return next(line for line in run.logs() if "planned" in line)

    async def on(self, topic: Topic) -> list[Record]:
        """Everything that lies on a topic."""
        return await dump_topic(self.broker.bootstrap_servers, self.prefix + topic.name)

    async def revisions(self, topic: Topic, revision: int) -> set[str | None]:
        """The calls of which a topic has an event of this revision."""
        reported = [read_headers(record.headers) for record in await self.on(topic)]
        return {each.subject for each in reported if each.revision == revision}


@dataclass
class StoredRig(Rig):
    """The same, and a store process that follows the records topic."""

    store: "asyncpg.Connection[asyncpg.Record]"

    async def stored(self, revision: int) -> None:
        """Wait until every current row has this revision."""
        as_wanted = "SELECT count(*) = $1 AND min(revision) = $2 AND max(revision) = $2 FROM callrecords.call"

        async def everywhere() -> bool:
            return await self.store.fetchval(as_wanted, len(self.calls), revision)

        await eventually(everywhere, 60)

    async def digest(self) -> list[str]:
        """Of every row of every table, with the time it was stored: whatever is written again changes it."""
        return [
            await self.store.fetchval(
                f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM callrecords.{table} t"  # noqa: S608 - ours
            )
            for table in TABLES
        ]


@pytest.fixture
async def rig(
    kafka: Broker, make_topics: MakeTopics, topic_prefix: str, process: ProcessFactory, tmp_path: Path
) -> AsyncIterator[Rig]:
    """Forty calls, each of two versions, published by the revision before."""
    await make_topics(*NAMES)
    producer = Producer(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix))
    await producer.start()
    rig = Rig(kafka, topic_prefix, process, tmp_path, producer, [str(uuid.uuid4()) for _ in range(CALL_COUNT)])
    await asyncio.gather(*(rig.publish(version_of(call_id, 1), version_of(call_id, 2)) for call_id in rig.calls))
    yield rig
    await producer.stop()


@pytest.fixture
async def stored(rig: Rig, database: str) -> AsyncIterator[StoredRig]:
    """All of them stored."""
    await migrate(database)
    environment = {
        "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": rig.broker.bootstrap_servers,
        "RINGBACK_KAFKA__TOPIC_PREFIX": rig.prefix,
        "RINGBACK_STORE__DSN": database,
    }
    store = await rig.process("store", ["ringback-sink", "store"], environment)
    connection = await asyncpg.connect(database)
    known = {each.name: getattr(rig, each.name) for each in fields(rig)}
    stored = StoredRig(**known, store=connection)
    await stored.stored(RULES_NUMBER)
    yield stored
    await connection.close()
    assert await store.stop() == 0


async def test_after_a_rule_change_every_row_follows(stored: StoredRig) -> None:
    """Call, participants, sessions and streams of the new revision and site; a second run publishes nothing."""
    plan = await stored.run()
    assert (plan["planned"], plan["published"], plan["by_revision"]) == (CALL_COUNT, 0, {str(RULES_NUMBER): CALL_COUNT})
    assert await stored.revisions(RECORDS, NEXT) == set()
    done = await stored.run("--yes")
    assert (done["published"], done["complete"], done["refused"]) == (CALL_COUNT, True, {})
    await stored.stored(NEXT)
    for table in ("call", "participant", "session", "stream"):
        reported = await stored.store.fetch(
            f"SELECT version, revision, count(*) > 0 AS some FROM callrecords.{table} GROUP BY 1, 2"  # noqa: S608 - ours
        )
        assert [tuple(row) for row in reported] == [(2, NEXT, True)], table
    assert await stored.store.fetchval("SELECT count(*) FROM callrecords.call WHERE sites <> '{New Street}'") == 0
    for topic in (SESSIONS, CALLS):
        assert await stored.revisions(topic, NEXT) == set(stored.calls)
    history = [tuple(row) for row in await stored.store.fetch(HISTORY)]
    # A row that is not asked for says by which revision it was judged.
    assert history == [(1, RULES_NUMBER), (2, NEXT)]
    digest = await stored.digest()
    ends = {topic: len(await stored.on(topic)) for topic in (RECORDS, SESSIONS, CALLS, AUDIT)}
    again = await stored.run("--yes")
    assert (again["planned"], again["published"]) == (0, 0)
    assert {topic: len(await stored.on(topic)) for topic in ends} == ends
    assert await stored.digest() == digest


async def test_what_follows_is_what_a_fetch_would_have_published(rig: Rig) -> None:
    """Byte for byte, but for the mark of a re-publication; in the contract's order; the tenant's audit trail tells."""
    await rig.run("--yes", "--why", "CHG-17")
    after = RuleSet(CQD_2026_1, SiteMap([("10.20.0.0/16", "New Street")]), NEXT)
    expected = version_of(rig.calls[0], 2, tables=after, replay=True)
    (record,), (*_, marker), (call,) = [await _of_revision(rig, topic, NEXT, 0) for topic in (RECORDS, SESSIONS, CALLS)]
    assert _published(record) == _written(expected[0][0])
    assert _published(marker) == _written(expected[2][0])
    assert dict(call.headers)["ringback_replay"] == b"true"
    assert orjson.loads(call.value or b"")["sites"] == ["New Street"]
    assert record.timestamp <= marker.timestamp <= call.timestamp
    entries = [orjson.loads(entry.value or b"") for entry in await rig.on(AUDIT)]
    assert [entry["outcome"] for entry in entries] == ["begun", "done"]
    assert {(entry["tenantId"], entry["reason"], *entry["targets"]) for entry in entries} == {
        (TENANT, "CHG-17", f"revision:{NEXT}")
    }


async def _of_revision(rig: Rig, topic: Topic, revision: int, call: int) -> Sequence[Record]:
    found = [each for each in await rig.on(topic) if each.key == call_key(TENANT, rig.calls[call])]
    return [each for each in found if read_headers(each.headers).revision == revision]


def _published(record: Record) -> tuple[bytes, dict[str, bytes]]:
    return record.value or b"", dict(record.headers)


def _written(message: Message) -> tuple[bytes | None, dict[str, bytes]]:
    return message.value or b"", dict(message.headers)


async def test_killed_in_the_middle_it_completes_when_run_again(stored: StoredRig) -> None:
    """SIGKILL, also between a record and its open call: the next run publishes what lacks, the one after nothing."""
    slow = await stored.start("--yes", "--max-rate", "10")

    async def some_of_them() -> bool:
        return len(await stored.revisions(CALLS, NEXT)) >= 5

    await eventually(some_of_them, 30)
    slow.kill()
    await slow.exited()
    published = await stored.revisions(CALLS, NEXT)
    assert 5 <= len(published) < CALL_COUNT
    begun = await stored.revisions(RECORDS, NEXT)
    half = next(call_id for call_id in stored.calls if call_id not in begun)
    after = RuleSet(CQD_2026_1, SiteMap([("10.20.0.0/16", "New Street")]), NEXT)
    record, *_ = version_of(half, 2, tables=after, replay=True)
    await stored.publish((record,))
    done = await stored.run("--yes")
    assert done["published"] == CALL_COUNT - len(published)
    assert done["by_revision"][str(NEXT)] >= 1
    for topic in (RECORDS, SESSIONS, CALLS):
        assert await stored.revisions(topic, NEXT) == set(stored.calls)
    await stored.stored(NEXT)
    digest = await stored.digest()
    assert (await stored.run("--yes"))["published"] == 0
    assert await stored.digest() == digest
    outcomes = [orjson.loads(entry.value or b"")["outcome"] for entry in await stored.on(AUDIT)]
    assert outcomes == ["begun", "begun", "done"]


async def test_a_version_that_comes_meanwhile_stays(stored: StoredRig) -> None:
    """The enricher publishes a newer version before the older one is derived again: the newer one is stored."""
    after = RuleSet(CQD_2026_1, SiteMap([("10.20.0.0/16", "New Street")]), NEXT)
    slow = await stored.start("--yes", "--max-rate", "10")
    await eventually(lambda: _any(stored, NEXT), 30)
    left = set(stored.calls) - {str(subject) for subject in await stored.revisions(RECORDS, NEXT)}
    newer = sorted(left)[:10]
    await stored.publish(*(version_of(call_id, 3, tables=after) for call_id in newer))
    assert await slow.exited(60) == 0, slow.output()
    await stored.stored(NEXT)
    rows = await stored.store.fetch("SELECT call_id, version FROM callrecords.call WHERE version = 3")
    assert {row["call_id"] for row in rows} == set(newer)
    assert (await stored.run("--yes"))["published"] == 0


async def _any(rig: Rig, revision: int) -> bool:
    return bool(await rig.revisions(RECORDS, revision))


async def test_the_history_follows_when_asked_for(stored: StoredRig) -> None:
    """The older versions' rows get the new revision, too; the current rows stay the newest version's."""
    done = await stored.run("--yes", "--history")
    assert (done["planned"], done["published"]) == (2 * CALL_COUNT, 2 * CALL_COUNT)

    async def all_of_them() -> bool:
        return [tuple(row) for row in await stored.store.fetch(HISTORY)] == [(1, NEXT), (2, NEXT)]

    await eventually(all_of_them, 30)
    await stored.stored(NEXT)
    assert await stored.store.fetchval("SELECT min(version) FROM callrecords.call") == 2
    assert (await stored.run("--yes", "--history"))["published"] == 0


async def test_what_cannot_be_derived_is_named_and_stops_nobody(rig: Rig) -> None:
    """Broken, under another key, without headers: counted, placed, exit 1, no content shown; the others follow."""
    (whole,), *_ = version_of(rig.calls[0], 9)
    foreign = call_key(TENANT, "another")
    await rig.producer.send(Message(RECORDS.name, whole.key, b'{"secretName": "Zo\xc3\xab"', whole.headers))
    await rig.producer.send(Message(RECORDS.name, foreign, whole.value, whole.headers))
    await rig.producer.send(Message(RECORDS.name, foreign, whole.value))
    done = await rig.run("--yes", code=1)
    assert done["refused"] == {"undecodable": 1, "schema_invalid": 2}
    assert done["published"] == CALL_COUNT - 1
    assert len(done["refused_at"]) == 3
    assert "Zo" not in orjson.dumps(done).decode()


async def test_what_was_fetched_too_long_ago_is_left_to_end(rig: Rig) -> None:
    """A re-publication does not keep a call for ever: 14 days after its fetch nothing follows any more."""
    old = version_of(str(uuid.uuid4()), 1, fetched_at=datetime.now(UTC) - timedelta(days=15), replay=True)
    await rig.publish(old)
    done = await rig.run("--yes")
    assert (done["published"], done["too_old"]) == (CALL_COUNT, 1)


async def test_what_is_ahead_is_left_alone_and_counted(rig: Rig) -> None:
    """A greater revision than this release's: an operator lowered the offset, or forgot to raise it here."""
    ahead = RuleSet(CQD_2026_1, SiteMap(), 9)
    await rig.publish(*(version_of(call_id, 2, tables=ahead) for call_id in rig.calls[:3]))
    plan = await rig.run()
    assert (plan["planned"], plan["ahead"]) == (CALL_COUNT - 3, 3)


async def test_one_tenant_alone(rig: Rig) -> None:
    """The others stay as they are; one of whom nothing is kept is a mistake."""
    unknown = await rig.start("--tenant", str(uuid.uuid4()))
    assert await unknown.exited(30) == 2
    assert "No record that is kept is of" in unknown.output()
    assert (await rig.run("--tenant", TENANT.upper()))["planned"] == CALL_COUNT


async def test_sigterm_ends_it_in_good_order(rig: Rig) -> None:
    """What is under way is published to the end; the exit code tells that there is more to do."""
    slow = await rig.start("--yes", "--max-rate", "10")
    await eventually(lambda: _any(rig, NEXT), 30)
    assert await slow.stop() == 1
    reported = next(line for line in slow.logs() if "planned" in line)
    assert not reported["complete"]
    assert 0 < reported["published"] < CALL_COUNT
    for topic in (RECORDS, SESSIONS, CALLS):
        assert len(await rig.revisions(topic, NEXT)) == reported["published"]


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (["--max-rate", "0"], {}, "a rate is a number of publications a second from 0.01 to 100000, not '0'"),
        ([], {"RINGBACK_KAFKA__BOOTSTRAP_SERVERS": ""}, "RINGBACK_KAFKA__BOOTSTRAP_SERVERS is not set."),
        ([], {"RINGBACK_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}, "No Kafka answers at"),
        ([], {"RINGBACK_TENANTS_FILE": "/nowhere/tenants"}, "RINGBACK_TENANTS_FILE"),
        ([], {}, "does not exist: run `ringback topics apply`."),
    ],
)
async def test_bad_input_is_one_sentence(
    kafka: Broker,
    topic_prefix: str,
    process: ProcessFactory,
    tmp_path: Path,
    arguments: list[str],
    environment: dict[str, str],
    sentence: str,
) -> None:
    """A setting, an option or a topic that is wrong: exit 2, and it is named."""
    keys = tmp_path / "keys.json"
    keys.write_bytes(orjson.dumps({"active": "t1", "keys": {"t1": {"key": base64.b64encode(bytes(32)).decode()}}}))
    (tmp_path / "tenants.yaml").write_text("tenants: []\n")
    given = {
        "RINGBACK_TENANTS_FILE": str(tmp_path / "tenants.yaml"),
        "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "RINGBACK_KAFKA__TOPIC_PREFIX": topic_prefix,
        "RINGBACK_PRIVACY__KEYS_FILE": str(keys),
    } | environment
    run = await process("rederive", ["ringback-enricher", "rederive", *arguments], given, ready=False)
    assert await run.exited(30) == 2, run.output()
    assert sentence in run.output()
    assert "Traceback" not in run.output()
