"""Logs that do not hold what a group is to read next: made anew, cut, emptied, or an offset set too high."""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from ringback_common.metrics import catalogue
from ringback_common.outcomes import Emit, Message
from ringback_common.settings import ProcessSettings
from ringback_events.partition import partition_for
from ringback_events.platform_events import ControlEntry
from ringback_events.topics import CONTROL, FETCH, FETCH_BULK, INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS, STATUS
from ringback_local.kafka import Broker
from ringback_local.topics import create_contract_topics
from ringback_stream.consume.partitions import Partition
from ringback_stream.flows import KeyedFlow, Lane, LaneKind
from ringback_stream.process.supervisor import FlowSupervisor
from ringback_testing import eventually
from ringback_testing.fixtures import MakeTopics
from ringback_testing.streaming import Recorder, RunningFlow, committed, running, send_all, set_offsets, settings_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

NEEDED = [t.name for t in (FETCH, FETCH_BULK, CONTROL, STATUS, INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS)]


def a_flow() -> tuple[KeyedFlow, Recorder]:
    """Of two lanes, in a group of its own."""
    step = Recorder(lambda _: Emit())
    lanes = (Lane(FETCH), Lane(FETCH_BULK, LaneKind.BULK))
    return KeyedFlow(f"g{secrets.token_hex(4)}", lanes, step, on_exhausted=lambda _received, _attempts: Emit()), step


def requests(count: int, mark: str = "") -> list[Message]:
    """Fetch requests, each with a value of its own."""
    return [Message(FETCH.name, f"t|{number}".encode(), f'"{mark}{number}"'.encode()) for number in range(count)]


def values(step: Recorder, mark: str = "") -> set[bytes]:
    """What was handled of these."""
    return {record.value or b"" for record in step.seen if (record.value or b"").startswith(f'"{mark}'.encode())}


def metric(name: str, **labels: str) -> float:
    """A sample of the process' metrics."""
    return catalogue.registry.get_sample_value(name, labels) or 0.0


def joined(process: RunningFlow) -> FlowSupervisor | None:
    """The one flow's supervisor, once it has joined its group."""
    supervisors = [each for each in process.stream.supervisors if each.consumer is not None and each.consumer.joined]
    return supervisors[0] if supervisors else None


@asynccontextmanager
async def admin(settings: ProcessSettings) -> AsyncGenerator[AIOKafkaAdminClient]:
    """An admin client."""
    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap_servers)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


def places(settings: ProcessSettings) -> list[TopicPartition]:
    """The live lane's partitions."""
    return [TopicPartition(settings.kafka.topic_prefix + FETCH.name, number) for number in range(FETCH.partitions)]


