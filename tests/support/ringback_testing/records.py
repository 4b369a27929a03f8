"""Read topics from outside, with a client of the test's own."""

from collections.abc import AsyncGenerator, Iterable
from typing import cast

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from ringback_local.kafka import clients

from ringback_testing.transcript import TRANSCRIPT

__all__ = ["Record", "dump_topic", "headers_of", "read_on"]

Record = ConsumerRecord[bytes, bytes]
"""A record as aiokafka reads it; its value is None where it is a tombstone."""


async def dump_topic(bootstrap_servers: str, name: str) -> list[Record]:
    """The records a topic holds up to its end offsets now; `name` is the real one.

    They come ordered by partition and offset.
    """
    async with clients.consumer(bootstrap_servers, name, auto_offset_reset="earliest") as consumer:
        records = await _read_to_end(consumer)
    TRANSCRIPT.said(f"headers on {name}", headers_of(records))
    return records


def headers_of(records: Iterable[Record]) -> bytes:
    """All headers of some records, names and values: what a dead letter shows to readers who may not read its value."""
    parts = [part for record in records for name, value in record.headers for part in (name.encode(), value or b"")]
    return b"\n".join(parts)


async def read_on(reader: AIOKafkaConsumer) -> AsyncGenerator[tuple[str, list[Record]]]:
    """Read what is assigned to its end as of now; yield each batch with its topic, the real one."""
    ends = await _ends(reader)
    while [one for one in ends if await reader.position(one) < ends[one]]:
        for one, batch in (await _batches(reader, 50)).items():
            yield one.topic, batch


async def _read_to_end(consumer: AIOKafkaConsumer) -> list[Record]:
    ends = await _ends(consumer)
    unread = set(ends)
    records: list[Record] = []
    while unread := {one for one in unread if await consumer.position(one) < ends[one]}:
        batches = await _batches(consumer, 200)
        records += [record for one, batch in batches.items() for record in batch if record.offset < ends[one]]
    return sorted(records, key=lambda record: (record.partition, record.offset))


async def _ends(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    return cast("dict[TopicPartition, int]", await consumer.end_offsets(consumer.assignment()))  # aiokafka has no types


async def _batches(consumer: AIOKafkaConsumer, milliseconds: int) -> dict[TopicPartition, list[Record]]:
    return cast("dict[TopicPartition, list[Record]]", await consumer.getmany(timeout_ms=milliseconds))  # the same
