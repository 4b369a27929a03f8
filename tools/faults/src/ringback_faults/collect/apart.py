"""Whose records stand in the topics and the store of an installation that shares its servers with another one."""

from dataclasses import dataclass

from aiokafka import TopicPartition
from ringback_local.stack import Stack

from ringback_faults.collect.store_dump import connected
from ringback_faults.collect.topic_dump import READ_TOPICS, ends_of, partitions_of, reading, records_between
from ringback_faults.contract import split_key
from ringback_faults.ledgers import Key

__all__ = ["Looked", "looked_at", "stored_versions"]

_TABLES = ("call", "call_version", "participant", "session", "stream")


@dataclass(frozen=True, slots=True)
class Looked:
    """What an installation holds, and how much of it is another one's."""

    records: int
    rows: int
    foreign: int


async def looked_at(own: Stack, other: Stack) -> Looked:
    """Read all topics and tables of an installation, and count what is of a tenant of the other one."""
    tenants = await _tenants_of_records(own)
    strangers = frozenset(other.tenants)
    rows, foreign = await _rows(own, strangers)
    return Looked(len(tenants), rows, foreign + sum(tenant in strangers for tenant in tenants))


async def _tenants_of_records(stack: Stack) -> list[str]:
    """One for each record of the topics that a row is judged by."""
    names = [stack.addresses.topic_prefix + topic.name for topic in READ_TOPICS]
    async with reading(stack.bootstrap_servers) as consumer:
        ends = await ends_of(consumer, await partitions_of(stack.bootstrap_servers, names))
        begins: dict[TopicPartition, int] = {}
        return [split_key(record.key or b"")[0] async for record in records_between(consumer, begins, ends)]


async def _rows(stack: Stack, strangers: frozenset[str]) -> tuple[int, int]:
    """All rows that name a tenant, and those that name one of these."""
    rows = foreign = 0
    async with connected(stack.dsn) as connection:
        for table in _TABLES:
            told = await connection.fetchrow(
                f"SELECT count(*), count(*) FILTER (WHERE tenant_id = ANY($1)) FROM callrecords.{table}",  # noqa: S608 - the harness's own names
                list(strangers),
            )
            rows, foreign = rows + told[0], foreign + told[1]
    return rows, foreign


async def stored_versions(stack: Stack) -> dict[Key, int]:
    """The version of every call in the store."""
    async with connected(stack.dsn) as connection:
        rows = await connection.fetch("SELECT tenant_id, call_id, version FROM callrecords.call")
    return {(row["tenant_id"], row["call_id"]): row["version"] for row in rows}
