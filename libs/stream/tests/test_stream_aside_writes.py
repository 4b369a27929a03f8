"""How often a request is written and how much of a tenant's quota is used, on a log in memory and virtual time.

Real are Consumer, BackpressureGate, AsidePolicy, AsideWriter, KeyedRunner and KeyQueue; the quota is a token bucket.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import TopicPartition
from ringback_common.outcomes import Accounting, Emit, Message, Outcome, Reason, Received
from ringback_common.settings import KafkaSettings
from ringback_events.topics import FETCH, FETCH_ASIDES
from ringback_stream.aside.deadlines import AsideTargets
from ringback_stream.aside.lanes import AsideLanes
from ringback_stream.aside.policy import AsidePolicy
from ringback_stream.aside.writer import AsideWriter
from ringback_stream.consume.assignment import Assignment
from ringback_stream.consume.consumer import Consumer
from ringback_stream.consume.keyed_runner import KeyedRunner
from ringback_stream.consume.outcome_handler import OutcomeHandler
from ringback_stream.consume.partitions import Partition
from ringback_stream.flows import Aside, KeyedFlow, Lane, LaneKind
from ringback_testing.kafka_in_memory import GroupInMemory, LogInMemory
from ringback_testing.virtual_time import VirtualClock, VirtualTimeLoop

LIVE = TopicPartition(FETCH.name, 0)
PLACES = (LIVE, *(TopicPartition(topic.name, 0) for topic in FETCH_ASIDES))
RATE = 72.0
"""Requests a second: a tenant's quota."""
ANSWER_SECONDS = 0.2


class _Producer:
    """Puts what is written to a lane into the log, and counts it."""

    def __init__(self, log: LogInMemory, clock: VirtualClock) -> None:
        self._log, self._clock = log, clock
        self.written: Counter[bytes] = Counter()

    async def send_together(self, messages: Sequence[Message], acked: Callable[[int], None]) -> list[int]:
        """Write many in two milliseconds."""
        await asyncio.sleep(0.002)
        stamp = int(self._clock.now().timestamp() * 1000)
        for index, message in enumerate(messages):
            self._log.append(TopicPartition(message.topic, 0), message.key, (), stamp, 0)
            self.written[message.key] += 1
            acked(index)
        return []


@dataclass
class _Quotas:
    """When each tenant's next request may be sent."""

    clock: VirtualClock
    next_at: dict[str, float] = field(default_factory=dict[str, float])

    async def acquire(self, tenant: str) -> None:
        """Wait for one token."""
        now = self.clock.monotonic()
        at = max(now, self.next_at.get(tenant, now))
        self.next_at[tenant] = at + 1 / RATE
        await asyncio.sleep(at - now)


