"""What a flow that FastStream polls promises on a real Kafka: no record is lost or passed over, no stall is silent."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType as Pattern
from confluent_kafka.admin._resource import ResourceType as Kind
from ringback_common.clock import SystemClock
from ringback_common.metrics import catalogue
from ringback_common.outcomes import Emit, Message, Outcome, Received
from ringback_common.settings import KafkaSettings
from ringback_events.topics import CONTROL, FETCH, INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS, STATUS
from ringback_local.kafka import Broker, clients
from ringback_local.topics import create_contract_topics
from ringback_stream.consume.consumer import broker_options
from ringback_stream.process.watchdog import ConsumerStuck, WatchedFlow, watch
from ringback_stream.shared.connection import most_are_reachable
from ringback_stream.simple import subscription
from ringback_stream.simple.consumer import SimpleConsumer
from ringback_stream.simple.flow import SimpleFlow
from ringback_testing import eventually
from ringback_testing.fixtures import KafkaBroker, MakeTopics
from ringback_testing.streaming import RunningFlow, committed, running, send_all, set_offsets, settings_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

NEEDED = [topic.name for topic in (FETCH, CONTROL, STATUS, INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS)]
HOSTILE = (("x", b"\xff"),)
"""Not UTF-8: FastStream's own parser would drop the batch."""


@dataclass
class Rows:
    """A step whose store is a list; a gate may hold it."""

    values: list[bytes] = field(default_factory=list[bytes])
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, records: Sequence[Received]) -> Sequence[Outcome]:
        """Write the batch once the gate is open."""
        await self.gate.wait()
        self.values.extend(record.value or b"" for record in records)
        return [Emit()] * len(records)


def written(*, held: bool = False) -> Rows:
    """Rows, whose gate is open unless they are to be held."""
    rows = Rows()
    if not held:
        rows.gate.set()
    return rows


def requests(first: int, behind: int) -> list[Message]:
    """Records of as many tenants, so that each partition has some."""
    return [Message(FETCH.name, f"{n}|c".encode(), str(n).encode(), HOSTILE) for n in range(first, behind)]


def numbers(first: int, behind: int) -> set[bytes]:
    """Their values."""
    return {str(n).encode() for n in range(first, behind)}


def group() -> str:
    """A group no other test has."""
    return f"g{secrets.token_hex(4)}"


def member(process: RunningFlow) -> SimpleConsumer:
    """The flow's group member."""
    (supervisor,) = process.stream.supervisors
    assert isinstance(supervisor.consumer, SimpleConsumer)
    return supervisor.consumer


def counted(name: str, **labels: str) -> float:
    """A sample of the process' metrics."""
    return catalogue.registry.get_sample_value(name, labels) or 0.0


