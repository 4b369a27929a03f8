"""What a role beside the owner may do in the store."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date

import asyncpg
import pytest
from ringback_sink.store.postgres.migrate import migrate
from ringback_testing.earlier_store import migrated_to

pytestmark = pytest.mark.integration

MONTH = date(2031, 5, 1)
MAKE_MONTH = "SELECT callrecords.make_month('stream_row', $1)"
OPEN_TO_ALL = """
    SELECT p.oid::regprocedure::text FROM pg_proc p
    WHERE p.pronamespace = 'callrecords'::regnamespace AND has_function_privilege('public', p.oid, 'EXECUTE')
"""
UNPINNED = """
    SELECT p.oid::regprocedure::text FROM pg_proc p
    WHERE p.pronamespace = 'callrecords'::regnamespace AND p.prosecdef
      AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search_path=%pg_temp')
"""
WRITES = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA callrecords TO {}"
READS = "GRANT SELECT ON ALL TABLES IN SCHEMA callrecords TO {}"


@asynccontextmanager
async def a_role(database: str) -> AsyncGenerator[tuple["asyncpg.Connection[asyncpg.Record]", str]]:
    """A connection of the owner's, and a role without any right that it may take on."""
    connection, role = await asyncpg.connect(database), f"r{secrets.token_hex(4)}"
    await connection.execute(f"CREATE ROLE {role}")
    try:
        yield connection, role
    finally:
        await connection.execute(f"RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")
        await connection.close()


async def test_a_reader_cannot_make_tables(database: str) -> None:
    """Neither through a function of the owner's nor in the schema itself; it reads all the same."""
    await migrate(database)
    async with a_role(database) as (connection, reader):
        await connection.execute(f"GRANT USAGE ON SCHEMA callrecords TO {reader}; {READS.format(reader)}")
        await connection.execute(f"SET ROLE {reader}")
        assert await connection.fetchval("SELECT count(*) FROM callrecords.call") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchval(MAKE_MONTH, MONTH)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE callrecords.mine (id int)")


async def test_a_writer_of_its_own_keeps_making_months_when_the_store_is_migrated(database: str) -> None:
    """It could before, as everybody could; its rights on the tables say that it writes."""
    await migrated_to("0005", database)
    async with a_role(database) as (connection, writer):
        await connection.execute(f"GRANT USAGE ON SCHEMA callrecords TO {writer}; {WRITES.format(writer)}")
        await migrate(database)
        await connection.execute(f"SET ROLE {writer}")
        assert await connection.fetchval(MAKE_MONTH, MONTH) is True


async def test_no_function_is_for_everybody_and_those_with_the_owner_s_rights_name_their_schemas(database: str) -> None:
    """PostgreSQL gives every new function to PUBLIC: one that a later revision adds shows here."""
    await migrate(database)
    connection = await asyncpg.connect(database)
    try:
        assert [row[0] for row in await connection.fetch(OPEN_TO_ALL)] == []
        assert [row[0] for row in await connection.fetch(UNPINNED)] == []
    finally:
        await connection.close()
