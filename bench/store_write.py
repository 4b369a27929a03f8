"""How fast the store writes, beside a bare COPY of the same lines into the same tables.

    python bench/store_write.py [--calls 10000] [--json FILE]

Both write to fresh databases of one real PostgreSQL, into logged tables with all their keys, 500 calls a transaction.
The bare COPY gets finished lines and does nothing but copy them; the store decodes, plans, guards, and learns the
winners. `replace` writes second versions of the same calls: every row is exchanged.
"""

import argparse
import gc
import resource
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import orjson
import uvloop
from ringback_common.clock import SystemClock
from ringback_common.outcomes import Emit, Received, Reject
from ringback_local.postgres import open_postgres
from ringback_sink.migrate import migrate
from ringback_sink.store.adapters.calls import Calls
from ringback_sink.store.adapters.database import Database
from ringback_sink.store.core.lines import line
from ringback_sink.store.core.plan import Entry, prepare
from ringback_sink.store.core.record import decode
from ringback_sink.store.core.rows import CALL_COLUMNS, CHILD_COLUMNS
from ringback_sink.store.core.statements import VERSION_COLUMNS
from ringback_sink.store.handlers import RecordsStep

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from ringback_testing.call_records import call_record, received

BATCH, TRANSACTION = 2_000, 500
CALL = CALL_COLUMNS[:-2]
SHAPES: dict[str, dict[str, Any]] = {
    "5 participants": {"parties": 5, "sessions": 0},
    "5 participants, 5 sessions, 10 streams": {"parties": 5},
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One line of the table; CPU is this process's, without PostgreSQL's."""

    shape: str
    what: str
    calls_per_second: float
    cpu_us_per_call: float
    of_bare_copy: float


async def timed(calls: int, work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Calls per second, and microseconds of CPU per call."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    return calls / (time.perf_counter() - wall), (time.process_time() - cpu) / calls * 1e6


def versions(calls: int, version: int, shape: dict[str, Any]) -> list[Received]:
    """So many calls in one version, as they come from the topic, in the topic's random order of ids."""
    graph = {"id": "x", "sessions": [{"pad": "Graph's own JSON. " * 20}]}
    ids = [f"{number * 2654435761 % 2**32:08x}-0000-4000-8000-{number:012x}" for number in range(calls)]
    return [received(call_record(one, version=version, graph=graph, **shape)) for one in ids]


def entry(one: Received) -> Entry:
    """The entry of a legal record."""
    record = decode(one)
    if isinstance(record, Reject):
        raise TypeError(record.reason)
    return prepare(record)


def tables(entries: Sequence[Entry]) -> dict[str, tuple[tuple[str, ...], bytes]]:
    """Finished lines per table, sorted by key as the store sorts them."""
    ordered = sorted(entries, key=lambda one: one.key)
    places = [CALL.index(name) for name in VERSION_COLUMNS]
    calls = [line(one.rows.values)[0][:-1] + b"," + one.rows.document + b"\n" for one in ordered]
    history = [line([one.rows.values[place] for place in places])[0] for one in ordered]
    children = {
        table: (columns, b"".join(one.rows.children[place] for one in ordered))
        for place, (table, columns) in enumerate(CHILD_COLUMNS.items())
    }
    return {
        "call": ((*CALL, "document"), b"".join(calls)),
        "call_version": (VERSION_COLUMNS, b"".join(history)),
        **children,
    }


async def bare_copy(dsn: str, batches: list[dict[str, tuple[tuple[str, ...], bytes]]]) -> None:
    """Copy finished lines, one transaction a batch."""
    connection = await asyncpg.connect(dsn)
    for batch in batches:
        async with connection.transaction():
            for table, (columns, lines) in batch.items():
                await connection.copy_to_table(
                    table, source=piece(lines), columns=columns, schema_name="callrecords",
                    format="csv", null="null", escape="\\",
                )  # fmt: skip
    await connection.close()


async def piece(lines: bytes) -> AsyncGenerator[bytes]:
    """The lines as a source of COPY."""
    if lines:
        yield lines


async def stored(step: RecordsStep, waiting: list[Received]) -> None:
    """Give the step one batch after the other, as the runtime does."""
    for start in range(0, len(waiting), BATCH):
        outcomes = await step(waiting[start : start + BATCH])
        if set(outcomes) != {Emit()}:
            raise RuntimeError("the store refused a legal record")


@asynccontextmanager
async def fresh(server: str, name: str) -> AsyncGenerator[str]:
    """A database with the schema; dropped afterwards."""
    admin = await asyncpg.connect(server)
    await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await admin.execute(f"CREATE DATABASE {name}")
    dsn = urlsplit(server)._replace(path=f"/{name}").geturl()
    await migrate(dsn)
    await admin.execute("CHECKPOINT")
    try:
        yield dsn
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


async def measure_copy(server: str, entries: Sequence[Entry]) -> tuple[float, float]:
    """The yardstick: calls per second and CPU of a bare COPY."""
    batches = [tables(entries[start : start + TRANSACTION]) for start in range(0, len(entries), TRANSACTION)]
    async with fresh(server, "ringback_bench_copy") as dsn:
        return await timed(len(entries), lambda: bare_copy(dsn, batches))


async def measure(server: str, calls: int, shape: str) -> list[Measured]:
    """Both ways for one shape of call."""
    first, second = (versions(calls, version, SHAPES[shape]) for version in (1, 2))
    entries = [entry(one) for one in first]
    copied, copy_cpu = await measure_copy(server, entries)
    lines = [Measured(shape, "bare COPY", copied, copy_cpu, 1.0)]
    async with fresh(server, "ringback_bench_store") as dsn:
        database = Database(dsn)
        step = RecordsStep(Calls(database), SystemClock())
        for what, waiting in (("store: new", first), ("store: replace", second), ("store: repeat", second)):
            rate, cpu = await timed(calls, lambda waiting=waiting: stored(step, waiting))
            lines.append(Measured(shape, what, rate, cpu, rate / copied))
        await database.close()
    return lines


async def bench(calls: int) -> list[Measured]:
    """Measure and print the table."""
    with open_postgres() as postgres:
        measured = [one for shape in SHAPES for one in await measure(postgres.dsn, calls, shape)]
    for one in measured:
        print(
            f"{one.shape:<40} {one.what:<16} {one.calls_per_second:>9,.0f} calls/s "
            f"{one.cpu_us_per_call:>7.1f} us CPU/call {one.of_bare_copy:>6.2f} of bare COPY"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{calls:,} calls; peak RSS {peak:,.0f} MiB, the prepared load included. Goal: store: new at least 0.5.")
    return measured


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How fast the store writes.")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    table = {"store_write": [asdict(one) for one in uvloop.run(bench(arguments.calls))]}
    if arguments.json is not None:
        arguments.json.write_bytes(orjson.dumps(table, option=orjson.OPT_INDENT_2))
