"""A reading of a topic to its end ends, with a word, when Kafka goes away in the middle and stays away."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from ringback_cli.reading import scan
from ringback_common.errors import Transient
from ringback_common.settings import KafkaSettings
from ringback_enricher.adapters.partitions import PartitionReader
from ringback_events.topics import RESTRICTED_DEAD_LETTERS
from ringback_local.topics import create_contract_topics
from ringback_stream.consume.partitions import Partition
from ringback_stream.shared.compacted import open_reader, read_to_end, stop_reader
from ringback_stream.shared.read_stalled import ReadStalled
from ringback_testing.fixtures import KafkaBroker
from ringback_testing.streaming import settings_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

TOPIC = RESTRICTED_DEAD_LETTERS
RECORDS, SIZE = 80, 400_000
"""More than twice what a reader fetches at once: what it has when Kafka goes away is not all there is."""


async def to_end(kafka: KafkaSettings) -> None:
    """As the control table is read."""
    reader = open_reader(kafka)
    await reader.start()
    try:
        await read_to_end(reader, TOPIC.name, [0])
    finally:
        await stop_reader(reader)


async def scanned(kafka: KafkaSettings) -> None:
    """As `ringback dlq release` reads."""
    await all_of(scan(kafka, TOPIC.name))


async def partition(kafka: KafkaSettings) -> None:
    """As `rederive` reads."""
    async with PartitionReader.open(kafka) as reader:
        await all_of(reader.read(Partition(TOPIC.name, 0), 0, RECORDS))


async def all_of(read: AsyncIterator[object]) -> None:
    """Until there is no more."""
    async for _ in read:
        pass


@pytest.mark.parametrize("reading", [to_end, scanned, partition])
async def test_a_reading_ends_when_kafka_goes_away_in_its_middle(
    kafka_broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch, reading: Callable[[KafkaSettings], Awaitable[None]]
) -> None:
    """Frozen after the first records: Transient, not silence. Thawed, it reads everything."""
    broker = kafka_broker()
    await create_contract_topics(broker.bootstrap_servers, names=(TOPIC.name,))
    await fill(broker.bootstrap_servers)
    monkeypatch.setattr(ReadStalled, "SECONDS", 2.0)
    getmany = cast("Callable[..., Awaitable[object]]", AIOKafkaConsumer.getmany)

    async def then_frozen(consumer: AIOKafkaConsumer, *given: TopicPartition, **named: object) -> object:
        batches = await getmany(consumer, *given, **named)
        broker.pause()
        return batches

    kafka = settings_for(broker.bootstrap_servers, "").kafka
    with monkeypatch.context() as patch:
        patch.setattr(AIOKafkaConsumer, "getmany", then_frozen)
        with pytest.raises(Transient, match="nothing came for 2 s"):
            await reading(kafka)
    broker.resume()
    await reading(kafka)


async def fill(bootstrap: str) -> None:
    """One partition of records that do not compress."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    async with producer:
        for _ in range(RECORDS):
            await producer.send_and_wait(TOPIC.name, os.urandom(SIZE), b"key", partition=0)