class _World:
    """One process over three partitions."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self.clock = VirtualClock(loop)
        self.log = LogInMemory({place: [] for place in PLACES})
        self.group, self.producer = GroupInMemory(self.log), _Producer(self.log, self.clock)
        self.quotas, self.paused = _Quotas(self.clock), set[str]()
        self.served: dict[str, list[float]] = {}
        aside = Aside(
            topics=FETCH_ASIDES,
            move=lambda received, topic: Emit(
                ((Message(topic, received.key or b"", b"{}"),),), Accounting.DEFERRED, Reason.OVER_SHARE
            ),
            slow=self._never,
            busy=self._never,
            is_paused=self.paused.__contains__,
            may_ask=lambda received: _tenant(received) not in self.paused,
            quota=lambda _: RATE,
        )
        lanes = (Lane(FETCH), *(Lane(topic, LaneKind.ASIDE) for topic in FETCH_ASIDES))
        flow = KeyedFlow("g", lanes, self._step, on_exhausted=lambda _received, _attempts: Emit(), aside=aside)
        self.assignment = Assignment("g", self.clock, str, lambda: None)
        producer: Any = self.producer
        outcome_handler = OutcomeHandler(producer, "s", "g", self.assignment.finish)
        writer, self.lanes = AsideWriter(outcome_handler, self.clock), AsideLanes(FETCH_ASIDES)
        putting = AsideTargets(aside, self.lanes, writer)
        runner = KeyedRunner(flow, outcome_handler, self.clock, self.assignment.trackers.is_out_of_order, putting)
        policy = AsidePolicy(aside, runner, self.lanes, writer, self.clock)
        kafka = KafkaSettings(bootstrap_servers="nowhere:1")
        self.consumer = Consumer(kafka, flow, runner, policy, self.assignment, self.clock)
        client: Any = self.group
        self.consumer._subscriber.consumer = client
        self.background = [asyncio.ensure_future(each) for each in (runner.run(), writer.run(), self._poll())]

    def _never(self, received: Received, _read: bytes | None) -> Outcome:
        raise AssertionError(f"{received.key!r} was not answered in time")

    async def _step(self, records: Sequence[Received]) -> Sequence[Outcome]:
        tenant = _tenant(records[0])
        await self.quotas.acquire(tenant)
        await asyncio.sleep(ANSWER_SECONDS)
        self.served.setdefault(tenant, []).append(self.clock.monotonic())
        return [Emit()] * len(records)

    async def _poll(self) -> None:
        """Every partition in turn, as a broker answers; who waits outside is looked at fifty times a second."""
        self.group.join(PLACES)
        await self.consumer.assigned(PLACES)
        while True:
            for place in PLACES:
                await self.consumer._receive(self.group.poll(place, 256, 0))
            self.consumer.gate.look_again(self.group)
            await asyncio.sleep(0.02)

    def load(self, tenants: Sequence[str]) -> None:
        """A request of each, in this order, in the live lane."""
        for number, tenant in enumerate(tenants):
            self.log.append(LIVE, f"{tenant}|{number}".encode(), (), 0, 0)

    async def until_served(self, count: int) -> float:
        """Wait until so many are served in all; the seconds it took."""
        while sum(map(len, self.served.values())) < count:
            await asyncio.sleep(0.5)
        return max(times[-1] for times in self.served.values())


def _partition(place: TopicPartition) -> Partition:
    return Partition(place.topic, place.partition)


def _tenant(received: Received) -> str:
    return (received.key or b"").decode().partition("|")[0]


async def _worked_off(world: _World, tenants: Sequence[str]) -> tuple[float, float]:
    """Writes a request, and the share of their quotas that the tenants used until the last was served."""
    world.load(tenants)
    seconds = await world.until_served(len(tenants))
    written = len(tenants) + world.producer.written.total()  # the webhook's own included
    return written / len(tenants) - 1, len(tenants) / (len(set(tenants)) * RATE * seconds)


COUNT = 4_000


@pytest.mark.parametrize(
    ("tenants", "most_writes", "least_use"),
    [
        (["a"] * COUNT, 1.05, 0.95),
        (["a", "b"] * (COUNT // 2), 2, 0.9),
        (["a"] * (COUNT // 2) + ["b"] * (COUNT // 2), 6, 0.75),
    ],
    ids=["one tenant", "two tenants mixed", "one wholly behind the other"],
)
def test_a_backlog_is_written_rarely_and_uses_the_quota(
    tenants: list[str], most_writes: float, least_use: float
) -> None:
    """Every request is served once, on whichever lanes it has been."""
    loop = VirtualTimeLoop()

    async def run() -> tuple[float, float, int]:
        world = _World(loop)
        try:
            writes, use = await _worked_off(world, tenants)
            assert all(len(ahead) == 0 for place in PLACES[1:] if (ahead := world.lanes.of(_partition(place))))
            return writes, use, sum(map(len, world.served.values()))
        finally:
            for task in world.background:
                task.cancel()

    writes, use, served = loop.run_until_complete(run())
    loop.close()
    print(f"{writes:.2f} writes a request, {use:.0%} of the quota")  # noqa: T201 - the report
    assert served == len(tenants)
    assert writes <= most_writes
    assert use >= least_use


def test_a_paused_tenant_s_backlog_is_written_once() -> None:
    """However long it is paused; and nothing of it is asked for."""
    loop = VirtualTimeLoop()

    async def run() -> tuple[int, int]:
        world = _World(loop)
        world.paused.add("a")
        world.load(["a"] * COUNT)
        await asyncio.sleep(600)
        for task in world.background:
            task.cancel()
        return max(world.producer.written.values()), world.producer.written.total()

    most, total = loop.run_until_complete(run())
    loop.close()
    assert (most, total) == (1, COUNT)
