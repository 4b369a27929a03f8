"""What the stream does when something else fails: a kill, a frozen broker, a missing topic, a stuck consumer."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from ringback_common import traces
from ringback_common.errors import ConfigError, Transient
from ringback_common.health import Health
from ringback_common.outcomes import Emit, Message, Outcome, Reason, Received, Reject
from ringback_common.settings import ProcessSettings
from ringback_events.platform_events import StatusReport
from ringback_events.topics import (
    FETCH,
    FETCH_BULK,
    INTERNAL_DEAD_LETTERS,
    RECORDS,
    STATUS,
)
from ringback_local.kafka import Broker
from ringback_local.ports import lease_ports
from ringback_local.topics import create_contract_topics
from ringback_stream.flows import KeyedFlow, Lane, LaneKind
from ringback_stream.process.runtime import StreamRuntime
from ringback_testing import dump_topic, eventually
from ringback_testing.fetch_lanes import NEEDED, copying, fetch, given_up, group, satisfied
from ringback_testing.fixtures import KafkaBroker, MakeTopics
from ringback_testing.streaming import committed, producing, running, send_all, settings_for

pytestmark = pytest.mark.integration
A_SECOND = 200
"""Records that the process to be killed copies in a second."""
IN_HAND = 64
"""Steps that run at once; their records may be published and not yet finished."""
REPEATED = A_SECOND + IN_HAND
"""Records that a kill may have copied again: five commits fall into a second."""
BACKLOG = 6 * REPEATED


async def test_a_kill_loses_nothing_and_repeats_at_most_what_was_in_hand(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """Kill -9 in the middle of a backlog: after a restart every record is published, few of them twice.

    Killed when three times as many are published as may be repeated: of a process that commits nothing all would be.
    """
    topics = await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    arguments = (kafka.bootstrap_servers, topic_prefix, group())
    async with producing(settings) as producer:
        await asyncio.gather(*(producer.send(fetch(f"t{n % 40}|{n}", str(n).encode())) for n in range(BACKLOG)))

    async def published() -> list[bytes | None]:
        return [record.value for record in await dump_topic(kafka.bootstrap_servers, topics[RECORDS.name])]

    async def at_least(count: int) -> bool:
        return len(set(await published())) >= count

    async with copying(*arguments, str(A_SECOND)) as process:
        await eventually(lambda: at_least(3 * REPEATED), timeout=60)
        process.kill()
        assert await process.wait() == -signal.SIGKILL
    assert len(set(await published())) < BACKLOG
    async with copying(*arguments) as process:
        await eventually(lambda: at_least(BACKLOG), timeout=60)
        process.terminate()
        assert await process.wait() == 0
    copies = Counter(await published())
    assert set(copies) == {str(n).encode() for n in range(BACKLOG)}
    assert sum(copies.values()) - BACKLOG <= REPEATED


async def test_a_bug_ends_the_process_with_code_1(kafka: Broker, topic_prefix: str, make_topics: MakeTopics) -> None:
    """FastStream swallows what handlers raise and knows no exit code; the process ends nevertheless."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    await send_all(settings, [fetch("t|1", b"bug")])
    name = group()
    async with copying(kafka.bootstrap_servers, topic_prefix, name) as process:
        output, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert b"The process ends on an unexpected failure." in output
    assert await committed(settings, name, FETCH.name) == {}