async def test_what_a_rebalance_cuts_off_goes_to_the_next_member(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first member's store hangs with a batch in hand; a second joins, and has all of its half, then everything."""
    monkeypatch.setattr("ringback_stream.consume.consumer.DRAIN_WITHIN", 0.5)
    await make_topics(*NEEDED)
    settings, name = settings_for(kafka.bootstrap_servers, topic_prefix), group()
    hanging, second = written(held=True), written()
    async with running(settings, SimpleFlow(name, (FETCH,), hanging)) as one:
        await send_all(settings, requests(0, 60))
        await eventually(lambda: one.stream.supervisors[0].assignment.trackers.unfinished)
        async with running(settings, SimpleFlow(name, (FETCH,), second), name="other"):
            await eventually(lambda: second.values, 60)
            await one.finish()
            await eventually(lambda: set(second.values) == numbers(0, 60), 60)

            async def all_is_committed() -> bool:
                return sum((await committed(settings, name, FETCH.name)).values()) == 60

            await eventually(all_is_committed)
    assert hanging.values == []


async def test_a_right_to_read_that_is_withdrawn_is_waited_for(
    kafka_broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, said and shown meanwhile, for longer than a stall may last; given back, every record is read."""
    monkeypatch.setattr("ringback_stream.process.supervisor.watch", partial(watch, patience=8.0))
    broker = kafka_broker(properties={
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    })  # fmt: skip
    await create_contract_topics(broker.bootstrap_servers, names=NEEDED)
    settings, name, rows = settings_for(broker.bootstrap_servers, ""), group(), written()
    admin: Any = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    refusal = ("User:ANONYMOUS", "*", AclOperation.READ)
    denied = AclBinding(Kind.TOPIC, FETCH.name, Pattern.LITERAL, *refusal, AclPermissionType.DENY)
    given = AclBinding(
        Kind.TOPIC, FETCH.name, Pattern.LITERAL, "User:*", "*", AclOperation.ALL, AclPermissionType.ALLOW
    )
    async with running(settings, SimpleFlow(name, (FETCH,), rows)) as process:
        await send_all(settings, requests(0, 30))
        await eventually(lambda: set(rows.values) == numbers(0, 30), 60)
        for made in admin.create_acls([given, denied]).values():
            made.result(10)
        await send_all(settings, requests(30, 60))
        why = await eventually(lambda: process.health.failing_ready().get(name), 30)
        assert why == f"Polls of {name} fail: TopicAuthorizationFailedError."
        await asyncio.sleep(20)
        assert not process.task.done()
        assert counted("ringback_stream_poll_failures_total", group=name, error="TopicAuthorizationFailedError") > 1
        for made in admin.delete_acls(
            [AclBindingFilter(Kind.TOPIC, FETCH.name, Pattern.LITERAL, *refusal, AclPermissionType.DENY)]
        ).values():
            made.result(10)
        await eventually(lambda: set(rows.values) == numbers(0, 60), 40)  # one sleep for each partition would take 60
        await eventually(lambda: process.health.failing_ready() == {}, 30)


async def test_a_partition_that_is_added_is_read_from_its_beginning(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lay in it before the group was assigned it, too."""

    def refreshed_soon(kafka: KafkaSettings) -> dict[str, object]:
        return {**broker_options(kafka), "metadata_max_age_ms": 2000}

    monkeypatch.setattr(subscription, "broker_options", refreshed_soon)
    topics = await make_topics(*NEEDED)
    settings, name, rows = settings_for(kafka.bootstrap_servers, topic_prefix), group(), written()
    async with running(settings, SimpleFlow(name, (FETCH,), rows)) as process:
        await send_all(settings, requests(0, 30))
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
        await admin.start()
        await admin.create_partitions({topics[FETCH.name]: NewPartitions(total_count=FETCH.partitions + 1)})
        await admin.close()
        writer: Any = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
        async with writer as producer:
            for number in range(30, 40):
                await producer.send_and_wait(topics[FETCH.name], str(number).encode(), partition=FETCH.partitions)
        await eventually(lambda: set(rows.values) == numbers(0, 40), 60)
        assert len(member(process).client.assignment()) == FETCH.partitions + 1


async def test_offsets_above_every_log_cost_one_sleep_of_faststream_not_one_for_each_partition(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """A topic made anew, a restored cluster: read from its beginning within seconds."""
    await make_topics(*NEEDED)
    settings, name, rows = settings_for(kafka.bootstrap_servers, topic_prefix), group(), written()
    await send_all(settings, requests(0, 80))
    await set_offsets(settings, name, FETCH, 1000)
    async with running(settings, SimpleFlow(name, (FETCH,), rows)):
        await eventually(lambda: set(rows.values) == numbers(0, 80), 30)
    assert counted("ringback_stream_restarts_total", group=name, topic=FETCH.name) == FETCH.partitions


async def test_a_group_without_offsets_begins_without_an_error(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """FastStream would sleep 5 s over each partition that is polled before it is known where it begins."""
    await make_topics(*NEEDED)
    settings, rows = settings_for(kafka.bootstrap_servers, topic_prefix), written()
    await send_all(settings, requests(0, 80))
    async with running(settings, SimpleFlow(group(), (FETCH,), rows)) as process:
        await eventually(lambda: set(rows.values) == numbers(0, 80), 30)
        assert member(process)._failed_at == float("-inf")


async def test_polls_that_have_stopped_are_noticed_by_the_end_of_the_log(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """No fetch tells aiokafka of what has come: the broker is asked."""
    await make_topics(*NEEDED)
    settings, name, rows = settings_for(kafka.bootstrap_servers, topic_prefix), group(), written()
    async with running(settings, SimpleFlow(name, (FETCH,), rows)) as process:
        await send_all(settings, requests(0, 10))
        await eventually(lambda: set(rows.values) == numbers(0, 10), 30)
        (supervisor,) = process.stream.supervisors
        consumer = member(process)
        assert supervisor.runner is not None
        watched = WatchedFlow(consumer, supervisor.assignment, supervisor.runner, must_take=False)
        for task in consumer._subscriber.tasks:
            task.cancel()  # planted: FastStream's loop is over
        consumer.client.pause(*consumer.client.assignment())  # planted: and nothing is fetched
        await send_all(settings, requests(10, 20))

        async def listens() -> bool:
            return await most_are_reachable(settings.kafka)

        with pytest.raises(ConsumerStuck):
            async with asyncio.timeout(20):
                await watch(watched, SystemClock(), listens, patience=2.0)
    assert rows.values.count(b"0") == 1


async def test_a_flow_that_is_stopped_has_committed_what_it_wrote(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """Every record is written once, by the first member or by its successor."""
    await make_topics(*NEEDED)
    settings, name = settings_for(kafka.bootstrap_servers, topic_prefix), group()
    first, second = written(), written()
    await send_all(settings, requests(0, 120))
    async with running(settings, SimpleFlow(name, (FETCH,), first)):
        await eventually(lambda: first.values)
    async with running(settings, SimpleFlow(name, (FETCH,), second)):
        await eventually(lambda: set(first.values) | set(second.values) == numbers(0, 120), 30)
    assert len(first.values) + len(second.values) == 120
    places = [TopicPartition(topic_prefix + FETCH.name, number) for number in range(FETCH.partitions)]
    async with clients.consumer(kafka.bootstrap_servers, group_id=topic_prefix + name) as reader:
        assert sum([await reader.committed(place) or 0 for place in places]) == 120
