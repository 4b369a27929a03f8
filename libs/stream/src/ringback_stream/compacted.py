"""Reading a compacted topic: the newest value of each key."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from ringback_common.errors import ConfigError, Transient
from ringback_common.settings import KafkaSettings

from ringback_stream.connection import client_options, full_name
from ringback_stream.records import Record

__all__ = ["Batches", "open_reader", "partition_numbers", "read_compacted", "read_to_end"]

_POLL_MS = 500

Batches = Mapping[TopicPartition, Sequence[Record]]


def open_reader(kafka: KafkaSettings) -> AIOKafkaConsumer:
    """A consumer without a group, which commits nothing; start it before use."""
    options: dict[str, Any] = dict(client_options(kafka))
    return AIOKafkaConsumer(
        **options,
        client_id="ringback",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=500,
        connections_max_idle_ms=180_000,
    )


async def read_compacted(
    kafka: KafkaSettings, topic: str, partitions: Collection[int] | None = None
) -> dict[bytes, bytes]:
    """The newest value of each key, up to the end of the topic at the time of the call; deleted keys are left out.

    Args:
        kafka: where.
        topic: the contract's name.
        partitions: only these; None for all.

    Raises:
        ConfigError: the topic does not exist.
        Transient: Kafka cannot be reached.
    """
    reader = open_reader(kafka)
    try:
        await reader.start()
        numbers = await partition_numbers(kafka, topic) if partitions is None else partitions
        values = await read_to_end(reader, full_name(kafka, topic), numbers)
    except KafkaError as failure:
        raise Transient(f"Kafka cannot be read ({type(failure).__name__}).") from None
    finally:
        await reader.stop()
    return {key: value for key, value in values.items() if value is not None}


async def partition_numbers(kafka: KafkaSettings, topic: str) -> frozenset[int]:
    """The partitions a topic really has.

    Raises:
        ConfigError: the topic does not exist.
    """
    admin = AIOKafkaAdminClient(**client_options(kafka), client_id="ringback")
    try:
        await admin.start()
        (described,) = await admin.describe_topics([full_name(kafka, topic)])
    finally:
        await admin.close()
    numbers = frozenset(int(partition["partition"]) for partition in described["partitions"])
    if not numbers:
        raise ConfigError(f"The topic {full_name(kafka, topic)} does not exist: run `ringback topics apply`.")
    return numbers


async def read_to_end(reader: AIOKafkaConsumer, topic: str, partitions: Collection[int]) -> dict[bytes, bytes | None]:
    """Assign the partitions to a started reader and read them to their present end; it stays there, ready to follow."""
    assigned = [TopicPartition(topic, number) for number in sorted(partitions)]
    reader.assign(assigned)
    await reader.seek_to_beginning(*assigned)
    ends = cast("Mapping[TopicPartition, int]", await reader.end_offsets(assigned))
    values: dict[bytes, bytes | None] = {}
    while await _is_behind(reader, ends):
        batches = cast("Batches", await reader.getmany(timeout_ms=_POLL_MS))
        for records in batches.values():
            values.update((record.key or b"", record.value) for record in records)
    return values


async def _is_behind(reader: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    for partition, end in ends.items():
        position: int = await reader.position(partition)
        if position < end:
            return True
    return False
