"""Polls that bring an error instead of records: each is counted, logged and shown by readiness."""

from ringback_common import logs
from ringback_common.clock import Clock

from ringback_stream import telemetry

__all__ = ["LASTING", "PollFailures"]

_log = logs.logger(__name__)

_SAY_EVERY = 10.0
_SHOWN_FOR = 15.0
"""Seconds: two reports of status are 10 s apart, and one of them is to show it."""
LASTING = 15.0
"""Seconds of failures without one success between them after which they do not pass by themselves."""


class PollFailures:
    """Of one consumer.

    Args:
        group: label of the metric.
        clock: monotonic time.
    """

    def __init__(self, group: str, clock: Clock) -> None:
        self._group = group
        self._clock = clock
        self._first: float | None = None
        self._newest: tuple[float, str] | None = None
        self._said = float("-inf")

    def note(self, failure: BaseException) -> None:
        """A poll has failed; what Kafka calls retriable, or a time limit, is an operator's work only if it lasts."""
        now, name = self._clock.monotonic(), type(failure).__name__
        self._first = now if self._first is None else self._first
        self._newest = now, name
        telemetry.child(telemetry.POLL_FAILURES, self._group, name).inc()
        if now - self._said >= _SAY_EVERY:
            self._said = now
            write = _log.warning if _may_pass(failure) and not self.lasting else _log.error
            write("A poll failed; trying again.", group=self._group, error_class=name)

    def succeeded(self) -> None:
        """A poll has not failed."""
        self._first = None

    @property
    def lasting(self) -> bool:
        """Whether no poll has succeeded for 15 s of failures."""
        return self._first is not None and self._clock.monotonic() - self._first >= LASTING

    @property
    def recent(self) -> str | None:
        """The class of the newest failure, for 15 s."""
        if self._newest is None or self._clock.monotonic() - self._newest[0] >= _SHOWN_FOR:
            return None
        return self._newest[1]


def _may_pass(failure: BaseException) -> bool:
    """Whether it is of a kind that passes by itself; aiokafka also raises the time limits of asyncio."""
    return isinstance(failure, TimeoutError) or bool(getattr(failure, "retriable", False))
