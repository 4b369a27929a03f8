"""Time as a parameter: adapters and handlers have a clock, a `core` takes the time as an argument."""

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock", "scaled"]


class Clock(Protocol):
    """The port to the time; tests implement it with a time of their own."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never decrease, from any beginning: only differences mean anything."""
        ...


class SystemClock:
    """The operating system's clocks."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never decrease."""
        return time.monotonic()


def scaled(seconds: float, time_scale: float) -> float:
    """Seconds of a wait that stands for Graph's slowness, divided by the time scale of the settings.

    Never use it for limits or time-outs: these bound what this process does, which no scale makes faster.
    """
    return seconds / time_scale