async def test_every_record_below_the_committed_offset_is_read_when_the_log_ends_below_it(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """80 records in logs whose group is at 1000: a restored cluster, a topic made anew, or an offset set too high."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    flow, step = a_flow()
    await send_all(settings, requests(80))
    await set_offsets(settings, flow.group, FETCH, 1000)
    async with running(settings, flow):
        await eventually(lambda: len(values(step)) == 80, 20)

        async def all_committed() -> bool:
            at = await committed(settings, flow.group, FETCH.name)
            return sum(at.values()) == 80

        await eventually(all_committed)
    assert len(step.seen) == 80
    assert metric("ringback_stream_restarts_total", group=flow.group, topic=FETCH.name) == FETCH.partitions


async def test_a_topic_made_anew_under_an_idle_member_is_read_from_its_beginning(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """Gone, it is no longer ready and says why; back, its records are read within seconds, not minutes."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    flow, step = a_flow()
    async with running(settings, flow) as process, admin(settings) as client:
        await send_all(settings, requests(100, "old"))
        await eventually(lambda: len(values(step, "old")) == 100)
        await client.delete_topics([topic_prefix + FETCH.name])
        why = await eventually(lambda: process.health.failing_ready().get(flow.group), 20)
        assert why == f"The broker does not know, or hides, what is to be read: {topic_prefix}{FETCH.name}."
        (supervisor,) = process.stream.supervisors
        assert [facts.state for facts in supervisor.facts()] == ["failing"]
        await create_contract_topics(kafka.bootstrap_servers, topic_prefix, names=[FETCH.name])
        await send_all(settings, requests(80, "new"))
        await eventually(lambda: len(values(step, "new")) == 80, 20)
        await eventually(lambda: process.health.failing_ready() == {})


async def test_a_log_that_is_cut_while_it_is_followed_is_read_from_its_beginning(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """The member stays assigned; the broker says that what it asks for is out of range.

    An unclean election cannot be had on purpose in so short a time: the member is set above the end instead.
    """
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    flow, step = a_flow()
    async with running(settings, flow) as process:
        await send_all(settings, requests(100))
        await eventually(lambda: len(values(step)) == 100)
        supervisor = joined(process)
        assert supervisor is not None
        assert supervisor.consumer is not None
        for place in places(settings):
            tracker = supervisor.assignment.trackers.of(Partition(FETCH.name, place.partition))
            assert tracker is not None
            tracker.skip_to(5000)
            supervisor.consumer.client.seek(place, 5000)
        await send_all(settings, requests(80, "new"))
        await eventually(lambda: len(values(step, "new")) == 80, 20)
        assert process.health.failing_ready() == {}


async def test_records_that_retention_took_unread_are_counted(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics, caplog: pytest.LogCaptureFixture
) -> None:
    """40 were to be read next; the next assignment does not count them again."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    flow, step = a_flow()
    sent = requests(100)
    await send_all(settings, sent)
    await set_offsets(settings, flow.group, FETCH, 10)
    number = partition_for(FETCH.name, sent[0].key, FETCH.partitions)
    async with admin(settings) as client:
        await client.delete_records({places(settings)[number]: RecordsToDelete(before_offset=50)})
    counted = {"group": flow.group, "topic": FETCH.name}
    async with running(settings, flow):
        await eventually(lambda: len(step.seen) == 50, 20)

        async def passed() -> bool:
            return (await committed(settings, flow.group, FETCH.name)).get(number) == 100

        await eventually(passed)
    assert metric("ringback_stream_removed_total", **counted) == 40
    assert "Records were removed by retention before they were read." in caplog.messages
    async with running(settings, flow):
        await asyncio.sleep(1)
    assert metric("ringback_stream_removed_total", **counted) == 40
    assert len(step.seen) == 50


async def test_the_control_topic_made_anew_is_followed_from_its_beginning(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """A halt written to it reaches processes that were further along in the old one."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    flow, _ = a_flow()

    def entry(subject: str) -> ControlEntry:
        return ControlEntry(kind="pause", subject=subject, reason="test", since=datetime.now(UTC), by="test")

    async with running(settings, flow) as one:
        for number in range(20):
            await one.stream.control.write(entry(f"old{number}"))
        async with running(settings, a_flow()[0], name="other") as other, admin(settings) as client:
            await client.delete_topics([topic_prefix + CONTROL.name])
            await asyncio.sleep(2)
            await create_contract_topics(kafka.bootstrap_servers, topic_prefix, names=[CONTROL.name])
            async with running(settings, a_flow()[0], name="third") as third:
                await third.stream.control.write(entry("new"))
                await eventually(lambda: other.stream.control.get("pause", "new"), 20)
                assert other.stream.control.get("pause", "old3") is not None
    assert metric("ringback_stream_restarts_total", group="control", topic=CONTROL.name) >= 1


async def test_installations_on_one_broker_have_groups_of_their_own(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """The prefix stands before the group's id: a member that joins or dies in one moves nothing in the other."""
    await make_topics(*NEEDED)
    other_prefix = f"o{topic_prefix}"
    await create_contract_topics(kafka.bootstrap_servers, other_prefix, names=NEEDED)
    mine, others = (settings_for(kafka.bootstrap_servers, prefix) for prefix in (topic_prefix, other_prefix))
    flow, step = a_flow()
    same = KeyedFlow(flow.group, flow.lanes, Recorder(lambda _: Emit()), flow.on_exhausted)
    async with running(mine, flow) as process:
        supervisor = await eventually(lambda: joined(process))
        epoch = supervisor.assignment.trackers.epoch
        async with running(others, same) as other, admin(mine) as client:
            await eventually(lambda: joined(other))
            listed = {name for name, _ in await client.list_consumer_groups()}
            assert {topic_prefix + flow.group, other_prefix + flow.group} <= listed
            assert flow.group not in listed
        await send_all(mine, requests(10))
        await eventually(lambda: len(step.seen) == 10)
        assert supervisor.assignment.trackers.epoch == epoch
