"""Processes share a quota over a control topic in memory: real limiters, real control tables, in virtual time."""

import asyncio
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from typing import cast

import pytest
from aiokafka import TopicPartition
from ringback_common.errors import Throttled, Transient
from ringback_common.metrics import catalogue
from ringback_common.outcomes import Message
from ringback_common.scopes import Scope
from ringback_common.settings import KafkaSettings
from ringback_events.topics import CONTROL
from ringback_graph.availability import Priority, QuotaRequest, RateLimiter, Role
from ringback_stream.publish.producer import Producer
from ringback_stream.quota.shared_quota import SharedQuota
from ringback_stream.shared.control import ControlTable
from ringback_testing.kafka_in_memory import Entry, GroupInMemory, LogInMemory
from ringback_testing.virtual_time import VirtualClock, VirtualTimeLoop

QUOTA = 1500
PLACE = TopicPartition(CONTROL.name, 0)
KAFKA = KafkaSettings(bootstrap_servers="memory:9092")


class Reader:
    """A consumer without a group, over the log in memory."""

    def __init__(self, log: LogInMemory) -> None:
        self._group, self._client = GroupInMemory(log), self

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""

    async def close(self) -> None:
        """Close the connection."""

    def assign(self, places: Sequence[TopicPartition]) -> None:
        """Read these."""
        self._group.join(places)

    def seek(self, place: TopicPartition, offset: int) -> None:
        """Go to an offset."""
        self._group.seek(place, offset)

    async def position(self, place: TopicPartition) -> int:
        """The next offset."""
        return self._group.position[place]

    async def beginning_offsets(self, places: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Where the log begins."""
        return await self._group.beginning_offsets(places)

    async def end_offsets(self, places: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Where it ends."""
        return await self._group.end_offsets(places)

    async def getmany(
        self, *, timeout_ms: int = 0, max_records: int | None = None
    ) -> Mapping[TopicPartition, Sequence[Entry]]:
        """What has come."""
        return await self._group.getmany(timeout_ms=timeout_ms, max_records=max_records)


class Writer:
    """A producer over the log in memory, which may be away, or may not answer."""

    def __init__(self, log: LogInMemory) -> None:
        self._log, self.away = log, False
        self.answers = asyncio.Event()
        self.answers.set()

    async def send(self, message: Message) -> None:
        """Append."""
        await asyncio.sleep(0.05)
        await self.answers.wait()
        if self.away:
            raise Transient("away")
        self._log.append(PLACE, message.key, (), 0, 0, message.value)


class Process:
    """One that asks Graph: its tenants have more to ask than they may."""

    def __init__(self, name: str, writer: Writer, clock: VirtualClock, tenants: Sequence[str]) -> None:
        self.sent: list[float] = []
        self._clock, self._tenants = clock, tenants
        self.limiter = RateLimiter(Role.KEEPER if name.startswith("keeper") else Role.FETCHER, 0, clock)
        self._control = ControlTable(KAFKA, cast("Producer", writer), clock)
        self.quota = SharedQuota(name, QUOTA, self.limiter, self._control, clock)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> "Process":
        """Begin."""
        await self._control.start()
        self._tasks = [asyncio.create_task(self._ask(tenant)) for tenant in self._tenants for _ in range(16)]
        self._tasks.append(asyncio.create_task(self.quota.run()))
        return self

    async def die(self) -> None:
        """End without a word."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._control.stop()

    async def _ask(self, tenant: str) -> None:
        call = 0
        while True:
            call += 1
            try:
                await self.limiter.acquire(QuotaRequest(tenant, 1500, Priority.LIVE, Scope.record(tenant, str(call))))
            except Throttled as throttled:
                await asyncio.sleep(throttled.retry_after)
                continue
            self.sent.append(self._clock.monotonic())
            await asyncio.sleep(0.2)

    def count(self, since: float, until: float) -> float:
        """The part of the quota that it used between two moments."""
        return sum(since <= at < until for at in self.sent) * 20.0 / (until - since) / QUOTA


def worst_window(processes: Sequence[Process]) -> int:
    """The most requests of all in any 20 s."""
    moments = sorted(at for process in processes for at in process.sent)
    return max(bisect_left(moments, at + 20.0) - index for index, at in enumerate(moments))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> LogInMemory:
    """The control topic, in the place of the broker."""
    log = LogInMemory({PLACE: []})

    def opened(_kafka: KafkaSettings, *, reset: str) -> Reader:
        return Reader(log)

    monkeypatch.setattr("ringback_stream.shared.control.open_reader", opened)
    return log


def test_two_share_by_what_they_ask_and_one_dies_and_kafka_goes_away(log: LogInMemory) -> None:
    """Nine of ten busy tenants are one's; a keeper asks little. What a dead one had is used again within a minute."""
    loop = VirtualTimeLoop()
    clock, writer = VirtualClock(loop), Writer(log)

    async def play() -> None:
        busy = await Process("fetch/a", writer, clock, [f"a{number}" for number in range(9)]).start()
        other = await Process("fetch/b", writer, clock, ["b"]).start()
        keeper = await Process("keeper/c", writer, clock, []).start()
        await asyncio.sleep(120)
        assert busy.count(60, 120) == pytest.approx(0.83, abs=0.04)
        assert busy.count(60, 120) + other.count(60, 120) >= 0.9
        assert [part.detail["members"] for part in keeper.quota.facts()] == [3]
        await busy.die()
        await asyncio.sleep(120)
        assert other.count(180, 240) >= 0.9
        writer.away = True
        await asyncio.sleep(60)
        assert other.count(265, 300) == 0
        assert [part.state for part in other.quota.facts()] == ["waiting"]
        writer.away = False
        await asyncio.sleep(60)
        assert other.count(305, 360) >= 0.9
        await other.quota.leave()
        left = len(other.sent)
        await asyncio.sleep(5)
        assert len(other.sent) == left
        assert worst_window([busy, other, keeper]) <= QUOTA
        await other.die()
        await keeper.die()

    try:
        loop.run_until_complete(play())
    finally:
        loop.close()


def test_one_that_starts_alone_asks_within_three_seconds_and_long_gone_members_leave_no_entry(log: LogInMemory) -> None:
    """Nothing has to pass before a lone process begins; a tenant's whole budget is there at once."""
    loop = VirtualTimeLoop()
    clock, writer = VirtualClock(loop), Writer(log)

    async def play() -> None:
        first = await Process("fetch/first", writer, clock, ["a"]).start()
        await asyncio.sleep(3)
        assert first.sent
        await first.die()
        second = await Process("fetch/second", writer, clock, ["a"]).start()
        begun = clock.monotonic()
        await asyncio.sleep(3)
        assert second.sent[0] - begun < 3
        await asyncio.sleep(700)
        assert any(entry.value is None and b"fetch/first" in (entry.key or b"") for entry in log.entries[PLACE])
        assert len([each for each in log.entries[PLACE] if each.value is None]) == 1
        await second.die()

    try:
        loop.run_until_complete(play())
    finally:
        loop.close()


def test_a_write_that_hangs_does_not_keep_the_metric_of_the_share(log: LogInMemory) -> None:
    """An idempotent producer waits for Kafka for ever; the lease ends meanwhile, and the gauge is 0."""
    loop = VirtualTimeLoop()
    clock, writer = VirtualClock(loop), Writer(log)

    async def play() -> None:
        process = await Process("fetch/a", writer, clock, ["a"]).start()
        await asyncio.sleep(10)
        assert (catalogue.registry.get_sample_value("ringback_quota_share") or 0) > 0
        writer.answers.clear()
        await asyncio.sleep(30)
        assert catalogue.registry.get_sample_value("ringback_quota_share") == 0
        writer.answers.set()
        await asyncio.sleep(10)
        assert (catalogue.registry.get_sample_value("ringback_quota_share") or 0) > 0
        await process.die()

    try:
        loop.run_until_complete(play())
    finally:
        loop.close()
