"""Who may send the next request: every scope's bucket, live before bulk, tenants in turn. Pure: no clock."""

import math
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from ringback_common.scopes import APP, Scope

from ringback_graph.availability.bucket import NOTHING, Bucket, Quota
from ringback_graph.availability.demand import Demand
from ringback_graph.availability.limits import APP_LIMIT, QUOTAS, WINDOW_SECONDS, Shares

__all__ = ["FairQueue", "Frozen", "Priority", "QuotaRequest"]

_BULK_EVERY = 10
"""While both wait, every tenth request is bulk's."""
_MOST_NARROW = 4096


class Priority(Enum):
    """Which lane a request serves."""

    LIVE = "live"
    BULK = "bulk"


@dataclass(frozen=True, slots=True, eq=False)
class QuotaRequest:
    """The wish to send one request."""

    tenant_id: str
    tenant_limit: int
    """The tenant's budget, requests in 20 s, before this process' share is taken."""
    priority: Priority
    narrow: Scope | None = None
    """A scope below the tenant: one of its records, its LIST or one of its logs."""


class Frozen(NamedTuple):
    """A scope that Retry-After holds, and for how long still."""

    scope: Scope
    seconds: float


@dataclass(slots=True)
class _Waiting:
    """The tickets of one tenant that are not granted yet, in the order they came."""

    live: deque[QuotaRequest] = field(default_factory=deque[QuotaRequest])
    bulk: deque[QuotaRequest] = field(default_factory=deque[QuotaRequest])

    def lane(self, priority: Priority) -> deque[QuotaRequest]:
        return self.live if priority is Priority.LIVE else self.bulk

    def empty(self) -> bool:
        return not self.live and not self.bulk


@dataclass(slots=True)
class _Starvation:
    """Counts the live grants since bulk, which waited, was granted last."""

    passed_over: int = 0

    def order(self) -> tuple[Priority, Priority]:
        bulk_first = self.passed_over >= _BULK_EVERY - 1
        return (Priority.BULK, Priority.LIVE) if bulk_first else (Priority.LIVE, Priority.BULK)

    def granted(self, priority: Priority, *, bulk_waits: bool) -> None:
        if priority is Priority.BULK:
            self.passed_over = 0
        elif bulk_waits:
            self.passed_over += 1


