"""`ringback replay` and `store digest`: Graph is asked again, and the store is none the wiser."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from ringback_common.clock import SystemClock
from ringback_common.settings import LimitsSettings
from ringback_events.topics import (
    AUDIT,
    CALLS,
    CONTROL,
    FETCH_BULK,
    FETCH_LANES,
    INTERNAL_DEAD_LETTERS,
    RECORDS,
    RESTRICTED_DEAD_LETTERS,
    SESSIONS,
    STATUS,
)
from ringback_local.kafka import Broker
from ringback_local.simulator import RunningSimulator
from ringback_sink.store.handlers import RecordsStep
from ringback_sink.store.postgres.migrate import migrate
from ringback_sink.store.postgres.store import PostgresStore
from ringback_testing import ProcessFactory, eventually
from ringback_testing.call_records import call_record, received
from ringback_testing.fixtures import MakeTopics
from ringback_testing.operated import Operated, open_operated
from ringback_testing.streaming import committed, settings_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

TOPICS = (
    *(*FETCH_LANES, INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS),
    *(RECORDS, SESSIONS, CALLS, CONTROL, STATUS, AUDIT),
)
REPLAY = ("replay", "--why", "OPS-7", "--yes", "--json")
DAYS = ("--from", "2020-01-01", "--to", "2100-01-01")
POOR = """
    UPDATE callrecords.call_version_row SET quality_verdict = 'poor'
    WHERE call_key = (SELECT call_key FROM callrecords.call WHERE call_id = $1)
"""
GONE = """
    DELETE FROM callrecords.call_version_row
    WHERE call_key = (SELECT call_key FROM callrecords.call WHERE call_id = $1)
