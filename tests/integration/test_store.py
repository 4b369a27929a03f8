"""The store's step on a real PostgreSQL: newest wins, nothing twice, poison stops nobody."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import asyncpg
import orjson
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from ringback_common.clock import SystemClock
from ringback_common.errors import ConfigError, Transient
from ringback_common.outcomes import Emit, Reason, Reject
from ringback_common.settings import LimitsSettings
from ringback_events.record import CallRecord
from ringback_sink.store.handlers import RecordsStep
from ringback_sink.store.postgres import columns
from ringback_sink.store.postgres.migrate import migrate
from ringback_sink.store.postgres.schema import REVISION
from ringback_sink.store.postgres.store import PostgresStore
from ringback_sink.store.telemetry import NUL_REPLACED, UNAVAILABLE
from ringback_testing.call_records import TENANT, call_record, received

pytestmark = pytest.mark.integration

NOVEMBER, OCTOBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 10, 31, 23, 59, 59, 999_999, tzinfo=UTC)

LATE_STREAM = """
    INSERT INTO callrecords.stream_row_default (call_key, tenant_id, version, revision, call_start,
        session_ordinal, segment_index, media_index, stream_index, kind, verdict)
    VALUES (0, 't', 1, 1, '2026-11-05', 0, 0, 0, 0, 'audio', 'good')
"""
KILL_WRITER = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'ringback-sink-store' AND datname = current_database() AND state = 'active'
"""
OF_CALL = "(SELECT call_key FROM callrecords.call WHERE call_id = $1)"
REGRESSED = """
    SELECT count(*) FROM callrecords.call c JOIN callrecords.call_version v USING (tenant_id, call_id)
    WHERE v.version > c.version
"""
COLUMNS = """
    SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull, col_description(attrelid, attnum)
    FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
"""
HARD = (
    "", " ", "null", "NULL", "\\N", "\\.", '"', '""', "\\", "\\\\", '\\"', "a,b", "{}", "{a,b}", "\r\n",
    "\t\b\f\x01\x7f", "'; DROP TABLE call; --", "\U0001f4de", "e\u0301", "\u202e", "x" * 10_000,
)  # fmt: skip


