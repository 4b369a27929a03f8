"""How long to wait before the next try. Pure but for the jitter."""

import random
from dataclasses import dataclass

__all__ = ["Backoff"]

_MOST_DOUBLINGS = 64
"""Beyond any `longest`, and far from where a power of two overflows a float."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from one failure to the next, up to a bound.

    Attributes:
        first: seconds to wait after the first failure.
        longest: seconds to wait at most; equal to `first` for waits that do not grow.
        jitter: up to this share of a wait is taken off at random, so that what failed together is not tried again
            together.
    """

    first: float
    longest: float
    jitter: float = 0.0

    def after(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, of which there is at least one."""
        seconds = min(self.longest, self.first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))
        return seconds * random.uniform(1 - self.jitter, 1.0) if self.jitter else seconds  # noqa: S311 - no secret
