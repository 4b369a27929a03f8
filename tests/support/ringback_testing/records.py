"""Read topics from outside, with a client of the test's own."""

from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from ringback_local.kafka import clients

from ringback_testing.transcript import TRANSCRIPT


async def dump_topic(bootstrap_servers: str, name: str) -> list[Any]:
    """The records (aiokafka's ConsumerRecord) a topic holds up to its end offsets now; `name` is the real one.

    They come ordered by partition and offset.
    """
    async with clients.consumer(bootstrap_servers, name, auto_offset_reset="earliest") as consumer:
        records = await _read_to_end(consumer)
    TRANSCRIPT.said(f"headers on {name}", headers_of(records))
    return records


def headers_of(records: Iterable[Any]) -> bytes:
    """All headers of some records, names and values: what a dead letter tells whoever may not read its value."""
    parts = [part for record in records for name, value in record.headers for part in (name.encode(), value or b"")]
    return b"\n".join(parts)


async def _read_to_end(consumer: AIOKafkaConsumer) -> list[Any]:
    ends: dict[TopicPartition, int] = await consumer.end_offsets(consumer.assignment())
    unread = set(ends)
    records: list[Any] = []
    while unread := {one for one in unread if await consumer.position(one) < ends[one]}:
        batches = await consumer.getmany(timeout_ms=200)
        records += [record for one, batch in batches.items() for record in batch if record.offset < ends[one]]
    return sorted(records, key=lambda record: (record.partition, record.offset))
