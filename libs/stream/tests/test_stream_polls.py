"""Polls that fail: counted, shown, bounded in what they cost others; what does not pass ends the process."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    ConsumerStoppedError,
    CorruptRecordException,
    GroupAuthorizationFailedError,
    KafkaError,
    NoOffsetForPartitionError,
    NotLeaderForPartitionError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
)
from ringback_common.metrics import catalogue
from ringback_common.outcomes import Emit, Received
from ringback_common.settings import KafkaSettings
from ringback_events.topics import FETCH, FETCH_BULK
from ringback_stream.aside.policy import PausingPolicy
from ringback_stream.consume.assignment import Assignment
from ringback_stream.consume.consumer import Consumer
from ringback_stream.consume.keyed_runner import KeyedRunner
from ringback_stream.consume.outcome_handler import OutcomeHandler
from ringback_stream.consume.partitions import Partition
from ringback_stream.consume.poll_failures import LASTING, PollFailures
from ringback_stream.flows import KeyedFlow, Lane
from ringback_testing.virtual_time import VirtualClock, VirtualTimeLoop

PLACE = TopicPartition(FETCH.name, 0)


class Client:
    """Aiokafka's consumer, whose polls bring what a test says.

    Attributes:
        polls: what each poll does; the last one for ever.
        topics: those the broker knows.
    """

    def __init__(self, *polls: Exception | None) -> None:
        self.polls = list(polls)
        self.polled = 0
        self.asked = 0
        self.topics = {FETCH.name}
        self.seeks: list[tuple[TopicPartition, int]] = []
        self.begins = asyncio.Event()
        self._client = self

    async def getmany(self, **_: object) -> dict[TopicPartition, list[Any]]:
        """Fail, or bring nothing."""
        self.polled += 1
        answer = self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]
        if answer is not None:
            raise answer
        await asyncio.sleep(0.5)
        return {}

    async def beginning_offsets(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Where logs begin, once the broker answers."""
        await self.begins.wait()
        return dict.fromkeys(places, 0)

    def seek(self, place: TopicPartition, offset: int) -> None:
        """Go to an offset."""
        self.seeks.append((place, offset))

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """Those of the metadata."""
        return {0} if topic in self.topics else None

    def force_metadata_update(self) -> None:
        """Ask the broker."""
        self.asked += 1


class Backlog(Client):
    """A client with prefetched records: each poll brings one at once; stopped after a thousand, lest it spins."""

    async def getmany(self, **_: object) -> dict[TopicPartition, list[Any]]:
        """Bring a record without waiting."""
        self.polled += 1
        if self.polled > 1000:
            raise ConsumerStoppedError
        return {PLACE: [SimpleNamespace(topic=FETCH.name, partition=0, offset=self.polled, value=b"", headers=())]}


def polling(client: Client, work: Callable[[Consumer, asyncio.Task[None]], Any]) -> Any:
    """What `work` makes of a consumer that polls this client, on virtual time."""
    loop = VirtualTimeLoop()

    async def run() -> Any:
        clock, nobody = VirtualClock(loop), None
        flow = KeyedFlow("polls", (Lane(FETCH), Lane(FETCH_BULK)), step, on_exhausted=lambda _record, _attempts: Emit())
        assignment = Assignment("polls", clock, str, lambda: None)
        producer: Any = nobody
        outcome_handler = OutcomeHandler(producer, "polls", "polls", assignment.finish)
        runner = KeyedRunner(flow, outcome_handler, clock, assignment.trackers.is_out_of_order)
        kafka = KafkaSettings(bootstrap_servers="nowhere:1")
        consumer = Consumer(kafka, flow, runner, PausingPolicy(runner), assignment, clock)
        replaced: Any = client
        consumer._subscriber.consumer = replaced
        task = asyncio.create_task(consumer.poll())
        try:
            return await work(consumer, task)
        finally:
            task.cancel()

    try:
        return loop.run_until_complete(run())
    finally:
        loop.close()


async def step(records: Sequence[Received]) -> list[Emit]:
    """Satisfied."""
    return [Emit() for _ in records]


def counted(error: str) -> float:
    """Failures of this class so far."""
    labels = {"group": "polls", "error": error}
    return catalogue.registry.get_sample_value("ringback_stream_poll_failures_total", labels) or 0.0


def test_a_failed_poll_is_counted_shown_for_a_while_and_tried_again_at_once() -> None:
    """FastStream's loop would have slept 5 s, and nothing would have been said."""
    client, before = Client(CorruptRecordException(), None), counted("CorruptRecordException")

    async def work(consumer: Consumer, task: asyncio.Task[None]) -> None:
        await asyncio.sleep(0.2)
        assert client.polled == 2
        assert consumer.failures.recent == "CorruptRecordException"
        await asyncio.sleep(15)
        assert consumer.failures.recent is None
        assert not task.done()

    polling(client, work)
    assert counted("CorruptRecordException") == before + 1


def test_polls_go_on_without_haste_while_nothing_is_taken_in() -> None:
    """While an assignment is drained Kafka must still be polled; at full speed that would take the CPU of the drain."""
    client = Backlog(None)

    async def work(consumer: Consumer, task: asyncio.Task[None]) -> None:
        assert not consumer.gate.is_open
        await asyncio.sleep(10)
        assert not task.done()
        assert 50 <= client.polled <= 101

    polling(client, work)


@pytest.mark.parametrize("failure", [TopicAuthorizationFailedError("topic"), GroupAuthorizationFailedError("group")])
def test_what_the_broker_answers_is_waited_for_however_long_it_lasts(failure: Exception) -> None:
    """A right that was taken away may be given back; ten polls a second, no more."""
    client = Client(failure)

    async def work(consumer: Consumer, task: asyncio.Task[None]) -> None:
        await asyncio.sleep(20 * LASTING)
        assert not task.done()
        assert consumer.failures.recent == type(failure).__name__
        assert client.polled <= 20 * LASTING * 10 + 1

    polling(client, work)


