"""Graph's budgets in sliding windows (graph.md 4.1). Requests go on counting while they are refused."""

import email.utils
import math
from collections import deque
from dataclasses import dataclass, field

__all__ = ["Pauses", "SlidingWindow", "Throttle", "Verdict"]

LIMITS = {
    "app": (15_000, 20.0),
    "tenant": (10_000, 20.0),
    "appTenant": (1_500, 20.0),
    "record": (40, 20.0),
    "list": (40, 20.0),
    "subscriptions": (1_000, 20.0),
}
"""Requests and seconds by scope: per app, tenant, both; per call record; LIST and subscription writes per both."""

_REPORTED_S = 0.9
_CERTAINLY_REPORTED_S = 2.0
_ROUNDING_S = 0.02
_FLOAT_S = 1e-6  # instants are floats: who waits to the microsecond is not refused for the last bit


@dataclass(slots=True)
class SlidingWindow:
    """At most `limit` requests in any `seconds`."""

    limit: int
    seconds: float
    _hits: deque[float] = field(default_factory=deque[float])

    def hit(self, now: float) -> int | None:
        """Count a request: None if it is within the limit, else whole seconds until the next would be."""
        while self._hits and self._hits[0] <= now - self.seconds + _FLOAT_S:
            self._hits.popleft()
        self._hits.append(now)
        over = len(self._hits) - self.limit
        if over <= 0:
            return None
        if over > self.limit:
            self._hits.popleft()  # a client that never stops costs bounded memory
            over -= 1
        return max(1, math.ceil(self._hits[over] + self.seconds - now))

    @property
    def idle_since(self) -> float:
        """Instant of the last request."""
        return self._hits[-1] if self._hits else 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The scope whose limit was passed, and Retry-After in seconds."""

    scope: str
    retry_after: int


class Throttle:
    """All windows; a request is counted in each scope it belongs to."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], SlidingWindow] = {}
        self._swept = 0.0

    def check(self, scopes: dict[str, str], now: float) -> Verdict | None:
        """Count the request in every scope (name → whose); the refusal with the longest wait, if there is one."""
        self._sweep(now)
        verdicts = [
            Verdict(scope, wait)
            for scope, whose in scopes.items()
            if (wait := self._window(scope, whose).hit(now)) is not None
        ]
        return max(verdicts, key=lambda verdict: verdict.retry_after, default=None)

    def _window(self, scope: str, whose: str) -> SlidingWindow:
        window = self._windows.get((scope, whose))
        if window is None:
            window = self._windows[scope, whose] = SlidingWindow(*LIMITS[scope])
        return window

    def _sweep(self, now: float) -> None:
        if now - self._swept > LIMITS["record"][1]:
            self._swept = now
            self._windows = {
                key: window for key, window in self._windows.items() if now - window.idle_since < window.seconds
            }


@dataclass(slots=True)
class _Pause:
    """One scope's wait. `carriers` are the connections its answers went out on; `known` is when the client knew.

    `first` is when the first of those answers left, `last` the last of those that belong to it.
    """

    first: float
    last: float
    until: float
    carriers: set[str]
    known: float


class Pauses:
    """Which scope must wait, and until when: a request that starts inside a pause is impolite if its client knew.

    A client has read an answer when it sends something else over the same connection. Until then requests that were on
    their way, or that a busy machine handed over late, are no offence; two seconds later no machine is that busy. Nor
    is what comes within 0.9 s of an answer: sixty requests that begin at once over new connections are a second of
    handshakes, and as many answers. Who asks on and on is refused on and on, which excuses nothing.
    """

    def __init__(self) -> None:
        self._pauses: dict[tuple[str, ...], _Pause] = {}

    def begin(self, scope: tuple[str, ...], now: float, retry_after: str, connection: str = "") -> None:
        """A 429 with this Retry-After leaves over that connection."""
        until = now + _seconds(retry_after, now)
        pause = self._pauses.get(scope)
        if pause is None or pause.until <= now:
            self._pauses[scope] = _Pause(now, now, until, {connection}, now + _CERTAINLY_REPORTED_S)
        else:
            pause.last, pause.until = min(now, pause.first + _REPORTED_S), max(pause.until, until)
            pause.carriers.add(connection)

    def inside(self, scopes: list[tuple[str, ...]], now: float, connection: str = "") -> bool:
        """Whether a request that starts now breaks a pause of any of these scopes."""
        pauses = [pause for scope in scopes if (pause := self._pauses.get(scope))]
        broken = [self._breaks(pause, now, connection) for pause in pauses]  # each pause takes note
        return any(broken)

    @staticmethod
    def _breaks(pause: _Pause, now: float, connection: str) -> bool:
        if not pause.last + _REPORTED_S < now < pause.until - _ROUNDING_S:
            return False
        if connection in pause.carriers:
            pause.known = min(pause.known, now)
        return now >= pause.known


def _seconds(retry_after: str, now: float) -> float:
    try:
        return float(retry_after)
    except ValueError:
        return email.utils.parsedate_to_datetime(retry_after).timestamp() - now
