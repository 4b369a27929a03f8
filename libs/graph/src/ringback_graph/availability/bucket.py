"""A token bucket that a sliding window can never catch above its quota. Pure: time comes in as an argument."""

import math
from dataclasses import dataclass

__all__ = ["NOTHING", "Bucket", "Quota"]

_LEAST = 2
"""Requests in a window: one token saved and one that flows."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What one scope may use.

    A bucket lets at most `capacity + window x rate` pass in any window, so that sum stays at or below Graph's limit.
    """

    rate: float
    """Tokens a second."""
    capacity: float
    """Most tokens that can be saved up; at least 1, else nothing ever passes."""
    initial: float = 0.0
    """Tokens a new bucket has. 0 is what makes a restart safe: the process before may just have used its all."""

    @staticmethod
    def of(limit: float, window: float) -> "Quota":
        """The quota for `limit` requests in any `window` seconds.

        2 % are saved for a burst and 2 % are never used: requests that leave evenly arrive unevenly, and 2 % of 20 s is
        0.4 s of jitter. What remains, 96 %, is the steady rate. A small limit must save one whole token.

        Raises:
            ValueError: the limit is below 2, which leaves no rate worth the name; a negative one would limit nothing.
        """
        if limit < _LEAST:
            raise ValueError("a quota is at least 2 requests in its window")
        capacity = max(1.0, 0.02 * limit)
        return Quota(rate=(0.98 * limit - capacity) / window, capacity=capacity)


NOTHING = Quota(rate=0.0, capacity=0.0)
"""The quota of a scope of which this process has no share."""


class Bucket:
    """Tokens of one scope, refilled by time and frozen by Retry-After."""

    __slots__ = ("_at", "_frozen_until", "_tokens", "_until", "quota")

    def __init__(self, quota: Quota, now: float) -> None:
        self.quota = quota
        self._tokens = quota.initial
        self._at = now
        self._frozen_until = now
        self._until = math.inf

    def grant(self, limit: float, window: float, until: float, now: float) -> None:
        """Let at most `limit` requests in any `window` seconds pass from now on, and none from `until` on.

        What is saved shrinks with the limit, and is lost where a grant has ended meanwhile.
        """
        self._refill(now)
        saved = self._tokens if now < self._until else 0.0
        self.quota = Quota.of(limit, window) if limit >= _LEAST else NOTHING
        self._tokens = min(saved, self.quota.capacity)
        self._until = until

    def wait(self, now: float) -> float:
        """Seconds until one token may be taken; 0 means now, infinite that none comes by waiting alone."""
        self._refill(now)
        if now >= self._until or self.quota.rate <= 0:
            return math.inf
        missing = 1.0 - self._tokens
        # A rounding error must not make a waiter wake a nanosecond early, find nothing and spin.
        needed = missing / self.quota.rate + 1e-6 if missing > 0 else 0.0
        return max(needed, self._frozen_until - now)

    def take(self) -> None:
        """Use one token; only right after `wait` said 0."""
        self._tokens -= 1.0

    def freeze(self, seconds: float, now: float) -> None:
        """Nothing passes before that many seconds are over; a shorter freeze never shortens a longer one."""
        self._refill(now)
        self._frozen_until = max(self._frozen_until, now + seconds)

    def frozen_for(self, now: float) -> float:
        """Seconds of a freeze still to come."""
        return max(0.0, self._frozen_until - now)

    def idle(self, now: float) -> bool:
        """Whether forgetting this bucket could let nothing through that it would have held back."""
        self._refill(now)
        return now >= self._frozen_until and self._tokens >= max(self.quota.capacity, self.quota.initial)

    def _refill(self, now: float) -> None:
        if now > self._at:
            full = max(self.quota.capacity, self.quota.initial)
            granted = max(0.0, min(now, self._until) - self._at)
            self._tokens = min(full, self._tokens + granted * self.quota.rate)
            self._at = now
