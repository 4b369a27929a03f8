"""Writes planned versions of calls: one transaction, newest wins, children replaced with their call."""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from datetime import date

import asyncpg

from ringback_sink.store.adapters.database import Connection, Database
from ringback_sink.store.adapters.failures import MissingPartition
from ringback_sink.store.core.months import CHILD_TABLES
from ringback_sink.store.core.plan import CallKey, Plan
from ringback_sink.store.core.rows import CALL_COLUMNS, CHILD_COLUMNS
from ringback_sink.store.core.statements import REMOVE_CHILDREN, UPSERT

__all__ = ["Calls", "Written"]

_PIECE = 256 * 1024
"""Bytes handed to the socket at once; a bigger piece only costs memory."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a transaction did to the calls it was given."""

    added: int
    replaced: int
    older: int


class Calls:
    """The tables `call`, `call_version`, `participant`, `session` and `stream`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made: set[date] = set()

    async def write(self, plan: Plan, worth: Iterable[date]) -> Written:
        """Write a plan in one transaction.

        1. the versions are copied into the connection's own `incoming`;
        2. one statement adds them to the history, upserts the newest under the guard and tells which calls won;
        3. the children of the versions before are removed where those had been filed;
        4. the winners' children are copied straight into their tables.

        Args:
            plan: what to write.
            worth: the months among the plan's that shall have partitions; the others' rows go to the DEFAULT one.

        Raises:
            Transient: nothing was written, it may work later.
            Refused: nothing was written, PostgreSQL refuses some of the data.
        """
        await self._make(month for month in worth if month not in self._made)
        try:
            return await self._write(plan)
        except MissingPartition:
            await self._make(plan.months())
            return await self._write(plan)

    async def _write(self, plan: Plan) -> Written:
        async with self._database.transaction() as connection:
            await _copy(connection, "incoming", CALL_COLUMNS, plan.incoming())
            winners = await connection.fetch(UPSERT)
            replaced = [winner for winner in winners if winner["replaced"] is not None]
            if replaced:
                await connection.execute(REMOVE_CHILDREN, *_columns(replaced))
            children = plan.children(_key(winner) for winner in winners)
            for table, lines in children.items():
                if lines:
                    await _copy(connection, table, CHILD_COLUMNS[table], (lines,), schema="callrecords")
        return Written(len(winners) - len(replaced), len(replaced), len(plan.newest) - len(winners))

    async def _make(self, months: Iterable[date]) -> None:
        for month in sorted(months):
            async with self._database.transaction() as connection:
                for table in CHILD_TABLES:
                    await connection.execute("SELECT callrecords.make_month($1, $2)", table, month)
            self._made.add(month)


def _key(winner: asyncpg.Record) -> CallKey:
    return winner["tenant_id"], winner["call_id"]


def _columns(rows: list[asyncpg.Record]) -> tuple[list[object], ...]:
    return tuple([row[name] for row in rows] for name in ("tenant_id", "call_id", "replaced"))


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
