"""Time as a parameter: the shell owns a clock, the core is told what time it is."""

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock", "scaled"]


class Clock(Protocol):
    """Where the shell gets the time from."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


def scaled(seconds: float, time_scale: float) -> float:
    """A wait that stands for Graph's slowness, divided by the time scale; never use it for limits or timeouts."""
    return seconds / time_scale
