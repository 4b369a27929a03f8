"""Simple flows on FastStream's broker in memory: what is acknowledged, when, and what becomes of a failure."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError
from faststream.kafka import TestKafkaBroker
from ringback_common.clock import SystemClock
from ringback_common.errors import Transient
from ringback_common.outcomes import Emit, Message, Outcome, Reason, Received, Reject
from ringback_common.settings import KafkaSettings
from ringback_events.topics import AUDIT, STATUS
from ringback_stream.aside.policy import PausingPolicy
from ringback_stream.consume.assignment import Assignment
from ringback_stream.consume.batch_runner import BatchedRunner
from ringback_stream.consume.outcome_handler import OutcomeHandler
from ringback_stream.consume.partitions import Partition
from ringback_stream.flows import BatchLimits
from ringback_stream.simple.acknowledgement import undecoded, with_raw_headers
from ringback_stream.simple.consumer import SimpleConsumer
from ringback_stream.simple.flow import SimpleFlow
from ringback_stream.simple.log import FastStreamLog

pytestmark = pytest.mark.timeout(30)

Step = Callable[[Sequence[Received]], Awaitable[Sequence[Outcome]]]


class Edge:
    """What a flow says to Kafka, in its order: commits and dead letters."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Note a commit."""
        self.said.append({(named.topic, named.partition): offset for named, offset in offsets.items()})

    async def send(self, message: Message) -> None:
        """Note a dead letter, which takes a moment to be acked."""
        await asyncio.sleep(0.01)
        self.said.append(message.topic)


@asynccontextmanager
async def member(edge: Edge, step: Step, wait: float = 0) -> AsyncGenerator[tuple[SimpleConsumer, Any]]:
    """A member that was assigned the status topic and a partition of the audit, and a broker to publish to it."""
    flow = SimpleFlow("simple", (STATUS, AUDIT), step, BatchLimits(wait=wait, retry_first=0.01))
    assignment, producer = Assignment(flow.group, SystemClock(), str, lambda: None), _untyped(edge)
    runner = BatchedRunner(flow, OutcomeHandler(producer, "test", flow.group, assignment.finish), SystemClock())
    kafka = KafkaSettings(bootstrap_servers="nowhere:1")
    consumer = SimpleConsumer(kafka, flow, runner, PausingPolicy(runner), assignment, SystemClock())
    working = asyncio.create_task(runner.run())
    async with TestKafkaBroker(consumer._broker) as broker:
        consumer._subscriber.consumer = edge
        assignment.begin({Partition(STATUS.name, 0): 0, Partition(AUDIT.name, 1): 0})
        runner.resume()
        consumer.gate.open()
        yield consumer, broker
    working.cancel()


def _untyped(value: object) -> Any:
    return value


async def test_a_record_is_acknowledged_by_its_offset_when_its_row_is_written() -> None:
    """One partition's commit says nothing about another's, and none is made while the step runs."""
    edge = Edge()

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        await asyncio.sleep(0.01)
        edge.said.append([(one.topic, one.key, one.value) for one in records])
        return [Emit()] * len(records)

    async with member(edge, step) as (_, broker):
        await broker.publish(b"{}", topic=STATUS.name, key=b"store|")
        await broker.publish(b"[]", topic=AUDIT.name, key=b"me", partition=1)
    assert edge.said == [
        [(STATUS.name, b"store|", b"{}")],
        {(STATUS.name, 0): 1},
        [(AUDIT.name, b"me", b"[]")],
        {(AUDIT.name, 1): 1},
    ]


async def test_bad_data_is_a_dead_letter_before_it_is_acknowledged() -> None:
    """Acked, then committed."""
    edge = Edge()

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        return [Reject(Reason.UNDECODABLE)] * len(records)

    async with member(edge, step) as (_, broker):
        await broker.publish(b"{", topic=STATUS.name)
    assert edge.said == [STATUS.dead_letters, {(STATUS.name, 0): 1}]


async def test_a_store_that_is_away_is_waited_for() -> None:
    """Nothing is acknowledged until it has the rows."""
    edge, attempts = Edge(), 0

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        nonlocal attempts
        attempts += 1
        assert edge.said == []
        if attempts < 3:
            raise Transient("away")
        return [Emit()] * len(records)

    async with member(edge, step) as (_, broker):
        await broker.publish(b"{}", topic=STATUS.name)
    assert (attempts, edge.said) == (3, [{(STATUS.name, 0): 1}])


