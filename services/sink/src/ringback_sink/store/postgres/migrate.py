"""Brings a PostgreSQL to this release's schema; may be run as often, and by as many at once, as one likes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from ringback_common import logs
from sqlalchemy import Connection as SyncConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from ringback_sink.store.postgres.comments import SCHEMA, comments
from ringback_sink.store.postgres.database import Connection, connect
from ringback_sink.store.postgres.indices import make_missing
from ringback_sink.store.postgres.locks import LOCK_TIMEOUT, SAID_EVERY, briefly, until_free
from ringback_sink.store.postgres.months import CHILD_TABLES, months_ahead
from ringback_sink.store.postgres.schema import REVISION

__all__ = ["alembic_config", "migrate"]

_LOCK = 7_463_728_401
"""Any constant: the name of the advisory lock that lets one migration run at a time."""
_ASK_AGAIN = 0.2
_UNHURRIED = {"statement_timeout": "0", "lock_timeout": "0"}
"""An index, and a revision that copies what is stored, takes what it takes."""

_log = logs.logger(__name__)


async def migrate(dsn: str, now: datetime | None = None) -> None:
    """Apply all missing revisions, make this and the coming months' partitions, refresh the comments, then the indices.

    Each revision, each month and the comments are a transaction of their own that waits two seconds at most for a lock
    and then begins anew; indices are made outside of transactions. So a store that is written to goes on, and what was
    done stays when the rest is interrupted. One migration runs at a time: a second one waits, then finds nothing to do.

    Args:
        dsn: libpq connection string of a role that may create the schema.
        now: the time the partitions are made around, for tests.

    Raises:
        ConfigError: no connection can be made with this DSN.
        asyncpg.PostgresError: PostgreSQL refuses.
        OSError: PostgreSQL cannot be reached.
    """
    async with _alone(dsn) as alone:
        await briefly(alone, "CREATE SCHEMA IF NOT EXISTS callrecords")
        await _upgrade(dsn)
        for month in months_ahead(now or datetime.now(UTC)):
            for table in CHILD_TABLES:
                await briefly(alone, f"SELECT callrecords.make_month('{table}', '{month.isoformat()}')")
        await _comment(alone)
        await make_missing(alone)


@asynccontextmanager
async def _alone(dsn: str) -> AsyncGenerator[Connection]:
    """A connection while whose life no other migration runs.

    The lock is asked for again and again instead of waited for: PostgreSQL's waiting is a transaction, which the
    other's making of an index would wait for.
    """
    connection = await connect(dsn, server_settings=_UNHURRIED)
    try:
        loop, said = asyncio.get_running_loop(), float("-inf")
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            if loop.time() - said >= SAID_EVERY:
                said = loop.time()
                _log.info("Another migration runs; this one waits for its end.")
            await asyncio.sleep(_ASK_AGAIN)
        yield connection
    finally:
        await connection.close()


async def _upgrade(dsn: str) -> None:
    """Each revision for itself: what one has locked is free before the next waits."""
    async with _transaction(dsn) as connection:
        missing = await connection.run_sync(_missing)
    for revision in missing:

        async def attempt(revision: str = revision) -> None:
            async with _transaction(dsn) as connection:
                await connection.run_sync(_apply, revision)

        await until_free(attempt)


@asynccontextmanager
async def _transaction(dsn: str) -> AsyncGenerator[AsyncConnection]:
    async def made() -> Connection:
        return await connect(dsn, server_settings=_UNHURRIED | {"lock_timeout": LOCK_TIMEOUT})

    engine = create_async_engine("postgresql+asyncpg://", async_creator=made, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            yield connection
    except DBAPIError as wrapped:
        said = wrapped.orig.__cause__ if wrapped.orig is not None else None
        raise said if isinstance(said, asyncpg.PostgresError) else wrapped from None
    finally:
        await engine.dispose()


def alembic_config() -> Config:
    """Where the revisions are."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _missing(connection: SyncConnection) -> list[str]:
    """The revisions between what the store has and this release's, oldest first."""
    found = MigrationContext.configure(connection, opts={"version_table_schema": "callrecords"}).get_current_revision()
    steps = ScriptDirectory.from_config(alembic_config()).iterate_revisions(REVISION, found or "base")
    return [step.revision for step in steps][::-1]


def _apply(connection: SyncConnection, revision: str) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


_EXISTING = """
    SELECT c.relname, c.relkind::text, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'callrecords'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
      AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
"""


async def _comment(connection: Connection) -> None:
    """Comments are the models' own words, so they are refreshed instead of repeated in revisions."""
    existing = await connection.fetch(_EXISTING)
    kinds = {row["relname"]: "VIEW" if row["relkind"] == "v" else "TABLE" for row in existing}
    there = {(row["relname"], row["attname"]) for row in existing} | {(name, None) for name in kinds}
    statements = [f"COMMENT ON SCHEMA callrecords IS {_literal(SCHEMA)}"]
    for relation, column, sentence in comments():
        if (relation, column) in there:
            what = f'{kinds[relation]} callrecords."{relation}"'
            if column is not None:
                what = f'COLUMN callrecords."{relation}"."{column}"'
            statements.append(f"COMMENT ON {what} IS {_literal(sentence)}")
    await briefly(connection, *statements)


def _literal(sentence: str) -> str:
    return "'" + sentence.replace("'", "''") + "'"
