"""One idempotent aiokafka producer with every setting explicit, and what a refused batch does to it.

A batch the broker refuses makes every later send of the same idempotent producer to that partition fail with
OUT_OF_ORDER_SEQUENCE_NUMBER; so do some broker restarts. Such a client is *poisoned* and replaced before the next send.
"""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any, cast

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    CorruptRecordException,
    InvalidProducerEpoch,
    KafkaError,
    KafkaTimeoutError,
    ListenerNotFound,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ReplicaNotAvailableError,
    StaleLeaderEpochCodeError,
    UnknownError,
    UnknownProducerId,
)
from ringback_common.errors import Transient
from ringback_common.outcomes import Message, MessageHeaders
from ringback_common.settings import KafkaSettings
from ringback_common.threads import in_thread
from ringback_common.traces import inject
from ringback_events.header_names import TRACEPARENT
from ringback_events.partition import partition_for

from ringback_stream.publish.large_batch import LARGE, large_batch
from ringback_stream.shared.connection import client_options, full_name

__all__ = ["LARGEST_REQUEST", "POISON", "Client", "may_pass", "size_of", "traced"]

LARGEST_REQUEST = 160 * 1024 * 1024
"""Bytes before compression, which is what aiokafka checks; zstd takes 16:1, so 8 MiB on the wire may be 128 here."""
_BATCH = 256 * 1024
_STOP_WITHIN = 30.0
_METADATA_BACKOFF = 0.1
"""Seconds, aiokafka's own `retry_backoff_ms`."""

POISON = (
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    InvalidProducerEpoch,
    UnknownProducerId,
    ProducerClosed,
)
"""Answers after which an idempotent producer is of no more use."""
_MAY_PASS = (
    KafkaTimeoutError,  # of aiokafka's own queue, where a batch that waits lets none in
    UnknownError,  # UNKNOWN_SERVER_ERROR: so a broker answers while its log directory goes offline
    CorruptRecordException,  # CORRUPT_MESSAGE, damaged on its way
    ReplicaNotAvailableError,
    StaleLeaderEpochCodeError,  # code 13, NETWORK_EXCEPTION in Kafka's own client
    ListenerNotFound,
)
"""Failures of a write that pass although aiokafka does not call them retriable; Kafka's own client repeats the last
four."""


def may_pass(failure: KafkaError) -> bool:
    """Whether the same write may succeed later; if not, this program or its configuration is wrong."""
    return failure.retriable or isinstance(failure, _MAY_PASS)


def pace(producer: AIOKafkaProducer) -> None:
    """Let a failed refresh of metadata take as long as the backoff between two.

    While a partition's leader is unknown, aiokafka's sender asks for metadata as soon as the last answer is in. A
    broker that refuses connections answers at once: a thousand attempts and log lines a second, while it is away.
    """
    client: Any = producer.client
    refresh = client._metadata_update  # noqa: SLF001 - it has no public place to wait in

    async def paced(*given: Any) -> bool:
        refreshed: bool = await refresh(*given)
        if not refreshed:
            await asyncio.sleep(_METADATA_BACKOFF)
        return refreshed

    client._metadata_update = paced  # noqa: SLF001 - the same


def size_of(message: Message) -> int:
    """Size of a message before compression, in bytes, headers included."""
    headers = sum(len(name) + len(value) + 8 for name, value in message.headers)
    return len(message.key) + len(message.value or b"") + headers + 64


def traced(message: Message) -> MessageHeaders:
    """The message's headers with the current span's context, unless it carries one."""
    if any(name == TRACEPARENT for name, _ in message.headers):
        return message.headers
    return message.headers + inject()


class Client:
    """A producer that knows the contract's partitions and how many of its sends are unanswered."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._partitions: dict[str, int] = {}
        self._pending = 0
        self._idle = asyncio.Event()
        self._idle.set()
        options: dict[str, Any] = dict(client_options(kafka))
        self.producer = AIOKafkaProducer(
            **options,
            client_id="ringback",
            acks="all",
            enable_idempotence=True,
            compression_type="zstd",
            linger_ms=0,  # batches form by themselves while one is in flight; waiting only adds latency
            max_batch_size=_BATCH,
            max_request_size=LARGEST_REQUEST,
            retry_backoff_ms=100,
            connections_max_idle_ms=180_000,
        )
        pace(self.producer)

    async def start(self) -> None:
        """Connect.

        Raises:
            Transient: no broker answers.
        """
        try:
            await self.producer.start()
        except KafkaError as failure:
            await self.producer.stop()
            raise Transient(f"Kafka cannot be reached ({type(failure).__name__}).") from None

    async def partition_of(self, topic: str, key: bytes) -> int:
        """The partition of a key by the rule of its topic."""
        count = self._partitions.get(topic)
        if count is None:
            # A topic's partitions are fixed for its major version, so they are asked for once.
            count = self._partitions[topic] = len(await self.producer.partitions_for(full_name(self._kafka, topic)))
        return partition_for(topic, key, count)

    async def deliver(self, message: Message) -> None:
        """Send one message and wait until all in-sync replicas have it; raises what aiokafka raises."""
        self._begin()
        try:
            if size_of(message) >= LARGE:
                return await self._deliver_large(message)
            acked = cast(
                "asyncio.Future[object]",
                await self.producer.send(
                    full_name(self._kafka, message.topic),
                    key=message.key,
                    value=message.value,
                    partition=await self.partition_of(message.topic, message.key),
                    headers=list(traced(message)),
                ),
            )
            await acked
        finally:
            self._end()

    async def _deliver_large(self, message: Message) -> None:
        named = full_name(self._kafka, message.topic)
        partition = await self.partition_of(message.topic, message.key)
        batch = await in_thread(partial(large_batch, message.key, message.value, traced(message)))
        await (await self.producer.send_batch(batch, named, partition=partition))

    async def deliver_together(self, topic: str, partition: int, messages: Iterable[Message]) -> None:
        """Send messages of one partition in as few batches as they fit into; they carry their own trace context."""
        named = full_name(self._kafka, topic)
        self._begin()
        try:
            batch: Any = self.producer.create_batch()
            acks: list[Any] = []
            for message in messages:
                if not _append(batch, message):
                    acks.append(await self.producer.send_batch(batch, named, partition=partition))
                    batch = self.producer.create_batch()
                    _append(batch, message)
            acks.append(await self.producer.send_batch(batch, named, partition=partition))
            await asyncio.gather(*acks)
        finally:
            self._end()

    async def retire(self) -> None:
        """Stop once every send is answered, at the latest after half a minute."""
        try:
            async with asyncio.timeout(_STOP_WITHIN):
                await self._idle.wait()
                await self.producer.stop()
        except (TimeoutError, KafkaError):
            # What is still unanswered belongs to callers that have their error; the sockets close with the process.
            return

    def _begin(self) -> None:
        self._pending += 1
        self._idle.clear()

    def _end(self) -> None:
        self._pending -= 1
        if not self._pending:
            self._idle.set()


def _append(batch: Any, message: Message) -> bool:
    """Whether the batch had room; an empty one takes any message."""
    fields = {"key": message.key, "value": message.value, "headers": list(message.headers)}
    return batch.append(timestamp=None, **fields) is not None
