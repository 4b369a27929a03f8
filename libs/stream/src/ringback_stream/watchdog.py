"""Ends the process when it is assigned, behind, and has stood still for 30 s although Kafka is there.

aiokafka is known to get stuck after broker restarts without a public signal. While Kafka is away there is nothing
to be stuck at: a process that ended for it would wait in its orchestrator's pauses when Kafka is back.
"""

import asyncio
from collections.abc import Awaitable, Callable

from ringback_common import logs
from ringback_common.clock import Clock
from ringback_common.errors import RingbackError

from ringback_stream.assignment import Assignment
from ringback_stream.consumer import Consumer

__all__ = ["STANDSTILL", "Standstill", "watch"]

_log = logs.logger(__name__)

STANDSTILL = 30.0
_LOOK_EVERY = 1.0


class Standstill(RingbackError):  # noqa: N818 - the taxonomy's word
    """The consumer delivers nothing although there is something; a new process will."""


async def watch(
    consumer: Consumer,
    assignment: Assignment,
    clock: Clock,
    listens: Callable[[], Awaitable[bool]],
    *,
    patience: float = STANDSTILL,
) -> None:
    """Look every second, for ever; `listens` tells whether Kafka is there.

    Work in hand is no standstill, however long it takes: a step that hangs turns liveness red. Neither is a partition
    kept waiting at a cap or until a retry is due.

    Raises:
        Standstill: assigned, behind, nothing in hand, and nothing taken in for `patience` seconds of Kafka's presence.
    """
    still_since = clock.monotonic()
    while True:
        await asyncio.sleep(_LOOK_EVERY)
        waits = _waits_for_records(consumer, assignment) and await listens()
        now = clock.monotonic()
        if not waits:
            still_since = now
        elif now - max(still_since, assignment.progressed_at) >= patience:
            _log.error("The consumer has stood still; the process ends to begin anew.", seconds=patience)
            raise Standstill("assigned, behind and no progress")


def _waits_for_records(consumer: Consumer, assignment: Assignment) -> bool:
    """Behind with empty hands, or assigned without having been told (an assignment lost and never given anew)."""
    if consumer.client is None or not consumer.client.assignment():
        return False
    if not assignment.watermarks.partitions:
        return True
    return assignment.watermarks.unfinished == 0 and consumer.behind()
