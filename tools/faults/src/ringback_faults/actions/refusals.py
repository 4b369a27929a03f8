"""PostgreSQL answers, and refuses for now: it takes no writes, or no connections."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

import asyncpg

from ringback_faults.actions.registry import action
from ringback_faults.actions.store import given_up, more_given_up
from ringback_faults.collect.store_dump import connected
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["exhaust_connections", "read_only"]

_READ_ONLY, _TOO_MANY = "25", "53"
"""Classes of the SQLSTATEs 25006 and 53300."""
_LOOK_SECONDS = 0.1
_OF_THE_STORE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'ringback-sink%'"""


@action("read only")
async def read_only(scene: Scene, seconds: float) -> None:
    """Every session's transactions may only read, as on a standby that was not promoted.

    `given_up` is how many transactions the store gave up for SQLSTATE 25006.
    """
    at, before = time.time(), await given_up(scene, _READ_ONLY)
    async with connected(scene.stack.dsn) as connection:
        await connection.execute("SET default_transaction_read_only = off")
        await _set_for_all(connection, "ALTER SYSTEM SET default_transaction_read_only = on")
        try:
            await asyncio.sleep(seconds)
        finally:
            await _set_for_all(connection, "ALTER SYSTEM RESET default_transaction_read_only")
    more = more_given_up(before, await given_up(scene, _READ_ONLY))
    scene.note(Act(at, time.time(), "read only", "database", {"given_up": more}))


@action("exhaust connections")
async def exhaust_connections(scene: Scene, seconds: float) -> None:
    """Others hold every connection that PostgreSQL takes; the store's are ended, and it gets none.

    `given_up` is how many transactions the store gave up for SQLSTATE 53300, `held` the connections of the others.
    """
    at, before = time.time(), await given_up(scene, _TOO_MANY)
    async with connected(scene.stack.dsn) as connection, AsyncExitStack() as others:
        held = await _take_all(scene, others)
        until = time.time() + seconds
        while time.time() < until:
            await connection.execute(_OF_THE_STORE)
            held += await _take_all(scene, others)
            await asyncio.sleep(_LOOK_SECONDS)
    more = more_given_up(before, await given_up(scene, _TOO_MANY))
    scene.note(Act(at, time.time(), "exhaust connections", "database", {"given_up": more, "held": float(held)}))


async def _set_for_all(connection: Any, statement: str) -> None:
    """A setting of the server, of sessions that are open, too."""
    await connection.execute(statement)
    await connection.execute("SELECT pg_reload_conf()")


async def _take_all(scene: Scene, others: AsyncExitStack) -> int:
    """Connect until PostgreSQL takes no more."""
    held = 0
    while True:
        try:
            await others.enter_async_context(connected(scene.stack.dsn))
        except asyncpg.TooManyConnectionsError:
            return held
        held += 1
