"""A broker that is away costs neither the processor nor the way out."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import AsyncMock

import orjson
import pytest
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from aiokafka.protocol.admin import SaslHandShakeRequest
from ringback_common.clock import SystemClock
from ringback_common.errors import Transient
from ringback_common.outcomes import Emit, Message, Outcome, Received
from ringback_common.settings import KafkaSettings
from ringback_events.platform_events import ControlEntry
from ringback_events.topics import FETCH
from ringback_stream.aside.policy import PausingPolicy
from ringback_stream.consume.assignment import Assignment
from ringback_stream.consume.consumer import Consumer
from ringback_stream.consume.keyed_runner import KeyedRunner
from ringback_stream.consume.outcome_handler import OutcomeHandler
from ringback_stream.flows import KeyedFlow, Lane
from ringback_stream.publish.client import Client
from ringback_stream.publish.producer import Producer
from ringback_stream.shared import compacted, control
from ringback_stream.shared.control import ControlTable


def refusing() -> str:
    """An address that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


async def test_a_failed_refresh_of_metadata_is_followed_by_a_pause() -> None:
    """Aiokafka's sender asks again as soon as it is answered: at most ten times a second, and not much less often."""
    client = Client(KafkaSettings(bootstrap_servers=refusing()))
    aiokafka = client.producer.client
    began = time.monotonic()
    try:
        for _ in range(4):
            await aiokafka._metadata_update(aiokafka.cluster, [])
        assert 0.4 <= time.monotonic() - began < 2
    finally:
        await client.producer.stop()


class Silent:
    """A consumer of aiokafka's that has stopped answering for committed offsets, as it does while it stops.

    Attributes:
        listener: what it waits for before it has stopped.
    """

    listener: asyncio.Task[None]

    def __init__(self) -> None:
        self._client = self

    async def close(self) -> None:
        """Its connections."""

    async def committed(self, _partition: TopicPartition) -> int:
        """Never."""
        await asyncio.Event().wait()
        return 0

    async def stop(self) -> None:
        """As aiokafka does."""
        await self.listener


class Unreachable(Silent):
    """One whose broker is away."""

    async def committed(self, _partition: TopicPartition) -> int:
        """Fails each time."""
        raise KafkaError


@asynccontextmanager
async def a_consumer(client: Silent) -> AsyncGenerator[Consumer]:
    """Of a flow that does nothing, with aiokafka's consumer replaced."""

    async def step(records: Sequence[Received]) -> list[Outcome]:
        return [Emit() for _ in records]

    kafka, clock = KafkaSettings(bootstrap_servers=refusing()), SystemClock()
    flow = KeyedFlow("group", (Lane(FETCH),), step, on_exhausted=lambda _record, _attempts: Emit())
    assignment = Assignment("group", clock, lambda topic: topic, lambda: None, None)
    producer = Producer(kafka)
    outcome_handler = OutcomeHandler(producer, "test", "group", assignment.finish)
    runner = KeyedRunner(flow, outcome_handler, clock, assignment.trackers.is_out_of_order)
    consumer = Consumer(kafka, flow, runner, PausingPolicy(runner), assignment, clock)
    replaced: Any = client
    consumer._subscriber.consumer = replaced
    try:
        yield consumer
    finally:
        await producer.stop()


async def test_an_assignment_that_never_begins_does_not_keep_the_process_from_ending() -> None:
    """Neither offsets that never arrive nor offsets that cannot be read are waited for once the consumer ends."""
    for client in (Silent(), Unreachable()):
        async with a_consumer(client) as consumer:
            client.listener = asyncio.create_task(consumer.assigned([TopicPartition(FETCH.name, 0)]))
            await asyncio.sleep(0.01)
            assert not client.listener.done()
            async with asyncio.timeout(20):
                await consumer.abandon()
            assert client.listener.done()


class Full:
    """A producer of aiokafka's with a batch of the partition that waits for a broker: after 40 s it takes no more."""

    async def deliver(self, _message: Message) -> None:
        """Refuse."""
        raise KafkaTimeoutError

    async def retire(self) -> None:
        """Nothing to flush."""


