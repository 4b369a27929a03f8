"""What cannot be finished soon is put aside, on a real Kafka: none lost, no record waits behind it, and how fast."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from ringback_common.metrics import catalogue
from ringback_common.outcomes import Accounting, Emit, Message, MessageHeaders, Outcome, Reason, Received, Reject
from ringback_common.settings import ProcessSettings
from ringback_events.partition import partition_for
from ringback_events.topics import (
    CONTROL,
    FETCH,
    FETCH_ASIDES,
    FETCH_RETRY_10S,
    INTERNAL_DEAD_LETTERS,
    RESTRICTED_DEAD_LETTERS,
    STATUS,
)
from ringback_local.kafka import Broker
from ringback_stream.aside.writer import MOST_DEFERRED
from ringback_stream.flows import Aside, KeyedFlow, KeyStep, Lane, LaneKind
from ringback_testing import dump_topic, eventually
from ringback_testing.fixtures import MakeTopics
from ringback_testing.streaming import Recorder, committed, producing, running, send_all, settings_for

pytestmark = pytest.mark.integration

NEEDED = tuple(
    topic.name
    for topic in (
        FETCH,
        FETCH_RETRY_10S,
        *FETCH_ASIDES,
        CONTROL,
        STATUS,
        INTERNAL_DEAD_LETTERS,
        RESTRICTED_DEAD_LETTERS,
    )
)
WANTED_RATE = 15_000
ALLOWED = 5.0
"""Seconds that the services allow."""
WITHIN = 0.5
_TOO_LARGE = 3 * 1024 * 1024


def neighbours(count: int) -> list[str]:
    """Tenants that share the partition of the one called sick."""
    shared = partition_for(FETCH.name, b"sick|", FETCH.partitions)
    names = (f"well{number}" for number in range(10_000))
    return [name for name in names if partition_for(FETCH.name, f"{name}|".encode(), FETCH.partitions) == shared][
        :count
    ]


WELL, OTHER = neighbours(2)


@dataclass
class Rig:
    """A flow that puts aside, and who is paused.

    A record leaves after `ALLOWED`, so that a machine which stands still for a second moves
    nothing; what is about leaving itself takes `WITHIN`.
    """

    step: KeyStep
    paused: set[str] = field(default_factory=lambda: {"sick"})
    quota: Callable[[str], float] = lambda _: 1000.0
    within: float = ALLOWED

    def __post_init__(self) -> None:
        aside = Aside(
            topics=FETCH_ASIDES,
            move=self._move,
            slow=self._later,
            busy=self._later,
            is_paused=self.paused.__contains__,
            may_ask=lambda received: (received.key or b"").decode().partition("|")[0] not in self.paused,
            quota=self.quota,
            within=self.within,
        )
        lanes = (
            Lane(FETCH),
            Lane(FETCH_RETRY_10S, LaneKind.RETRY),
            *(Lane(topic, LaneKind.ASIDE) for topic in FETCH_ASIDES),
        )
        self.flow = KeyedFlow(f"g-{secrets.token_hex(4)}", lanes, self.step, _given_up, aside=aside)

    def _move(self, received: Received, topic: str) -> Outcome:
        """Byte for byte; one that is huge is made into what no broker takes."""
        value = secrets.token_bytes(_TOO_LARGE) if received.key == b"sick|huge" else received.value
        message = Message(topic, received.key or b"", value)
        return Emit(((message,),), Accounting.DEFERRED, Reason.OVER_SHARE)

    def _later(self, received: Received, read: bytes | None) -> Outcome:
        """Half a second later; the read it stands for stays."""
        kept: MessageHeaders = tuple(
            (name, value) for name, value in received.headers if name == "ringback_read" and value
        )
        named: MessageHeaders = kept if read is None else (("ringback_read", read),)
        due = str(int(time.time() * 1000) + 500).encode()
        message = Message(FETCH_RETRY_10S.name, received.key or b"", received.value, (*named, ("ringback_due", due)))
        return Emit(((message,),), Accounting.DEFERRED, Reason.SLOW)

    def finished(self, outcome: str) -> float:
        """How many records the flow has finished so."""
        return sum(
            sample.value
            for metric in catalogue.registry.collect()
            for sample in metric.samples
            if sample.name == "ringback_stream_finished_total"
            and sample.labels["group"] == self.flow.group
            and sample.labels["outcome"] == outcome
        )


def _given_up(_: Received, attempts: int) -> Outcome:
    return Reject(Reason.UPSTREAM_ERROR, str(attempts))


def fetch(key: str, value: bytes = b"{}") -> Message:
    """One record of the fetch lane."""
    return Message(FETCH.name, key.encode(), value)


class Slow:
    """A step in which one record hangs until the gate opens."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.seen: list[bytes | None] = []

    async def __call__(self, records: Sequence[Received]) -> Sequence[Outcome]:
        """Satisfied, the slow one later."""
        self.seen.append(records[0].key)
        if records[0].key == f"{OTHER}|slow".encode():
            await self.gate.wait()
        return [Emit()] * len(records)


