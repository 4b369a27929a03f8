"""Who may send the next request: every scope's bucket, live before bulk, tenants in turn. Pure: no clock."""

import math
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain
from operator import itemgetter

from ringback_graph.budget.bucket import Bucket, Quota

__all__ = ["WINDOW_SECONDS", "Allotment", "Frozen", "Priority", "Shares", "Ticket", "record_scope", "tenant_scope"]

APP = "app"
_APP_LIMIT, WINDOW_SECONDS = 15_000, 20.0
"""The window of a tenant's and the app's limits."""
_LOG_WINDOW = 60.0
_QUOTAS = {
    # 2 x 4 + 20 x 1.56 = 39.2 of 40. Not empty at first, or every call would wait half a second for its first request;
    # not more than 4, because a process that has just restarted may spend the first tokens a second time.
    "record": Quota(rate=1.56, capacity=4.0, initial=4.0),
    "list": Quota.of(40, WINDOW_SECONDS),
    "log": Quota.of(50, _LOG_WINDOW),
}
"""Limits below the tenant's, by the first word of their scope (Graph's throttling limits, page of 2026-02-06)."""
_BULK_EVERY = 10
"""While both wait, every tenth request is bulk's."""
_MOST_NARROW = 4096


class Priority(Enum):
    """Which lane a request serves."""

    LIVE = "live"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class Shares:
    """What part of Graph's limits this process may use."""

    tenant: float
    """Of each tenant's budget: 0.96 for the fetcher, 0.04 for the keeper."""
    app: float = 1.0
    """Of the app's limit over all tenants."""


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """The wish to send one request."""

    tenant_id: str
    tenant_limit: int
    """The tenant's budget, requests in 20 s, before this process' share is taken."""
    priority: Priority
    narrow: str | None = None
    """A scope below the tenant: `record:<tenant>|<call>`, `list:<tenant>` or `log:<tenant>|<function>`."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A scope that Retry-After holds."""

    scope: str
    seconds: float


def record_scope(tenant_id: str, call_id: str) -> str:
    """The scope of one call record."""
    return f"record:{tenant_id}|{call_id}"


def tenant_scope(tenant_id: str) -> str:
    """The scope of a tenant."""
    return f"tenant:{tenant_id}"


@dataclass(slots=True)
class _Line:
    """The tickets of one tenant."""

    live: deque[Ticket] = field(default_factory=deque[Ticket])
    bulk: deque[Ticket] = field(default_factory=deque[Ticket])

    def lane(self, priority: Priority) -> deque[Ticket]:
        return self.live if priority is Priority.LIVE else self.bulk

    def empty(self) -> bool:
        return not self.live and not self.bulk


@dataclass(slots=True)
class _Turn:
    """Counts live grants for which bulk had to stand back."""

    stood_back: int = 0

    def order(self) -> tuple[Priority, Priority]:
        bulk_first = self.stood_back >= _BULK_EVERY - 1
        return (Priority.BULK, Priority.LIVE) if bulk_first else (Priority.LIVE, Priority.BULK)

    def granted(self, priority: Priority, *, bulk_waits: bool) -> None:
        if priority is Priority.BULK:
            self.stood_back = 0
        elif bulk_waits:
            self.stood_back += 1