"""
TENANT = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
async def operated(
    kafka: Broker,
    topic_prefix: str,
    make_topics: MakeTopics,
    simulator: RunningSimulator,
    database: str,
    tmp_path: Path,
) -> AsyncIterator[Operated]:
    """The topics a replay passes through, a migrated store, and one tenant of the simulator."""
    await migrate(database)
    await make_topics(*(topic.name for topic in TOPICS))
    async with open_operated(kafka, topic_prefix, simulator, tmp_path, database) as rig:
        yield rig


async def test_replaying_twice_leaves_the_same_store(operated: Operated, process: ProcessFactory) -> None:
    """From a file, then twice out of the store: each time every record is published, and the digest stays."""
    calls = [await operated.call(shape=shape) for shape in ("peerToPeer", "smallMeeting", "peerToPeer")]
    enricher = await process("fetch", ["ringback-enricher", "fetch"], operated.environment)
    store = await process("store", ["ringback-sink", "store"], operated.environment)
    file = Path(operated.environment["RINGBACK_TENANTS_FILE"]).with_name("calls")
    file.write_text("# for OPS-7\n" + "".join(f"{operated.tenant.upper()} | {call}\n" for call in calls))
    digests: list[Any] = []
    for again, selection in enumerate((("--calls", str(file)), *(("--tenant", operated.tenant, *DAYS),) * 2), 1):
        ended = await operated.command(*REPLAY, *selection)
        assert ended.document["carried"]["done"] == 3, ended.err
        await eventually(lambda count=3 * again: _stored(operated, count), 60)
        digests.append((await operated.command("store", "digest", "--json")).document)
    assert digests[0] == digests[1] == digests[2]
    assert {row["table"] for row in digests[0]} == {"call", "call_version", "participant", "session", "stream"}
    marks = Counter(dict(each.headers).get("ringback_replay") for each in await operated.on(RECORDS))
    assert marks == {b"true": 9}
    assert (await enricher.stop(), await store.stop()) == (0, 0)


async def _stored(operated: Operated, count: int) -> bool:
    """Whether so many records were published, and the store has committed them all."""
    settings = settings_for(operated.kafka.bootstrap_servers, operated.prefix)
    done = await committed(settings, "ringback-sink-store", RECORDS.name)
    return sum(done.values()) == count == len(await operated.on(RECORDS))


async def test_the_digest_sees_what_changed_and_not_when_it_came(operated: Operated) -> None:
    """A time of arrival may differ from store to store; a value, a missing row and a day of its own may not."""
    connection = await asyncpg.connect(operated.environment["RINGBACK_STORE__DSN"])
    october = datetime(2026, 10, 1, tzinfo=UTC)
    writer = PostgresStore(operated.environment["RINGBACK_STORE__DSN"], SystemClock())
    records = [received(call_record(f"c{day}", start=october, parties=0)) for day in range(3)]
    await RecordsStep(writer, SystemClock(), LimitsSettings())(records)
    await writer.close()
    await connection.execute("""
        UPDATE callrecords.call_version_row v SET start_date_time = timestamptz '2026-11-01T12:00Z'
            + right(c.call_id, 1)::int * interval '1 day' FROM callrecords.call c WHERE c.call_key = v.call_key""")
    before = await _digests(operated)
    await connection.execute("UPDATE callrecords.call_version_row SET fetched_at = 'epoch', stored_at = 'epoch'")
    assert await _digests(operated) == before
    await connection.execute(POOR, "c1")
    await connection.execute(GONE, "c2")
    after = await _digests(operated)
    await connection.close()
    assert list(before) == ["2026-11-01", "2026-11-02", "2026-11-03"]
    assert list(after) == ["2026-11-01", "2026-11-02"]
    assert after["2026-11-01"] == before["2026-11-01"]
    assert after["2026-11-02"] != before["2026-11-02"]


async def _digests(operated: Operated) -> dict[str, str]:
    rows = (await operated.command("store", "digest", "--from", "2026-11-01", "--json")).document
    return {row["day"]: row["digest"] for row in rows}


async def test_a_killed_replay_goes_on_where_it_was(operated: Operated, tmp_path: Path) -> None:
    """The cursor says how far it came: at most the step under way is asked for twice, none is left out, one run."""
    file = tmp_path / "calls"
    file.write_text("".join(f"call-{number}\n" for number in range(200)))
    selection = ("--calls", str(file), "--tenant", operated.tenant)
    child = await operated.begin(*REPLAY, *selection, "--max-rate", "40")

    async def some() -> bool:
        return len(await operated.on(FETCH_BULK)) >= 80

    await eventually(some, 60)
    child.kill()
    async with asyncio.timeout(60):
        await child.communicate()
    before = len(await operated.on(FETCH_BULK))
    assert before < 200
    planned = await operated.command("replay", *selection, "--json")
    assert 200 - before <= planned.document["count"] <= 240 - before
    ended = await operated.command(*REPLAY, *selection, "--max-rate", "5000")
    assert ended.code == 0, ended.err
    requests = await operated.on(FETCH_BULK)
    asked = Counter(each.key for each in requests)
    assert len(asked) == 200
    assert asked.total() <= 240
    assert len({dict(each.headers)["ringback_run"] for each in requests}) == 1
    assert {orjson.loads(each.value or b"")["source"] for each in requests} == {"replay"}
    audited = {target for entry in await operated.on(AUDIT) for target in orjson.loads(entry.value or b"")["targets"]}
    assert audited == {(key or b"").decode() for key in asked}
    assert (await operated.command("replay", *selection, "--json")).document["count"] == 200


@pytest.mark.parametrize(
    ("arguments", "lines", "sentence"),
    [
        ([], "", "Say which calls"),
        (["--calls", "FILE", "--from", "2026-01-01"], "", "Say which calls"),
        (["--tenant", TENANT, "--from", "2026-01-01"], "", "Say which calls"),
        (["--calls", "/no/such/file"], "", "The file /no/such/file cannot be read"),
        (["--calls", "FILE"], "t|a\n\nb\n", "Line 3 of"),
        (["--calls", "FILE", "--tenant", TENANT], "other|a\n", "Line 1 of"),
        (["--calls", "FILE", "--yes"], "t|a\n", "Say why with --why"),
        (["--calls", "FILE", "--cursor", "FILE"], "t|a\n", "FILE is no cursor"),
        (["--calls", "FILE", "--cursor", "/proc/no/cursor", "--yes", "--why", "x"], "t|a\n", "The cursor /proc/no"),
    ],
)
async def test_a_mistake_is_one_sentence(
    operated: Operated, tmp_path: Path, arguments: list[str], lines: str, sentence: str
) -> None:
    """A mistyped line is reported with its number; no service is asked for anything."""
    file = tmp_path / "calls"
    file.write_text(lines)
    ended = await operated.command("replay", *(str(file) if word == "FILE" else word for word in arguments))
    reported = ended.err.replace(str(file), "FILE")
    assert (ended.code, reported.startswith(sentence), reported.count("\n")) == (2, True, 1), ended.err
    assert await operated.on(FETCH_BULK) == []
