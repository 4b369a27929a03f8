"""Faults on demand: what goes wrong, where, how often."""

import email.utils
import itertools
import random
from dataclasses import dataclass, field
from typing import Any

from ringback_graph_simulator.calls import canonical_id

__all__ = ["EFFECTS", "ROUTES", "Fault", "Faults"]

EFFECTS = frozenset(
    {
        "status",
        "delay",
        "hang",
        "throttle",
        "htmlPage",
        "malformed",
        "wrongShape",
        "halfPair",
        "truncated",
        "foreignNextLink",
        "sampleNextLink",
        "noSessions",
        "versionRise",
        "staleVersion",
        "redirect",
        "oversize",
    }
)
ROUTES = frozenset(
    {"token", "subscriptions", "record", "versionCheck", "sessions", "participants", "list", "records", "any"}
)
_RECORD_ROUTES = frozenset({"record", "versionCheck", "sessions", "participants", "list"})


@dataclass(slots=True)
class Fault:
    """One planned fault; a member that is None matches everything.

    Attributes:
        page: 1 is the first response that carries children of a kind; None is every one.
        seconds: how long a delay lasts, real time.
        left: how often it still happens; None is without end.
        until: seconds since the epoch after which it is over.
        notify: tell subscribers of the version that a versionRise makes.
        as_date: whether Retry-After is written as an HTTP date instead of seconds.
        headers: further headers of a refusal, e.g. a claims challenge.
        hold: seconds the answer is kept back once it has been made; it may be stale when it arrives.
    """

    id: str
    effect: str
    route: str = "any"
    tenant_id: str | None = None
    call_id: str | None = None
    page: int | None = None
    status: int = 503
    code: str = "ServiceUnavailable"
    retry_after: str | None = None
    seconds: float = 2.0
    left: int | None = None
    until: float | None = None
    probability: float = 1.0
    notify: bool = False
    as_date: bool = False
    headers: dict[str, str] = field(default_factory=dict[str, str])
    hold: float = 0.0
    fired: int = 0

    def view(self) -> dict[str, Any]:
        """As the control API shows it."""
        return {
            "id": self.id, "effect": self.effect, "route": self.route, "tenantId": self.tenant_id,
            "callId": self.call_id, "page": self.page, "left": self.left, "fired": self.fired,
        }  # fmt: skip

    def retry_after_at(self, now: float) -> str | None:
        """The value of Retry-After in an answer that leaves now."""
        if self.retry_after is None or not self.as_date:
            return self.retry_after
        return email.utils.formatdate(now + float(self.retry_after), usegmt=True)

    def covers(self, route: str, tenant_id: str | None, call_id: str | None, page: int) -> bool:
        """Whether a request lies in this fault's scope."""
        return (
            (self.route in {"any", route} or (self.route == "records" and route in _RECORD_ROUTES))
            and self.tenant_id in {None, tenant_id}
            and self.call_id in {None, call_id}
            and self.page in {None, page}
        )


@dataclass(slots=True)
class Faults:
    """The faults that are planned, oldest first; the first that covers a request decides."""

    seed: int
    _planned: dict[str, Fault] = field(default_factory=dict[str, Fault])
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._rng = random.Random(f"{self.seed}/faults")

    def plan(self, body: dict[str, Any], now: float) -> Fault:
        """Add a fault in the control API's shape. Raises ValueError."""
        effect, route = body.get("effect"), body.get("route", "any")
        if effect not in EFFECTS or route not in ROUTES:
            raise ValueError(f"effect is one of {sorted(EFFECTS)}, route one of {sorted(ROUTES)}")
        throttled, after = effect == "throttle", body.get("retryAfter", 3 if effect == "throttle" else None)
        duration = body.get("durationSeconds")
        fault = Fault(
            id=f"f{next(self._numbers)}",
            effect=effect,
            route=route,
            tenant_id=_lower(body.get("tenantId")),
            call_id=None if body.get("callId") is None else canonical_id(str(body["callId"])),
            page=body.get("page"),
            status=429 if throttled else int(body.get("status", 503)),
            code=str(body.get("code", "TooManyRequests" if throttled else "ServiceUnavailable")),
            retry_after=None if after is None else str(after),
            seconds=float(body.get("seconds", 2)),
            left=body.get("count"),
            until=None if duration is None else now + float(duration),
            probability=float(body.get("probability", 1)),
            notify=bool(body.get("notify", False)),
            as_date=bool(body.get("retryAfterAsDate", False)),
            headers={str(name): str(value) for name, value in dict(body.get("headers", {})).items()},
            hold=float(body.get("holdSeconds", 0)),
        )
        self._planned[fault.id] = fault
        return fault

    def draw(self, route: str, tenant_id: str | None, call_id: str | None, page: int, now: float) -> Fault | None:
        """The fault that strikes this request, counted; or None."""
        for fault in self._planned.values():
            if not fault.covers(route, tenant_id, call_id, page) or not self._live(fault, now):
                continue
            if self._rng.random() < fault.probability:
                fault.fired += 1
                fault.left = None if fault.left is None else fault.left - 1
                return fault
        return None

    @staticmethod
    def _live(fault: Fault, now: float) -> bool:
        return (fault.left is None or fault.left > 0) and (fault.until is None or now < fault.until)

    def remove(self, fault_id: str | None = None) -> bool:
        """Take out one fault, or all; False if there is no such fault."""
        if fault_id is None:
            self._planned.clear()
            return True
        return self._planned.pop(fault_id, None) is not None

    def views(self) -> list[dict[str, Any]]:
        """All faults as the control API shows them."""
        return [fault.view() for fault in self._planned.values()]


def _lower(value: Any) -> str | None:
    return None if value is None else str(value).lower()
