"""Reading a compacted topic: the newest value of each key."""

import asyncio
from collections.abc import Collection
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from ringback_common.errors import ConfigError, Transient
from ringback_common.settings import KafkaSettings

from ringback_stream.reading import ends_of, first_of, poll_until
from ringback_stream.shared.connection import client_options, full_name

__all__ = ["open_reader", "partition_numbers", "read_compacted", "read_to_end", "stop_reader"]


def open_reader(kafka: KafkaSettings, *, wait_ms: int = 500, reset: str = "earliest") -> AIOKafkaConsumer:
    """A consumer without a group, which commits nothing; start it before use.

    Args:
        kafka: where.
        wait_ms: how long the broker may hold back an answer for want of records; a reader that goes from partition to
            partition waits for it at each.
        reset: `earliest` goes on at the oldest record where a log does not hold what is to be read next; `none` has the
            poll raise OffsetOutOfRangeError.
    """
    options: dict[str, Any] = dict(client_options(kafka))
    return AIOKafkaConsumer(
        **options,
        client_id="ringback",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset=reset,
        fetch_max_wait_ms=wait_ms,
        connections_max_idle_ms=180_000,
    )


async def stop_reader(reader: AIOKafkaConsumer) -> None:
    """Stop a reader, started or not; also while Kafka is away.

    Then a fetch of aiokafka's sleeps between two attempts; the reader cancels the fetch and raises that cancellation as
    its own. In a task apart it ends there, and is not taken for a cancellation of the caller.
    """
    client: Any = reader._client  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - a stop cut short leaves it open
    stopping = asyncio.create_task(reader.stop(), name="stop")
    try:
        await asyncio.wait((stopping,))
        if not stopping.cancelled():
            stopping.result()
    finally:
        await client.close()


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
        await stop_reader(reader)
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
    """Assign the partitions to a started reader and read them to their present end; it stays there, ready to follow.

    Raises:
        Transient: Kafka went away during the read and stays away.
    """
    assigned = [TopicPartition(topic, number) for number in sorted(partitions)]
    begins, ends = await first_of(reader, assigned), await ends_of(reader, assigned)
    values: dict[bytes, bytes | None] = {}
    async for batches in poll_until(reader, begins, ends):
        for records in batches.values():
            values.update((record.key or b"", record.value) for record in records)
    return values
