"""A line for what stays in hand for long: which call, and what it waits for."""

from collections.abc import Callable

from ringback_common import logs
from ringback_common.clock import Clock
from ringback_events.keys import split_call_key

__all__ = ["STALL", "StallLog"]

STALL = 15.0
"""Seconds: three times what a request may be in hand."""
_SAY_EVERY = 60.0

_log = logs.logger(__name__)


class StallLog:
    """Says of one flow, once a minute for each reason, that its oldest record has stayed in hand for 15 s.

    No action follows from this line alone: liveness and the watchdog end a process that hangs.

    Args:
        group: the flow's.
        clock: monotonic time.
    """

    def __init__(self, group: str, clock: Clock) -> None:
        self._group = group
        self._clock = clock
        self._said: dict[str, float] = {}

    def look(self, why: str, age: float, key: Callable[[], bytes]) -> None:
        """Take the age of the oldest record in, by what it waits for.

        Args:
            why: a word of `Runner.oldest_by_reason`, or `writing`.
            age: seconds; 0 if none waits for that.
            key: the record's; asked only if it is said.
        """
        now = self._clock.monotonic()
        if age < STALL:
            self._said.pop(why, None)
        elif now - self._said.get(why, -_SAY_EVERY) >= _SAY_EVERY:
            self._said[why] = now
            self._say(why, age, key())

    def _say(self, why: str, age: float, key: bytes) -> None:
        tenant_id, call_id = split_call_key(key)
        _log.warning(
            "A record has been in hand for long.",
            group=self._group,
            reason=why,
            age_s=round(age, 1),
            tenant_id=logs.known_id(tenant_id),
            call_id=logs.known_id(call_id),
        )
