"""Indices are made while the store goes on writing, and an interrupted run is taken up."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from ringback_sink.store.postgres.indices import INDICES
from ringback_sink.store.postgres.migrate import _LOCK, migrate
from ringback_testing import eventually
from ringback_testing.call_records import START
from ringback_testing.earlier_store import migrated_to

pytestmark = pytest.mark.integration

INVALID = """
    SELECT c.relname FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
    WHERE c.relnamespace = 'callrecords'::regnamespace AND NOT x.indisvalid
"""
PRESENT = "SELECT relname FROM pg_class WHERE relnamespace = 'callrecords'::regnamespace AND relkind IN ('i', 'I')"
A_VERSION = """
    INSERT INTO callrecords.call_version_row (call_key, tenant_id, version, revision, type, fetched_at, session_count,
        counts_parties, quality_verdict) VALUES ($1, 't', 1, 1, 'peerToPeer', now(), 1, 2, 'good')
"""
_OF_PARTY = """version, revision, call_start, index, kind, relation,
        is_organizer, in_participants, platforms, connection_types, sites, session_count, verdict, display_name)
    VALUES ($1, 't', 1, 1, '2026-11-16', 0, 'user', 'internal', true, true, '{}', '{}', '{}', 1, 'good', $2)
"""
A_PARTY = f"INSERT INTO callrecords.participant_row (call_key, tenant_id, {_OF_PARTY}"
A_FORMER_PARTY = f"INSERT INTO callrecords.participant (call_id, tenant_id, {_OF_PARTY}"
"""Before revision 0011."""


@pytest.fixture
async def older(database: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """A store without these indices, with a version and a party in it."""
    await migrated_to("0011", database)
    eyes = await asyncpg.connect(database)
    await eyes.execute(A_VERSION, 1)
    await eyes.execute(A_PARTY, 1, "Zoë")
    try:
        yield eyes
    finally:
        await eyes.close()


async def present(eyes: "asyncpg.Connection[Any]") -> set[str]:
    """Names of all indices, once all of them are usable."""
    assert await eyes.fetch(INVALID) == []
    return {row["relname"] for row in await eyes.fetch(PRESENT)}


async def test_a_store_that_holds_calls_gets_every_index(older: "asyncpg.Connection[Any]", database: str) -> None:
    """Of its tables and of every month's part of them; again is nothing."""
    await migrate(database, START)
    names = await present(older)
    assert {index.name for index in INDICES} <= names
    assert {"participant_row_2026_11_by_name", "participant_row_default_by_name", "stream_row_2026_11_by_poor"} <= names
    await migrate(database, START)
    assert await present(older) == names


async def test_an_empty_store_gets_the_same(database: str) -> None:
    """A month that is made later has them, too."""
    await migrate(database, START)
    eyes = await asyncpg.connect(database)
    assert {index.name for index in INDICES} <= await present(eyes)
    await eyes.execute("SELECT callrecords.make_month('participant_row', '2031-05-01')")
    on_it = "SELECT count(*) FROM pg_indexes WHERE tablename = 'participant_row_2031_05'"
    assert await eyes.fetchval(on_it) == 1 + sum(index.table == "participant_row" for index in INDICES)
    await eyes.close()


