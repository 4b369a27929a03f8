"""A partition without an owner, a stuck consumer a hanging step and a member that leaves: what each becomes."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, cast

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from ringback_common.clock import SystemClock
from ringback_common.outcomes import Emit, Message, Outcome, Received
from ringback_events.topics import (
    FETCH,
    LIFECYCLE,
    RECORDS,
)
from ringback_local.kafka import Broker
from ringback_stream.consume.keyed_runner import KeyedRunner
from ringback_stream.consume.offsets import Ticket
from ringback_stream.consume.outcome_handler import OutcomeHandler
from ringback_stream.consume.ownership import Ownership
from ringback_stream.consume.partitions import Partition
from ringback_stream.flows import BatchedFlow, KeyedFlow, Lane, LaneKind
from ringback_stream.process.watchdog import ConsumerStuck, WatchedFlow, watch
from ringback_stream.shared.connection import most_are_reachable
from ringback_testing import dump_topic, eventually
from ringback_testing.fetch_lanes import NEEDED, copying, fetch, given_up, group, satisfied
from ringback_testing.fixtures import MakeTopics
from ringback_testing.streaming import producing, running, send_all, settings_for
from ringback_testing.streaming_process import copy

pytestmark = pytest.mark.integration


async def test_an_idle_partition_proves_its_owner(kafka: Broker, topic_prefix: str, make_topics: MakeTopics) -> None:
    """Without a single record the partitions are ours within seconds, stay ours, and are not after a stop."""
    await make_topics(*NEEDED, LIFECYCLE.name)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    ownership = Ownership(SystemClock())
    flow = KeyedFlow(group(), (Lane(FETCH), Lane(LIFECYCLE)), satisfied, given_up, ownership=ownership)
    async with running(settings, flow):
        await eventually(lambda: ownership.owned() == frozenset(range(12)))
        await asyncio.sleep(6.5)  # longer than one proof lasts
        assert ownership.owned() == frozenset(range(12))
    assert ownership.owned() == frozenset()


async def test_a_stuck_consumer_ends_the_process(kafka: Broker, topic_prefix: str, make_topics: MakeTopics) -> None:
    """Assigned, behind, nothing in hand and nothing taken in: the watchdog raises."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    seen: list[Received] = []

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        seen.extend(records)
        return [Emit()] * len(records)

    async with running(settings, KeyedFlow(group(), (Lane(FETCH),), step, given_up)) as process:
        await send_all(settings, [fetch("t|1")])
        await eventually(lambda: seen)
        (supervisor,) = process.stream.supervisors
        assert supervisor.consumer is not None
        assert supervisor.runner is not None
        watched = WatchedFlow(supervisor.consumer, supervisor.assignment, supervisor.runner, must_take=False)
        supervisor.consumer.gate.close()  # planted: the intake no longer takes what is delivered
        await send_all(settings, [fetch("t|2")])

        async def listens() -> bool:
            return await most_are_reachable(settings.kafka)

        with pytest.raises(ConsumerStuck):
            async with asyncio.timeout(10):
                await watch(watched, SystemClock(), listens, patience=1.5)


class Hanging:
    """A step that hangs until the gate opens, then publishes where nothing can be written."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.answered = False

    async def __call__(self, records: Sequence[Received]) -> Sequence[Outcome]:
        """Answer when the gate is open."""
        await self.gate.wait()
        self.answered = True
        return [Emit(((Message(RECORDS.name, b"t|1", b"{}"),),)) for _ in records]


@pytest.mark.parametrize("kind", [KeyedFlow, BatchedFlow])
async def test_a_step_that_hangs_turns_liveness_red_and_a_broker_that_is_away_does_not(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics, monkeypatch: pytest.MonkeyPatch, kind: type
) -> None:
    """Beyond its limit the process asks to be restarted; waiting for Kafka with the answer in hand is no hanging."""
    monkeypatch.setattr("ringback_stream.consume.consumer.DRAIN_WITHIN", 0.5)
    await make_topics(*(name for name in NEEDED if name != RECORDS.name))
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    step = Hanging()
    if kind is KeyedFlow:
        flow = KeyedFlow(group(), (Lane(FETCH),), step, given_up, step_limit=0.5)
    else:
        flow = BatchedFlow(group(), (FETCH,), step, step_limit=0.5)
    async with running(settings, flow) as process:
        assert process.health.failing_live() == {}
        await send_all(settings, [fetch("t|1")])
        failing = await eventually(process.health.failing_live)
        assert "hangs" in failing[flow.group]
        step.gate.set()
        await eventually(lambda: step.answered)
        await asyncio.sleep(1.0)  # twice the limit: the answer cannot be written meanwhile
        assert process.health.failing_live() == {}
        (supervisor,) = process.stream.supervisors
        assert supervisor.assignment.trackers.unfinished == 1


async def test_ready_work_that_nobody_starts_is_noticed(kafka: Broker) -> None:
    """A record in hand, nothing running, nothing to wait for: stuck since it arrived."""
    settings, clock = settings_for(kafka.bootstrap_servers, ""), SystemClock()
    flow = KeyedFlow(group(), (Lane(FETCH),), satisfied, given_up)
    record = Received(FETCH.name, 0, 0, 0, b"t|1", b"{}")
    async with producing(settings) as producer:
        outcome_handler = OutcomeHandler(producer, "fetch", flow.group, lambda _: True)
        runner = KeyedRunner(flow, outcome_handler, clock, lambda _: False)  # planted: it is never run
        runner.resume()
        assert runner.stuck_since is None
        runner.offer(Ticket(Partition(FETCH.name, 0), 0, 1), record, LaneKind.LIVE)
        assert runner.stuck_since == runner.unstarted_since == runner.oldest_arrival is not None


async def test_a_graceful_stop_leaves_the_group_so_that_the_successor_starts_at_once(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """After SIGTERM the group has no member left, and the next one does not wait for a session of 15 s to expire."""
    topics = await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    name = group()

    async def published(count: int) -> bool:
        return len(await dump_topic(kafka.bootstrap_servers, topics[RECORDS.name])) == count

    async with copying(kafka.bootstrap_servers, topic_prefix, name) as process:
        await send_all(settings, [fetch("t|1")])
        await eventually(lambda: published(1))
        process.terminate()
        assert await process.wait() == 0
    assert await members(kafka, topic_prefix + name) == 0
    await send_all(settings, [fetch("t|2")])
    began = time.monotonic()
    async with running(settings, KeyedFlow(name, (Lane(FETCH),), copy, given_up)):
        await eventually(lambda: published(2))
    assert time.monotonic() - began < 10


async def members(broker: Broker, name: str) -> int:
    """How many members a group has."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([name])
    finally:
        await admin.close()
    (described,) = cast("Any", answer).groups  # only its version tells which members it has
    return len(described[5])
