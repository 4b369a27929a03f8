"""Writes versions of calls: one transaction, newest wins, children replaced with their call."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from datetime import date

import asyncpg
from ringback_common.clock import Clock

from ringback_sink.store.model.version import CHILD_COLUMNS, CallKey
from ringback_sink.store.port import Stored
from ringback_sink.store.postgres.database import Connection, Database
from ringback_sink.store.postgres.failures import MissingPartition
from ringback_sink.store.postgres.months import CHILD_TABLES, worth_a_partition
from ringback_sink.store.postgres.plan import Plan, plan
from ringback_sink.store.postgres.rows import CALL_COLUMNS, CHILD_KEY, Entry
from ringback_sink.store.postgres.statements import HISTORY, REMOVE_CHILDREN, UPSERT
from ringback_sink.store.telemetry import NUL_REPLACED, TRANSACTION_SECONDS

__all__ = ["Calls"]

_PIECE = 256 * 1024
"""Bytes handed to the socket at once; a bigger piece only costs memory."""


class Calls:
    """The table `call`, and those of its history and children."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._made: set[date] = set()

    async def write(self, entries: Sequence[Entry]) -> Sequence[Stored]:
        """Write versions in one transaction.

        Believable months get their partitions first; the rows of others go to the DEFAULT one.

        Raises:
            Transient: nothing was written, it may work later.
            Refused: nothing was written, PostgreSQL refuses some of the data.
        """
        planned = plan(entries)
        with TRANSACTION_SECONDS.time():
            winners = await self._with_months(planned)
        NUL_REPLACED.inc(sum(entry.nul_replaced for entry in entries))
        return [_result(entry, planned, winners) for entry in entries]

    async def _with_months(self, planned: Plan) -> Mapping[CallKey, Stored]:
        worth = (month for month in planned.months() if worth_a_partition(month, self._clock.now()))
        await self._make(month for month in worth if month not in self._made)
        try:
            return await self._write(planned)
        except MissingPartition:
            await self._make(planned.months())
            return await self._write(planned)

    async def _write(self, planned: Plan) -> Mapping[CallKey, Stored]:
        """The calls whose newest version is another one now.

        1. The versions are copied into the connection's own `incoming`.
        2. One statement upserts the newest of each call under the guard, and returns the calls that it took effect on
           with their numbers.
        3. One adds all of them to the history.
        4. The children of the versions before are removed where those had been filed.
        5. The children of the new ones are copied straight into their tables.
        """
        async with self._database.transaction() as connection:
            await _copy(connection, "incoming", CALL_COLUMNS, planned.incoming())
            winners = await connection.fetch(UPSERT)
            await connection.execute(HISTORY)
            replaced = [winner for winner in winners if winner["replaced"] is not None]
            if replaced:
                await connection.execute(REMOVE_CHILDREN, *_columns(replaced))
            keys = {_key(winner): winner["call_key"] for winner in winners}
            for table, columns in CHILD_COLUMNS.items():
                if any(planned.newest[key].children[table] for key in keys):
                    lines = planned.child_lines(table, keys)
                    await _copy(connection, f"{table}_row", CHILD_KEY + columns, lines, schema="callrecords")
        return {_key(winner): Stored.ADDED if winner["replaced"] is None else Stored.REPLACED for winner in winners}

    async def _make(self, months: Iterable[date]) -> None:
        for month in sorted(months):
            async with self._database.transaction() as connection:
                for table in CHILD_TABLES:
                    await connection.execute("SELECT callrecords.make_month($1, $2)", table, month)
            self._made.add(month)


def _result(entry: Entry, planned: Plan, winners: Mapping[CallKey, Stored]) -> Stored:
    """A version that another one of its batch has overtaken is as old as one that came late."""
    return winners.get(entry.key, Stored.OLDER) if planned.newest[entry.key] is entry else Stored.OLDER


def _key(winner: asyncpg.Record) -> CallKey:
    return winner["tenant_id"], winner["call_id"]


def _columns(rows: list[asyncpg.Record]) -> tuple[list[object], ...]:
    return tuple([row[name] for row in rows] for name in ("call_key", "replaced"))


async def _copy(
    connection: Connection, table: str, columns: tuple[str, ...], lines: Iterable[bytes], schema: str | None = None
) -> None:
    await connection.copy_to_table(
        table,
        source=_pieces(lines),
        columns=columns,
        schema_name=schema,
        format="csv",
        null="null",
        escape="\\",
    )


async def _pieces(lines: Iterable[bytes]) -> AsyncGenerator[bytes]:
    """Small lines together, large ones in parts."""
    small: list[bytes] = []
    size = 0
    for line in lines:
        small.append(line)
        size += len(line)
        if size >= _PIECE:
            whole = memoryview(b"".join(small))
            small, size = [], 0
            for start in range(0, len(whole), _PIECE):
                yield bytes(whole[start : start + _PIECE])
    if small:
        yield b"".join(small)