async def test_a_queue_that_an_outage_has_filled_is_no_bug() -> None:
    """What a step made is kept and written later; the process does not end over it."""
    producer = Producer(KafkaSettings(bootstrap_servers=refusing()))
    await producer.stop()
    full: Any = Full()  # at aiokafka's edge
    producer._client = full
    with pytest.raises(Transient):
        await producer.send(Message(FETCH.name, b"key", b"value"))


class Asleep:
    """A reader of aiokafka's whose fetch slept between two attempts: its stop raises that fetch's cancellation."""

    def __init__(self) -> None:
        self.closed = 0
        self._client = self

    async def stop(self) -> None:
        """Await the fetch that was cancelled."""
        raise asyncio.CancelledError

    async def close(self) -> None:
        """Close what such a stop leaves open."""
        self.closed += 1


async def test_a_reader_stops_and_closes_though_it_raises_the_cancellation_of_its_own_fetch() -> None:
    """The task that stops it was not cancelled: the process goes on, or ends with 0."""
    nobody: Any = None
    reader: Any = Asleep()
    table = ControlTable(KafkaSettings(bootstrap_servers=refusing()), nobody)
    table._reader = reader
    await table.stop()
    assert reader.closed == 1


async def test_a_halt_is_written_so_that_a_process_of_another_release_obeys_it() -> None:
    """A member that it may not know is written only where it says something."""
    producer: Any = AsyncMock()
    halt = ControlEntry(kind="halt", subject="fetch", reason="dead_letter_limit", since=datetime.now(UTC), by="fetch")
    await ControlTable(KafkaSettings(bootstrap_servers=refusing()), producer).write(halt)
    (message,) = producer.send.await_args.args
    assert orjson.loads(message.value).keys() == {"kind", "subject", "reason", "since", "by"}


@pytest.mark.parametrize("how", ["stop", "abandon"])
async def test_a_consumer_leaves_though_its_fetch_slept(how: str) -> None:
    """Neither the bug for which it is abandoned nor the exit code is lost to a cancellation without a cause."""
    client: Any = Asleep()
    async with a_consumer(client) as consumer, asyncio.timeout(20):
        await getattr(consumer, how)()
    assert client.closed == 1


async def test_a_control_table_told_to_stop_while_it_reads_leaves_no_reader_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No other task uses the reader before it has read all."""
    stopped = asyncio.Event()
    stop_reader = compacted.stop_reader

    async def seen(reader: AIOKafkaConsumer) -> None:
        await stop_reader(reader)
        stopped.set()

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    async def at_once(_: AIOKafkaConsumer) -> None:
        pass

    monkeypatch.setattr(control, "stop_reader", seen)
    monkeypatch.setattr(control, "read_to_end", never)
    monkeypatch.setattr(AIOKafkaConsumer, "start", at_once)
    nobody: Any = None
    starting = asyncio.create_task(ControlTable(KafkaSettings(bootstrap_servers=refusing()), nobody).start())
    await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert stopped.is_set()


async def _sent_over_a_closed_transport() -> tuple[type[BaseException], bool]:
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        connection: Any = AIOKafkaConnection(host, port)
        connection._reader, connection._writer = await asyncio.open_connection(host, port)
        connection._read_task = asyncio.create_task(asyncio.sleep(9))
        connection._writer.transport.abort()
        await asyncio.sleep(0.01)
        try:
            connection.send(SaslHandShakeRequest("PLAIN"))
        except Exception as failure:  # noqa: BLE001 - which it is, is what is asked
            return type(failure), connection.connected()
    raise AssertionError("it was sent")


def test_a_closed_transport_is_a_broken_connection_under_uvloop_too() -> None:
    """As any other broken connection it is made anew; a RuntimeError would end aiokafka's coordinator."""
    assert uvloop.run(_sent_over_a_closed_transport()) == (KafkaConnectionError, False)
