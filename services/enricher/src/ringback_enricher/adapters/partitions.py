"""Topics as they lie: read partition by partition between two offsets, without a group and without a commit."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from aiokafka.structs import OffsetAndTimestamp
from ringback_common.errors import ConfigError, Transient
from ringback_common.outcomes import Received
from ringback_common.settings import KafkaSettings
from ringback_events.topics import Topic
from ringback_stream.consume.partitions import Partition
from ringback_stream.consume.records import received
from ringback_stream.reading import ends_of, first_of, poll_until
from ringback_stream.shared.compacted import open_reader, partition_numbers, stop_reader
from ringback_stream.shared.connection import full_name, unreachable

__all__ = ["PartitionReader"]

_WAIT_MS = 20
_MOST_RECORDS = 500

FoundRecord = Mapping[TopicPartition, OffsetAndTimestamp | None]


class PartitionReader:
    """Reads one partition at a time."""

    def __init__(self, consumer: AIOKafkaConsumer, kafka: KafkaSettings) -> None:
        self._consumer = consumer
        self._kafka = kafka

    @classmethod
    @asynccontextmanager
    async def open(cls, kafka: KafkaSettings) -> AsyncGenerator["PartitionReader"]:
        """Connect.

        Raises:
            ConfigError: no broker answers at the address given, or a topic may not be read; from what is done within,
            too.
            Transient: from what is done within: Kafka does not answer.
        """
        consumer = open_reader(kafka, wait_ms=_WAIT_MS)
        try:
            await consumer.start()
        except KafkaError:
            await stop_reader(consumer)
            raise ConfigError(str(unreachable(kafka))) from None  # a job is not restarted
        try:
            yield cls(consumer, kafka)
        except TopicAuthorizationFailedError:
            raise ConfigError("Kafka lets this user not read the topics of records and calls.") from None
        except KafkaError as failure:
            raise Transient(f"Kafka cannot be read ({type(failure).__name__}).") from None
        finally:
            await stop_reader(consumer)

    async def partitions(self, topic: Topic) -> Sequence[Partition]:
        """The partitions a topic has, in order.

        Raises:
            ConfigError: the topic does not exist.
        """
        return [Partition(topic.name, number) for number in sorted(await partition_numbers(self._kafka, topic.name))]

    async def begin(self, partition: Partition) -> int:
        """The offset of the oldest record that is kept."""
        ours = self._named(partition)
        return (await first_of(self._consumer, [ours]))[ours]

    async def end(self, partition: Partition) -> int:
        """The offset of the next record to come."""
        ours = self._named(partition)
        return (await ends_of(self._consumer, [ours]))[ours]

    async def at(self, partition: Partition, timestamp_ms: int) -> int:
        """The offset of the first record appended at that time or later; the end if there is none."""
        ours = self._named(partition)
        found = cast("FoundRecord", await self._consumer.offsets_for_times({ours: timestamp_ms}))[ours]
        return await self.end(partition) if found is None else found.offset

    async def read(self, partition: Partition, first: int, end: int) -> AsyncIterator[Sequence[Received]]:
        """Records from `first` up to but without `end`, in batches; what retention removes during the read is left out.

        Raises:
            Transient: Kafka went away during the read and stays away.
        """
        ours = self._named(partition)
        async for batches in poll_until(self._consumer, {ours: first}, {ours: end}, at_once=_MOST_RECORDS):
            yield [received(partition.topic, record) for record in batches.get(ours, ()) if record.offset < end]

    def _named(self, partition: Partition) -> TopicPartition:
        return TopicPartition(full_name(self._kafka, partition.topic), partition.number)
