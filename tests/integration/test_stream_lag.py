"""How far a member is behind, on a real Kafka: measured at the log's end, whatever the consumer was given of it."""

import secrets
from collections.abc import Mapping

import pytest
from aiokafka import TopicPartition
from ringback_common.metrics import catalogue
from ringback_common.outcomes import Emit, Message
from ringback_events.topics import AUDIT, CONTROL, FETCH, INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS, STATUS, Topic
from ringback_local.kafka import Broker
from ringback_stream.flows import BatchedFlow, KeyedFlow, Lane
from ringback_stream.simple.flow import SimpleFlow
from ringback_testing import eventually
from ringback_testing.fixtures import MakeTopics
from ringback_testing.streaming import Recorder, running, send_all, settings_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

NEEDED = [t.name for t in (FETCH, AUDIT, CONTROL, STATUS, INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS)]


def a_flow(kind: str, step: Recorder) -> tuple[KeyedFlow | BatchedFlow, Topic]:
    """A flow of one topic, of each kind there is."""
    group = f"g{secrets.token_hex(4)}"
    if kind == "keyed":
        return KeyedFlow(group, (Lane(FETCH),), step, on_exhausted=lambda _received, _attempts: Emit()), FETCH
    return (
        (BatchedFlow(group, (FETCH,), step), FETCH) if kind == "batched" else (SimpleFlow(group, (AUDIT,), step), AUDIT)
    )


def shown(name: str, group: str, topic: Topic) -> Mapping[int, float]:
    """A metric of each partition of a topic that is shown."""
    labels = ({"group": group, "topic": topic.name, "partition": str(number)} for number in range(topic.partitions))
    values = (catalogue.registry.get_sample_value(name, each) for each in labels)
    return {number: value for number, value in enumerate(values) if value is not None}


def sent(topic: Topic, count: int) -> list[Message]:
    """Records of several keys."""
    return [Message(topic.name, f"t|{number}".encode(), b"{}") for number in range(count)]


@pytest.mark.parametrize("kind", ["keyed", "batched", "simple"])
async def test_what_is_not_finished_is_shown_by_its_partition_until_it_is(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics, kind: str
) -> None:
    """Taken in, waiting in the client or never fetched: all count, age, and are gone when the step has answered."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    step = Recorder(lambda _: Emit())
    flow, topic = a_flow(kind, step)
    step.gate.clear()
    async with running(settings, flow):
        await eventually(lambda: len(shown("ringback_lag_records", flow.group, topic)) == topic.partitions, 20)
        assert set(shown("ringback_lag_records", flow.group, topic).values()) == {0}
        await send_all(settings, sent(topic, 30))
        await eventually(lambda: sum(shown("ringback_lag_records", flow.group, topic).values()) == 30, 20)
        await eventually(lambda: max(shown("ringback_oldest_unfinished_seconds", flow.group, topic).values()) > 5, 20)
        step.gate.set()
        await eventually(lambda: sum(shown("ringback_lag_records", flow.group, topic).values()) == 0, 20)
        assert set(shown("ringback_oldest_unfinished_seconds", flow.group, topic).values()) == {0}
    assert shown("ringback_lag_records", flow.group, topic) == {}


async def test_a_consumer_that_fetches_nothing_is_behind_all_the_same(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """The client fetches no more of a partition: the broker's end and a read of the oldest record tell."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    flow, _ = a_flow("keyed", Recorder(lambda _: Emit()))
    async with running(settings, flow) as process:
        consumer = process.stream.supervisors[0].consumer
        assert consumer is not None
        consumer.client.pause(
            *(TopicPartition(topic_prefix + FETCH.name, number) for number in range(FETCH.partitions))
        )
        await send_all(settings, sent(FETCH, 30))
        await eventually(lambda: sum(shown("ringback_lag_records", flow.group, FETCH).values()) == 30, 20)
        await eventually(lambda: max(shown("ringback_oldest_unfinished_seconds", flow.group, FETCH).values()) > 7, 20)