class FairQueue:
    """Grants tickets so that no scope ever exceeds its quota in any window.

    A ticket takes one token of each of its scopes (app, tenant and, if it has one, the narrow one) at one moment, right
    before its request is sent: a token taken early would let requests pile up and leave together.
    """

    def __init__(self, shares: Shares, now: float) -> None:
        self._shares = shares
        self._app = Bucket(Quota.of(APP_LIMIT * shares.app, WINDOW_SECONDS) if shares.app else NOTHING, now)
        self._demand = Demand()
        self._tenants: dict[str, Bucket] = {}
        self._limits: dict[str, int] = {}
        self._narrow: OrderedDict[Scope, Bucket] = OrderedDict()
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._turns: dict[str, _Starvation] = {}
        self._turn = _Starvation()

    def grant_app(self, limit: int, until: float, now: float) -> None:
        """Let so many requests of all tenants pass in any window from now on, and none from `until` on."""
        self._app.grant(limit, WINDOW_SECONDS, until, now)

    def has_share(self, now: float) -> bool:
        """Whether this process has any share of the app's limit."""
        return self._app.wait(now) < math.inf

    def demand(self, now: float) -> int:
        """Requests in a window that this process asks of the app's limit."""
        for queue in self._waiting.values():
            self._note_waiting(queue.live[0] if queue.live else queue.bulk[0], now)
        return self._demand.total({each: limit * self._shares.tenant for each, limit in self._limits.items()}, now)

    def try_acquire(self, ticket: QuotaRequest, now: float) -> bool:
        """Take the tokens for a request if it may be sent at once: no other waits, and every scope has a token."""
        if self._waiting or self.pause(ticket, now) > 0:
            self._note_waiting(ticket, now)
            return False
        self._use(ticket, now)
        for turn in (self._turn, self._turns.setdefault(ticket.tenant_id, _Starvation())):
            turn.granted(ticket.priority, bulk_waits=False)
        return True

    def pause(self, ticket: QuotaRequest, now: float) -> float:
        """Seconds until this request could be sent if it were alone; not above 0 means now."""
        return max(bucket.wait(now) for _, bucket in self._buckets(ticket, now))

    def enqueue(self, ticket: QuotaRequest) -> None:
        """Put a ticket at the end of its tenant's queue."""
        self._waiting.setdefault(ticket.tenant_id, _Waiting()).lane(ticket.priority).append(ticket)

    def withdraw(self, ticket: QuotaRequest) -> None:
        """Take a ticket out of its queue; nothing happens if it is no longer in it."""
        queue = self._waiting.get(ticket.tenant_id)
        if queue is not None and ticket in queue.lane(ticket.priority):
            queue.lane(ticket.priority).remove(ticket)
            self._tidy(ticket.tenant_id, queue)

    def waiting(self) -> Iterator[QuotaRequest]:
        """Every ticket that is not granted yet."""
        for queue in self._waiting.values():
            yield from queue.live
            yield from queue.bulk

    def grant(self, now: float) -> tuple[list[QuotaRequest], float | None]:
        """The tickets whose requests may be sent now, and the seconds until the next may; None if none waits."""
        granted: list[QuotaRequest] = []
        while self._app.wait(now) <= 0 and (ticket := self._next(now)) is not None:
            self._take(ticket, now)
            granted.append(ticket)
        return granted, self._shortest_pause(now) if self._waiting else None

    def freeze(self, scope: Scope, seconds: float, ticket: QuotaRequest, now: float) -> None:
        """Hold one of a ticket's scopes, as Graph asked."""
        for name, bucket in self._buckets(ticket, now):
            if name == scope:
                bucket.freeze(seconds, now)

    def frozen(self, ticket: QuotaRequest, now: float) -> Frozen | None:
        """The scope of a ticket that Retry-After holds longest, if one does."""
        held = [(bucket.frozen_for(now), name) for name, bucket in self._buckets(ticket, now)]
        seconds, scope = max(held, key=itemgetter(0))
        return Frozen(scope, seconds) if seconds > 0 else None

    def tenant_frozen_for(self, tenant_id: str, now: float) -> float:
        """Seconds for which Retry-After still holds a whole tenant; 0 if it does not."""
        bucket = self._tenants.get(tenant_id)
        return 0.0 if bucket is None else bucket.frozen_for(now)

    def forget(self, now: float) -> None:
        """Drop the buckets of records that are as full as new ones: what bounds the memory."""
        for scope in [name for name, bucket in self._narrow.items() if bucket.idle(now)]:
            del self._narrow[scope]

    def __len__(self) -> int:
        """Scopes below the tenants that are remembered."""
        return len(self._narrow)

    def _next(self, now: float) -> QuotaRequest | None:
        """The first ticket, tenants in turn, that all its scopes let pass."""
        for priority in self._turn.order():
            pick = self._first(priority, now)
            if pick is not None:
                self._turn.granted(priority, bulk_waits=any(queue.bulk for queue in self._waiting.values()))
                return pick
        return None

    def _first(self, priority: Priority, now: float) -> QuotaRequest | None:
        for tenant_id, queue in self._waiting.items():
            pick = self._pick(tenant_id, queue, now)
            if pick is not None and pick.priority is priority:
                return pick
        return None

    def _pick(self, tenant_id: str, queue: _Waiting, now: float) -> QuotaRequest | None:
        """The ticket a tenant would send next; one that only its record holds back does not hold back the others."""
        for priority in self._turns.setdefault(tenant_id, _Starvation()).order():
            for ticket in queue.lane(priority):
                if self._tenant(ticket, now).wait(now) > 0:
                    return None
                if ticket.narrow is None or self._bucket(ticket.narrow, now).wait(now) <= 0:
                    return ticket
        return None

    def _use(self, ticket: QuotaRequest, now: float) -> None:
        for _, bucket in self._buckets(ticket, now):
            bucket.take()
        self._demand.used(ticket.tenant_id, now)

    def _note_waiting(self, ticket: QuotaRequest, now: float) -> None:
        """A tenant asks for more unless only Retry-After or a scope below it holds its request back."""
        tenant = self._tenant(ticket, now)
        held = tenant.frozen_for(now) > 0 or self._app.frozen_for(now) > 0
        if not held and (self._app.wait(now) > 0 or tenant.wait(now) > 0):
            self._demand.waited(ticket.tenant_id, now)

    def _take(self, ticket: QuotaRequest, now: float) -> None:
        self._use(ticket, now)
        queue = self._waiting[ticket.tenant_id]
        queue.lane(ticket.priority).remove(ticket)
        self._turns[ticket.tenant_id].granted(ticket.priority, bulk_waits=bool(queue.bulk))
        self._waiting.move_to_end(ticket.tenant_id)
        self._tidy(ticket.tenant_id, queue)

    def _shortest_pause(self, now: float) -> float:
        """Seconds until the next request of any tenant may be sent.

        It runs over all queues at each grant, so it looks no further into one than it must.
        """
        app, shortest = self._app.wait(now), math.inf
        for queue in self._waiting.values():
            first = queue.live[0] if queue.live else queue.bulk[0]
            least = max(app, self._tenant(first, now).wait(now))
            if least < shortest:
                shortest = min(shortest, self._queue_pause(queue, least, now))
        return shortest

    def _queue_pause(self, queue: _Waiting, least: float, now: float) -> float:
        """The same for one tenant; its own pause ends the search, no ticket can beat it."""
        shortest = math.inf
        for ticket in chain(queue.live, queue.bulk):
            narrow = self._bucket(ticket.narrow, now).wait(now) if ticket.narrow is not None else 0.0
            if narrow <= least:
                return least
            shortest = min(shortest, narrow)
        return shortest

    def _buckets(self, ticket: QuotaRequest, now: float) -> Iterator[tuple[Scope, Bucket]]:
        yield APP, self._app
        yield Scope.tenant(ticket.tenant_id), self._tenant(ticket, now)
        if ticket.narrow is not None:
            yield ticket.narrow, self._bucket(ticket.narrow, now)

    def _tenant(self, ticket: QuotaRequest, now: float) -> Bucket:
        bucket = self._tenants.get(ticket.tenant_id)
        if bucket is None:
            bucket = self._tenants[ticket.tenant_id] = Bucket(self._tenant_quota(ticket), now)
        elif self._limits[ticket.tenant_id] != ticket.tenant_limit:
            bucket.quota = self._tenant_quota(ticket)
        return bucket

    def _tenant_quota(self, ticket: QuotaRequest) -> Quota:
        self._limits[ticket.tenant_id] = ticket.tenant_limit
        return Quota.of(ticket.tenant_limit * self._shares.tenant, WINDOW_SECONDS)

    def _bucket(self, scope: Scope, now: float) -> Bucket:
        bucket = self._narrow.get(scope)
        if bucket is None:
            if len(self._narrow) >= _MOST_NARROW:
                self.forget(now)
            bucket = self._narrow[scope] = Bucket(QUOTAS[scope.kind], now)
        return bucket

    def _tidy(self, tenant_id: str, queue: _Waiting) -> None:
        if queue.empty():
            del self._waiting[tenant_id]
