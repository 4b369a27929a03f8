"""Whose records stand in the topics and the store of an installation that shares its servers with another one."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from ringback_events.topics import ALL_TOPICS
from ringback_local.stack import Stack

from ringback_faults.collect.store_dump import connected
from ringback_faults.collect.topic_dump import ends_of, partitions_of, reading, records_between
from ringback_faults.contract import split_key
from ringback_faults.ledgers import Key

__all__ = ["Looked", "looked_at", "stored_versions"]

_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
WHERE n.nspname = 'callrecords' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1"""
"""Those whose rows name a tenant: the parents alone, which hold what their partitions hold."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What an installation holds, and how much of it is another one's.

    Attributes:
        topics: in which records stood.
        tables: that were looked at, with rows or without.
        records: of all topics.
        rows: of all tables.
        foreign: of both, those of a tenant of the other one.
    """

    topics: int
    tables: int
    records: int
    rows: int
    foreign: int


async def looked_at(own: Stack, other: Stack) -> Looked:
    """Read all topics and tables of an installation, and count what is of a tenant of the other one."""
    strangers = frozenset(other.tenants)
    tenants = await _tenants_of_records(own)
    tables = await _rows(own, strangers)
    rows, foreign = (sum(counts) for counts in zip(*tables.values(), strict=True))
    foreign += sum(tenants[one] for one in tenants if one[1] in strangers)
    return Looked(len({topic for topic, _ in tenants}), len(tables), tenants.total(), rows, foreign)


async def _tenants_of_records(stack: Stack) -> Counter[tuple[str, str]]:
    """How many records each topic has of each tenant; what its key begins with, where that is none."""
    names = [stack.addresses.topic_prefix + topic.name for topic in ALL_TOPICS]
    begins: dict[TopicPartition, int] = {}
    async with reading(stack.bootstrap_servers) as consumer:
        ends = await ends_of(consumer, await partitions_of(stack.bootstrap_servers, names))
        records = records_between(consumer, begins, ends)
        return Counter([(record.topic, split_key(record.key or b"")[0]) async for record in records])


async def _rows(stack: Stack, strangers: frozenset[str]) -> dict[str, tuple[int, int]]:
    """By table, all rows and those that name one of these tenants."""
    async with connected(stack.dsn) as connection:
        tables = [row["relname"] for row in await connection.fetch(_TABLES)]
        return {table: await _counted(connection, table, strangers) for table in tables}


async def _counted(connection: Any, table: str, strangers: frozenset[str]) -> tuple[int, int]:
    reported = await connection.fetchrow(
        f"SELECT count(*), count(*) FILTER (WHERE tenant_id = ANY($1)) FROM callrecords.{table}",  # noqa: S608 - a name out of the catalogue
        list(strangers),
    )
    return reported[0], reported[1]


async def stored_versions(stack: Stack) -> dict[Key, int]:
    """The version of every call in the store."""
    async with connected(stack.dsn) as connection:
        rows = await connection.fetch("SELECT tenant_id, call_id, version FROM callrecords.call")
    return {(row["tenant_id"], row["call_id"]): row["version"] for row in rows}
