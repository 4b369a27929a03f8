"""deploy/postgres: four roles, each of which can do its work in the store and nothing else."""

import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from ringback_local.postgres.wheel import psql
from ringback_sink.store.postgres import columns
from ringback_sink.store.postgres.migrate import migrate
from ringback_testing.call_records import START

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
SCRIPTS, SECRETS = ROOT / "deploy" / "postgres", ROOT / "deploy" / "docker" / "dev"
ID = tuple(column for column in columns.CALL if column.name == "call_id")
CONTRACTED = {
    "call": (*columns.CALL, columns.CALL_KEY),
    "participant": (*ID, *columns.PARTICIPANT[1:]),
    "session": (*ID, *columns.SESSION[1:]),
    "stream": (*ID, *columns.STREAM[1:]),
}
"""All but the first are views: they have the call's id in the place of its number."""
READABLE = """
    SELECT attname FROM pg_attribute WHERE attrelid = format('callrecords.%I', $1::text)::regclass AND attnum > 0
    AND has_column_privilege(attrelid, attnum, 'SELECT')
"""


def run_script(name: str, dsn: str) -> None:
    """One script as compose runs it."""
    settings = ["-v", "ON_ERROR_STOP=1", "-v", f"secrets={SECRETS}", "-f", str(SCRIPTS / name)]
    ended = subprocess.run([str(psql()), "-qX", "-d", dsn, *settings], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def as_role(dsn: str, role: str) -> str:
    """The same database by another role."""
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=f"ringback_{role}@{parts.netloc.rpartition('@')[2]}"))


@asynccontextmanager
async def connected(dsn: str, role: str) -> AsyncGenerator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection of this role's own."""
    connection = await asyncpg.connect(as_role(dsn, role))
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def granted(database: str) -> str:
    """A store that was made as compose makes it: roles, the owner's migration, grants; all but it twice."""
    run_script("roles.sql", database)
    run_script("roles.sql", database)
    await migrate(as_role(database, "owner"), START)
    run_script("grants.sql", database)
    run_script("grants.sql", database)
    return database


async def test_the_writer_writes_rows_and_makes_months_and_never_the_schema(granted: str) -> None:
    """What the store needs (docs/store.md), but neither a table nor the revision of the schema."""
    async with connected(granted, "writer") as writer:
        assert await writer.fetchval("SELECT callrecords.make_month('stream_row', $1)", date(2031, 5, 1)) is True
        await writer.execute("DELETE FROM callrecords.call")
        await writer.execute("CREATE TEMPORARY TABLE copied (LIKE callrecords.call)")
        assert await writer.fetchval("SELECT version_num IS NOT NULL FROM callrecords.alembic_version")
        for refused in (
            "UPDATE callrecords.alembic_version SET version_num = '1'",
            "CREATE TABLE callrecords.mine (id int)",
            "CREATE SCHEMA mine",
            "DROP TABLE callrecords.call",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await writer.execute(refused)


async def test_the_reader_reads_everything_and_writes_nothing(granted: str) -> None:
    """Console and operator."""
    async with connected(granted, "reader") as reader:
        for relation in ("call", "participant", "dead_letter", "status_now", "alembic_version"):
            await reader.fetch(f"SELECT * FROM callrecords.{relation}")  # noqa: S608 - one of the above
        for refused in ("DELETE FROM callrecords.call", "SELECT callrecords.make_month('stream_row', '2031-05-01')"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await reader.execute(refused)


async def test_the_analyst_reads_no_person_and_no_address(granted: str) -> None:
    """Of each table exactly the columns of class C0 and C1; Graph's JSON, names, numbers and addresses are refused."""
    async with connected(granted, "analyst") as analyst:
        for table, described in CONTRACTED.items():
            allowed = {one.name for one in described if "Class C0." in one.comment or "Class C1." in one.comment}
            assert {row[0] for row in await analyst.fetch(READABLE, table)} == allowed, table
            assert {one.name for one in described} > allowed, table
        await analyst.fetch(
            "SELECT tenant_id, call_id, quality_verdict, counts_people, call_start FROM callrecords.call"
        )
        await analyst.fetch("SELECT verdict, count(*) FROM callrecords.participant GROUP BY verdict")
        await analyst.fetch("SELECT * FROM callrecords.settled_call")
        for refused in (
            "call.document",
            "participant.display_name",
            "participant_row.display_name",
            "stream.caller_reflexive_ip_address",
            "status.detail",
        ):
            table, column = refused.split(".")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await analyst.fetch(f"SELECT {column} FROM callrecords.{table}")  # noqa: S608 - one of the above


async def test_nobody_else_connects(granted: str) -> None:
    """PostgreSQL lets every role connect to every database, unless it is told otherwise."""
    async with connected(granted, "owner") as owner:
        assert await owner.fetchval("SELECT has_database_privilege('public', current_database(), 'CONNECT')") is False
