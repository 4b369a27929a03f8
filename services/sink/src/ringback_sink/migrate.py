"""`ringback-sink migrate`: brings a store to this release's schema; run it as often and as concurrently as you like."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from ringback_common import logs
from ringback_common.clock import SystemClock
from ringback_common.grants import Duty, role_of
from ringback_common.process import begin
from ringback_common.settings import load
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from ringback_sink.schema import REVISION
from ringback_sink.settings import MigrateProcess
from ringback_sink.store.adapters.database import connect
from ringback_sink.store.adapters.failures import translated
from ringback_sink.store.core import columns
from ringback_sink.store.core.months import CHILD_TABLES, months_ahead
from ringback_sink.store.waiting import until_reachable

__all__ = ["alembic_config", "migrate", "serve"]

_LOCK = 7_463_728_401
"""Any constant: the name of the advisory lock that lets one migration run at a time."""


_log = logs.logger(__name__)


async def serve(stop: asyncio.Event) -> None:
    """`ringback-sink migrate` as a process: waits for PostgreSQL, migrates, ends."""
    settings = load(MigrateProcess)
    dsn = settings.store.connection_string(settings.profile)
    begin("migrate", settings)

    async def attempt() -> None:
        with translated(role_of(dsn), Duty.OWN):
            await migrate(dsn)

    if await until_reachable(attempt, stop, SystemClock()):
        _log.info("The store has this release's schema.", value=REVISION)


async def migrate(dsn: str, now: datetime | None = None) -> None:
    """Apply all missing revisions, make this and the coming months' partitions, refresh the comments.

    One transaction under an advisory lock: a second migration waits, then finds nothing to do.

    Args:
        dsn: libpq connection string of a role that may create the schema.
        now: the time the partitions are made around, for tests.

    Raises:
        ConfigError: nobody could connect with this DSN.
        asyncpg.PostgresError: PostgreSQL refuses.
        OSError: PostgreSQL cannot be reached.
    """
    async with _transaction(dsn) as connection:
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        await connection.execute(text("CREATE SCHEMA IF NOT EXISTS callrecords"))
        await connection.run_sync(_upgrade)
        for month in months_ahead(now or datetime.now(UTC)):
            for table in CHILD_TABLES:
                await connection.execute(
                    text("SELECT callrecords.make_month(:parent, :month)"), {"parent": table, "month": month}
                )
        await _comment(connection)


@asynccontextmanager
async def _transaction(dsn: str) -> AsyncGenerator[AsyncConnection]:
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: connect(dsn), poolclass=NullPool)
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


def _upgrade(connection: Connection) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, REVISION)


async def _comment(connection: AsyncConnection) -> None:
    """Comments are the models' own words, so they are refreshed instead of repeated in revisions."""
    tables = {
        "call": columns.CALL,
        "participant": columns.PARTICIPANT,
        "session": columns.SESSION,
        "stream": columns.STREAM,
    }
    for table, described in tables.items():
        for column in described:
            quoted = column.comment.replace("'", "''")
            await connection.exec_driver_sql(f"COMMENT ON COLUMN callrecords.{table}.\"{column.name}\" IS '{quoted}'")
