"""An event loop in which waiting takes no time: when nothing can run, its clock leaps to the next timer."""

import asyncio
import selectors
from datetime import UTC, datetime, timedelta

__all__ = ["VirtualClock", "VirtualTimeLoop"]

_EPOCH = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


class _Leaping(selectors.SelectSelector):
    """Never waits for a file: says how long the loop would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Leap by the timeout.

        Raises:
            RuntimeError: nothing can ever run again.
        """
        found = super().select(0)
        if not found and timeout is None:
            raise RuntimeError("everything waits, and for nothing that has a time")
        if not found and timeout:
            self.now += timeout
        return found


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop for what neither needs a socket nor a thread; time passes only while everything waits."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._leaping.now


class VirtualClock:
    """The loop's time as a service's clocks."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        """Seconds since the loop was made."""
        return self._loop.time()

    def now(self) -> datetime:
        """The wall clock, from a fixed morning on."""
        return _EPOCH + timedelta(seconds=self._loop.time())