async def test_a_missing_topic_ends_the_process_with_one_sentence(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """It names the topic and the command that makes it, before anything is subscribed."""
    await make_topics(*(name for name in NEEDED if name != FETCH.name))
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    async with StreamRuntime.open(settings, "fetch", health=Health()) as stream:
        with pytest.raises(
            ConfigError, match=rf"{topic_prefix}{FETCH.name} does not exist: run `ringback topics apply`"
        ):
            await stream.run(asyncio.Event(), KeyedFlow(group(), (Lane(FETCH),), satisfied, given_up))


async def test_a_process_that_has_reached_kafka_is_not_ready_before_its_flows_run(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """Each flow has a check of its own only once it runs."""
    await make_topics(*NEEDED)
    health = Health()
    async with StreamRuntime.open(settings_for(kafka.bootstrap_servers, topic_prefix), "fetch", health=health):
        assert health.failing_ready() == {"flows": "The flows do not run yet."}


async def test_it_waits_for_a_broker_that_comes_late(
    kafka_broker: KafkaBroker, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """While Kafka is away the process says so, lives and is not ready; once it is there, a record is worked on."""
    broker = kafka_broker()
    await create_contract_topics(broker.bootstrap_servers, topic_prefix, names=NEEDED)
    await asyncio.to_thread(broker.stop)
    settings = settings_for(broker.bootstrap_servers, topic_prefix)
    async with waiting_for_kafka(settings, caplog) as (task, health, seen):
        assert seen == []
        await asyncio.to_thread(broker.start)
        await eventually(lambda: not health.failing_ready() or task.done(), 60)
        await send_all(settings, [fetch("t|1")])
        await eventually(lambda: seen == [b"t|1"] or task.done(), 30)
        assert not task.done()


async def test_a_stop_ends_a_process_that_waits_for_its_broker(caplog: pytest.LogCaptureFixture) -> None:
    """At once: a deployment with a wrong address can be stopped without a wait."""
    with lease_ports(1) as (port,):
        async with waiting_for_kafka(settings_for(f"127.0.0.1:{port}", ""), caplog) as (task, _, _):
            assert not task.done()


async def test_a_failed_assertion_ends_the_process_that_waits_for_its_broker(caplog: pytest.LogCaptureFixture) -> None:
    """Otherwise it would run on beside the tests that follow."""
    tasks: list[asyncio.Task[None]] = []

    async def fails(port: int) -> None:
        async with waiting_for_kafka(settings_for(f"127.0.0.1:{port}", ""), caplog) as (task, _, _):
            tasks.append(task)
            raise AssertionError("by the test")

    with lease_ports(1) as (port,), pytest.raises(AssertionError, match="by the test"):
        await fails(port)
    assert [task.done() for task in tasks] == [True]


@asynccontextmanager
async def waiting_for_kafka(
    settings: ProcessSettings, caplog: pytest.LogCaptureFixture
) -> AsyncGenerator[tuple[asyncio.Task[None], Health, list[bytes | None]]]:
    """A process that is away from Kafka and said so, its health, and the keys it works on; stopped within 5 s."""
    health, stop, seen = Health(), asyncio.Event(), list[bytes | None]()

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        seen.extend(record.key for record in records)
        return await satisfied(records)

    async def process() -> None:
        async with StreamRuntime.open(settings, "fetch", health=health, stop=stop) as stream:
            await stream.run(stop, KeyedFlow(group(), (Lane(FETCH),), step, given_up))

    task = asyncio.create_task(process())
    try:
        await eventually(lambda: "Kafka cannot be reached; waiting for it." in caplog.messages)
        assert health.failing_live() == {}
        assert health.failing_ready() == {
            "kafka": "Kafka has not been reached yet.",
            "flows": "The flows do not run yet.",
        }
        yield task, health, seen
    finally:
        stop.set()
        await asyncio.wait_for(task, 5)


async def test_nothing_is_committed_while_the_dead_letters_cannot_be_written(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """The refused record stays unfinished until its dead letter is acknowledged; a neighbour is served meanwhile."""
    topics = await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    seen: set[bytes | None] = set()

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        seen.update(record.key for record in records)
        return [Reject(Reason.UNDECODABLE) if record.key == b"t|sick" else Emit() for record in records]

    flow = KeyedFlow(group(), (Lane(FETCH),), step, given_up)
    async with running(settings, flow):
        await _delete(kafka, topics[INTERNAL_DEAD_LETTERS.name])
        await send_all(settings, [fetch("t|sick"), fetch("t|well")])
        await eventually(lambda: seen == {b"t|sick", b"t|well"})
        await asyncio.sleep(0.6)  # three commit intervals
        assert await committed(settings, flow.group, FETCH.name) == {}
        await make_topics(INTERNAL_DEAD_LETTERS.name)

        async def all_committed() -> bool:
            return sum((await committed(settings, flow.group, FETCH.name)).values()) == 2

        await eventually(all_committed, timeout=60)
    assert len(await dump_topic(kafka.bootstrap_servers, topics[INTERNAL_DEAD_LETTERS.name])) == 1


async def test_a_full_bulk_lane_never_holds_live_back(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """With every bulk slot hanging and a backlog behind, a live record is served at once."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    hanging, gate = set[bytes | None](), asyncio.Event()
    live_at: list[float] = []

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        if records[0].topic == FETCH_BULK.name:
            hanging.add(records[0].key)
            await gate.wait()
        else:
            live_at.append(time.monotonic())
        return [Emit()] * len(records)

    flow = KeyedFlow(group(), (Lane(FETCH), Lane(FETCH_BULK, LaneKind.BULK)), step, given_up)
    async with producing(settings) as producer, running(settings, flow):
        await asyncio.gather(*(producer.send(fetch(f"t{n % 8}|{n}", topic=FETCH_BULK.name)) for n in range(2000)))
        await eventually(lambda: len(hanging) == 16)
        began = time.monotonic()
        await producer.send(fetch("t1|live"))
        await eventually(lambda: live_at)
        gate.set()
    assert live_at[0] - began < 1.0


async def test_an_open_breaker_pauses_everything_and_a_probe_resumes_it(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """While most calls fail nothing is given up and nothing committed; afterwards every record is served."""
    topics = await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    away, calls = True, 0
    seen: set[bytes | None] = set()

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        nonlocal calls
        calls += 1
        if away:
            raise Transient("the other side is away")
        seen.update(record.key for record in records)
        return [Emit()] * len(records)

    flow = KeyedFlow(group(), (Lane(FETCH),), step, given_up)
    async with producing(settings) as producer, running(settings, flow):
        await asyncio.gather(*(producer.send(fetch(f"t{n % 20}|{n}")) for n in range(500)))
        await eventually(lambda: calls >= 10)
        await asyncio.sleep(0.5)
        assert calls < 100
        away = False
        await eventually(lambda: len(seen) == 500)
    assert await dump_topic(kafka.bootstrap_servers, topics[INTERNAL_DEAD_LETTERS.name]) == []


async def test_the_status_of_a_flow_is_told(kafka: Broker, topic_prefix: str, make_topics: MakeTopics) -> None:
    """The first report comes at once, and is a contracted one."""
    topics = await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    async with running(settings, KeyedFlow(group(), (Lane(FETCH),), satisfied, given_up)):
        reports = await eventually(lambda: dump_topic(kafka.bootstrap_servers, topics[STATUS.name]))
    assert StatusReport.model_validate_json(reports[0].value or b"").process.startswith("fetch/")


async def test_the_record_is_parent_of_the_step_and_the_step_of_what_it_publishes(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """One trace from the producer's span over the step to the published message."""
    topics = await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    exporter = InMemorySpanExporter()
    provider = traces.configure("test", ratio=1.0, exporter=exporter)
    assert provider is not None

    async def step(records: Sequence[Received]) -> Sequence[Outcome]:
        return [Emit(((Message(RECORDS.name, b"t|1", b"{}"),),)) for _ in records]

    async with running(settings, KeyedFlow(group(), (Lane(FETCH),), step, given_up)):
        with traces.span("POST", traces.SpanKind.SERVER) as root:
            await send_all(settings, [fetch("t|1")])
        (record,) = await eventually(lambda: dump_topic(kafka.bootstrap_servers, topics[RECORDS.name]))
    provider.force_flush()
    spans = {each.name: each for each in exporter.get_finished_spans()}
    step_span = spans[f"process {FETCH.name}"]
    assert step_span.parent is not None
    assert step_span.context is not None
    assert step_span.parent.span_id == root.get_span_context().span_id
    version, trace_id, parent, _ = dict(record.headers)["traceparent"].decode().split("-")
    assert (version, trace_id) == ("00", trace.format_trace_id(root.get_span_context().trace_id))
    assert parent == trace.format_span_id(step_span.context.span_id)


async def _delete(broker: Broker, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    await admin.delete_topics([name])
    await admin.close()