class Store:
    """A migrated database, the step that writes it, and a second connection that looks."""

    def __init__(self, step: RecordsStep, eyes: "asyncpg.Connection[asyncpg.Record]", writer: PostgresStore) -> None:
        self.step = step
        self.eyes = eyes
        self.writer = writer

    async def take(self, *records: CallRecord) -> Sequence[object]:
        """Hand the step one batch."""
        return await self.step([received(record, offset) for offset, record in enumerate(records)])

    async def rows(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """What the database says."""
        return [tuple(row) for row in await self.eyes.fetch(sql, *arguments)]

    async def counts(self) -> dict[str, int]:
        """Rows per table."""
        tables = ("call", "call_version", "participant", "session", "stream")  # all but the first are views
        return {table: await self.eyes.fetchval(f"SELECT count(*) FROM callrecords.{table}") for table in tables}  # noqa: S608


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    """A store with this release's schema."""
    await migrate(database)
    writer, eyes = PostgresStore(database, SystemClock()), await asyncpg.connect(database)
    try:
        yield Store(RecordsStep(writer, SystemClock(), LimitsSettings()), eyes, writer)
    finally:
        await writer.close()
        await eyes.close()


async def test_v1_v3_v2_leave_v3(store: Store) -> None:
    """Whatever order versions come in, one batch or three, the newest is the call and all are history."""
    for call, order in enumerate(itertools.permutations((1, 3, 2))):
        for version in order:
            assert await store.take(call_record(f"apart-{call}", version=version)) == [Emit()]
        await store.take(*(call_record(f"together-{call}", version=version) for version in order))
    newest = await store.rows("SELECT DISTINCT version FROM callrecords.call")
    history = await store.rows("SELECT version, count(*) FROM callrecords.call_version GROUP BY 1 ORDER BY 1")
    mixed = await store.rows("SELECT DISTINCT version FROM callrecords.stream")
    assert (newest, history, mixed) == ([(3,)], [(1, 12), (2, 12), (3, 12)], [(3,)])


async def test_the_newer_revision_of_a_version_replaces_it(store: Store) -> None:
    """A correction of what was derived replaces the row and its children; an older one changes nothing."""
    await store.take(call_record("c", revision=2, parties=3))
    await store.take(call_record("c", revision=1, parties=9))
    assert (await store.counts())["participant"] == 3
    await store.take(call_record("c", revision=3, parties=4))
    assert await store.rows("SELECT version, revision FROM callrecords.call") == [(1, 3)]
    assert await store.rows("SELECT version, revision, counts_parties FROM callrecords.call_version") == [(1, 3, 4)]
    assert await store.counts() == {"call": 1, "call_version": 1, "participant": 4, "session": 4, "stream": 8}


async def test_a_repeat_leaves_no_duplicates(store: Store) -> None:
    """The same batch twice, and twice within a batch, leaves what once would leave."""
    records = [call_record(f"c{number}", version=1 + number % 2) for number in range(20)]
    assert await store.take(*records, *records) == [Emit()] * 40
    once = await store.counts()
    assert await store.take(*records) == [Emit()] * 20
    assert (
        await store.counts()
        == once
        == {"call": 20, "call_version": 20, "participant": 100, "session": 100, "stream": 200}
    )


async def test_every_value_arrives(store: Store) -> None:
    """What the record says is what the tables say: quotes and newlines, nulls, numbers, lists, Graph's JSON."""
    graph = {"id": "x", "wide": 12345678901234567890123, "ratio": 1.50, "text": 'a"b\\c\n\t\u2028', "none": None}
    raw = received(call_record("c", graph={})).value or b""
    told = b'{"id":"x","wide":12345678901234567890123,"ratio":1.50,"text":"a\\"b\\\\c\\n\\t\\u2028","none":null}'
    await store.step([received(call_record("c"), value=raw.replace(b'"graph":{}', b'"graph":' + told))])
    [[document]] = await store.rows("SELECT document::text FROM callrecords.call")
    assert orjson.loads(document) == orjson.loads(told)
    assert '"wide": 12345678901234567890123' in document
    assert '"ratio": 1.50' in document
    assert graph["text"] == orjson.loads(document)["text"]
    party = await store.rows('SELECT display_name, sites, country_code FROM callrecords.participant WHERE "index" = 1')
    assert party == [('Zoë "Z" Müller\\1', ["Köln, Dom"], None)]
    failed = await store.rows("SELECT failure_reason, caller_party FROM callrecords.session WHERE ordinal = 1")
    assert failed == [('lost "all"\nmedia', 1)]
    stream = (
        "SELECT average_jitter_ms, packet_utilization, caller_ip_address, callee_ip_address FROM callrecords.stream"
    )
    assert set(await store.rows(stream)) == {(4.25, 71_000, "198.51.100.7", None)}


async def test_the_hardest_strings_arrive(store: Store) -> None:
    """Whatever text a party bears comes out as it went in."""
    told = call_record("c", graph={"hard": HARD}, parties=len(HARD))
    parties = [
        party.model_copy(update={"display_name": text, "sites": [text]})
        for party, text in zip(told.parties, HARD, strict=True)
    ]
    assert await store.take(told.model_copy(update={"parties": parties})) == [Emit()]
    found = await store.rows('SELECT display_name, sites[1] FROM callrecords.participant ORDER BY "index"')
    assert found == [(text, text) for text in HARD]
    [[document]] = await store.rows("SELECT document::text FROM callrecords.call")
    assert orjson.loads(document)["hard"] == list(HARD)


async def test_nul_becomes_the_replacement_character_and_is_counted(store: Store) -> None:
    """U+0000 in a name and in Graph's JSON is stored as U+FFFD; escaped text that only looks like it stays."""
    before = cast("float", NUL_REPLACED._value.get())
    party = call_record(parties=1).parties[0].model_copy(update={"display_name": "a\x00b"})
    record = call_record("c", graph={"nul": "\x00", "text": "\\u0000", "both": "\\\x00"})
    assert await store.take(record.model_copy(update={"parties": [party]})) == [Emit()]
    [[name]] = await store.rows("SELECT display_name FROM callrecords.participant")
    [[document]] = await store.rows("SELECT document::text FROM callrecords.call")
    assert name == "a\ufffdb"
    assert orjson.loads(document) == {"nul": "\ufffd", "text": "\\u0000", "both": "\\\ufffd"}
    assert NUL_REPLACED._value.get() - before == 3


async def test_poison_is_rejected_and_its_neighbours_are_stored(store: Store) -> None:
    """Two rows PostgreSQL refuses and one that is no JSON leave alone, the others of the batch are stored."""
    batch = [received(call_record(f"c{number}"), number) for number in range(60)]
    too_long = received(call_record(secrets.token_hex(50_000)), 7)
    no_day = received(call_record(), 31, value=(batch[31].value or b"").replace(b"2026-11-16T", b"2026-02-30T"))
    batch[7], batch[31], batch[44] = too_long, no_day, received(call_record(), 44, value=b'{"tenantId":')
    outcomes = await store.step(batch)
    assert outcomes[7] == Reject(Reason.STORE_REFUSED, "SQLSTATE 54000")
    assert outcomes[31] == Reject(Reason.STORE_REFUSED, "SQLSTATE 22008")
    assert outcomes[44] == Reject(Reason.UNDECODABLE, "DecodeError")
    assert [place for place, outcome in enumerate(outcomes) if outcome != Emit()] == [7, 31, 44]
    assert (await store.counts())["call"] == 57


async def test_a_corrected_start_leaves_one_copy(store: Store) -> None:
    """A start that moves to another month, or is lost, takes the children along."""
    for version, start in enumerate((NOVEMBER, OCTOBER, datetime(1999, 12, 31, tzinfo=UTC), None, NOVEMBER), start=1):
        await store.take(call_record("c", version=version, start=start))
        assert await store.counts() == {
            "call": 1,
            "call_version": version,
            "participant": 5,
            "session": 5,
            "stream": 10,
        }
        assert await store.rows("SELECT DISTINCT version FROM callrecords.participant") == [(version,)]
    assert await store.rows("SELECT DISTINCT tableoid::regclass::text FROM callrecords.stream_row") == [
        ("callrecords.stream_row_2026_11",)
    ]


async def test_a_month_is_made_when_it_comes_and_takes_over_from_the_default(store: Store) -> None:
    """A month without a partition gets one; what the DEFAULT partition held of it moves there."""
    await store.eyes.execute("DROP TABLE callrecords.stream_row_2026_11, callrecords.session_row_2026_11")
    await store.eyes.execute(LATE_STREAM)
    await store.take(call_record("c", start=NOVEMBER))
    filed = "SELECT tableoid::regclass::text, count(*) FROM callrecords.stream_row GROUP BY 1"
    assert await store.rows(filed) == [("callrecords.stream_row_2026_11", 11)]


async def test_a_missing_partition_is_made_even_without_a_default(store: Store) -> None:
    """A DEFAULT partition somebody dropped is no data error: partitions are made and the batch is stored."""
    await store.eyes.execute("DROP TABLE callrecords.stream_row_default, callrecords.session_row_default")
    assert await store.take(call_record("c", start=datetime(1999, 1, 1, tzinfo=UTC))) == [Emit()]
    assert (await store.counts())["stream"] == 10


async def test_a_meeting_of_a_thousand_sessions_is_whole(store: Store) -> None:
    """A thousand sessions and four hundred participants arrive with all their streams."""
    await store.take(call_record("c", parties=400, sessions=1000))
    assert await store.counts() == {"call": 1, "call_version": 1, "participant": 400, "session": 1000, "stream": 2000}


def given_up_so_far() -> float:
    """Transactions counted as given up, over all SQLSTATE classes."""
    (metric,) = UNAVAILABLE.collect()
    return sum(sample.value for sample in metric.samples if sample.name.endswith("_total"))


async def test_a_lost_connection_is_transient_and_the_repeat_stores_once(store: Store, database: str) -> None:
    """A backend that dies in the middle of a batch loses nothing, dead-letters nothing and doubles nothing."""
    batch = [received(call_record(f"c{number}"), number) for number in range(1500)]
    writing = asyncio.create_task(store.step(batch))
    killer = await asyncpg.connect(database)
    given_up = given_up_so_far()
    while not await killer.fetch(KILL_WRITER):
        await asyncio.sleep(0)
    with pytest.raises(Transient):
        await writing
    await killer.close()
    assert given_up_so_far() == given_up + 1
    assert store.writer.away is not None
    assert set(await store.step(batch)) == {Emit()}
    assert store.writer.away is None
    assert await store.counts() == {
        "call": 1500,
        "call_version": 1500,
        "participant": 7500,
        "session": 7500,
        "stream": 15_000,
    }


async def test_a_lock_that_is_held_too_long_is_transient(store: Store, database: str) -> None:
    """A lock timeout (55P03) pauses; it is never a dead letter."""
    await store.take(call_record("c"))
    async with store.writer._of_calls.transaction() as connection:
        await connection.execute("SET SESSION lock_timeout = '100ms'")
    other = await asyncpg.connect(database)
    async with other.transaction():
        await other.execute("LOCK TABLE callrecords.call")
        with pytest.raises(Transient, match="55P03"):
            await store.take(call_record("c", version=2))
    await other.close()
    assert await store.take(call_record("c", version=2)) == [Emit()]


async def test_nobody_can_take_a_version_back(store: Store) -> None:
    """Not even SQL by hand lowers (version, revision) of a call, or the revision of a version in history."""
    await store.take(call_record("c", version=3, revision=2))
    for back in ("version = 2, revision = 9", "revision = 1"):
        with pytest.raises(asyncpg.PostgresError, match="newer version") as refused:
            await store.eyes.execute(f"UPDATE callrecords.call SET {back}")  # noqa: S608 - our own SQL
        assert refused.value.sqlstate == "RB001"
    with pytest.raises(asyncpg.PostgresError, match="newer version"):
        await store.eyes.execute("UPDATE callrecords.call_version_row SET revision = 1")


async def test_two_stores_at_once_agree_on_the_newest(store: Store, database: str) -> None:
    """Two writers with the same calls in opposite orders, as around a rebalance, deadlock never and end newest."""
    other = PostgresStore(database, SystemClock())
    step = RecordsStep(other, SystemClock(), LimitsSettings())
    up = [received(call_record(f"c{number}", version=1 + number % 3)) for number in range(200)]
    down = [received(call_record(f"c{number}", version=3 - number % 3)) for number in reversed(range(200))]
    outcomes = await asyncio.gather(store.step(up), step(down))
    await other.close()
    assert {outcome for batch in outcomes for outcome in batch} == {Emit()}
    assert await store.rows(REGRESSED) == [(0,)]
    assert (await store.counts())["participant"] == 1000


async def test_the_row_ends_the_trace_of_its_notification(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record whose trace is kept gets a span of its own below the context it came with; others get none."""
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    contexts = [f"00-{number:032x}-{number:016x}-{flag}".encode() for number, flag in ((7, "01"), (8, "02"), (9, "03"))]
    plain = [received(call_record(f"c{offset}"), offset) for offset in range(3)]
    await store.step(
        [
            replace(one, headers=(*one.headers, ("traceparent", context)))
            for one, context in zip(plain, contexts, strict=True)
        ]
    )
    ended = kept.get_finished_spans()
    spans = [(span.name, span.parent.trace_id, span.parent.span_id) for span in ended if span.parent is not None]
    name = "store callrecords.restricted.records.v1"
    assert sorted(spans) == [(name, 7, 7), (name, 9, 9)]


async def test_a_clock_that_runs_ahead_keeps_no_dead_process_green(store: Store) -> None:
    """A report is as old as the earlier of its own time and the store's, and the instance that lives is shown."""
    await store.eyes.execute(
        "INSERT INTO callrecords.status (process, instance, tenant_id, reported_at, state, detail, stored_at) "
        "SELECT process, instance, '', now() + told, 'ok', '{}', now() - kept FROM (VALUES "
        "('fetch', 'ahead, dead', interval '1 hour', interval '31 s'), ('fetch', 'lives', '-2 s', '2 s'), "
        "('keeper', 'ahead, dead', '1 hour', '31 s'), ('store', 'ahead, lives', '1 hour', '2 s'), "
        "('webhook', 'long dead, stored late', '-31 s', '0 s')) AS reports (process, instance, told, kept)"
    )
    assert await store.rows("SELECT process, instance, state FROM callrecords.status_now ORDER BY process") == [
        ("fetch", "lives", "ok"),
        ("keeper", "ahead, dead", "unknown"),
        ("store", "ahead, lives", "ok"),
        ("webhook", "long dead, stored late", "unknown"),
    ]


async def test_freshness_counts_the_calls_of_the_last_hour(store: Store) -> None:
    """Two versions of a call are one call; what was stored an hour ago counts no more, but is the newest there is."""
    await store.take(call_record("a", version=1), call_record("a", version=2), call_record("b"), call_record("c"))
    back = "UPDATE callrecords.call_version_row SET first_stored_at = now() - $2::text::interval WHERE call_key = "
    back += OF_CALL
    freshness = "SELECT tenant_id, calls_last_hour, round(age_seconds)::int FROM callrecords.freshness"
    for call, age in (("a", "59 minutes"), ("b", "61 minutes"), ("c", "30 minutes")):
        await store.eyes.execute(back, call, age)
    assert await store.rows(freshness) == [(TENANT, 2, 1800)]
    await store.eyes.execute("UPDATE callrecords.call_version_row SET first_stored_at = now() - interval '2 hours'")
    assert await store.rows(freshness) == [(TENANT, 0, 7200)]


async def test_a_call_is_settled_four_hours_after_its_newest_version_arrived(store: Store) -> None:
    """Whatever Graph's times say: a version that came hours late is as new as the one it announces."""
    now = datetime.now(UTC)
    old = now - timedelta(hours=5)
    await store.take(
        call_record("late", version=1, last_modified_date_time=old, fetched_at=old),
        call_record("settled", version=1),
        call_record("settled", version=2, last_modified_date_time=now, fetched_at=now),
        call_record("open", version=1),
        call_record("open", version=2),
    )
    back = "UPDATE callrecords.call_version_row SET first_stored_at = $3 WHERE version = $2 AND call_key = "
    back += OF_CALL
    before, after = (now - timedelta(hours=4, minutes=minutes) for minutes in (1, -1))
    for call, version, at in (("settled", 1, after), ("settled", 2, before), ("open", 1, before), ("open", 2, after)):
        await store.eyes.execute(back, call, version, at)
    settled = await store.rows("SELECT call_id, version, settled_at FROM callrecords.settled_call ORDER BY call_id")
    assert settled == [("settled", 2, before + timedelta(hours=4))]


async def test_a_new_revision_does_not_unsettle_a_call(store: Store) -> None:
    """What is derived of it changed, not what Graph has."""
    await store.take(call_record("c", revision=1))
    await store.eyes.execute("UPDATE callrecords.call_version_row SET first_stored_at = now() - interval '5 hours'")
    await store.take(call_record("c", revision=2))
    assert await store.rows("SELECT call_id, revision FROM callrecords.settled_call") == [("c", 2)]


async def test_the_timeline_tells_what_happened_to_a_call_in_order(store: Store) -> None:
    """Start and end once, of the newest version; the four moments of each version."""
    await store.take(call_record("c", version=1), call_record("c", version=2))
    timeline = await store.rows("SELECT at, event, version FROM callrecords.call_timeline ORDER BY at, version")
    assert [event for _, *event in timeline[:2]] == [["call_started", 2], ["call_ended", 2]]
    assert [at for at, *_ in timeline] == sorted(at for at, *_ in timeline)
    moments = ("modified", "received", "fetched", "stored")
    assert sorted(event for _, *event in timeline[2:]) == sorted([each, n] for each in moments for n in (1, 2))


@pytest.mark.parametrize("table", ["call", "participant_row", "session_row", "stream_row"])
async def test_the_tables_have_the_models_columns(store: Store, table: str) -> None:
    """Every plain field of the contract is a column of the right type and nullability, described in its own words."""
    described: tuple[columns.Column, ...] = getattr(columns, table.removesuffix("_row").upper())
    found = await store.rows(COLUMNS, f"callrecords.{table}")
    beside = {"call_key", "document", "stored_at"} if table == "call" else set[str]()
    expected = {(column.name, column.sql_type, column.nullable, column.comment) for column in described}
    assert {row for row in found if row[0] not in beside} == expected


@pytest.mark.parametrize("view", ["call_version", "participant", "session", "stream"])
async def test_the_views_show_every_column_of_their_rows(store: Store, view: str) -> None:
    """With its type and sentence; the call's id stands in the place of its number."""
    rows, shown = [
        {(name, kind, comment) for name, kind, _, comment in await store.rows(COLUMNS, f"callrecords.{relation}")}
        for relation in (f"{view}_row", view)
    ]
    assert {name for name, *_ in shown ^ rows} == {"call_key", "call_id"}
    assert {name for name, *_ in shown - rows} == {"call_id"}


async def test_migrations_may_run_at_once_and_again(database: str) -> None:
    """Three migrations at the same time and a fourth later leave one schema."""
    await asyncio.gather(*(migrate(database) for _ in range(3)))
    await migrate(database)
    connection = await asyncpg.connect(database)
    assert await connection.fetch("SELECT version_num FROM callrecords.alembic_version") == [(REVISION,)]
    await connection.close()


async def test_a_store_without_schema_says_what_to_run(database: str) -> None:
    """An unmigrated database is the operator's to repair, in one sentence."""
    with pytest.raises(ConfigError, match="run `ringback-sink migrate`"):
        await PostgresStore(database, SystemClock()).verify()