async def load(settings: ProcessSettings, count: int, first: int = 0, tenant: str = "sick") -> None:
    """Write so many records of a tenant, numbered, each as large as a fetch request."""
    messages = [fetch(f"{tenant}|{number}", str(number).zfill(200).encode()) for number in range(first, first + count)]
    async with producing(settings) as producer:
        for start in range(0, count, 5000):
            assert await producer.send_together(messages[start : start + 5000], lambda _: None) == []


async def _aside(kafka: Broker, topics: dict[str, str]) -> list[int]:
    records = [
        record for topic in FETCH_ASIDES for record in await dump_topic(kafka.bootstrap_servers, topics[topic.name])
    ]
    return sorted(int(record.value or b"") for record in records)


async def test_what_is_put_aside_is_written_once_counted_and_committed(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """Every record of the paused tenant is moved byte for byte, none reaches the step, the balance holds."""
    topics = await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    step = Recorder(lambda _: Emit())
    rig = Rig(step)
    await load(settings, 3000)
    await send_all(settings, [fetch(f"{WELL}|1")])
    async with running(settings, rig.flow):
        await eventually(lambda: rig.finished("deferred") == 3000 and step.seen)

        async def all_committed() -> bool:
            return sum((await committed(settings, rig.flow.group, FETCH.name)).values()) == 3001

        await eventually(all_committed)
        await asyncio.sleep(1)  # what is aside stays where it is
    assert [record.key for record in step.seen] == [f"{WELL}|1".encode()]
    assert rig.finished("deferred") == 3000
    assert await _aside(kafka, topics) == list(range(3000))


async def test_what_is_aside_is_served_when_its_tenant_may_be_asked(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """All of it, once each, and nothing is written again."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    step = Recorder(lambda _: Emit())
    rig = Rig(step)
    await load(settings, 2000)
    async with running(settings, rig.flow):
        await eventually(lambda: rig.finished("deferred") == 2000)
        rig.paused.clear()
        await eventually(lambda: len(step.seen) == 2000)
    assert sorted(int(record.value or b"") for record in step.seen) == list(range(2000))
    assert rig.finished("deferred") == 2000


async def test_nobody_waits_for_a_tenant_that_is_aside(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """Two tenants more than there are lanes have a backlog aside: the two that may be asked again are served."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    step = Recorder(lambda _: Emit())
    rig = Rig(step, {"sick", WELL, OTHER})
    for tenant in ("sick", WELL, OTHER):
        await load(settings, 500, tenant=tenant)
    async with running(settings, rig.flow):
        await eventually(lambda: rig.finished("deferred") == 1500)
        rig.paused -= {WELL, OTHER}
        await eventually(lambda: len(step.seen) == 1000, 40)
    assert {(record.key or b"").partition(b"|")[0] for record in step.seen} == {WELL.encode(), OTHER.encode()}
    assert rig.finished("deferred") <= 1500 + 1000  # the sick one's moved at most once for each of the others


async def test_a_slow_read_leaves_its_partition_and_its_copy_is_answered_by_it(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """Its offset is finished after half a second; it is not read a second time, however often its copy comes."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    step = Slow()
    rig = Rig(step, within=WITHIN)
    await send_all(settings, [fetch(f"{OTHER}|slow"), fetch(f"{WELL}|1")])
    async with running(settings, rig.flow):

        async def all_committed() -> bool:
            return sum((await committed(settings, rig.flow.group, FETCH.name)).values()) == 2

        await eventually(all_committed, 5)
        await asyncio.sleep(1.5)  # its copy has come at least once
        assert not step.gate.is_set()
        step.gate.set()
        await eventually(lambda: rig.finished("satisfied") == 2)
    assert step.seen == [f"{OTHER}|slow".encode(), f"{WELL}|1".encode()]


async def test_what_a_crash_writes_twice_is_bounded(kafka: Broker, topic_prefix: str, make_topics: MakeTopics) -> None:
    """Behind a record that is in hand so many are moved and no more; when it has gone, the rest follows."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    rig = Rig(Slow(), within=WITHIN)
    await send_all(settings, [fetch(f"{OTHER}|slow")])
    await load(settings, MOST_DEFERRED + 5000)
    async with running(settings, rig.flow) as process:
        await eventually(lambda: rig.finished("deferred") > 0)
        assignment = process.stream.supervisors[0].assignment
        most = 0
        while rig.finished("deferred") < MOST_DEFERRED + 5001:
            trackers = [assignment.trackers.of(each) for each in assignment.trackers.partitions]
            most = max(most, *(tracker.deferred_early for tracker in trackers if tracker is not None))
            await asyncio.sleep(0.001)
    assert most <= MOST_DEFERRED


async def test_a_stop_in_the_middle_of_a_backlog_loses_nothing(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """The next process goes on where this one stopped: all are aside, none twice, for the stop was clean."""
    topics = await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    rig = Rig(Recorder(lambda _: Emit()))
    await load(settings, 20_000)
    async with running(settings, rig.flow) as first:
        await eventually(lambda: rig.finished("deferred") > 0)
        await first.finish()
    assert rig.finished("deferred") < 20_000
    async with running(settings, rig.flow):
        await eventually(lambda: rig.finished("deferred") == 20_000)
    assert await _aside(kafka, topics) == list(range(20_000))


async def test_one_record_that_is_refused_costs_its_batch_nothing(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """What the broker refuses goes to the dead letters, the others of its batch are put aside."""
    topics = await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    rig = Rig(Recorder(lambda _: Emit()))
    await load(settings, 100)
    await send_all(settings, [fetch("sick|huge")])
    await load(settings, 100, first=100)
    async with running(settings, rig.flow):
        await eventually(lambda: rig.finished("deferred") == 200)
        (letter,) = await eventually(lambda: dump_topic(kafka.bootstrap_servers, topics[INTERNAL_DEAD_LETTERS.name]))
    assert (letter.key, letter.value) == (b"sick|huge", b"{}")
    assert dict(letter.headers)["ringback_dlq_reason"] == b"too_large"
    assert set(await _aside(kafka, topics)) == set(range(200))  # some of the refused batch may be written already


async def test_a_backlog_goes_aside_at_fifteen_thousand_a_second_of_cpu(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """By the CPU time of this process, which its neighbours do not change; reported, fails only below a third of it."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    rig = Rig(Recorder(lambda _: Emit()))
    count = 60_000
    await load(settings, count)
    async with running(settings, rig.flow):
        await eventually(lambda: rig.finished("deferred") > 0)
        begun, used = rig.finished("deferred"), time.process_time()
        await eventually(lambda: rig.finished("deferred") == count)
        used = time.process_time() - used
    rate = (count - begun) / used
    print(f"put aside {rate:,.0f} records per second of CPU (wanted {WANTED_RATE:,})")  # noqa: T201 - the report
    assert rate > WANTED_RATE / 3
