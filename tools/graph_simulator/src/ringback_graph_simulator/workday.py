"""A seeded working day: calls of several tenants end one after the other, with all that must really occur in it."""

import random
from dataclasses import dataclass, field
from typing import Any

from ringback_graph_simulator.call_requests import CallRequests
from ringback_graph_simulator.calls import Call
from ringback_graph_simulator.faults import Faults
from ringback_graph_simulator.hours import working_moment
from ringback_graph_simulator.people import guid
from ringback_graph_simulator.plans import SHAPES, plan_call

__all__ = ["Workday", "WorkdayOrder"]

_WEIGHTS: dict[str, float] = {
    "peerToPeer": 50, "smallMeeting": 27, "pstn": 8, "guest": 5, "queue": 4, "meeting": 3, "failed": 3,
}  # fmt: skip
_SPECIALS = ("largeMeeting", "webinar", "queue", "guest", "failed", "pstn")
_NOT_FOUND_S, _CAUGHT_UP_S = 90.0, 3600.0
"""When a call appears that is not found at first; and when the last replica knows it."""
_STORM_ANSWERS, _STORM_RETRY_AFTER_S = 12, 2
_OLD_SHARE, _THIRD_VERSION_SHARE = 0.03, 0.25


@dataclass(frozen=True, slots=True)
class WorkdayOrder:
    """What was ordered; see `POST /control/workday`. `duration` is real seconds, `late_after` Graph seconds.

    Attributes:
        days: working days over which the calls have ended, five at most; 0: each ends when it is notified.
        trouble: share of the people with a bad connection in a call, see `Plan`.
    """

    tenants: tuple[str, ...]
    seed: int
    calls: int = 5_000
    duration: float = 60.0
    shapes: dict[str, float] = field(default_factory=lambda: dict(_WEIGHTS))
    late_share: float = 0.3
    late_after: float = 600.0
    not_found_share: float = 0.02
    duplicates: float = 0.02
    planted_drops: int = 5
    storm: bool = True
    specials: bool = True
    mark: bool = True
    days: int = 0
    trouble: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.days <= 5:
            raise ValueError("days must be 0 to 5")
        if self.trouble is not None and not 0 <= self.trouble <= 1:
            raise ValueError("troubleShare must be 0 to 1")

    @classmethod
    def of(cls, body: dict[str, Any], seed: int) -> "WorkdayOrder":
        """From the control API's shape. Raises KeyError or ValueError."""
        shapes = {str(name): float(weight) for name, weight in (body.get("shapes") or _WEIGHTS).items()}
        if unknown := shapes.keys() - SHAPES.keys():
            raise ValueError(f"no such shape: {min(unknown)}")
        if not body["tenants"]:
            raise ValueError("tenants must not be empty")
        return cls(
            tenants=tuple(str(tenant).lower() for tenant in body["tenants"]),
            seed=int(body.get("seed", seed)),
            calls=int(body.get("calls", 5_000)),
            duration=float(body.get("durationSeconds", 60)),
            shapes=shapes,
            late_share=float(body.get("lateVersionShare", 0.3)),
            late_after=float(body.get("lateVersionAfterSeconds", 600)),
            not_found_share=float(body.get("notFoundFirstShare", 0.02)),
            duplicates=float(body.get("duplicates", 0.02)),
            planted_drops=int(body.get("plantedDrops", 5)),
            storm=bool(body.get("throttleStorm", True)),
            specials=bool(body.get("specials", True)),
            mark=bool(body.get("versionMark", True)),
            days=int(body.get("days", 0)),
            trouble=None if body.get("troubleShare") is None else float(body["troubleShare"]),
        )


