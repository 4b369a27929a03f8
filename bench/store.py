"""Stage store: restricted records into PostgreSQL, beside a bare COPY of the same lines into the same tables."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from ringback_events import topics
from ringback_local.postgres import Postgres, open_postgres
from ringback_sink.store.postgres.migrate import migrate

from bench.figures import Figures
from bench.kafka import Lanes
from bench.programs import migrated
from bench.records import WHOLE
from bench.round import Round
from bench.store_contestants import BareCopy, Beside, Store, Versions

__all__ = ["database", "measure"]

_GUESSES = {"5 participants": 3000, WHOLE: 150}
"""Calls a second by load, to choose a load that takes about the seconds asked for."""
_FEWEST = 400
_SETTINGS = {"fsync": "on", "max_wal_size": "4GB"}
"""Nothing is left out that production does; and no checkpoint falls into one contestant's time and not the other's."""
_TOPICS = (
    *(topics.RECORDS, topics.STATUS, topics.CONTROL, topics.AUDIT),
    *(topics.INTERNAL_DEAD_LETTERS, topics.RESTRICTED_DEAD_LETTERS),
)


@asynccontextmanager
async def database(
    postgres: Postgres, name: str, migrating: Callable[[str], Awaitable[None]] = migrate
) -> AsyncGenerator[str]:
    """A database with the schema, by default this tree's, and nothing of others left to write; dropped afterwards."""
    admin: Any = await asyncpg.connect(postgres.dsn)
    await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await admin.execute(f"CREATE DATABASE {name}")
    dsn = urlsplit(postgres.dsn)._replace(path=f"/{name}").geturl()
    await migrating(dsn)
    await admin.execute("CHECKPOINT")
    try:
        yield dsn
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


async def measure(bench: Round, bootstrap: str) -> list[Figures]:
    """Every load: first versions by both, second versions of the same calls by the store."""
    lines: list[Figures] = []
    with open_postgres(_SETTINGS) as postgres:
        for load, guess in _GUESSES.items():
            first = Versions(load, max(_FEWEST, int(bench.seconds * guess)))
            async with database(postgres, "bench_copy") as dsn:
                lines.append(await _copied(bench, Beside(BareCopy(bench.folder, dsn, first), postgres), first))
            store = database(postgres, "bench_store", migrated)
            async with store as dsn, Lanes.open(bootstrap, *_TOPICS) as lanes:
                lines += await _stored(bench, Beside(Store(lanes, bench.folder, dsn), postgres), first)
    return lines


async def _copied(bench: Round, copy: Beside, load: Versions) -> Figures:
    await copy.start()
    try:
        return await bench.measure(("store", load.load), copy, load, baseline=True)
    finally:
        await copy.stop()


async def _stored(bench: Round, store: Beside, first: Versions) -> list[Figures]:
    await store.start()
    try:
        new = await bench.measure(("store", first.load), store, first)
        again = replace(first, version=2)
        return [new, await bench.measure(("store", f"{first.load}, second versions"), store, again)]
    finally:
        await store.stop()
