"""Graph's time: instants stay real, Graph's own slowness shrinks."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

__all__ = ["GraphClock", "instant", "parse_instant"]

_TICKS = 10_000_000


@dataclass(frozen=True, slots=True)
class GraphClock:
    """Wall clock and scale.

    Divided by `time_scale`: retry back-off, the 4 h, slow and drop windows, a subscription's life, waits for a record
    or version to appear.
    Never divided: timeouts, Retry-After, throttle windows, token life and every timestamp.
    """

    time_scale: float = 1.0
    wall: Callable[[], float] = field(default=time.time)

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.wall()

    def scaled(self, graph_seconds: float) -> float:
        """Real seconds that stand for so many seconds of Graph's."""
        return graph_seconds / self.time_scale


def instant(at: float, digits: int = 7) -> str:
    """RFC 3339 in UTC with `digits` fraction digits (0 to 7, as seen on the wire; graph.md 3.6)."""
    whole = int(at)
    stamp = datetime.fromtimestamp(whole, UTC).isoformat()[:19]
    if digits == 0:
        return f"{stamp}Z"
    ticks = min(int((at - whole) * _TICKS), _TICKS - 1)
    return f"{stamp}.{ticks:07d}"[: 20 + digits] + "Z"


def parse_instant(text: str) -> float:
    """Seconds since the epoch; a time without offset is UTC. Raises ValueError."""
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
