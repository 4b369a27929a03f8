"""Revision 0011: what is stored gets its call's number as key, and a store of the release before is refused."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from ringback_common.clock import SystemClock
from ringback_common.errors import ConfigError
from ringback_common.outcomes import Reject
from ringback_sink.store.core.record import decode
from ringback_sink.store.model.version import CHILD_COLUMNS, HISTORY_COLUMNS, Version
from ringback_sink.store.port import Stored
from ringback_sink.store.postgres.calls import _copy
from ringback_sink.store.postgres.lines import line
from ringback_sink.store.postgres.migrate import migrate
from ringback_sink.store.postgres.plan import plan
from ringback_sink.store.postgres.rows import CALL_COLUMNS, entry_of
from ringback_sink.store.postgres.sqlstate import Meaning, meaning
from ringback_sink.store.postgres.statements import INCOMING, assignments, columns_of
from ringback_sink.store.postgres.store import PostgresStore
from ringback_sink.store.postgres.views import ROW_VIEW
from ringback_testing.call_records import START, call_record, received
from ringback_testing.earlier_store import migrated_to

pytestmark = pytest.mark.integration

CALL = tuple(name for name in CALL_COLUMNS if name != "newest")
FORMER_HISTORY = ("tenant_id", "call_id", *HISTORY_COLUMNS)
FORMER_KEY = ("tenant_id", "call_id", "version", "revision", "call_start")
FORMER_UPSERT = f"""
    WITH history AS (
        INSERT INTO callrecords.call_version ({columns_of(FORMER_HISTORY)})
        SELECT {columns_of(FORMER_HISTORY)} FROM incoming ORDER BY tenant_id, call_id, version
        ON CONFLICT (tenant_id, call_id, version) DO UPDATE
        SET {assignments(FORMER_HISTORY[3:])}, stored_at = clock_timestamp()
        WHERE excluded.revision > call_version.revision
    )
    INSERT INTO callrecords.call ({columns_of(CALL)})
    SELECT {columns_of(CALL)} FROM incoming WHERE newest ORDER BY tenant_id, call_id
    ON CONFLICT (tenant_id, call_id) DO UPDATE
    SET {assignments(CALL[2:])}, stored_at = clock_timestamp()
    WHERE (excluded.version, excluded.revision) > (call.version, call.revision)
    RETURNING new.tenant_id, new.call_id, old.call_start AS replaced
"""  # noqa: S608 - the former release's statement
TABLES = ("call", "call_version", *CHILD_COLUMNS)
CONTENT = "SELECT (to_jsonb(t) - 'call_key')::text FROM callrecords.{} t ORDER BY 1"
TIMELINE = "SELECT * FROM callrecords.call_timeline ORDER BY call_id, at, version, event"
RIGHTS = """
    SELECT r.relname, p.privilege FROM pg_class r
    CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p (privilege)
    WHERE r.relnamespace = 'callrecords'::regnamespace AND r.relkind IN ('r', 'p', 'v') AND NOT r.relispartition
      AND has_table_privilege($1, r.oid, p.privilege)
"""
COLUMN_RIGHTS = """
    SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'callrecords'::regnamespace AND NOT c.relispartition AND a.attnum > 0
      AND has_column_privilege($1, a.attrelid, a.attnum, 'SELECT')
