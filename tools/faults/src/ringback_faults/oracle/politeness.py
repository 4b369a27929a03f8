"""I8: never above Graph's limits, never inside a Retry-After. Pure.

The simulator says which requests broke a rule; the windows are counted here once more, so that a mistake of the
simulator's cannot hide one.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from ringback_faults.ledgers import Ledgers, Request

__all__ = ["impolite", "most_of_budget", "over_limits"]

_WINDOW = 20.0
_PER_RECORD, _PER_APP = 40, 15_000
"""Graph's: requests in 20 s per call record, per app over all tenants."""
_ROUTES = frozenset({"record", "versionCheck", "sessions", "participants", "list"})


def impolite(ledgers: Ledgers) -> Iterator[str]:
    """A sentence for each request the simulator saw inside a Retry-After or above a limit."""
    for request in ledgers.requests:
        if request.inside_retry_after:
            yield f"{request.route} of {request.call_id} at {request.at:.3f} inside a Retry-After"
        if request.over_budget is not None:
            yield f"{request.route} of {request.call_id} at {request.at:.3f} above the limit of {request.over_budget}"


def over_limits(ledgers: Ledgers) -> Iterator[str]:
    """A sentence for each scope whose sliding window ever held more than Graph allows."""
    asked = sorted((one for one in ledgers.requests if one.route in _ROUTES), key=lambda one: one.at)
    scopes: dict[tuple[str, str], list[float]] = {}
    for request in asked:
        for scope in _scopes(request):
            scopes.setdefault(scope, []).append(request.at)
    limits = {"tenant": ledgers.tenant_budget, "record": _PER_RECORD}
    for (kind, name), moments in scopes.items():
        most = _most(moments)
        if most > limits[kind]:
            yield f"{most} requests in {_WINDOW:.0f} s for {kind} {name}, {limits[kind]} are allowed"
    if (most := _most([one.at for one in asked])) > _PER_APP:
        yield f"{most} requests in {_WINDOW:.0f} s in all, {_PER_APP} are allowed"


def most_of_budget(tenant_id: str, since: float, until: float, ledgers: Ledgers) -> float:
    """The largest share of its budget that a tenant used in one window of that time: 1 if it was used up."""
    asked = (one for one in ledgers.requests if one.tenant_id == tenant_id and one.route in _ROUTES)
    return _most(sorted(one.at for one in asked if since <= one.at <= until)) / ledgers.tenant_budget


def _scopes(request: Request) -> Iterator[tuple[str, str]]:
    yield "tenant", request.tenant_id
    if request.call_id is not None:
        yield "record", f"{request.tenant_id}|{request.call_id}"


def _most(moments: Iterable[float]) -> int:
    window: deque[float] = deque()
    most = 0
    for moment in moments:
        window.append(moment)
        while window[0] <= moment - _WINDOW:
            window.popleft()
        most = max(most, len(window))
    return most
