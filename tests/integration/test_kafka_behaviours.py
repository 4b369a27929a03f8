"""A broker and aiokafka do what the Kafka in memory does, which unit tests run against."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.structs import RecordMetadata
from ringback_events.topics import FETCH
from ringback_local.kafka import Broker
from ringback_testing import dump_topic, eventually
from ringback_testing.fixtures import KafkaBroker, MakeTopics
from ringback_testing.kafka_behaviours import (
    BEHAVIOURS,
    KafkaAtHand,
    Listener,
    Member,
    a_commit_that_is_not_answered_waits,
)
from ringback_testing.producer_behaviours import WRITES, Writer, name_in
from ringback_testing.streaming import producing, settings_for

pytestmark = pytest.mark.integration

_REBALANCE_MS = 2000
"""After which a member that still drains is left out."""


class RealKafka:
    """A topic of two partitions on a broker, and a group of its own."""

    def __init__(self, broker: Broker, topic: str, opened: AsyncExitStack) -> None:
        self.places: Sequence[TopicPartition] = [TopicPartition(topic, number) for number in (0, 1)]
        self._broker, self._topic, self._opened = broker, topic, opened
        self._held = asyncio.Event()
        self._listeners: dict[int, Listener] = {}

    async def open(self) -> None:
        """Make the topic, and what writes to it."""
        servers = self._broker.bootstrap_servers
        self._admin = AIOKafkaAdminClient(bootstrap_servers=servers)
        await self._admin.start()
        self._opened.push_async_callback(self._admin.close)
        await self._admin.create_topics([NewTopic(self._topic, 2, 1)])
        self._opened.push_async_callback(self._admin.delete_topics, [self._topic])
        self._producer = await self._opened.enter_async_context(AIOKafkaProducer(bootstrap_servers=servers, acks="all"))

    async def write(
        self,
        place: TopicPartition,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        timestamp_ms: int | None = None,
    ) -> tuple[int, int]:
        """Have it acknowledged by the broker."""
        producer = cast("Any", self._producer)  # aiokafka does not type what its futures hold
        acked: RecordMetadata = await producer.send_and_wait(
            place.topic, value, b"key", place.partition, timestamp_ms, headers=[*headers]
        )
        assert acked.timestamp is not None
        return acked.offset, acked.timestamp

    async def remove(self, place: TopicPartition, before: int) -> None:
        """As retention does it."""
        await self._admin.delete_records({place: RecordsToDelete(before_offset=before)})

    @asynccontextmanager
    async def member(self, listener: Listener) -> AsyncGenerator[Member]:
        """Join as the runtime does: no commits of its own, no beginning of its own choice."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._broker.bootstrap_servers,
            group_id=self._topic,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_wait_ms=20,
            heartbeat_interval_ms=200,
            rebalance_timeout_ms=_REBALANCE_MS,
        )
        listener.member = consumer
        self._listeners[id(consumer)] = listener
        consumer.subscribe([self._topic], listener=listener)
        await consumer.start()
        try:
            await eventually(lambda: listener.reported[-1:] and listener.reported[-1][0] == "assigned")
            yield consumer
        finally:
            self._held.set()
            await consumer.stop()

    @asynccontextmanager
    async def silent(self, member: Member) -> AsyncGenerator[None]:  # noqa: ARG002 - it is silent to all
        """The broker stands still."""
        self._broker.pause()
        try:
            yield
        finally:
            self._broker.resume()

    async def leave_out(self, member: Member) -> None:
        """It is asked to give its partitions back, takes too long, and another has them."""
        self._listeners[id(member)].before = self._until_it_is_closed
        await self._opened.enter_async_context(self.member(Listener()))

    async def _until_it_is_closed(self) -> None:
        await self._held.wait()


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.__name__)
async def test_a_broker_and_its_client_do_so(
    kafka: Broker, kafka_broker: KafkaBroker, topic_prefix: str, behaviour: Callable[[KafkaAtHand], Awaitable[None]]
) -> None:
    """What other tests take for granted of the Kafka in memory."""
    broker = kafka_broker() if behaviour is a_commit_that_is_not_answered_waits else kafka
    async with AsyncExitStack() as opened:
        real = RealKafka(broker, f"{topic_prefix}behaviours", opened)
        await real.open()
        await behaviour(real)


@pytest.mark.parametrize("behaviour", WRITES, ids=lambda behaviour: behaviour.__name__)
async def test_a_broker_and_the_runtime_s_writer_do_so(
    kafka: Broker,
    make_topics: MakeTopics,
    topic_prefix: str,
    behaviour: Callable[[Writer, Callable[[], Awaitable[Sequence[str]]]], Awaitable[None]],
) -> None:
    """What other tests take for granted of the writer in memory."""
    topics = await make_topics(FETCH.name)

    async def written() -> Sequence[str]:
        return [name_in(record.headers) for record in await dump_topic(kafka.bootstrap_servers, topics[FETCH.name])]

    async with producing(settings_for(kafka.bootstrap_servers, topic_prefix)) as writer:
        await behaviour(writer, written)
