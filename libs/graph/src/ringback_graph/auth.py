"""Access tokens: one request per tenant at a time, refreshed in the background, with pauses after failures."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from ringback_common.backoff import Backoff
from ringback_common.clock import Clock
from ringback_common.errors import Throttled, Transient, UntrustedCertificate
from ringback_common.metrics import GRAPH_TOKENS

from ringback_graph.answers import AuthFailed
from ringback_graph.tenants import Tenant

__all__ = ["Granted", "TokenCache", "TokenSource"]

_REFRESH_AHEAD = 300.0
"""Seconds before its end at which a token is replaced; Microsoft's tokens live 60 to 90 minutes."""
_LEAST_USEFUL = 30.0
"""Seconds a token must still have: a request started with less could arrive too late.

Both are at most a half and a tenth of what the token had left when it came. A managed identity's token comes from the
machine's cache with any rest of life, and comes again: measured from its end alone it would be asked for without pause.
"""
_AGAIN = Backoff(5.0, 60.0)
"""Seconds between attempts after failures, doubling: a wrong secret must not hammer the authority.

If the authority itself says how long to wait, it is that long at least.
"""
_REJECTED_PAUSE = 60.0
"""Seconds in which a second 401 for a tenant asks for no further token."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A token and the seconds it lives."""

    token: str = field(repr=False)
    seconds: float


class TokenSource(Protocol):
    """Where tokens come from; blocking, called in a thread."""

    def acquire(self, tenant: Tenant) -> Granted | AuthFailed:
        """A new token, never one given before.

        Raises:
            Throttled: the authority asks to wait.
            Transient: it cannot be reached or is not well.
        """
        ...


@dataclass(slots=True, eq=False)
class _Entry:
    """One tenant's token, the request for it that is in flight, and its last failure."""

    tenant: Tenant
    token: str | None = field(default=None, repr=False)
    refresh_at: float = 0.0
    useful_until: float = 0.0
    flight: asyncio.Task[str | AuthFailed] | None = None
    failure: AuthFailed | Throttled | UntrustedCertificate | None = None
    failures: int = 0
    not_before: float = 0.0
    replaced: float | None = None


class TokenCache:
    """The tokens of every tenant of this process."""

    def __init__(self, source: TokenSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    async def get(self, tenant: Tenant) -> str | AuthFailed:
        """A token that is good for now.

        Raises:
            Throttled: the authority asks to wait, with the seconds that are left.
            Transient: it cannot be reached.
        """
        entry, now = self._entry(tenant), self._clock.monotonic()
        if entry.token is None or now >= entry.useful_until:
            return await self._fetch(entry, now)
        if now >= entry.refresh_at and entry.flight is None and now >= entry.not_before:
            self._start(entry)
        return entry.token

    async def replace(self, tenant: Tenant, rejected: str) -> str | AuthFailed:
        """A token other than the one that Graph has just answered 401; at most one new token a minute for a tenant."""
        entry, now = self._entry(tenant), self._clock.monotonic()
        if entry.token is not None and entry.token != rejected:
            return entry.token
        if entry.flight is None and entry.replaced is not None and now < entry.replaced + _REJECTED_PAUSE:
            return AuthFailed("token_rejected")
        entry.token, entry.replaced = None, now
        return await self._fetch(entry, now)

    async def close(self) -> None:
        """Stop what is in flight."""
        flights = [entry.flight for entry in self._entries.values() if entry.flight is not None]
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _entry(self, tenant: Tenant) -> _Entry:
        entry = self._entries.get(tenant.tenant_id)
        if entry is None or (entry.tenant is not tenant and entry.tenant != tenant):
            entry = self._entries[tenant.tenant_id] = _Entry(tenant)
        return entry

    async def _fetch(self, entry: _Entry, now: float) -> str | AuthFailed:
        if entry.flight is None and now < entry.not_before:
            return _as_before(entry, now)
        # Shielded: one waiter's cancellation must not take the token from the others.
        return await asyncio.shield(entry.flight or self._start(entry))

    def _start(self, entry: _Entry) -> asyncio.Task[str | AuthFailed]:
        entry.flight = asyncio.create_task(self._fly(entry))
        entry.flight.add_done_callback(_seen)
        return entry.flight

    async def _fly(self, entry: _Entry) -> str | AuthFailed:
        try:
            answer = await asyncio.to_thread(self._source.acquire, entry.tenant)
        except Transient as failure:
            self._failed(entry, failure if isinstance(failure, Throttled | UntrustedCertificate) else None)
            raise
        finally:
            entry.flight = None
        if isinstance(answer, AuthFailed):
            self._failed(entry, answer)
            return answer
        self._granted(entry, answer)
        return answer.token

    def _granted(self, entry: _Entry, answer: Granted) -> None:
        ends = self._clock.monotonic() + answer.seconds
        entry.token = answer.token
        entry.refresh_at = ends - min(_REFRESH_AHEAD, answer.seconds / 2)
        entry.useful_until = ends - min(_LEAST_USEFUL, answer.seconds / 10)
        entry.failure, entry.failures, entry.not_before = None, 0, 0.0
        GRAPH_TOKENS.labels("granted").inc()

    def _failed(self, entry: _Entry, failure: AuthFailed | Throttled | UntrustedCertificate | None) -> None:
        entry.failures += 1
        pause = _AGAIN.after(entry.failures)
        result = "refused" if isinstance(failure, AuthFailed) else "unreachable"
        if isinstance(failure, Throttled):
            result, pause = "throttled", max(pause, failure.retry_after)
        GRAPH_TOKENS.labels(result).inc()
        entry.failure = failure
        entry.not_before = self._clock.monotonic() + pause


def _as_before(entry: _Entry, now: float) -> AuthFailed:
    if isinstance(entry.failure, AuthFailed):
        return entry.failure
    if isinstance(entry.failure, Throttled):
        raise Throttled(entry.failure.scope, entry.not_before - now)
    if isinstance(entry.failure, UntrustedCertificate):
        raise UntrustedCertificate(*entry.failure.args)
    raise Transient("the authority could not be reached a moment ago")


def _seen(flight: asyncio.Task[str | AuthFailed]) -> None:
    """Mark the exception as retrieved: asyncio would log that of a background refresh, whose failure is counted."""
    if not flight.cancelled():
        flight.exception()
