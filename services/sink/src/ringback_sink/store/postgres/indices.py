"""Indices for the questions of docs/store.md and of a help desk, made while the store goes on writing.

PostgreSQL makes an index without blocking writers outside a transaction only, and of a table by month partition by
partition. So `migrate` makes them after its transactions; a run that was interrupted is taken up by the next one. What
makes the table's own, and a partition's a part of it, takes a moment, and a lock that `locks` asks for briefly.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ringback_common import logs

from ringback_sink.store.postgres.database import Connection
from ringback_sink.store.postgres.locks import briefly
from ringback_sink.store.postgres.months import CHILD_TABLES

__all__ = ["INDICES", "Index", "make_missing", "plain"]

_log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class Index:
    """One index.

    Attributes:
        name: of the table's own; a partition's has the partition's name in the table's place.
        table: of the schema `callrecords`.
        on: what is indexed, as `CREATE INDEX` has it behind the table.
    """

    name: str
    table: str
    on: str

    @property
    def by_month(self) -> bool:
        """Whether its table is partitioned."""
        return self.table in CHILD_TABLES

    def of(self, partition: str) -> str:
        """Its name on a partition: `participant_by_name` is `participant_row_2026_11_by_name`."""
        return partition + self.name.removeprefix(self.table.removesuffix("_row"))


def _of_party(name: str, text: str, column: str) -> Index:
    """An index of parties by the first 64 characters of a text that others choose: a long one fits into no index."""
    return Index(
        f"participant_by_{name}",
        "participant_row",
        f"(tenant_id, left({text}, 64), call_start) WHERE {column} IS NOT NULL",
    )


INDICES = (
    Index("call_by_start", "call", "(tenant_id, call_start)"),
    Index("call_version_by_start", "call_version_row", "USING brin (start_date_time)"),
    _of_party("id", "id", "id"),
    _of_party("name", "lower(display_name)", "display_name"),
    _of_party("upn", "lower(user_principal_name)", "user_principal_name"),
    _of_party("number", "phone_number", "phone_number"),
    Index("stream_by_poor", "stream_row", "(tenant_id, call_start) WHERE verdict = 'poor'"),
)

_STATES = """
    SELECT c.relname, x.indisvalid FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
    WHERE c.relnamespace = 'callrecords'::regnamespace
"""
_PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::text::regclass ORDER BY 1"
_ATTACHED = """
    SELECT x.indrelid::regclass::text FROM pg_inherits i JOIN pg_index x ON x.indexrelid = i.inhrelid
    WHERE i.inhparent = $1::text::regclass
"""


def plain() -> Iterator[str]:
    """The statements for a store in which there is nothing yet: they block no writer."""
    for index in INDICES:
        yield f"CREATE INDEX IF NOT EXISTS {index.name} ON callrecords.{index.table} {index.on}"


async def make_missing(connection: Connection) -> None:
    """Make what is missing, and anew what an interrupted run has left unfinished.

    Args:
        connection: in no transaction; no other migration runs meanwhile.

    Raises:
        asyncpg.PostgresError: PostgreSQL refuses; what was made stays.
    """
    states: dict[str, bool] = {row["relname"]: row["indisvalid"] for row in await connection.fetch(_STATES)}
    for index in INDICES:
        if states.get(index.name):
            continue
        _log.info("An index is made; the store may go on writing.", table=index.table, value=index.name)
        if index.by_month:
            await _make_by_month(connection, index, states)
        else:
            await _make(connection, index.name, index.table, index.on, states)


async def _make_by_month(connection: Connection, index: Index, states: dict[str, bool]) -> None:
    """The table's own, which holds nothing, then each partition's, which becomes a part of it."""
    if index.name not in states:
        await briefly(connection, f"CREATE INDEX {index.name} ON ONLY callrecords.{index.table} {index.on}")
    attached = {row[0] for row in await connection.fetch(_ATTACHED, f"callrecords.{index.name}")}
    for row in await connection.fetch(_PARTITIONS, f"callrecords.{index.table}"):
        if row[0] not in attached:
            partition = row[0].removeprefix("callrecords.")
            await _make(connection, index.of(partition), partition, index.on, states)
            attach = f"ALTER INDEX callrecords.{index.name} ATTACH PARTITION callrecords.{index.of(partition)}"
            await briefly(connection, attach)


async def _make(connection: Connection, name: str, table: str, on: str, states: dict[str, bool]) -> None:
    """Concurrently: it waits for the writers, and no writer waits behind it."""
    if states.get(name) is False:  # begun and not finished: it only blocks its own name
        await connection.execute(f"DROP INDEX CONCURRENTLY callrecords.{name}")
    await connection.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON callrecords.{table} {on}")
