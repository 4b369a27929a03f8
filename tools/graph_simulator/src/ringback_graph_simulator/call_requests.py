"""Calls ordered through the control API: one by one, or many of a kind."""

import itertools
from dataclasses import dataclass, field
from typing import Any

from ringback_graph_simulator.announcer import Announcer
from ringback_graph_simulator.calls import Call, canonical_id
from ringback_graph_simulator.clock import parse_instant
from ringback_graph_simulator.people import guid
from ringback_graph_simulator.plans import Plan, plan_call
from ringback_graph_simulator.timetable import Timetable
from ringback_graph_simulator.world import World

__all__ = ["CallRequests"]


@dataclass(slots=True)
class CallRequests:
    """Makes the calls that a test asks for."""

    world: World
    announcer: Announcer
    timetable: Timetable
    seed: int
    versions_pending: int = 0
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def make(self, body: dict[str, Any]) -> Call:
        """One call in the control API's shape. Raises KeyError or ValueError."""
        plan = self._plan(body)
        versions = [(int(one["version"]), float(one["afterSeconds"])) for one in body.get("versions", [])]
        notify = bool(body.get("notify", True))
        wait = float(body.get("visibleAfterSeconds", 0))
        call = self.world.add(plan, version=int(body.get("version", 1)), visible_after=wait)
        call.absences = int(body.get("notFoundTimes", 0))
        if notify:
            self.announcer.changed(call)
        for version, after in versions:
            self.rise_later(call, after, version, notify=notify)
        return call

    def rise_later(self, call: Call, after: float, version: int, *, notify: bool = True) -> None:
        """A late version, `after` Graph seconds from now."""
        clock = self.world.clock
        self.versions_pending += 1
        self.timetable.at(clock.now() + clock.scaled(after), lambda: self._rise(call, version, notify=notify))

    def _rise(self, call: Call, version: int, *, notify: bool) -> None:
        self.versions_pending -= 1
        if version > call.version:
            self.world.raise_version(call, version)
            self.world.plant(call, "lateVersion")
        if notify:
            self.announcer.changed(call)

    def _plan(self, body: dict[str, Any]) -> Plan:
        tenant_id, number = str(body["tenantId"]).lower(), next(self._numbers)
        seed = str(body.get("seed", f"{self.seed}/{number}"))
        call_id = canonical_id(str(body.get("callId") or guid(tenant_id, "call", self.seed, number, seed)))
        start = parse_instant(body["startDateTime"]) if "startDateTime" in body else None
        return plan_call(
            tenant_id,
            call_id,
            str(body.get("shape", "smallMeeting")),
            seed,
            end=self.world.clock.now() if start is None else start + 600,
            start=start,
            sessions=body.get("sessions"),
            participants=body.get("participants"),
            mark=bool(body.get("versionMark", False)),
            old=bool(body.get("oldIdentities", False)),
        )