class Allotment:
    """Grants tickets so that no scope ever exceeds its quota in any window.

    A ticket takes one token of each of its scopes (app, tenant and, if it has one, the narrow one) at one moment, right
    before its request is sent: a token taken early would let requests pile up and leave together.
    """

    def __init__(self, shares: Shares, now: float) -> None:
        self._shares = shares
        self._app = Bucket(Quota.of(_APP_LIMIT * shares.app, WINDOW_SECONDS), now)
        self._tenants: dict[str, Bucket] = {}
        self._limits: dict[str, int] = {}
        self._narrow: OrderedDict[str, Bucket] = OrderedDict()
        self._lines: OrderedDict[str, _Line] = OrderedDict()
        self._turns: dict[str, _Turn] = {}
        self._turn = _Turn()

    def pass_by(self, ticket: Ticket, now: float) -> bool:
        """Whether the request may be sent at once: nobody stands in any line, and every scope lets it pass."""
        if self._lines:
            return False
        if self.pause(ticket, now) > 0:
            return False
        for _, bucket in self._buckets(ticket, now):
            bucket.take()
        for turn in (self._turn, self._turns.setdefault(ticket.tenant_id, _Turn())):
            turn.granted(ticket.priority, bulk_waits=False)
        return True

    def pause(self, ticket: Ticket, now: float) -> float:
        """Seconds until this request could be sent if it were alone; not above 0 means now."""
        return max(bucket.wait(now) for _, bucket in self._buckets(ticket, now))

    def ask(self, ticket: Ticket) -> None:
        """Put a ticket at the end of its tenant's line."""
        self._lines.setdefault(ticket.tenant_id, _Line()).lane(ticket.priority).append(ticket)

    def withdraw(self, ticket: Ticket) -> None:
        """Take a ticket out of its line; nothing happens if it stands there no more."""
        line = self._lines.get(ticket.tenant_id)
        if line is not None and ticket in line.lane(ticket.priority):
            line.lane(ticket.priority).remove(ticket)
            self._tidy(ticket.tenant_id, line)

    def waiting(self) -> Iterator[Ticket]:
        """Every ticket that stands in a line."""
        for line in self._lines.values():
            yield from line.live
            yield from line.bulk

    def grant(self, now: float) -> tuple[list[Ticket], float | None]:
        """The tickets whose requests may be sent now, and the seconds until the next may; None if nobody waits."""
        granted: list[Ticket] = []
        while self._app.wait(now) <= 0 and (ticket := self._next(now)) is not None:
            self._take(ticket, now)
            granted.append(ticket)
        return granted, self._shortest_pause(now) if self._lines else None

    def freeze(self, scope: str, seconds: float, ticket: Ticket, now: float) -> None:
        """Hold one of a ticket's scopes, as Graph asked."""
        for name, bucket in self._buckets(ticket, now):
            if name == scope:
                bucket.freeze(seconds, now)

    def frozen(self, ticket: Ticket, now: float) -> Frozen | None:
        """The scope of a ticket that Retry-After holds longest, if one does."""
        held = [(bucket.frozen_for(now), name) for name, bucket in self._buckets(ticket, now)]
        seconds, scope = max(held, key=itemgetter(0))
        return Frozen(scope, seconds) if seconds > 0 else None

    def forget(self, now: float) -> None:
        """Drop the buckets of records that are as full as new ones: what bounds the memory."""
        for scope in [name for name, bucket in self._narrow.items() if bucket.idle(now)]:
            del self._narrow[scope]

    def __len__(self) -> int:
        """Scopes below the tenants that are remembered."""
        return len(self._narrow)

    def _next(self, now: float) -> Ticket | None:
        """The first ticket, tenants in turn, that all its scopes let pass."""
        for priority in self._turn.order():
            pick = self._first(priority, now)
            if pick is not None:
                self._turn.granted(priority, bulk_waits=any(line.bulk for line in self._lines.values()))
                return pick
        return None

    def _first(self, priority: Priority, now: float) -> Ticket | None:
        for tenant_id, line in self._lines.items():
            pick = self._pick(tenant_id, line, now)
            if pick is not None and pick.priority is priority:
                return pick
        return None

    def _pick(self, tenant_id: str, line: _Line, now: float) -> Ticket | None:
        """The ticket a tenant would send next; one that only its record holds back does not hold back the others."""
        for priority in self._turns.setdefault(tenant_id, _Turn()).order():
            for ticket in line.lane(priority):
                if self._tenant(ticket, now).wait(now) > 0:
                    return None
                if ticket.narrow is None or self._bucket(ticket.narrow, now).wait(now) <= 0:
                    return ticket
        return None

    def _take(self, ticket: Ticket, now: float) -> None:
        for _, bucket in self._buckets(ticket, now):
            bucket.take()
        line = self._lines[ticket.tenant_id]
        line.lane(ticket.priority).remove(ticket)
        self._turns[ticket.tenant_id].granted(ticket.priority, bulk_waits=bool(line.bulk))
        self._lines.move_to_end(ticket.tenant_id)
        self._tidy(ticket.tenant_id, line)

    def _shortest_pause(self, now: float) -> float:
        """Seconds until somebody may send something.

        It runs over all lines at each grant, so it looks no further into one than it must.
        """
        app, shortest = self._app.wait(now), math.inf
        for line in self._lines.values():
            first = line.live[0] if line.live else line.bulk[0]
            least = max(app, self._tenant(first, now).wait(now))
            if least < shortest:
                shortest = min(shortest, self._line_pause(line, least, now))
        return shortest

    def _line_pause(self, line: _Line, least: float, now: float) -> float:
        """The same for one tenant; its own pause ends the search, no ticket can beat it."""
        shortest = math.inf
        for ticket in chain(line.live, line.bulk):
            narrow = self._bucket(ticket.narrow, now).wait(now) if ticket.narrow is not None else 0.0
            if narrow <= least:
                return least
            shortest = min(shortest, narrow)
        return shortest

    def _buckets(self, ticket: Ticket, now: float) -> Iterator[tuple[str, Bucket]]:
        yield APP, self._app
        yield tenant_scope(ticket.tenant_id), self._tenant(ticket, now)
        if ticket.narrow is not None:
            yield ticket.narrow, self._bucket(ticket.narrow, now)

    def _tenant(self, ticket: Ticket, now: float) -> Bucket:
        bucket = self._tenants.get(ticket.tenant_id)
        if bucket is None:
            bucket = self._tenants[ticket.tenant_id] = Bucket(self._tenant_quota(ticket), now)
        elif self._limits[ticket.tenant_id] != ticket.tenant_limit:
            bucket.quota = self._tenant_quota(ticket)
        return bucket

    def _tenant_quota(self, ticket: Ticket) -> Quota:
        self._limits[ticket.tenant_id] = ticket.tenant_limit
        return Quota.of(ticket.tenant_limit * self._shares.tenant, WINDOW_SECONDS)

    def _bucket(self, scope: str, now: float) -> Bucket:
        bucket = self._narrow.get(scope)
        if bucket is None:
            if len(self._narrow) >= _MOST_NARROW:
                self.forget(now)
            bucket = self._narrow[scope] = Bucket(_QUOTAS[scope.partition(":")[0]], now)
        return bucket

    def _tidy(self, tenant_id: str, line: _Line) -> None:
        if line.empty():
            del self._lines[tenant_id]
