"""Stage store: restricted records into PostgreSQL, beside a bare COPY of the same lines into the same tables."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import orjson
from ringback_events import topics
from ringback_local.postgres import Postgres, open_postgres
from ringback_sink.migrate import migrate

from bench.bare_copy import PREPARED
from bench.contestant import Ran
from bench.cost import metered
from bench.figures import RINGBACK, Figures
from bench.kafka import Lanes, frozen, watch
from bench.programs import ROOT, Service, script
from bench.records import WHOLE, records
from bench.round import Round

__all__ = ["measure"]

_GUESSES = {"5 participants": 3000, WHOLE: 150}
"""Calls a second by load, to choose a load that takes about the seconds asked for."""
_FEWEST = 200
_SETTINGS = {"fsync": "on", "max_wal_size": "4GB"}
"""Nothing is left out that production does; and no checkpoint falls into one contestant's time and not the other's."""
_TOPICS = (
    *(topics.RECORDS, topics.STATUS, topics.CONTROL),
    *(topics.INTERNAL_DEAD_LETTERS, topics.RESTRICTED_DEAD_LETTERS),
)


@dataclass(frozen=True, slots=True)
class Versions:
    """One version of so many calls."""

    load: str
    calls: int
    version: int = 1


@asynccontextmanager
async def _database(postgres: Postgres, name: str) -> AsyncGenerator[str]:
    """A database with the schema, and nothing of others left to write; dropped afterwards."""
    admin: Any = await asyncpg.connect(postgres.dsn)
    await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await admin.execute(f"CREATE DATABASE {name}")
    dsn = urlsplit(postgres.dsn)._replace(path=f"/{name}").geturl()
    await migrate(dsn)
    await admin.execute("CHECKPOINT")
    try:
        yield dsn
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


class Store:
    """`ringback-sink store`."""

    name = RINGBACK

    def __init__(self, lanes: Lanes, folder: Path, dsn: str) -> None:
        self._lanes = lanes
        self._dsn = dsn
        env = {**lanes.settings, "RINGBACK_STORE__DSN": dsn}
        self._service = Service("store", ["ringback-sink", "store"], env, folder)

    async def start(self) -> None:
        """Until it has its partitions."""
        await self._service.start()

    def pids(self) -> Sequence[int]:
        """One process."""
        return [self._service.pid]

    async def run(self, load: Versions) -> Ran:
        """Lay the records before the frozen process, let it go, and watch the rows come."""
        connection: Any = await asyncpg.connect(self._dsn)

        async def stored() -> int:
            return await connection.fetchval("SELECT count(*) FROM callrecords.call WHERE version = $1", load.version)

        try:
            with frozen(self.pids()):
                given = records(load.load, load.calls, load.version)
                await self._lanes.fill(topics.RECORDS, ((one.key or b"", one.value or b"", one.headers) for one in given))
            return await watch(stored, 0, load.calls)
        finally:
            await connection.close()

    async def stop(self) -> None:
        """Stop it."""
        await self._service.stop()


class BareCopy:
    """The baseline: `bench.bare_copy`. It prepares the load it is made for when it starts."""

    name = "bare COPY"

    def __init__(self, folder: Path, dsn: str, load: Versions) -> None:
        self._job = folder / "bare-copy.json"
        self._job.write_bytes(orjson.dumps({"dsn": dsn, "load": load.load, "calls": load.calls}))

    async def start(self) -> None:
        """Until every line is finished."""
        pipe = asyncio.subprocess.PIPE
        command = script("bench.bare_copy", str(self._job))
        self._process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, cwd=ROOT)
        if await self._told() != PREPARED:
            raise RuntimeError("the bare COPY did not start")

    def pids(self) -> Sequence[int]:
        """One process; PostgreSQL is not its own."""
        return [self._process.pid]

    async def run(self, load: Versions) -> Ran:  # noqa: ARG002 - the load it was made for
        """Copy."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe, see `start`
        self._process.stdin.write(b"\n")
        return Ran(**orjson.loads(await self._told()))

    async def stop(self) -> None:
        """Let it end."""
        await self._process.communicate()

    async def _told(self) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - a pipe, see `start`
        return await self._process.stdout.readline()


@dataclass(frozen=True, slots=True)
class Beside:
    """A contestant with PostgreSQL's share of the work noted apart."""

    contestant: Store | BareCopy
    postgres: Postgres

    @property
    def name(self) -> str:
        """The contestant's."""
        return self.contestant.name

    def pids(self) -> Sequence[int]:
        """The contestant's."""
        return self.contestant.pids()

    async def start(self) -> None:
        """Start the contestant."""
        await self.contestant.start()

    async def stop(self) -> None:
        """Stop the contestant."""
        await self.contestant.stop()

    async def run(self, load: Versions) -> Ran:
        """Run the contestant; `postgres_cpu_ms` is what PostgreSQL spent meanwhile per 1,000 calls."""
        if not self.postgres.owned:
            return await self.contestant.run(load)
        async with metered([self.postgres.pid]) as meter:
            ran = await self.contestant.run(load)
        spent = meter.seconds_between(ran.began, ran.ended)
        return replace(ran, also={"postgres_cpu_ms": spent / ran.records * 1e6})


async def measure(bench: Round, bootstrap: str) -> list[Figures]:
    """Every load: first versions by both, second versions of the same calls by the store."""
    lines: list[Figures] = []
    with open_postgres(_SETTINGS) as postgres:
        for load, guess in _GUESSES.items():
            first = Versions(load, max(_FEWEST, int(bench.seconds * guess)))
            async with _database(postgres, "bench_copy") as dsn:
                lines.append(await _copied(bench, Beside(BareCopy(bench.folder, dsn, first), postgres), first))
            async with _database(postgres, "bench_store") as dsn, Lanes.open(bootstrap, *_TOPICS) as lanes:
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
