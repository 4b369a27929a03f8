"""A consumer that stands still ends its process; one whose Kafka is away waits for it."""

import asyncio
import json
from typing import Any

import pytest
from ringback_common import logs
from ringback_common.clock import SystemClock
from ringback_common.errors import BeginAnew
from ringback_common.settings import KafkaSettings
from ringback_stream.process import watchdog
from ringback_stream.process.watchdog import ConsumerStuck, WatchedFlow, watch
from ringback_stream.shared.connection import most_are_reachable

CALLS = {"running": "e523d2ed-2966-4b6b-925b-754a88034cc5", "ready": "0f6f0d24-9b5e-4d0b-8f6b-0d1f5a3c2b1e"}


class Behind:
    """A consumer, its assignment and its runner: a partition, records to come, nothing in hand, nothing taken in."""

    partitions: tuple[int, ...] = (0,)

    def __init__(self, *, behind: bool = True, unfinished: int = 0, unstarted_since: float | None = None) -> None:
        self._behind = behind
        self.unfinished = unfinished
        self.unstarted_since = unstarted_since
        self.taken_at = 0.0
        self.progressed_at = SystemClock().monotonic() + 3600 if unfinished else 0.0  # it goes on finishing

    @property
    def client(self) -> "Behind":
        """Aiokafka's consumer."""
        return self

    @property
    def trackers(self) -> "Behind":
        """Of the assignment."""
        return self

    def assignment(self) -> tuple[int]:
        """One partition."""
        return (0,)

    def behind(self) -> bool:
        """Whether there is something to come."""
        return self._behind

    def oldest_key(self, why: str) -> bytes:
        """Another one for each reason."""
        return f"dc368399-474c-4d40-900c-6265431fd81f|{CALLS[why]}".encode()

    def watched(self, *, must_take: bool = False) -> WatchedFlow:
        """As the watchdog is given it."""
        itself: Any = self
        return WatchedFlow(itself, itself, itself, must_take=must_take)


class Frozen(SystemClock):
    """A clock that jumps when the process goes on after it was stopped."""

    asleep = 0.0

    def monotonic(self) -> float:
        """Seconds, those in which nothing ran included."""
        return super().monotonic() + self.asleep


async def _listens() -> bool:
    return True


async def test_time_in_which_no_broker_listens_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it is away; from its return on the consumer has the whole patience to find it."""
    monkeypatch.setattr(watchdog, "_LOOK_EVERY", 0.01)
    there = asyncio.Event()

    async def listens() -> bool:
        return there.is_set()

    watching = asyncio.create_task(watch(Behind().watched(), SystemClock(), listens, patience=0.3))
    await asyncio.sleep(0.6)
    assert not watching.done()
    there.set()
    await asyncio.sleep(0.15)
    assert not watching.done()
    with pytest.raises(ConsumerStuck):
        await asyncio.wait_for(watching, 5)


async def test_a_process_that_was_frozen_has_not_stood_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGSTOP for a minute: the last record was accepted before it, and the next look finds more to come."""
    monkeypatch.setattr(watchdog, "_LOOK_EVERY", 0.01)
    clock = Frozen()
    watching = asyncio.create_task(watch(Behind().watched(), clock, _listens, patience=0.3))
    await asyncio.sleep(0.05)
    clock.asleep = 60.0
    await asyncio.sleep(0.1)
    assert not watching.done()
    with pytest.raises(ConsumerStuck):
        await asyncio.wait_for(watching, 5)


async def test_a_group_may_take_its_time_to_assign_partitions(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker that is back loads the group, and the other members join: twice the patience, as the line says."""
    monkeypatch.setattr(watchdog, "_LOOK_EVERY", 0.01)
    joining = Behind()
    joining.partitions = ()
    watching = asyncio.create_task(watch(joining.watched(), SystemClock(), _listens, patience=0.3))
    await asyncio.sleep(0.45)
    assert not watching.done()
    with pytest.raises(ConsumerStuck):
        await asyncio.wait_for(watching, 5)
    (line,) = [json.loads(logs.JsonFormatter("fetch").format(one)) for one in caplog.records]
    assert line["seconds"] == 0.6


async def _stands_still(watched: WatchedFlow, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(watchdog, "_LOOK_EVERY", 0.01)
    try:
        async with asyncio.timeout(1.5):
            await watch(watched, SystemClock(), _listens, patience=0.1)
    except ConsumerStuck:
        return True
    except TimeoutError:
        return False
    raise AssertionError("the watch has ended")


@pytest.mark.parametrize(("must_take", "still"), [(True, True), (False, False)])
async def test_what_is_in_hand_is_no_excuse_where_the_rest_is_put_aside(
    monkeypatch: pytest.MonkeyPatch, *, must_take: bool, still: bool
) -> None:
    """Nothing is taken in, though not all of it is paused; in a flow that pauses what is in hand may be the reason."""
    assert await _stands_still(Behind(unfinished=7).watched(must_take=must_take), monkeypatch) is still


async def test_a_step_that_may_begin_and_does_not_is_a_standstill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether something is to come or not."""
    idle = Behind(behind=False, unstarted_since=0.0).watched(must_take=True)
    assert await _stands_still(idle, monkeypatch)
    assert not await _stands_still(Behind(behind=False).watched(must_take=True), monkeypatch)


@pytest.mark.parametrize(
    ("still", "reason", "call"),
    [
        (Behind(unfinished=7), "nothing_taken_in", CALLS["running"]),
        (Behind(behind=False, unstarted_since=0.0), "not_begun", CALLS["ready"]),
    ],
)
async def test_a_standstill_gives_a_line_with_reason_and_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, still: Behind, reason: str, call: str
) -> None:
    """A warning: the process begins anew by itself. What is due is not what runs."""
    assert await _stands_still(still.watched(must_take=True), monkeypatch)
    (line,) = [json.loads(logs.JsonFormatter("fetch").format(one)) for one in caplog.records]
    assert (line["level"], line["reason"]) == ("WARNING", reason)
    assert line["call_id"] == call
    assert issubclass(ConsumerStuck, BeginAnew)


async def test_what_may_begin_only_now_is_not_late_however_long_it_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant's Retry-After is longer than the watchdog's patience: at the end of that its records are old."""
    monkeypatch.setattr(watchdog, "_LOOK_EVERY", 0.01)
    waits = Behind(behind=False)
    watching = asyncio.create_task(watch(waits.watched(must_take=True), SystemClock(), _listens, patience=0.3))
    await asyncio.sleep(0.4)
    waits.unstarted_since = 0.0
    await asyncio.sleep(0.15)
    assert not watching.done()
    with pytest.raises(ConsumerStuck):
        await asyncio.wait_for(watching, 5)


async def test_kafka_is_there_when_most_of_its_servers_take_a_connection() -> None:
    """One of three is not enough: a partition may have no leader. What is behind the port is not asked."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    there, away = f"127.0.0.1:{port}", "127.0.0.1:1"
    assert await most_are_reachable(KafkaSettings(bootstrap_servers=there))
    assert await most_are_reachable(KafkaSettings(bootstrap_servers=f"{there}, {away}, {there}"))
    assert not await most_are_reachable(KafkaSettings(bootstrap_servers=f"{away},{there},{away}"))
    server.close()
    await server.wait_closed()
    assert not await most_are_reachable(KafkaSettings(bootstrap_servers=there))


async def test_a_server_without_a_port_is_one_at_kafka_s_own() -> None:
    """As the client takes it; no process listens on this machine's discard address."""
    assert not await most_are_reachable(KafkaSettings(bootstrap_servers="127.0.0.2"))
