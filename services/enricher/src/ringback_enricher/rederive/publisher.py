"""Writes publications no faster than asked for, few at a time, and waits while Kafka is away."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from ringback_common import logs
from ringback_common.clock import Clock
from ringback_common.outcomes import Message
from ringback_common.retrying import FailedAttempt, until_it_works
from ringback_stream.publish.capacity import CapacityLimit
from ringback_stream.publish.producer import WRITE_AGAIN, Producer

__all__ = ["Publisher"]

_log = logs.logger(__name__)

_IN_HAND = 32
"""Publications under way: four stages of some 5 ms each, so 1,600 a second, more than can be derived."""
_BYTES_IN_HAND = 8 * 1024 * 1024
"""Of the records they are derived from; a larger one goes alone."""
_BEHIND = 0.1
"""Seconds of turns that may be caught up after something slow, so that the rate is reached and no burst is made."""


class Publisher:
    """A producer that begins a limited number of publications a second.

    Attributes:
        capacity: the publications under way, each with the bytes of the record it is derived from.
    """

    def __init__(self, producer: Producer, clock: Clock, stop: asyncio.Event, max_rate: float) -> None:
        """Take the producer, started, and how many publications a second may begin."""
        self._producer = producer
        self._clock = clock
        self._stop = stop
        self._interval = 1 / max_rate
        self._next = clock.monotonic()
        self.capacity = CapacityLimit(_IN_HAND, _BYTES_IN_HAND)

    async def turn(self) -> bool:
        """Wait until the next publication may begin; False on a stop."""
        now = self._clock.monotonic()
        self._next = max(self._next + self._interval, now - _BEHIND)
        if self._next > now:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._next - now)
        return not self._stop.is_set()

    async def write(self, stages: Sequence[Sequence[Message]]) -> None:
        """Write stage after stage, as often as it takes: what is written twice has the same ids.

        Raises:
            TooLarge: the broker refuses a message; later stages are not begun.
            ConfigError: a topic may not be written.
        """
        await until_it_works(lambda: self._producer.stages(stages), WRITE_AGAIN, _report)


def _report(failed: FailedAttempt) -> None:
    _log.warning("Kafka does not take what was derived; waiting.", delay_s=failed.wait)
