"""The state Graph holds: calls by tenant, their versions and their documents."""

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from ringback_graph_simulator.calls import Call, Installed
from ringback_graph_simulator.clock import GraphClock, parse_instant
from ringback_graph_simulator.documents import Digest, Document, DocumentCache, canonical, digest_of, encode
from ringback_graph_simulator.ledger import Ledger
from ringback_graph_simulator.plans import Plan
from ringback_graph_simulator.records import Records

__all__ = ["RETENTION_S", "World"]

RETENTION_S = 30 * 86_400
"""A record can be read for 30 days after the call ended (graph.md 3.4)."""


class World:
    """Calls and what is served of them; no request and no delivery passes through here."""

    def __init__(self, clock: GraphClock, records: Records, ledger: Ledger) -> None:
        self.clock = clock
        self.records = records
        self._ledger = ledger
        self._calls: dict[tuple[str, str], Call] = {}
        self._by_start: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
        self._cache = DocumentCache()
        self.planted: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._calls.values()))

    def add(self, plan: Plan, *, version: int = 1, visible_after: float = 0, tags: set[str] | None = None) -> Call:
        """A new call of this plan, or the same call anew; `visible_after` is in Graph seconds."""
        now = self.clock.now()
        call = Call(plan, version, now, now + self.clock.scaled(visible_after), tags or set())
        if call.key in self._calls:
            self.forget(call.key)
        self._calls[call.key] = call
        bisect.insort(self._by_start[plan.tenant_id], (plan.start, plan.call_id))
        self._ledger.write("planted", at=now, what="call", **self._names(call))
        return call

    def install(self, tenant_id: str, call_id: str, body: dict[str, Any], *, own_links: bool) -> Call:
        """A record that is served as it is. Raises ValueError if its start or end is no date."""
        start = parse_instant(str(body.get("startDateTime", "2026-01-01T00:00:00Z")))
        sessions: list[Any] = body.get("sessions") or []
        participants: list[Any] = body.get("participants_v2") or []
        now = self.clock.now()
        plan = Plan(tenant_id, call_id, "peerToPeer", call_id, len(sessions), len(participants), start, now)
        call = self.add(plan, version=int(body.get("version") or 1), tags={"installed"})
        call.installed = Installed(body, own_links, encode(canonical(sessions), canonical(participants)))
        return call

    def remove(self, call: Call) -> None:
        """From now on GET answers 404, as for a record past its retention."""
        call.removed = True
        self._ledger.write("planted", at=self.clock.now(), what="removed", **self._names(call))

    def forget(self, key: tuple[str, str]) -> None:
        """Take a call out of every index."""
        call = self._calls.pop(key)
        self._cache.forget(key)
        self._by_start[key[0]].remove((call.plan.start, call.plan.call_id))

    def find(self, tenant_id: str, call_id: str) -> Call | None:
        """The call, visible or not."""
        return self._calls.get((tenant_id, call_id))

    def visible(self, call: Call) -> bool:
        """GET finds it: written, not removed and ended less than 30 days ago."""
        now = self.clock.now()
        return not call.removed and call.visible_at <= now and call.plan.end > now - RETENTION_S

    def raise_version(self, call: Call, version: int | None = None) -> int:
        """From now on every page is of this version (the next one, if none is given)."""
        call.version = call.version + 1 if version is None else version
        call.modified = self.clock.now()
        self._ledger.write("planted", at=call.modified, what="version", **self._names(call))
        return call.version

    def plant(self, call: Call, what: str) -> None:
        """Note in ledger and tags that this call is special."""
        call.tags.add(what)
        self.planted[what] += 1
        self._ledger.write("planted", at=self.clock.now(), what=what, **self._names(call))

    def note(self, what: str, tenant_id: str) -> None:
        """Write to the ledger that something was planted for a whole tenant."""
        self.planted[what] += 1
        names = {"tenantId": tenant_id, "callId": None, "version": None}
        self._ledger.write("planted", at=self.clock.now(), what=what, **names)

    def header(self, call: Call) -> dict[str, Any]:
        """The newest version's own members."""
        if call.installed is not None:
            body = call.installed.body
            return {name: body[name] for name in body if not name.startswith(("sessions", "participants_v2", "@odata"))}
        return self.records.header(call.plan, call.version, call.modified)

    def document(self, call: Call) -> Document:
        """The newest version's children; noted as served."""
        document = call.installed.document if call.installed is not None else self._generated(call)
        if call.version not in call.served:
            call.served[call.version] = digest_of(document)
        return document

    def digest(self, call: Call) -> Digest:
        """The newest version's digest, without noting it as served."""
        if call.version in call.served:
            return call.served[call.version]
        return digest_of(call.installed.document if call.installed else self._generated(call))

    def newest(self, call: Call) -> Document:
        """The newest version's children, without noting them as served."""
        return call.installed.document if call.installed else self._generated(call)

    def between(self, tenant_id: str, after: tuple[float, str]) -> Iterator[Call]:
        """Visible calls of a tenant by start and id, behind this position."""
        starts = self._by_start[tenant_id]
        for _, call_id in starts[bisect.bisect_right(starts, after) :]:
            call = self._calls[tenant_id, call_id]
            if self.visible(call):
                yield call

    def _generated(self, call: Call) -> Document:
        key = (*call.key, call.version)
        document = self._cache.get(key)
        if document is None:
            plan, version = call.plan, call.version
            document = encode(self.records.sessions(plan, version), self.records.participants(plan, version))
            self._cache.put(key, document)
        return document

    @staticmethod
    def _names(call: Call) -> dict[str, Any]:
        return {"tenantId": call.plan.tenant_id, "callId": call.plan.call_id, "version": call.version}
