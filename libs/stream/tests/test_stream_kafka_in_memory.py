"""The Kafka in memory, which other tests run against, does what a broker and aiokafka do."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import TopicPartition
from ringback_testing.kafka_behaviours import BEHAVIOURS, KafkaAtHand, Listener, Member
from ringback_testing.kafka_in_memory import Answer, GroupInMemory, LogInMemory, ProducerInMemory
from ringback_testing.producer_behaviours import WRITES, Writer

PLACES = [TopicPartition("behaviours", number) for number in (0, 1)]


class KafkaInMemory:
    """A log of two partitions, and the members of its group."""

    def __init__(self) -> None:
        self.places: Sequence[TopicPartition] = PLACES
        self._log = LogInMemory({place: [] for place in PLACES})
        self._members: list[GroupInMemory] = []

    async def write(
        self,
        place: TopicPartition,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        timestamp_ms: int | None = None,
    ) -> tuple[int, int]:
        """Add a record, and call its effect written: the log would take no commit over it else."""
        stamp = int(time.time() * 1000) if timestamp_ms is None else timestamp_ms
        entry = self._log.append(place, b"key", tuple(headers), stamp, 0, value)
        self._log.done.add(entry.name)
        return entry.offset, entry.timestamp

    async def remove(self, place: TopicPartition, before: int) -> None:
        """Take what lies below an offset."""
        self._log.remove(place, before)

    @asynccontextmanager
    async def member(self, listener: Listener) -> AsyncGenerator[Member]:
        """Join; each member has one partition, or the only one both."""
        member = GroupInMemory(self._log)
        member.listener, listener.member = listener, member
        self._members.append(member)
        await self._share()
        yield member
        self._members.remove(member)
        await self._share()

    async def _share(self) -> None:
        for number, member in enumerate(self._members):
            await member.rebalance(PLACES[number :: len(self._members)])

    @asynccontextmanager
    async def silent(self, member: Member) -> AsyncGenerator[None]:
        """Let the next commit wait."""
        assert isinstance(member, GroupInMemory)
        member.answers = [Answer.UNANSWERED]
        yield

    async def leave_out(self, member: Member) -> None:
        """End its generation."""
        assert isinstance(member, GroupInMemory)
        member.is_member = False


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.__name__)
async def test_the_kafka_in_memory_does_so(behaviour: Callable[[KafkaAtHand], Awaitable[None]]) -> None:
    """What is relied upon of the real one, word for word."""
    await behaviour(KafkaInMemory())


@pytest.mark.parametrize("behaviour", WRITES, ids=lambda behaviour: behaviour.__name__)
async def test_the_writer_in_memory_does_so(
    behaviour: Callable[[Writer, Callable[[], Awaitable[Sequence[str]]]], Awaitable[None]],
) -> None:
    """What is relied upon of the runtime's own."""
    log = LogInMemory({})

    async def written() -> Sequence[str]:
        return list(log.times.elements())

    await behaviour(ProducerInMemory(log), written)