class Workday:
    """Carries one order out, call by call."""

    def __init__(self, order: WorkdayOrder, requests: CallRequests, faults: Faults) -> None:
        self.order = order
        self.started = 0
        self.stopped = False
        self._requests = requests
        self._faults = faults
        self._begun = requests.world.clock.now()
        self._rng = random.Random(f"{order.seed}/workday")
        self._forged = self._spread(order.planted_drops)

    def begin(self) -> None:
        """Start; the first call ends at once."""
        self._requests.timetable.at(self._begun, self._step)

    @property
    def running(self) -> bool:
        """Calls are still to come."""
        return not self.stopped and self.started < self.order.calls

    def _spread(self, count: int) -> frozenset[int]:
        return frozenset((number + 1) * self.order.calls // (count + 1) for number in range(count))

    def _step(self) -> None:
        if not self.running:
            return
        self._call(self.started)
        if self.started in self._forged:
            self._forge(self.started)
        if self.order.storm and self.started == self.order.calls * 2 // 5:
            self._storm()
        self.started += 1
        due = self._begun + self.order.duration * self.started / self.order.calls
        self._requests.timetable.at(due, self._step)

    def _call(self, index: int) -> None:
        rng = random.Random(f"{self.order.seed}/call/{index}")
        shape, special = self._shape(index, rng)
        tenant_id = self.order.tenants[index % len(self.order.tenants)]
        hidden = index == self._at(0.3) if special else rng.random() < self.order.not_found_share
        old = rng.random() < _OLD_SHARE or (self.order.specials and index == self._at(0.15))
        call = self._add(tenant_id, index, shape, old=old, hidden=hidden)
        if hidden:
            self._lag(call)
        if shape in {"largeMeeting", "webinar"}:
            self._requests.world.plant(call, shape)
        self._requests.announcer.changed(call)
        if rng.random() < self.order.late_share or (special and index == self._at(0.05)):
            self._late(call, rng)

    def _lag(self, call: Call) -> None:
        clock = self._requests.world.clock
        call.absences = 1
        self._requests.timetable.at(clock.now() + clock.scaled(_CAUGHT_UP_S), lambda: setattr(call, "absences", 0))

    def _at(self, share: float) -> int:
        return int(self.order.calls * share)

    def _shape(self, index: int, rng: random.Random) -> tuple[str, bool]:
        """The special cases stand early in the day, evenly apart, so that the day ends quietly."""
        shape = rng.choices(list(self.order.shapes), list(self.order.shapes.values()))[0]
        if not self.order.specials:
            return shape, False
        places = {self._at(0.1 + number * 0.06): name for number, name in enumerate(_SPECIALS)}
        return places.get(index, shape), index in {*places, self._at(0.05), self._at(0.3)}

    def _add(self, tenant_id: str, index: int, shape: str, *, old: bool, hidden: bool) -> Call:
        world, seed = self._requests.world, f"{self.order.seed}/{index}"
        call_id = guid(tenant_id, "workday", self.order.seed, index)
        order, end = self.order, self._end(abs(index))
        plan = plan_call(tenant_id, call_id, shape, seed, end=end, mark=order.mark, old=old, trouble=order.trouble)
        return world.add(plan, visible_after=_NOT_FOUND_S if hidden else 0)

    def _end(self, index: int) -> float:
        """When a call ended whose notification leaves now."""
        now = self._requests.world.clock.now()
        return working_moment(index / self.order.calls, self.order.days, now) if self.order.days else now

    def _late(self, call: Call, rng: random.Random) -> None:
        after = self.order.late_after * rng.uniform(0.5, 1.5)
        self._requests.rise_later(call, after, 2)
        if rng.random() < _THIRD_VERSION_SHARE:
            self._requests.rise_later(call, after * 2, 3)

    def _forge(self, index: int) -> None:
        tenant_id = self.order.tenants[index % len(self.order.tenants)]
        call = self._add(tenant_id, -index, "peerToPeer", old=False, hidden=False)
        self._requests.world.plant(call, "drop")
        forged = f"forged.{self._rng.getrandbits(64):x}"
        self._requests.announcer.repeat(call, 1, client_state=forged, together=False)

    def _storm(self) -> None:
        now = self._requests.world.clock.now()
        order = {"effect": "throttle", "route": "records", "retryAfter": _STORM_RETRY_AFTER_S}
        self._faults.plan(order | {"tenantId": self.order.tenants[0], "count": _STORM_ANSWERS}, now)
        self._requests.world.note("throttleStorm", self.order.tenants[0])
