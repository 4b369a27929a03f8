"""How many records a second may be moved to the end of a lane because other tenants wait behind them."""

from ringback_common.clock import Clock

__all__ = ["MoveLimiter"]

_RATE, _BURST = 500.0, 250.0


class MoveLimiter:
    """A token bucket: 500 a second, 250 at once. They come in bursts, for each begins with a seek."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens, self._at = _BURST, clock.monotonic()

    def take(self) -> bool:
        """Whether one more may be moved now."""
        self._refill()
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    @property
    def are_due(self) -> bool:
        """Whether a whole burst may be moved now."""
        self._refill()
        return self._tokens >= _BURST

    def _refill(self) -> None:
        now = self._clock.monotonic()
        self._tokens, self._at = min(_BURST, self._tokens + (now - self._at) * _RATE), now
