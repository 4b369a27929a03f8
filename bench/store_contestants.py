"""Who fills the store: Ringback's process from Kafka, a bare COPY from memory, each with PostgreSQL's share apart."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from ringback_events import topics
from ringback_local.postgres import Postgres

from bench.bare_copy import PREPARED
from bench.contestant import Ran
from bench.cost import metered
from bench.figures import RINGBACK
from bench.kafka import Lanes, frozen, watch
from bench.programs import ROOT, Service, script
from bench.records import records

__all__ = ["BareCopy", "Beside", "Store", "Versions"]


@dataclass(frozen=True, slots=True)
class Versions:
    """One version of so many calls."""

    load: str
    calls: int
    version: int = 1


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
                await self._lanes.fill(topics.RECORDS, ((one.key, one.value, one.headers) for one in given))
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
