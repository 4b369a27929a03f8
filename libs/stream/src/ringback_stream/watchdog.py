"""Ends the process when it is assigned, behind, and has stood still for 30 s.

aiokafka is known to get stuck after broker restarts without a public signal.
"""

import asyncio

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


async def watch(consumer: Consumer, assignment: Assignment, clock: Clock, *, patience: float = STANDSTILL) -> None:
    """Look every second, for ever.

    Work in hand is no standstill, however long it takes: a step that hangs turns liveness red. Neither is a partition
    kept waiting at a cap or until a retry is due.

    Raises:
        Standstill: assigned, behind, nothing in hand, and nothing taken in for `patience` seconds.
    """
    still_since = clock.monotonic()
    while True:
        await asyncio.sleep(_LOOK_EVERY)
        now = clock.monotonic()
        if not _waits_for_records(consumer, assignment):
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
