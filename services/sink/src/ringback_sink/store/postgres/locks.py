"""Locks that writers queue behind are asked for two seconds at a time, so that a migration never stops the store.

PostgreSQL hands locks out in order of asking: a statement that waits for one that writers hold makes every later
writer wait behind it, for as long as an analysis, a vacuum or a report in front of it takes.
"""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
from ringback_common import logs

from ringback_sink.store.postgres.database import Connection

__all__ = ["LOCK_TIMEOUT", "SAID_EVERY", "briefly", "until_free"]

LOCK_TIMEOUT = "2s"
_PAUSE = 5.0
"""Seconds in which writers work off what has queued up."""
SAID_EVERY = 30.0
"""Seconds between two lines about one wait."""

_log = logs.logger(__name__)


async def briefly(connection: Connection, *statements: str) -> None:
    """Execute statements in one transaction that waits two seconds at most for a lock; again until it gets them all."""

    async def attempt() -> None:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            for statement in statements:
                await connection.execute(statement)

    await until_free(attempt)


async def until_free(attempt: Callable[[], Awaitable[None]]) -> None:
    """Repeat a transaction that others are in the way of, with a pause; it is said every 30 s.

    Args:
        attempt: the transaction, with a lock timeout; nothing of it stays if it fails.

    Raises:
        asyncpg.PostgresError: PostgreSQL refuses for another reason.
    """
    loop, said = asyncio.get_running_loop(), float("-inf")
    while True:
        try:
            return await attempt()
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as failure:
            if loop.time() - said >= SAID_EVERY:
                said = loop.time()
                _log.warning("A lock is not free; it is asked for again, the store goes on.", sqlstate=failure.sqlstate)
            await asyncio.sleep(_PAUSE)
