"""Group commit on a real Kafka: many writers, a frozen broker, a bug in the background."""

import asyncio
import time
from typing import cast

import pytest
from ringback_common.errors import Transient
from ringback_common.outcomes import Message
from ringback_events.topics import (
    FETCH,
)
from ringback_local.kafka import Broker
from ringback_local.topics import create_contract_topics
from ringback_stream.publish.group_commit import GroupCommitProducer, WriteRefused
from ringback_testing import dump_topic, eventually
from ringback_testing.fixtures import KafkaBroker, MakeTopics
from ringback_testing.streaming import settings_for

pytestmark = pytest.mark.integration

NEEDED = (FETCH.name,)


def fetch(key: str) -> Message:
    """A fetch request of this key; its value is not read here."""
    return Message(FETCH.name, key.encode(), b"{}")


async def test_group_commit_acknowledges_many_writers(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """A thousand concurrent writes, each to its tenant's partition, all there when the last returns."""
    topics = await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    producer = GroupCommitProducer(settings.kafka)
    with pytest.raises(WriteRefused):
        await producer.write([fetch("t|too early")])
    await producer.start()
    await eventually(lambda: producer.accepting)
    await asyncio.gather(*(producer.write([fetch(f"t{n % 30}|{n}"), fetch(f"t{n % 7}|x{n}")]) for n in range(1000)))
    await producer.stop()
    records = await dump_topic(kafka.bootstrap_servers, topics[FETCH.name])
    assert len(records) == 2000
    places = {((record.key or b"").partition(b"|")[0], record.partition) for record in records}
    assert len(places) == len({tenant for tenant, _ in places}) == 30


async def test_a_produce_that_outlives_its_deadline_refuses_new_writes_until_it_resolves(
    kafka_broker: KafkaBroker,
) -> None:
    """A frozen broker: the first write fails at its deadline, later ones at once; thawed, writes are accepted again."""
    broker = kafka_broker()
    settings = settings_for(broker.bootstrap_servers, "")
    await _create(broker, FETCH.name)
    producer = GroupCommitProducer(settings.kafka, deadline=2.0)
    await producer.start()
    await eventually(lambda: producer.accepting)
    await producer.write([fetch("t|warm")])
    broker.pause()
    try:
        with pytest.raises(Transient, match="deadline"):
            await producer.write([fetch("t|1")])
        await eventually(lambda: not producer.accepting)
        began = time.monotonic()
        with pytest.raises(WriteRefused):
            await producer.write([fetch("t|2")])
        assert time.monotonic() - began < 1.5  # at once: less than the deadline
    finally:
        broker.resume()
    await eventually(lambda: producer.accepting)
    await producer.write([fetch("t|3")])
    await producer.stop()
    keys = [record.key for record in await dump_topic(broker.bootstrap_servers, FETCH.name)]
    assert keys == [b"t|warm", b"t|1", b"t|3"]


async def test_a_bug_in_the_background_is_told(kafka: Broker, topic_prefix: str, make_topics: MakeTopics) -> None:
    """What is not Kafka's ends the background work; the task that watches gets the error, instead of a 503 for ever."""
    await make_topics(*NEEDED)
    producer = GroupCommitProducer(settings_for(kafka.bootstrap_servers, topic_prefix).kafka, deadline=0.5)
    await producer.start()
    await eventually(lambda: producer.accepting)
    with pytest.raises(Transient):
        await producer.write([Message(FETCH.name, cast("bytes", "text where bytes belong"), b"{}")])
    with pytest.raises((TypeError, AttributeError)):
        await producer.failed()
    await producer.stop()


async def _create(broker: Broker, name: str) -> None:
    await create_contract_topics(broker.bootstrap_servers, "", names=(name,))
