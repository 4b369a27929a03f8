"""How much Graph may be asked: its limits, and this process' part of them (Graph's page of 2026-02-06)."""

from dataclasses import dataclass
from enum import Enum

from ringback_common.scopes import ScopeKind

from ringback_graph.availability.bucket import Quota

__all__ = ["APP_LIMIT", "LONGEST_WAIT_IN_PLACE", "QUOTAS", "WINDOW_SECONDS", "Role", "Shares"]

LONGEST_WAIT_IN_PLACE = 30.0
"""Seconds of Retry-After that a request waits out before it is sent; a longer one pauses the tenant."""
APP_LIMIT, WINDOW_SECONDS = 15_000, 20.0
"""The app's requests over all tenants, and the window of its and the tenants' limits."""
_LOG_WINDOW = 60.0
QUOTAS = {
    # 2 x 4 + 20 x 1.56 = 39.2 of 40. Not empty at first, or every call would wait half a second for its first request;
    # not more than 4, because a process that has just restarted may spend the first tokens a second time.
    ScopeKind.RECORD: Quota(rate=1.56, capacity=4.0, initial=4.0),
    ScopeKind.LIST: Quota.of(40, WINDOW_SECONDS),
    ScopeKind.LOG: Quota.of(50, _LOG_WINDOW),
}
"""Limits below the tenant's."""


class Role(Enum):
    """Which part of a tenant's budget a process has: of 1,500 the fetcher 1,440, the keeper 60."""

    FETCHER = 0.96
    KEEPER = 0.04


@dataclass(frozen=True, slots=True)
class Shares:
    """What part of Graph's limits this process may use."""

    tenant: float
    """Of each tenant's budget: 0.96 for the fetcher, 0.04 for the keeper."""
    app: float = 1.0
    """Of the app's limit over all tenants."""