@pytest.mark.parametrize("failure", [KafkaError("Unexpected error during coordination"), AssertionError()])
def test_a_client_that_is_broken_ends_the_process(failure: Exception) -> None:
    """Aiokafka's background task has ended with a bug: each poll raises that, for ever."""

    async def work(_: Consumer, task: asyncio.Task[None]) -> None:
        await asyncio.sleep(LASTING - 1)
        assert not task.done()
        with pytest.raises(type(failure)):
            await asyncio.wait_for(task, 2)

    polling(Client(failure), work)


def test_failures_between_which_polls_succeed_do_not_end_the_process() -> None:
    """Whatever they are, something is read meanwhile."""

    async def work(_: Consumer, task: asyncio.Task[None]) -> None:
        await asyncio.sleep(3 * LASTING)
        assert not task.done()

    polling(Client(*[KafkaError(), None] * 2000), work)


def test_a_consumer_that_is_stopped_polls_no_more() -> None:
    """And has not failed."""

    async def work(consumer: Consumer, task: asyncio.Task[None]) -> None:
        await asyncio.wait_for(task, 1)
        assert consumer.failures.recent is None

    polling(Client(ConsumerStoppedError()), work)


def test_a_topic_that_is_missing_is_asked_for_until_it_is_back() -> None:
    """Aiokafka by itself asks every three minutes."""
    client = Client(None)

    async def work(consumer: Consumer, _: asyncio.Task[None]) -> None:
        assert list(consumer.missing()) == [FETCH_BULK.name]
        assert client.asked == 1
        client.topics.add(FETCH_BULK.name)
        assert list(consumer.missing()) == []
        assert client.asked == 1

    polling(client, work)


@pytest.mark.parametrize("meanwhile", ["nothing", "given up", "assigned anew"])
def test_a_rebalance_while_the_broker_is_asked_goes_first(meanwhile: str) -> None:
    """Who begins next seeks by itself: an answer about the assignment before moves nothing."""
    client, ours = Client(OffsetOutOfRangeError({PLACE: 100}), None), Partition(FETCH.name, 0)

    async def work(consumer: Consumer, _: asyncio.Task[None]) -> None:
        assignment = consumer._assignment
        assignment.begin({ours: 100})
        consumer.gate.open()
        await asyncio.sleep(0.01)
        if meanwhile != "nothing":
            consumer.gate.close()
        if meanwhile == "assigned anew":
            assignment.begin({ours: 7})
            consumer.gate.open()
        client.begins.set()
        await asyncio.sleep(1)
        tracker = assignment.trackers.of(ours)
        assert tracker is not None
        assert tracker.next_offset == {"nothing": 0, "given up": 100, "assigned anew": 7}[meanwhile]
        assert client.seeks == ([(PLACE, 0)] if meanwhile == "nothing" else [])
        assert consumer.failures.recent is None

    polling(client, work)


def test_a_broker_that_contradicts_itself_is_not_asked_in_a_hurry() -> None:
    """Out of range, it says, of the offset at which the log begins: ten times a second, and nothing is touched."""
    client = Client(OffsetOutOfRangeError({PLACE: 0}))
    client.begins.set()

    async def work(consumer: Consumer, _: asyncio.Task[None]) -> None:
        consumer._assignment.begin({Partition(FETCH.name, 0): 0})
        consumer.gate.open()
        await asyncio.sleep(10)
        assert client.polled <= 101
        assert client.seeks == []

    polling(client, work)


def test_a_partition_without_an_offset_is_no_failure() -> None:
    """Polled between a new assignment and its beginning, which seeks."""

    async def work(consumer: Consumer, task: asyncio.Task[None]) -> None:
        await asyncio.sleep(2 * LASTING)
        assert not task.done()
        assert consumer.failures.recent is None

    polling(Client(NoOffsetForPartitionError()), work)


def test_a_broker_that_does_not_say_where_a_log_begins_holds_the_polls_up_for_two_seconds() -> None:
    """Other partitions wait no longer than that; it counts as a failed poll."""
    client = Client(OffsetOutOfRangeError({PLACE: 100}), None)

    async def work(consumer: Consumer, _: asyncio.Task[None]) -> None:
        consumer._assignment.begin({Partition(FETCH.name, 0): 100})
        consumer.gate.open()
        await asyncio.sleep(2.5)
        assert client.polled == 2
        assert consumer.failures.recent == "TimeoutError"

    polling(client, work)


def test_error_is_for_what_an_operator_must_mend(caplog: pytest.LogCaptureFixture) -> None:
    """A leader that moves, and a time limit, is a warning, a right that is missing an error; so is what lasts."""
    clock: Any = SimpleNamespace(at=0.0, monotonic=lambda: clock.at)
    moving, late, forbidden = (PollFailures(name, clock) for name in ("moving", "late", "forbidden"))
    moving.note(NotLeaderForPartitionError())
    late.note(TimeoutError())
    forbidden.note(TopicAuthorizationFailedError())
    clock.at = LASTING
    moving.note(NotLeaderForPartitionError())
    late.note(TimeoutError())
    reported = [(one.levelname, one.__dict__["ringback_fields"]["group"]) for one in caplog.records]
    passing = [("WARNING", "moving"), ("WARNING", "late"), ("ERROR", "forbidden")]
    assert reported == [*passing, ("ERROR", "moving"), ("ERROR", "late")]