"""


def a_version(call: str, version: int, **facts: Any) -> Version:
    """A version of a call."""
    record = decode(received(call_record(call, version=version, **facts)))
    assert not isinstance(record, Reject)
    return Version(record)


async def former_write(connection: "asyncpg.Connection[Any]", *versions: Version) -> None:
    """Write calls as the release before did."""
    planned = plan(map(entry_of, versions))
    async with connection.transaction():
        await connection.execute(INCOMING)
        await _copy(connection, "incoming", CALL_COLUMNS, planned.incoming())
        await connection.fetch(FORMER_UPSERT)
        for table, columns in CHILD_COLUMNS.items():
            for one in planned.newest.values():
                head = line((*one.key, *one.rank, one.start))[0][:-1] + b","
                lines = [head + each for each in one.children[table]]
                await _copy(connection, table, FORMER_KEY + columns, lines, schema="callrecords")


@pytest.fixture
async def former(database: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """A store of the release before, with calls of two months, one of which has no partition."""
    await migrated_to("0010", database)
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database)
    older = START.replace(year=2015)
    await former_write(
        connection, a_version("a", 1), a_version("a", 2), a_version("b", 1, start=older), a_version("c", 4)
    )
    yield connection
    await connection.close()


async def content(connection: "asyncpg.Connection[Any]") -> dict[str, list[str]]:
    """What a reader sees in each table or view, the numbers of calls apart."""
    return {table: [row[0] for row in await connection.fetch(CONTENT.format(table))] for table in TABLES}


async def test_readers_see_what_they_saw(former: "asyncpg.Connection[Any]", database: str) -> None:
    """Every column of every row under its name, ids included; the DEFAULT partition's rows as well."""
    before = await content(former)
    views = await former.fetch(TIMELINE)
    await migrate(database, START)
    assert await content(former) == before
    assert len(before["participant"]) == 15
    after = await former.fetch(TIMELINE)
    assert after == views
    filed = "SELECT DISTINCT tableoid::regclass::text FROM callrecords.stream_row ORDER BY 1"
    assert [row[0] for row in await former.fetch(filed)] == [
        "callrecords.stream_row_2026_11",
        "callrecords.stream_row_default",
    ]


async def test_what_was_stored_before_is_replaced_and_repeated_as_ever(
    former: "asyncpg.Connection[Any]", database: str
) -> None:
    """Newer versions win over converted ones, older ones and repeats change nothing."""
    await migrate(database, START)
    store = PostgresStore(database, SystemClock())
    before = await content(former)
    repeats = [store.prepare(a_version(call, version)) for call, version in (("a", 1), ("a", 2), ("c", 3))]
    assert await store.write(repeats) == [Stored.OLDER] * 3
    assert {table: rows for table, rows in (await content(former)).items() if table != "call_version"} == {
        table: rows for table, rows in before.items() if table != "call_version"
    }
    assert await store.write([store.prepare(a_version("b", 2, parties=2))]) == [Stored.REPLACED]
    await store.close()
    assert await former.fetchval("SELECT count(*) FROM callrecords.participant WHERE call_id = 'b'") == 2
    assert await former.fetchval("SELECT count(*) FROM callrecords.call_version") == 6


async def test_a_store_of_the_release_before_is_refused_and_leaves_nothing(
    former: "asyncpg.Connection[Any]", database: str
) -> None:
    """As a bug, so that its process ends and its batch comes again; never as bad data, which would be a dead letter."""
    await migrate(database, START)
    before = await content(former)
    with pytest.raises(asyncpg.PostgresError) as refused:
        await former_write(former, a_version("a", 3), a_version("new", 1))
    assert meaning(refused.value.sqlstate, refused.value.constraint_name) is Meaning.BUG
    with pytest.raises(asyncpg.PostgresError) as unknown:
        await former.execute("SELECT callrecords.make_month('stream', '2031-05-01')")
    assert meaning(unknown.value.sqlstate, unknown.value.constraint_name) is Meaning.BUG
    assert await content(former) == before


async def test_rows_of_no_call_stop_the_migration_with_a_sentence(
    former: "asyncpg.Connection[Any]", database: str
) -> None:
    """They could not be kept; what is stored stays as it is until they were deleted."""
    await former.execute("DELETE FROM callrecords.call WHERE call_id = 'c'")
    before = await content(former)
    with pytest.raises(ConfigError, match=r"1 rows of callrecords.call_version belong to no row of callrecords.call"):
        await migrate(database, START)
    assert await content(former) == before
    for table in TABLES[1:]:
        await former.execute(f"DELETE FROM callrecords.{table} WHERE call_id = 'c'")  # noqa: S608 - our own tables
    await migrate(database, START)


