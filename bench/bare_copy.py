"""The store's baseline: COPY of finished lines into the same logged tables with all keys, 500 calls a transaction.

    python -m bench.bare_copy <job.json>   prints `prepared`, waits for a line, copies, prints when it began and ended

It decodes, plans and guards nothing while it is measured; that was done before.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import uvloop
from ringback_common.outcomes import Reject
from ringback_sink.store.core.record import decode
from ringback_sink.store.model.version import CHILD_COLUMNS, Version
from ringback_sink.store.postgres.lines import line
from ringback_sink.store.postgres.rows import CALL_COLUMNS, CHILD_KEY, Entry, entry_of
from ringback_sink.store.postgres.statements import VERSION_COLUMNS

from bench.records import records

__all__ = ["PREPARED"]

PREPARED = b"prepared\n"
_TRANSACTION = 500
_CALL = CALL_COLUMNS[:-2]

Batch = dict[str, tuple[tuple[str, ...], bytes]]
"""Columns and lines by table."""


def _entries(load: str, calls: int) -> list[Entry]:
    decoded = [decode(one) for one in records(load, calls, version=1)]
    return [entry_of(Version(one)) for one in decoded if not isinstance(one, Reject)]


def _batch(entries: Sequence[Entry], first: int) -> Batch:
    """Finished lines, sorted by key as the store sorts them; the calls are numbered from `first`."""
    ordered = list(enumerate(sorted(entries, key=lambda one: one.key), start=first))
    places = [_CALL.index(name) for name in VERSION_COLUMNS]
    calls = [line((number, *one.values))[0][:-1] + b"," + one.document + b"\n" for number, one in ordered]
    history = [line([number, *(one.values[place] for place in places)])[0] for number, one in ordered]
    children: Batch = {
        f"{table}_row": (CHILD_KEY + columns, b"".join(one.child_lines(table, number) for number, one in ordered))
        for table, columns in CHILD_COLUMNS.items()
    }
    parents: Batch = {"call": (("call_key", *_CALL, "document"), b"".join(calls))}
    parents["call_version_row"] = (("call_key", *VERSION_COLUMNS), b"".join(history))
    return parents | children


async def _piece(lines: bytes) -> AsyncGenerator[bytes]:
    if lines:
        yield lines


async def _copy(connection: Any, batches: Sequence[Batch]) -> None:
    for batch in batches:
        async with connection.transaction():
            for table, (columns, lines) in batch.items():
                await connection.copy_to_table(
                    table, source=_piece(lines), columns=columns, schema_name="callrecords",
                    format="csv", null="null", escape="\\",
                )  # fmt: skip


async def _run(job: dict[str, Any]) -> None:
    entries = _entries(job["load"], job["calls"])
    batches = [
        _batch(entries[start : start + _TRANSACTION], start + 1) for start in range(0, len(entries), _TRANSACTION)
    ]
    connection = await asyncpg.connect(job["dsn"])
    sys.stdout.buffer.write(PREPARED)
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    began = time.time()
    await _copy(connection, batches)
    sys.stdout.buffer.write(orjson.dumps({"records": len(entries), "began": began, "ended": time.time()}) + b"\n")
    await connection.close()


if __name__ == "__main__":
    uvloop.run(_run(orjson.loads(Path(sys.argv[1]).read_bytes())))
