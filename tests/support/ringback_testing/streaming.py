"""A stream process inside the test: real Kafka, steps of the test's own."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from ringback_common.health import Health
from ringback_common.outcomes import Message, Outcome, Received
from ringback_common.settings import KafkaSettings, ProcessSettings
from ringback_events.topics import Topic
from ringback_local.kafka import clients
from ringback_stream.flows import BatchedFlow, KeyedFlow
from ringback_stream.process.runtime import StreamRuntime
from ringback_stream.publish.producer import Producer
from ringback_stream.shared.connection import full_name

from ringback_testing.waiting import eventually

Answer = Callable[[Received], Outcome]


@dataclass
class Recorder:
    """A step that remembers what it was given and answers record by record; a gate may hold it."""

    answer: Answer
    seen: list[Received] = field(default_factory=list[Received])
    groups: list[list[Received]] = field(default_factory=list[list[Received]])
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def __call__(self, records: Sequence[Received]) -> Sequence[Outcome]:
        """Answer each record once the gate is open."""
        self.groups.append(list(records))
        await self.gate.wait()
        self.seen.extend(records)
        return [self.answer(record) for record in records]

    def places(self) -> list[tuple[str, int, int]]:
        """Where the records answered so far came from."""
        return [(record.topic, record.partition, record.offset) for record in self.seen]


@dataclass
class RunningFlow:
    """A flow that runs in the test's own loop."""

    stream: StreamRuntime
    stop: asyncio.Event
    health: Health
    task: asyncio.Task[None]

    async def finish(self) -> None:
        """Stop as SIGTERM does, and wait."""
        self.stop.set()
        await self.task


def settings_for(bootstrap_servers: str, prefix: str) -> ProcessSettings:
    """Settings of a process on the test's topics."""
    kafka = KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=prefix)
    return ProcessSettings(kafka=kafka, installation_id="test", profile="dev")


@asynccontextmanager
async def running(
    settings: ProcessSettings, *flows: KeyedFlow | BatchedFlow, name: str = "fetch", joined: bool = True
) -> AsyncGenerator[RunningFlow]:
    """Run flows until the block ends; a failure of theirs is the block's."""
    stop, health = asyncio.Event(), Health()
    async with StreamRuntime.open(settings, name, health=health, stop=stop) as stream:
        task = asyncio.create_task(stream.run(stop, *flows))
        flow = RunningFlow(stream, stop, health, task)
        try:
            if joined:
                await eventually(lambda: not health.failing_ready() or task.done())
            yield flow
        finally:
            stop.set()
            await asyncio.wait((task,))


@asynccontextmanager
async def producing(settings: ProcessSettings) -> AsyncGenerator[Producer]:
    """A started producer."""
    producer = Producer(settings.kafka)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send_all(settings: ProcessSettings, messages: Sequence[Message]) -> None:
    """Write messages one after the other, so that their order is theirs."""
    async with producing(settings) as producer:
        for message in messages:
            await producer.send(message)


async def committed(settings: ProcessSettings, group: str, topic: str) -> dict[int, int]:
    """The group's committed offsets of a topic, where there are any."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap_servers)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(full_name(settings.kafka, group))
    finally:
        await admin.close()
    name = full_name(settings.kafka, topic)
    return {place.partition: at.offset for place, at in offsets.items() if place.topic == name and at.offset > 0}


async def set_offsets(settings: ProcessSettings, group: str, topic: Topic, offset: int) -> None:
    """Commit one offset for every partition of a topic, as an operator may while the group has no member."""
    places = [TopicPartition(full_name(settings.kafka, topic.name), number) for number in range(topic.partitions)]
    group_id = full_name(settings.kafka, group)
    async with clients.consumer(settings.kafka.bootstrap_servers, group_id=group_id) as consumer:
        consumer.assign(places)
        await consumer.commit(dict.fromkeys(places, offset))
