"""Waiting for the rate limits: the shell around `FairQueue`."""

import asyncio
import math

from ringback_common.clock import Clock
from ringback_common.errors import Throttled
from ringback_common.metrics import GRAPH_BUDGET_WAIT, GRAPH_BUDGET_WAITING, GRAPH_THROTTLED
from ringback_common.scopes import APP, Scope

from ringback_graph.availability.fair_queue import FairQueue, Frozen, Priority, QuotaRequest
from ringback_graph.availability.limits import LONGEST_WAIT_IN_PLACE, Role, Shares
from ringback_graph.availability.scope_inference import ThrottleScopeInference

__all__ = ["RateLimiter"]

_FORGET_EVERY = 256
_WITHOUT_SHARE = 5.0
"""Seconds after which one that found no share of the app's limit asks for it again."""
_WAITED = {priority: GRAPH_BUDGET_WAIT.labels(priority.value) for priority in Priority}


class RateLimiter:
    """Lets requests pass one by one, in order and within every quota.

    Cancelling a waiter frees its place; a token it had just been given is not given back, for it is not known any more
    whether its moment was used.

    Args:
        role: which part of each tenant's limit this process has.
        app_share: which part of the app's limit it has at first; 0 where `grant` says so from time to time.
        clock: for all waits.
    """

    def __init__(self, role: Role, app_share: float, clock: Clock) -> None:
        self.clock = clock
        self._queue = FairQueue(Shares(tenant=role.value, app=app_share), clock.monotonic())
        self._inference = ThrottleScopeInference()
        self._futures: dict[QuotaRequest, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf
        self._passed = 0
        self._shareless_since: float | None = None

    async def acquire(self, ticket: QuotaRequest) -> None:
        """Wait until this request may be sent.

        Raises:
            Throttled: a scope is held by Retry-After for more than `LONGEST_WAIT_IN_PLACE`; or this process has had no
                share of the app's limit for so long: a visit that is to end must not wait until Kafka is back.
        """
        asked = self.clock.monotonic()
        if self._queue.try_acquire(ticket, asked):
            self._tidy(1, asked)
            _WAITED[ticket.priority].observe(0.0)
            return
        if (frozen := self._too_long(ticket, asked)) is not None:
            raise Throttled(frozen.scope, frozen.seconds)
        if self._without_share(asked) >= LONGEST_WAIT_IN_PLACE:
            raise Throttled(APP, _WITHOUT_SHARE)
        await self._wait(ticket, asked)
        _WAITED[ticket.priority].observe(self.clock.monotonic() - asked)

    def throttled(self, ticket: QuotaRequest, seconds: float) -> Throttled:
        """Hold the scope of a request that Graph answered with 429 for so many seconds.

        What waits for that scope goes on waiting, or fails if it would take more than `LONGEST_WAIT_IN_PLACE`.

        Returns:
            The exception to raise.
        """
        scope = self._inference.infer(ticket, seconds, self.clock.monotonic())
        GRAPH_THROTTLED.labels(scope.kind).inc()
        return self._hold(scope, seconds, ticket)

    def hold_tenant(self, ticket: QuotaRequest, seconds: float) -> Throttled:
        """Hold the whole tenant of a ticket, as `throttled` holds a scope."""
        return self._hold(Scope.tenant(ticket.tenant_id), seconds, ticket)

    def tenant_held_for(self, tenant_id: str) -> float:
        """Seconds for which Retry-After still holds a whole tenant; 0 if it does not."""
        return self._queue.tenant_frozen_for(tenant_id, self.clock.monotonic())

    def answered(self, ticket: QuotaRequest, sent: float) -> None:
        """Note that Graph answered this ticket's request, sent at that monotonic moment, with anything but 429."""
        self._inference.answered(ticket, sent)

    def grant(self, limit: int, until: float) -> None:
        """Let at most so many requests of all tenants pass in any 20 s, and none from that monotonic moment on."""
        self._queue.grant_app(limit, until, self.clock.monotonic())
        if self._futures:
            self._pump()

    def demand(self) -> int:
        """Requests in 20 s that this process asks of the app's limit."""
        return self._queue.demand(self.clock.monotonic())

    def waiting(self) -> int:
        """Requests that wait now."""
        return len(self._futures)

    def _hold(self, scope: Scope, seconds: float, ticket: QuotaRequest) -> Throttled:
        now = self.clock.monotonic()
        self._queue.freeze(scope, seconds, ticket, now)
        for waiting in list(self._queue.waiting()):
            if (frozen := self._too_long(waiting, now)) is not None:
                self._dismiss(waiting, frozen)
        self._pump()
        return Throttled(scope, seconds)

    def _too_long(self, ticket: QuotaRequest, now: float) -> Frozen | None:
        """The scope that holds a ticket for longer than a request waits in place, if one does."""
        frozen = self._queue.frozen(ticket, now)
        return frozen if frozen is not None and frozen.seconds > LONGEST_WAIT_IN_PLACE else None

    async def _wait(self, ticket: QuotaRequest, now: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._futures[ticket] = future
        self._queue.enqueue(ticket)
        self._consider(ticket, now)
        try:
            patience = LONGEST_WAIT_IN_PLACE - self._without_share(now)
            while not (await asyncio.wait((future,), timeout=patience))[0]:
                patience = LONGEST_WAIT_IN_PLACE - self._without_share(self.clock.monotonic())
                if patience <= 0:
                    raise Throttled(APP, _WITHOUT_SHARE)
            future.result()
        finally:
            self._futures.pop(ticket, None)
            self._queue.withdraw(ticket)

    def _without_share(self, now: float) -> float:
        """Seconds since a request first found no share of the app's limit; 0 while there is one."""
        if self._queue.has_share(now):
            self._shareless_since = None
            return 0.0
        if self._shareless_since is None:
            self._shareless_since = now
        return now - self._shareless_since

    def _dismiss(self, ticket: QuotaRequest, frozen: Frozen) -> None:
        self._queue.withdraw(ticket)
        future = self._futures.pop(ticket, None)
        if future is not None and not future.done():
            future.set_exception(Throttled(frozen.scope, frozen.seconds))

    def _consider(self, ticket: QuotaRequest, now: float) -> None:
        """Serve, or set the timer for, a ticket that has just been enqueued; the others' timer is set already."""
        pause = self._queue.pause(ticket, now)
        if pause <= 0:
            self._pump()
        elif now + pause < self._due:
            self._wake(pause, now)

    def _pump(self) -> None:
        now = self.clock.monotonic()
        granted, pause = self._queue.grant(now)
        for ticket in granted:
            future = self._futures.pop(ticket, None)
            if future is not None and not future.done():
                future.set_result(None)
        GRAPH_BUDGET_WAITING.set(len(self._futures))
        self._tidy(len(granted), now)
        self._wake(pause, now)

    def _wake(self, pause: float | None, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait = math.inf if pause is None else pause  # infinite, too, without a share: then `grant` ends it
        self._timer = asyncio.get_running_loop().call_later(wait, self._pump) if wait < math.inf else None
        self._due = now + wait

    def _tidy(self, granted: int, now: float) -> None:
        self._passed += granted
        if self._passed >= _FORGET_EVERY:
            self._passed = 0
            self._queue.forget(now)
