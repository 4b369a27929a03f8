"""Waiting for the budget: the shell around `Allotment`."""

import asyncio
import math
from enum import Enum

from ringback_common.clock import Clock
from ringback_common.errors import Throttled
from ringback_common.metrics import GRAPH_BUDGET_WAIT, GRAPH_BUDGET_WAITING, GRAPH_THROTTLED

from ringback_graph.budget.allotment import Allotment, Frozen, Priority, Shares, Ticket, tenant_scope
from ringback_graph.budget.suspicion import Suspicions

__all__ = ["LONGEST_FREEZE", "Budget", "Role"]

LONGEST_FREEZE = 30.0
"""Seconds of Retry-After that a request waits out in place; a longer one is for the caller, who pauses the tenant."""
_FORGET_EVERY = 256
_WAITED = {priority: GRAPH_BUDGET_WAIT.labels(priority.value) for priority in Priority}


class Role(Enum):
    """Which part of a tenant's budget a process has: of 1,500 the fetcher 1,440, the keeper 60."""

    FETCHER = 0.96
    KEEPER = 0.04


class Budget:
    """Lets requests pass one by one, in order and within every quota.

    Cancelling a waiter frees its place; a token it had just been given is not given back, for nobody knows any more
    whether its moment was used.
    """

    def __init__(self, role: Role, app_share: float, clock: Clock) -> None:
        self._clock = clock
        self._allotment = Allotment(Shares(tenant=role.value, app=app_share), clock.monotonic())
        self._suspicions = Suspicions()
        self._futures: dict[Ticket, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf
        self._passed = 0

    async def acquire(self, ticket: Ticket) -> None:
        """Wait until this request may be sent.

        Raises:
            Throttled: a scope is held by Retry-After for more than `LONGEST_FREEZE`.
        """
        asked = self._clock.monotonic()
        if self._allotment.pass_by(ticket, asked):
            self._tidy(1, asked)
            _WAITED[ticket.priority].observe(0.0)
            return
        _refuse(self._allotment.frozen(ticket, asked))
        await self._stand_in_line(ticket, asked)
        _WAITED[ticket.priority].observe(self._clock.monotonic() - asked)

    async def _stand_in_line(self, ticket: Ticket, now: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._futures[ticket] = future
        self._allotment.ask(ticket)
        self._consider(ticket, now)
        try:
            await future
        finally:
            self._futures.pop(ticket, None)
            self._allotment.withdraw(ticket)

    def throttled(self, ticket: Ticket, seconds: float) -> Throttled:
        """Graph answered this ticket's request with 429: hold the scope it speaks of and say so.

        Who waits for that scope goes on waiting, or is sent away if it would take more than `LONGEST_FREEZE`.
        """
        now = self._clock.monotonic()
        scope = self._suspicions.blame(ticket, seconds, now)
        GRAPH_THROTTLED.labels(scope.partition(":")[0]).inc()
        self._freeze(scope, seconds, ticket, now)
        return Throttled(scope, seconds)

    def held(self, ticket: Ticket, seconds: float) -> Throttled:
        """Graph told another process to wait: hold this ticket's tenant, whatever scope was meant, and say so."""
        scope = tenant_scope(ticket.tenant_id)
        self._freeze(scope, seconds, ticket, self._clock.monotonic())
        return Throttled(scope, seconds)

    def _freeze(self, scope: str, seconds: float, ticket: Ticket, now: float) -> None:
        self._allotment.freeze(scope, seconds, ticket, now)
        for waiting in list(self._allotment.waiting()):
            frozen = self._allotment.frozen(waiting, now)
            if frozen is not None and frozen.seconds > LONGEST_FREEZE:
                self._dismiss(waiting, frozen)
        self._pump()

    def answered(self, ticket: Ticket, sent: float) -> None:
        """Graph answered this ticket's request, sent at that monotonic moment, with anything but 429."""
        self._suspicions.answered(ticket, sent)

    def waiting(self) -> int:
        """Requests that wait now."""
        return len(self._futures)

    def _dismiss(self, ticket: Ticket, frozen: Frozen) -> None:
        self._allotment.withdraw(ticket)
        future = self._futures.pop(ticket, None)
        if future is not None and not future.done():
            future.set_exception(Throttled(frozen.scope, frozen.seconds))

    def _consider(self, ticket: Ticket, now: float) -> None:
        """Somebody has come: who stood there before still waits for the timer, so this ticket alone decides."""
        pause = self._allotment.pause(ticket, now)
        if pause <= 0:
            self._pump()
        elif now + pause < self._due:
            self._wake(pause, now)

    def _pump(self) -> None:
        now = self._clock.monotonic()
        granted, pause = self._allotment.grant(now)
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
        loop = asyncio.get_running_loop()
        self._timer = None if pause is None else loop.call_later(pause, self._pump)
        self._due = math.inf if pause is None else now + pause

    def _tidy(self, granted: int, now: float) -> None:
        self._passed += granted
        if self._passed >= _FORGET_EVERY:
            self._passed = 0
            self._allotment.forget(now)


def _refuse(frozen: Frozen | None) -> None:
    if frozen is not None and frozen.seconds > LONGEST_FREEZE:
        raise Throttled(frozen.scope, frozen.seconds)
