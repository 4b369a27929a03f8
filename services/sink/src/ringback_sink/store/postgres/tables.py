"""Writes the tables that stand for themselves: `dead_letter`, `dead_letter_decision`, `status`, and what comes."""

from collections.abc import Sequence
from functools import cache

from ringback_sink.store.model.flat import FlatRow, collapsed
from ringback_sink.store.port import Stored
from ringback_sink.store.postgres.database import Database
from ringback_sink.store.postgres.statements import assignments, columns_of

__all__ = ["Tables", "removal", "upsert"]


class Tables:
    """Every table of a `FlatRow`; every write may be repeated."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, rows: Sequence[FlatRow]) -> Sequence[Stored]:
        """Write rows of one kind in one transaction.

        Raises:
            Transient: nothing was written, it may work later.
            Refused: nothing was written, PostgreSQL refuses some of the data.
        """
        kind = type(rows[0])
        async with self._database.transaction() as connection:
            await connection.executemany(upsert(kind), [row.values() for row in collapsed(rows)])
            if kind.FORGOTTEN_AFTER is not None:
                await connection.execute(removal(kind), kind.FORGOTTEN_AFTER)
        return [Stored.ADDED] * len(rows)


@cache
def upsert(kind: type[FlatRow]) -> str:
    """The statement that writes one row of a kind."""
    names = kind.columns()
    places = ", ".join(f"${place}" for place in range(1, len(names) + 1))
    insert = (
        f"INSERT INTO callrecords.{kind.TABLE} ({columns_of(names)}) VALUES ({places}) "  # noqa: S608 - our own names
        f"ON CONFLICT ({columns_of(kind.KEY)}) DO "
    )
    if kind.NEWEST is None:
        return insert + "NOTHING"
    than = ">=" if kind.EQUAL_REPLACES else ">"
    return (
        f"{insert}UPDATE SET {assignments(tuple(name for name in names if name not in kind.KEY))}, "
        f'stored_at = clock_timestamp() WHERE excluded."{kind.NEWEST}" {than} {kind.TABLE}."{kind.NEWEST}"'
    )


def removal(kind: type[FlatRow]) -> str:
    """The statement that removes the rows of a kind that are older than its first argument, by the earlier clock."""
    return f'DELETE FROM callrecords.{kind.TABLE} WHERE least("{kind.NEWEST}", stored_at) < now() - $1::interval'  # noqa: S608 - our own names