async def test_rights_are_kept(former: "asyncpg.Connection[Any]", database: str) -> None:
    """A role that wrote, read, or read some columns goes on doing so, without a new GRANT and without more."""
    suffix = await former.fetchval("SELECT current_database()")
    writer, reader, analyst = (f"{role}_{suffix}" for role in ("writer", "reader", "analyst"))
    for statement in (
        f"CREATE ROLE {writer}; CREATE ROLE {reader}; CREATE ROLE {analyst}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA callrecords TO {writer}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA callrecords TO {reader}",
        f"GRANT SELECT (call_id, verdict) ON callrecords.stream TO {analyst}",
        f"GRANT SELECT ON callrecords.freshness TO {analyst}",
    ):
        await former.execute(statement)
    try:
        await migrate(database, START)
        wrote, read, read_some = [set(await former.fetch(RIGHTS, role)) for role in (writer, reader, analyst)]
        tables = {f"{table}_row" for table in TABLES[1:]}
        assert {table for table, right in wrote if right == "INSERT"} >= tables
        assert {right for table, right in wrote if table in tables} == {"SELECT", "INSERT", "UPDATE", "DELETE"}
        assert {table for table, _ in read} >= {*tables, *TABLES, "freshness", "call_timeline", "settled_call"}
        assert {right for _, right in read} == {"SELECT"}
        assert read_some == {("freshness", "SELECT")}
        some = {row[0] for row in await former.fetch(COLUMN_RIGHTS, analyst) if not row[0].startswith("freshness")}
        assert some == {"stream.call_id", "stream.verdict", "stream_row.verdict"}
    finally:
        await former.execute(f"DROP OWNED BY {writer}, {reader}, {analyst}; DROP ROLE {writer}, {reader}, {analyst}")


async def test_a_view_of_somebody_else_s_stops_the_migration_with_a_sentence(
    former: "asyncpg.Connection[Any]", database: str
) -> None:
    """It would have to be dropped with the table it reads; made anew with its text, it reads what it read."""
    made = "CREATE VIEW mine AS SELECT p.call_id, f.age_seconds FROM callrecords.participant p, callrecords.freshness f"
    await former.execute(made)
    before = await content(former)
    with pytest.raises(ConfigError, match="replaces: mine"):
        await migrate(database, START)
    assert await content(former) == before
    await former.execute("DROP VIEW mine")
    await migrate(database, START)
    await former.execute(made)
    assert await former.fetchval("SELECT count(*) FROM mine") == len(before["participant"])


async def test_who_reads_meanwhile_waits_and_is_answered(
    former: "asyncpg.Connection[Any]", database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A board that asks all the time: neither a question nor the migration is given up for a deadlock."""
    migrating = asyncio.create_task(migrate(database, START))
    boards = [asyncio.create_task(asks(database, view, migrating)) for view in ("freshness", "call_timeline", "stream")]
    assert all(await asyncio.gather(*boards))
    await migrating
    assert "40P01" not in {getattr(record, "sqlstate", None) for record in caplog.records}


async def asks(database: str, relation: str, migrating: "asyncio.Task[None]") -> int:
    """Ask without a pause until the migration has ended; how many rows were read."""
    reader: asyncpg.Connection[Any] = await asyncpg.connect(database)
    rows = 0
    while not migrating.done():
        rows += len(await reader.fetch(f"SELECT * FROM callrecords.{relation}"))  # noqa: S608 - our own
    await reader.close()
    return rows


async def test_a_view_shows_a_column_that_its_table_gets_later(
    former: "asyncpg.Connection[Any]", database: str
) -> None:
    """As the recipe of CONTRIBUTING.md adds one; behind the others, and each role that may read the view still may."""
    await migrate(database, START)
    await former.execute("GRANT SELECT ON callrecords.session TO PUBLIC")
    await former.execute("ALTER TABLE callrecords.session_row ADD COLUMN later text")
    await former.execute(ROW_VIEW.format(table="session"))
    (row, *_) = await former.fetch("SELECT * FROM callrecords.session")
    assert (list(row.keys())[:2], list(row.keys())[-1]) == (["tenant_id", "call_id"], "later")
    assert await former.fetchval("SELECT has_table_privilege('public', 'callrecords.session', 'SELECT')")
