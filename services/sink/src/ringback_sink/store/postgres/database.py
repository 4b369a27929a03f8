"""The one connection a writer holds, made again whenever it was lost."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
from ringback_common import logs
from ringback_common.errors import ConfigError, RingbackError, Transient
from ringback_common.grants import role_of

from ringback_sink.store.postgres.failures import MissingPartition, RowRefused, StoreUnavailable, translated
from ringback_sink.store.postgres.schema import REVISION
from ringback_sink.store.postgres.statements import INCOMING
from ringback_sink.store.telemetry import UNAVAILABLE

__all__ = ["Connection", "Database", "connect"]

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_CONNECT_SECONDS = 10.0
_COMMAND_SECONDS = 90.0
_CLOSE_SECONDS = 3.0
_ASK_EVERY, _ANSWER_SECONDS = 5.0, 5.0
_REFUSAL_STANDS = 180.0
"""Seconds since the last write that was not taken. While one waits it is tried again within 115 (10 to connect, 90 for
a command, 15 between attempts); later no step holds the record, and only whether a connection answers is known."""
_SESSION = {
    "application_name": "ringback-sink-store",
    "lock_timeout": "10s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""The joins are off because the only join here, children to remove, must go by key however stale the statistics are."""

_log = logs.logger(__name__)


class Database:
    """Hands out the connection; one user at a time."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._role = role_of(dsn)
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()
        self._unanswered: str | None = "The store has not answered yet."
        self._not_taken: tuple[float, str] | None = None

    @property
    def away(self) -> str | None:
        """Why the store cannot be used right now, or None; for readiness.

        A write that was not taken says more than a connection that answers: a full disk, a lock or a server that takes
        no writes leaves reading as it was.
        """
        return self._not_taken[1] if self._not_taken is not None else self._unanswered

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """One transaction, rolled back on any exception.

        Raises:
            Transient: the store is away, full or locked.
            Refused: it refuses the data.
            MissingPartition: a month's partition is missing.
            ConfigError: it refuses the credentials.
        """
        async with self._turn:
            try:
                with translated(self._role):
                    connection = await self._connected()
                    async with connection.transaction():
                        yield connection
            except StoreUnavailable as failure:
                UNAVAILABLE.labels(failure.sqlstate[:2] if failure.sqlstate else "none").inc()
                self._not_taken = asyncio.get_running_loop().time(), f"The store is away ({failure})."
                self._forget()
                raise
            except (RowRefused, MissingPartition):
                self._took_part()  # it has judged the data
                raise
            except asyncio.CancelledError:
                self._forget()  # cut off on the way in or out, it may still stand in the transaction
                raise
            self._took_part()

    def _took_part(self) -> None:
        self._not_taken = self._unanswered = None

    async def follow(self, every: float = _ASK_EVERY) -> None:
        """For ever: ask PostgreSQL whether it is there while no transaction does, so that readiness follows it.

        That a connection answers does not take back what a write has met, unless no step waits for that write any more.
        """
        while True:
            await asyncio.sleep(every)
            if self._turn.locked():
                continue
            self._unanswered = await self._answers()
            since = self._not_taken[0] if self._not_taken is not None else 0.0
            if asyncio.get_running_loop().time() - since >= _REFUSAL_STANDS:
                self._not_taken = None

    async def _answers(self) -> str | None:
        """None if a connection answers within five seconds; else why it does not, whatever was raised.

        A failure of any kind is an answer: if it ended `follow`, readiness would stay for ever as it was.
        """
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), self._turn:
                with translated(self._role):
                    await (await self._connected()).execute("SELECT 1")
        except Exception as failure:  # noqa: BLE001 - of what is not ours the class alone, its message may quote data
            self._forget()
            said = str(failure) if isinstance(failure, RingbackError) else type(failure).__name__
            return f"The store is away ({said})."
        return None

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._dsn, command_timeout=_COMMAND_SECONDS, server_settings=_SESSION)
            await self._connection.execute(INCOMING)
        return self._connection

    def _forget(self) -> None:
        """Close the connection: after a failure its state is unknown."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        """Close the connection; what was committed stays. One that is dead already is no failure."""
        if self._connection is None:
            return
        try:
            with translated(self._role):
                await self._connection.close(timeout=_CLOSE_SECONDS)
        except Transient:
            self._forget()

    async def verify(self) -> None:
        """Make sure the schema is this release's.

        Raises:
            Transient: the store is away.
            ConfigError: `ringback-sink migrate` has not been run, or not by this release.
        """
        with translated(self._role):
            connection = await connect(self._dsn)
            try:
                found = await _revision(connection)
            finally:
                await connection.close()
        if found != REVISION:
            raise ConfigError(
                f"The store's schema is at revision {found or 'none'} and this release needs {REVISION}: "
                "run `ringback-sink migrate`."
            )
        self._took_part()


async def connect(dsn: str, **options: Any) -> Connection:
    """A connection of one's own.

    Raises:
        ConfigError: no connection can be made with this DSN.
        asyncpg.PostgresError: PostgreSQL refuses.
        OSError: it cannot be reached.
    """
    try:
        return await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS, **options)
    except ValueError:  # whatever asyncpg says of a DSN quotes it
        raise ConfigError(
            "RINGBACK_STORE__DSN, or the file that RINGBACK_STORE__DSN_FILE names, is not a connection string like "
            "postgresql://user:password@host:5432/database (a password's @ / : ? # must be percent-encoded)."
        ) from None


async def _revision(connection: Connection) -> str | None:
    if await connection.fetchval("SELECT to_regclass('callrecords.alembic_version')") is None:
        return None
    return await connection.fetchval("SELECT version_num FROM callrecords.alembic_version")
