"""A Retry-After reaches the process that takes the tenant over."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import uuid4

import pytest
from ringback_common.backoff import Backoff
from ringback_common.errors import Transient
from ringback_events.platform_events import ControlEntry
from ringback_stream.shared.control import ControlTable
from ringback_stream.throttles import SharedThrottles

TENANT = "11111111-2222-4333-8444-555555555555"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass
class MovedClock:
    """A clock that moves only when the test says so, and shows whatever hour the test says."""

    at: datetime = NOON
    seconds: float = 1000.0

    def now(self) -> datetime:
        """The wall clock."""
        return self.at

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds

    def move(self, seconds: float) -> None:
        """So much later."""
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds


@dataclass
class Topic:
    """The control topic, as every process sees it; refuses as often as the test says."""

    entries: dict[tuple[str, str], ControlEntry] = field(default_factory=dict[tuple[str, str], ControlEntry])
    refusals: int = 0
    written: int = 0

    async def write(self, entry: ControlEntry) -> None:
        """Take an entry."""
        await asyncio.sleep(0)
        if self.refusals:
            self.refusals -= 1
            raise Transient("away")
        self.written += 1
        self.entries[entry.kind, entry.subject] = entry

    def get(self, kind: str, subject: str) -> ControlEntry | None:
        """The entry about a subject."""
        return self.entries.get((kind, subject))


@pytest.fixture(autouse=True)
def again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second between two attempts."""
    monkeypatch.setattr("ringback_stream.throttles._AGAIN", Backoff(0.001, 0.001))


def member(topic: Topic, clock: MovedClock, process: str = "fetch") -> SharedThrottles:
    """A process of the group."""
    return SharedThrottles(process, uuid4().hex, cast("ControlTable", topic), clock)


async def written(waits: SharedThrottles) -> None:
    """Run it until nothing waits to be written: an entry is written, or dropped once its time has passed."""
    writing = asyncio.create_task(waits.run())
    async with asyncio.timeout(10):
        while waits._unwritten:
            await asyncio.sleep(0.001)
    writing.cancel()


async def test_another_process_knows_what_is_left() -> None:
    """Ten seconds were asked for and one of slack; four have passed: seven are left."""
    topic, clock = Topic(), MovedClock()
    first, second = member(topic, clock), member(topic, clock)
    first.publish(TENANT, 10)
    await written(first)
    clock.move(4)
    assert second.remaining(TENANT) == 7
    clock.move(6)
    assert second.remaining(TENANT) == 1
    clock.move(1)
    assert second.remaining(TENANT) == 0
    assert second.remaining("another") == 0


async def test_a_process_does_not_wait_for_what_it_published() -> None:
    """Its own limiter holds the scope that was meant; the tenant would be too much."""
    topic, clock = Topic(), MovedClock()
    waits = member(topic, clock)
    waits.publish(TENANT, 10)
    await written(waits)
    assert topic.written == 1
    assert waits.remaining(TENANT) == 0


async def test_another_kind_of_process_has_a_budget_of_its_own() -> None:
    """A Retry-After to a keeper holds the keepers."""
    topic, clock = Topic(), MovedClock()
    keeper = member(topic, clock, "keeper")
    keeper.publish(TENANT, 10)
    await written(keeper)
    assert member(topic, clock).remaining(TENANT) == 0
    assert member(topic, clock, "keeper").remaining(TENANT) == 11


async def test_sixty_refusals_at_once_are_told_once_and_never_too_short() -> None:
    """Within a second they end at the same full second, behind the last of them."""
    topic, clock = Topic(), MovedClock()
    first = member(topic, clock)
    for _ in range(60):
        clock.move(0.01)
        first.publish(TENANT, 9.2)
        await written(first)
    assert topic.written == 1
    assert 9.2 <= member(topic, clock).remaining(TENANT) <= 11.2


@pytest.mark.parametrize("received", [True, False])
async def test_a_shorter_wait_does_not_hide_a_longer_one(received: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    """Not one's own, and not another process's, received or not: its request was on its way already."""
    topic, clock = Topic(), MovedClock()
    first, second = member(topic, clock), member(topic, clock)
    first.publish(TENANT, 60)
    first.publish(TENANT, 5)
    await written(first)
    if received:
        assert second.remaining(TENANT) == 61
    second.publish(TENANT, 5)
    await written(second)
    assert second.remaining(TENANT) == 61
    assert member(topic, clock).remaining(TENANT) == 61


async def test_what_has_passed_holds_nobody() -> None:
    """The entry stays in the topic."""
    topic, clock = Topic(), MovedClock()
    first = member(topic, clock)
    first.publish(TENANT, 10)
    await written(first)
    assert topic.written == 1
    clock.move(12)
    assert member(topic, clock).remaining(TENANT) == 0


async def test_a_clock_far_ahead_holds_nobody_longer_than_it_was_told() -> None:
    """Its clock is three hours ahead at a Retry-After of ten seconds; set right, it publishes the next correctly."""
    topic, clock = Topic(), MovedClock(NOON + timedelta(hours=3))
    ahead = member(topic, clock)
    ahead.publish(TENANT, 10)
    await written(ahead)
    honest = member(topic, MovedClock())
    assert honest.remaining(TENANT) == 11
    clock.move(20)
    clock.at = NOON
    ahead.publish(TENANT, 20)
    await written(ahead)
    assert honest.remaining(TENANT) == 21


async def test_an_entry_that_nobody_can_mean_holds_for_a_day_at_most() -> None:
    """The topic may hold anything."""
    topic, clock = Topic(), MovedClock()
    subject, by = f"fetch/{TENANT}", "fetch/elsewhere"
    far = datetime(9000, 1, 1, tzinfo=UTC)
    for since, until, left in ((NOON, far, 86_400), (far, NOON, 0)):
        entry = ControlEntry(kind="throttle", subject=subject, reason="retry_after", since=since, by=by, until=until)
        await topic.write(entry)
        assert member(topic, clock).remaining(TENANT) == left


async def test_what_kafka_does_not_take_is_tried_again() -> None:
    """Until it does, or the time has passed."""
    topic, clock = Topic(refusals=3), MovedClock()
    first = member(topic, clock)
    first.publish(TENANT, 10)
    await written(first)
    assert member(topic, clock).remaining(TENANT) == 11
    topic.refusals = 10_000
    first.publish(TENANT, 20)
    clock.move(21)
    await written(first)
    assert (topic.written, topic.refusals) == (1, 10_000)


async def test_what_is_told_last_is_written_at_the_end() -> None:
    """Of every tenant, when nothing runs any more; an outage does not hold the process up, nor does it raise."""
    topic, clock = Topic(), MovedClock()
    first = member(topic, clock)
    for tenant in ("a", "b", "c"):
        first.publish(tenant, 10)
    await first.flush()
    assert {tenant: member(topic, clock).remaining(tenant) for tenant in "abc"} == {"a": 11, "b": 11, "c": 11}
    topic.refusals = 1
    first.publish("a", 60)
    await first.flush()
    await first.flush()
    assert member(topic, clock).remaining("a") == 61