async def test_writers_are_not_blocked_while_indices_are_made(older: "asyncpg.Connection[Any]", database: str) -> None:
    """A transaction that is open holds the making of an index up; meanwhile others write."""
    holding = await asyncpg.connect(database)
    transaction = holding.transaction()
    await transaction.start()
    await holding.execute(A_VERSION, 2)
    migrating = asyncio.create_task(migrate(database, START))
    making = (
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND state = 'active'"
    )
    async with asyncio.timeout(20):
        while not await older.fetchval(making):
            await asyncio.sleep(0.05)
    async with asyncio.timeout(2):
        await older.execute(A_VERSION, 3)
        await older.execute(A_PARTY, 3, "Zoë")
    assert not migrating.done()
    await transaction.commit()
    await migrating
    await present(older)
    await holding.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are asked for half a second at a time, not two."""
    for name in (
        "ringback_sink.store.postgres.migrate.LOCK_TIMEOUT",
        "ringback_sink.store.postgres.locks.LOCK_TIMEOUT",
    ):
        monkeypatch.setattr(name, "500ms")
    monkeypatch.setattr("ringback_sink.store.postgres.locks._PAUSE", 0.3)


@asynccontextmanager
async def held(database: str, statement: str) -> AsyncGenerator[None]:
    """What a statement has locked stays so: an analysis of a large table, or a report that reads it."""
    holding = await asyncpg.connect(database)
    async with holding.transaction():
        await holding.execute(statement)
        yield
    await holding.close()


async def goes_on_while(migrating: "asyncio.Task[None]", database: str, insert: str = A_PARTY) -> None:
    """Parties are written for three seconds, beside a migration that waits, and no write takes long.

    They are removed then: they belong to no call.
    """
    writer, loop = await asyncpg.connect(database), asyncio.get_running_loop()
    until, number = loop.time() + 3, 100
    while loop.time() < until:
        async with asyncio.timeout(2):
            await writer.execute(insert, number if insert == A_PARTY else str(number), "Zoë")
        number += 1
        await asyncio.sleep(0.02)
    assert not migrating.done()
    await writer.execute(f"DELETE FROM {insert.split()[2]}")  # noqa: S608 - our own tables
    await writer.close()


ANALYSIS = "LOCK TABLE callrecords.{} IN SHARE UPDATE EXCLUSIVE MODE"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("revision", "statement", "insert"),
    [
        ("0011", ANALYSIS.format("participant_row"), A_PARTY),
        ("0006", "SELECT count(*) FROM callrecords.participant", A_FORMER_PARTY),
        ("0011", ANALYSIS.format("dead_letter"), A_PARTY),
    ],
    ids=["index", "column", "comment"],
)
async def test_writers_do_not_queue_behind_a_migration_that_waits(
    database: str, revision: str, statement: str, insert: str
) -> None:
    """Be it for an index of a table by month, for a new column, or for a comment on a table that nobody writes to."""
    await migrated_to(revision, database)
    async with held(database, statement):
        migrating = asyncio.create_task(migrate(database, START))
        await goes_on_while(migrating, database, insert)
    await migrating
    eyes = await asyncpg.connect(database)
    assert {index.name for index in INDICES} <= await present(eyes)
    await eyes.close()


@pytest.mark.usefixtures("impatient")
async def test_writers_do_not_queue_while_an_index_becomes_part_of_its_table_s(
    older: "asyncpg.Connection[Any]", database: str
) -> None:
    """A report that reads the partition has its index locked; an interrupted run had made that."""
    (by_name,) = (index for index in INDICES if index.name == "participant_by_name")
    await older.execute(
        f"CREATE INDEX participant_row_2026_11_by_name ON callrecords.participant_row_2026_11 {by_name.on}"
    )
    async with held(database, "SELECT count(*) FROM callrecords.participant_row_2026_11"):
        migrating = asyncio.create_task(migrate(database, START))
        await goes_on_while(migrating, database)
    await migrating
    assert "participant_by_name" in await present(older)


async def test_what_an_interrupted_run_left_is_made_anew(older: "asyncpg.Connection[Any]", database: str) -> None:
    """An index that is not valid is in nobody's plan."""
    await migrate(database, START)
    for name in ("call_version_by_start", "participant_by_name"):
        await older.execute(f"DROP INDEX callrecords.{name}")
    await older.execute("CREATE INDEX participant_row_2026_11_by_name ON callrecords.participant_row_2026_11 (index)")
    await older.execute(
        "UPDATE pg_index SET indisvalid = false "
        "WHERE indexrelid = 'callrecords.participant_row_2026_11_by_name'::regclass"
    )
    await migrate(database, START)
    assert {"call_version_by_start", "participant_by_name"} <= await present(older)


async def test_a_long_name_is_stored(older: "asyncpg.Connection[Any]", database: str) -> None:
    """An index holds the beginning of a text alone: its length is the sender's choice."""
    await migrate(database, START)
    long = "".join(chr(0x4E00 + number % 20_000) for number in range(0, 60_000, 7))
    await older.execute(A_PARTY, 4, long)


async def test_a_migration_that_waits_for_another_says_so(database: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever looks at a Job that does nothing reads why; once, not five times a second."""
    caplog.set_level(logging.INFO, "ringback_sink")
    other = await asyncpg.connect(database)
    await other.execute(f"SELECT pg_advisory_lock({_LOCK})")
    migrating = asyncio.create_task(migrate(database, START))
    waits = "Another migration runs; this one waits for its end."
    await eventually(lambda: waits in caplog.messages)
    await asyncio.sleep(0.5)
    await other.close()
    await migrating
    assert caplog.messages.count(waits) == 1


async def test_two_migrations_at_once_end(older: "asyncpg.Connection[Any]", database: str) -> None:
    """Neither waits for the other's transaction."""
    async with asyncio.timeout(60):
        await asyncio.gather(*(migrate(database, START) for _ in range(3)))
    await present(older)
