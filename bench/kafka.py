"""Topics of one measurement on a real Kafka: made, filled, watched as they grow, deleted."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psutil
from aiokafka import AIOKafkaProducer, TopicPartition
from ringback_events.partition import partition_for
from ringback_events.topics import Topic
from ringback_local.kafka import clients
from ringback_local.topics import create_contract_topics, delete_topics

from bench.contestant import Ran

__all__ = ["Filling", "Lanes", "frozen", "watch"]

_EVERY = 0.05
_STUCK = 60.0
_LARGEST = 8 * 1024 * 1024

Filling = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]
"""Key, value, headers."""


Count = Callable[[], Awaitable[int]]


class Lanes:
    """Some of the contract's topics under a prefix of this measurement's own."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix

    @classmethod
    @asynccontextmanager
    async def open(cls, bootstrap: str, *topics: Topic) -> AsyncGenerator["Lanes"]:
        """Make the topics, and delete them afterwards."""
        prefix = f"bench{secrets.token_hex(3)}."
        made = await create_contract_topics(bootstrap, prefix, names=[topic.name for topic in topics])
        try:
            yield cls(bootstrap, prefix)
        finally:
            await delete_topics(bootstrap, made.values())

    @property
    def settings(self) -> Mapping[str, str]:
        """A service's settings of Kafka, as environment variables."""
        return {"RINGBACK_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap, "RINGBACK_KAFKA__TOPIC_PREFIX": self.prefix}

    async def fill(self, topic: Topic, records: Iterable[Filling]) -> None:
        """Write records where the contract wants them, compressed as a service's producer does."""
        producer: Any = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, compression_type="zstd", max_request_size=_LARGEST, linger_ms=20
        )
        await producer.start()
        try:
            for key, value, headers in records:
                partition = partition_for(topic.name, key or b"", topic.partitions)
                name = self.prefix + topic.name
                await producer.send(name, value, key, partition=partition, headers=list(headers))
        finally:
            await producer.stop()

    @asynccontextmanager
    async def counted(self, *topics: Topic) -> AsyncGenerator[Count]:
        """Tells how many records some topics have been given together."""
        partitions = [
            TopicPartition(self.prefix + topic.name, number) for topic in topics for number in range(topic.partitions)
        ]
        async with clients.consumer(self.bootstrap) as consumer:

            async def held() -> int:
                return sum((await consumer.end_offsets(partitions)).values())

            yield held


async def watch(held: Count, before: int, whole: int) -> Ran:
    """Follow a count from now until it has grown by `whole` from `before`.

    The first growth may be everything, in one transaction: the work for it lies before, so it counts from the call.

    Raises:
        TimeoutError: it did not move for a minute.
    """
    began = moved = time.time()
    seen = before
    while True:
        count, now = await held(), time.time()
        if count - before >= whole:
            return Ran(count - before, began, now)
        if count != seen:
            seen, moved = count, now
        elif now - moved > _STUCK:
            raise TimeoutError(f"only {count - before} of {whole} records came")
        await asyncio.sleep(_EVERY)


@contextmanager
def frozen(pids: Sequence[int]) -> Generator[None]:
    """Hold processes still, so that a backlog can be laid before them in a time that is not measured."""
    processes = [psutil.Process(pid) for pid in pids]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()