async def test_an_exception_of_the_handler_ends_the_flow() -> None:
    """FastStream would log it and go on behind the batch."""
    edge = Edge()

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        return [Emit()] * len(records)

    async with member(edge, step) as (consumer, broker):
        consumer._receive = _untyped(_bug)
        with pytest.raises(ZeroDivisionError):
            await broker.publish(b"{}", topic=STATUS.name)
        assert isinstance(consumer.failed.exception(), ZeroDivisionError)
    assert edge.said == []


async def _bug(_: object) -> None:
    raise ZeroDivisionError


async def test_what_is_given_back_is_not_acknowledged() -> None:
    """A rebalance cuts the step off; the handler returns, so that FastStream polls for the next assignment."""
    edge, began = Edge(), asyncio.Event()

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        began.set()
        await asyncio.sleep(60)
        return [Emit()] * len(records)

    async with member(edge, step) as (consumer, broker):
        publishing = asyncio.create_task(broker.publish(b"{}", topic=STATUS.name))
        await began.wait()
        consumer.lost()
        await publishing
        assert not consumer.failed.done()
    assert edge.said == []


async def test_a_batch_that_is_given_back_before_its_step_began_lets_faststream_poll_again() -> None:
    """It still waits for company when the assignment is lost."""
    edge = Edge()

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        raise AssertionError(len(records))

    async with member(edge, step, wait=60) as (consumer, broker):
        publishing = asyncio.create_task(broker.publish(b"{}", topic=STATUS.name))
        while not consumer._runner.oldest_by_reason():
            await asyncio.sleep(0)
        consumer.lost()
        async with asyncio.timeout(5):
            await publishing
    assert edge.said == []


@pytest.mark.parametrize("value", [None, b"\xff"], ids=["null", "not UTF-8"])
async def test_a_header_that_cannot_be_decoded_reaches_the_step_as_it_is(value: bytes | None) -> None:
    """FastStream's parser would drop the whole batch for it."""
    record: Any = ConsumerRecord("t", 0, 0, 0, 0, b"k", b"v", None, 1, 1, (("x", value),))  # type: ignore[arg-type]
    seen: list[Any] = []

    async def parse(batch: Any) -> Any:
        seen.extend(header for one in batch for header in one.headers)
        return SimpleNamespace(raw_message=batch)

    assert await undecoded(await with_raw_headers((record,), parse)) == (record,)
    assert seen == []


async def test_an_error_of_a_poll_is_mended_and_anything_else_ends_the_flow() -> None:
    """FastStream sleeps over the first and begins its loop again after the other."""

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        return [Emit()] * len(records)

    async with member(Edge(), step) as (consumer, _):
        log = FastStreamLog(consumer._catch)
        log.log(logging.ERROR, "Kafka error occurred", exc_info=TopicAuthorizationFailedError("t"))
        assert consumer._caught.qsize() == 1
        assert not consumer.failed.done()
        log.log(logging.ERROR, "task raised an exception, retrying...", exc_info=OSError("b"))
        assert isinstance(consumer.failed.exception(), OSError)


def test_a_line_about_an_exception_is_not_written_for_it_quotes_data(caplog: pytest.LogCaptureFixture) -> None:
    """The receiver writes its class; FastStream's other lines, two for each batch, are for developers."""
    caught: list[BaseException] = []
    log = FastStreamLog(caught.append)
    with caplog.at_level(logging.DEBUG, "ringback_stream.simple.log"):  # another test may have set our loggers to INFO
        log.log(logging.ERROR, "ValueError: anna@example.com", exc_info=ValueError("anna@example.com"))
        log.log(logging.INFO, "Received")
    assert [type(failure) for failure in caught] == [ValueError]
    assert [(line.levelno, line.getMessage()) for line in caplog.records] == [(logging.DEBUG, "Received")]


async def test_a_stop_does_not_raise_aiokafkas_own_cancellation() -> None:
    """A fetch that sleeps between two attempts ends aiokafka's stop so; its client is closed all the same."""
    closed: list[bool] = []

    async def cut_short() -> None:
        raise asyncio.CancelledError

    async def close() -> None:
        closed.append(True)

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        return [Emit()] * len(records)

    async with member(Edge(), step) as (consumer, _):
        consumer._app = _untyped(SimpleNamespace(stop=cut_short))
        consumer._subscriber.consumer = SimpleNamespace(_client=SimpleNamespace(close=close))
        await consumer.stop()
    assert closed == [True]
