"""The circuit breaker: whether failures are general or of one record, decided by the last calls and their times.

Closed: calls go through. Open: nothing starts until a probe is due. Half open: one probe runs; its answer decides.
"""

from collections import deque
from enum import StrEnum

from ringback_common.backoff import Backoff

__all__ = ["Breaker", "BreakerState"]


class BreakerState(StrEnum):
    """What the breaker lets through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Opens when of the last 20 calls, at least 10, more than half failed; probes after 1 s, then 2, 4 … 30 s."""

    WINDOW, ENOUGH, SHARE = 20, 10, 0.5
    PAUSE = Backoff(1.0, 30.0)

    def __init__(self) -> None:
        self._failed: deque[bool] = deque(maxlen=self.WINDOW)
        self._state = BreakerState.CLOSED
        self._openings = 1
        self._probe_at = 0.0

    @property
    def state(self) -> BreakerState:
        """What it lets through now."""
        return self._state

    @property
    def probe_at(self) -> float | None:
        """Monotonic time of the next probe while open."""
        return self._probe_at if self._state is BreakerState.OPEN else None

    def allows(self, now: float) -> bool:
        """Whether a call may start at this monotonic time."""
        return self._state is BreakerState.CLOSED or (self._state is BreakerState.OPEN and now >= self._probe_at)

    def begin(self) -> bool:
        """A call starts; True if it is the probe. Say so when it ends: calls begun before it opened prove nothing."""
        probe = self._state is BreakerState.OPEN
        if probe:
            self._state = BreakerState.HALF_OPEN
        return probe

    def succeeded(self, *, probe: bool) -> None:
        """The other side answered, whatever it said."""
        if probe:
            self._close()
        self._failed.append(False)

    def failed(self, now: float, *, probe: bool) -> None:
        """A call failed in a way that may pass."""
        self._failed.append(True)
        if probe:
            self._openings += 1
            self._open(now)
        elif self._state is BreakerState.CLOSED and self._mostly_failing():
            self._open(now)

    def inconclusive(self, now: float) -> None:
        """The probe ended without an answer, or without a request: the next call is the probe, at once."""
        self._state, self._probe_at = BreakerState.OPEN, now

    def abandoned(self, now: float) -> None:
        """The probe ended without an answer (cancelled): it is asked again."""
        self._open(now)

    def _mostly_failing(self) -> bool:
        return len(self._failed) >= self.ENOUGH and sum(self._failed) > self.SHARE * len(self._failed)

    def _open(self, now: float) -> None:
        self._state, self._probe_at = BreakerState.OPEN, now + self.PAUSE.after(self._openings)

    def _close(self) -> None:
        self._state, self._openings = BreakerState.CLOSED, 1
        self._failed.clear()
