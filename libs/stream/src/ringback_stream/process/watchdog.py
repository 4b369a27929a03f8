"""Ends the process when it is assigned, behind, and has stood still for 30 s although Kafka is there.

aiokafka is known to get stuck after broker restarts without a public signal. While Kafka is away there is nothing
to be stuck at: a process that ended for it would wait in its orchestrator's pauses when Kafka is back.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from ringback_common import logs
from ringback_common.clock import Clock
from ringback_common.errors import BeginAnew
from ringback_events.keys import split_call_key

from ringback_stream.consume.assignment import Assignment
from ringback_stream.consume.consumer import Consumer
from ringback_stream.consume.runner import Runner

__all__ = ["STANDSTILL", "ConsumerStuck", "WatchedFlow", "watch"]

_log = logs.logger(__name__)

STANDSTILL = 30.0
_LOOK_EVERY = 1.0


class ConsumerStuck(BeginAnew):
    """The consumer delivers nothing although there is something; a new process will."""


class WatchedFlow(NamedTuple):
    """One flow at work.

    Attributes:
        must_take: whether records are taken in whatever is in hand; else what is in hand may keep them waiting.
    """

    consumer: Consumer
    assignment: Assignment
    runner: Runner
    must_take: bool


async def watch(
    watched: WatchedFlow, clock: Clock, listens: Callable[[], Awaitable[bool]], *, patience: float = STANDSTILL
) -> None:
    """Look every second, for ever; `listens` returns whether Kafka is there.

    A step that hangs is not the watchdog's: it turns liveness red. Nor is a partition whose next record waits in Kafka
    for its due time, its tenant, a Graph that is away or capacity; nor time in which this process did not run.
    A group that has not assigned partitions yet has twice the patience: to join takes a dead member's session, 15 s,
    and 20 s in which the other members may come.

    Raises:
        Standstill: assigned, behind, and nothing taken in for `patience` seconds of Kafka's presence; or a step may
            begin, and none has begun or ended for as long.
    """
    reading, starting, looked_at = _Stopwatch(), _Stopwatch(), clock.monotonic()
    while True:
        await asyncio.sleep(_LOOK_EVERY)
        waits = _waits_for_records(watched) and await listens()
        now, unstarted = clock.monotonic(), watched.runner.unstarted_since
        reading.add(now - looked_at, stuck=waits and _progressed_at(watched) <= looked_at)
        starting.add(now - looked_at, stuck=unstarted is not None and unstarted <= looked_at)
        looked_at = now
        longest = patience if watched.assignment.trackers.partitions else 2 * patience
        if reading.seconds >= longest or starting.seconds >= patience:
            why, limit = ("nothing_taken_in", longest) if reading.seconds >= longest else ("not_begun", patience)
            _say(watched.runner, limit, why)
            raise ConsumerStuck(why)


class _Stopwatch:
    """Seconds for which every look has found the same thing stuck."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def add(self, elapsed: float, *, stuck: bool) -> None:
        """Count the time since the last look. A process that was frozen counts one look, not its sleep."""
        self.seconds = self.seconds + min(elapsed, 2 * _LOOK_EVERY) if stuck else 0.0


def _say(runner: Runner, limit: float, why: str) -> None:
    """No action is needed: the process begins anew. The call is the one that is due, or that is in hand longest."""
    running = runner.oldest_key("running") if why == "nothing_taken_in" else b""
    tenant_id, call_id = split_call_key(running or runner.oldest_key("ready"))
    _log.warning(
        "The consumer has stood still; the process ends to begin anew.",
        seconds=limit,
        reason=why,
        tenant_id=logs.known_id(tenant_id),
        call_id=logs.known_id(call_id),
    )


def _progressed_at(watched: WatchedFlow) -> float:
    return watched.assignment.taken_at if watched.must_take else watched.assignment.progressed_at


def _waits_for_records(watched: WatchedFlow) -> bool:
    """Behind, or without an assignment that the group counts as its (one lost and never given anew)."""
    consumer, trackers = watched.consumer, watched.assignment.trackers
    if consumer.client is None or not consumer.client.assignment():
        return False
    if not trackers.partitions:
        return True
    return (watched.must_take or trackers.unfinished == 0) and consumer.behind()
