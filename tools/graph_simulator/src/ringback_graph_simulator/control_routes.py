"""The control API: what tests, the demo and a person order from the simulator."""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, cast

import orjson
from aiohttp import web

from ringback_graph_simulator.calls import Call, canonical_id
from ringback_graph_simulator.control_state import state_view
from ringback_graph_simulator.expected import expected_entry
from ringback_graph_simulator.graph import Graph
from ringback_graph_simulator.odata import GraphError
from ringback_graph_simulator.subscriptions import Subscription
from ringback_graph_simulator.tokens import Tenant
from ringback_graph_simulator.workday import Workday, WorkdayOrder

__all__ = ["ControlRoutes", "register_tenants"]

_SETTINGS = {
    "paused": "paused",
    "concurrency": "concurrency",
    "batchMax": "batch_max",
    "duplicates": "duplicates",
    "typeCasing": "type_casing",
    "states": "states",
    "shareUrl": "share_url",
    "odd": "odd",
    "keepAlive": "keep_alive",
}
_LIFECYCLE = frozenset({"reauthorizationRequired", "subscriptionRemoved", "missed"})


def register_tenants(graph: Graph, body: dict[str, Any]) -> list[Tenant]:
    """Add or replace tenants in the control API's shape. Raises KeyError or ValueError."""
    tenants = [Tenant.of(one) for one in body["tenants"]]
    graph.authority.register(tenants)
    for tenant in tenants:
        graph.records.population(tenant.tenant_id, tenant.people)
    return tenants


class ControlRoutes:
    """Plain http, loopback only; a mistake is answered 400 with one sentence."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.workday: Workday | None = None

    def application(self) -> web.Application:
        """All routes."""
        app = web.Application(middlewares=[_sentences], client_max_size=64 << 20)
        route = app.router.add_route
        route("GET", "/control/health", self._health)
        route("GET", "/control/state", self._state)
        route("GET", "/control/tenants", self._tenants)
        route("POST", "/control/tenants", self._register)
        route("POST", "/control/calls", self._make)
        route("GET", "/control/calls/{tenant}/{call}", self._show)
        route("DELETE", "/control/calls/{tenant}/{call}", self._remove)
        route("POST", "/control/calls/{tenant}/{call}/version", self._version)
        route("POST", "/control/calls/{tenant}/{call}/notify", self._notify)
        route("PUT", "/control/records/{tenant}/{call}", self._install)
        route("GET", "/control/faults", self._faults)
        route("POST", "/control/faults", self._plan_fault)
        route("DELETE", "/control/faults", self._clear_faults)
        route("DELETE", "/control/faults/{fault}", self._clear_faults)
        route("PATCH", "/control/delivery", self._delivery)
        route("PATCH", "/control/graph", self._latency)
        route("GET", "/control/subscriptions", self._subscriptions)
        route("DELETE", "/control/subscriptions/{id}", self._lose)
        route("POST", "/control/subscriptions/{id}/lifecycle", self._lifecycle)
        route("GET", "/control/workday", self._progress)
        route("POST", "/control/workday", self._begin)
        route("DELETE", "/control/workday", self._stop)
        route("GET", "/control/expected", self._expected)
        route("GET", "/control/ledger", self._ledger)
        return app

    async def _health(self, _: web.Request) -> web.Response:
        return _json({"status": "ok"})

    async def _state(self, _: web.Request) -> web.Response:
        return _json(state_view(self._graph))

    async def _tenants(self, _: web.Request) -> web.Response:
        tenants = self._graph.authority.tenants
        views = [{"tenantId": one.tenant_id, "clientId": one.client_id, "people": one.people} for one in tenants]
        return _json({"tenants": views})

    async def _register(self, request: web.Request) -> web.Response:
        tenants = register_tenants(self._graph, await _body(request))
        return _json({"registered": [tenant.tenant_id for tenant in tenants]}, 201)

    async def _make(self, request: web.Request) -> web.Response:
        body = await _body(request)
        calls = [self._graph.requests.make(body) for _ in range(int(body.get("copies", 1)))]
        return _json(self._made(calls[0]) | {"callIds": [call.plan.call_id for call in calls]}, 201)

    def _made(self, call: Call) -> dict[str, Any]:
        digest = self._graph.world.digest(call)
        names = {"tenantId": call.plan.tenant_id, "callId": call.plan.call_id, "version": call.version}
        return names | {"sessions": digest.sessions, "participants": digest.participants}

    async def _show(self, request: web.Request) -> web.Response:
        return _json(expected_entry(self._graph.world, self._call(request), children=True))

    async def _remove(self, request: web.Request) -> web.Response:
        self._graph.world.remove(self._call(request))
        return _json({"removed": True})

    async def _version(self, request: web.Request) -> web.Response:
        body, call = await _body(request), self._call(request)
        version = int(body.get("version", call.version + 1))
        if version <= call.version and not body.get("force"):
            raise ValueError(f"The version is {call.version} already; a lower one needs force.")
        self._graph.world.raise_version(call, version)
        if body.get("notify", True):
            self._graph.announcer.changed(call)
        return _json({"version": version})

    async def _notify(self, request: web.Request) -> web.Response:
        body, call = await _body(request), self._call(request)
        forged, together = body.get("clientState"), bool(body.get("inOneRequest", False))
        count = int(body.get("count", 1))
        return _json({"queued": self._graph.announcer.repeat(call, count, client_state=forged, together=together)})

    async def _install(self, request: web.Request) -> web.Response:
        body = await _body(request)
        document: Any = body["document"]
        if not isinstance(document, dict) or body.get("nextLink", "own") not in {"own", "untouched"}:
            raise ValueError("document is an object and nextLink is own or untouched.")
        own = body.get("nextLink", "own") == "own"
        tenant, call_id = _names(request)
        call = self._graph.world.install(tenant, call_id, cast("dict[str, Any]", document), own_links=own)
        if body.get("notify", True):
            self._graph.announcer.changed(call)
        return _json(self._made(call), 201)

    async def _faults(self, _: web.Request) -> web.Response:
        return _json({"faults": self._graph.faults.views()})

    async def _plan_fault(self, request: web.Request) -> web.Response:
        fault = self._graph.faults.plan(await _body(request), self._graph.clock.now())
        self._graph.world.note("fault", fault.tenant_id or "")
        return _json({"id": fault.id}, 201)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        if not self._graph.faults.remove(request.match_info.get("fault")):
            raise KeyError("no such fault")
        return _json({"faults": self._graph.faults.views()})

    async def _delivery(self, request: web.Request) -> web.Response:
        body, delivery = await _body(request), self._graph.delivery
        if unknown := body.keys() - _SETTINGS.keys():
            raise ValueError(f"no such setting: {min(unknown)}")
        changed = {_SETTINGS[name]: value for name, value in body.items()}
        delivery.settings = dataclasses.replace(delivery.settings, **changed)
        delivery.changed()
        return _json({name: getattr(delivery.settings, member) for name, member in _SETTINGS.items()})

    async def _latency(self, request: web.Request) -> web.Response:
        self._graph.effects.latency = float((await _body(request))["latencySeconds"])
        return _json({"latencySeconds": self._graph.effects.latency})

    async def _subscriptions(self, _: web.Request) -> web.Response:
        held = self._graph.service.subscriptions
        return _json({"subscriptions": [one.view() | {"tenantId": one.tenant_id} for one in held]})

    async def _lose(self, request: web.Request) -> web.Response:
        self._graph.service.remove(self._subscription(request), "removed")
        return _json({"removed": True})

    async def _lifecycle(self, request: web.Request) -> web.Response:
        event = (await _body(request)).get("event")
        if event not in _LIFECYCLE:
            raise ValueError(f"event is one of {sorted(_LIFECYCLE)}.")
        self._graph.service.lifecycle(self._subscription(request), str(event))
        return _json({"queued": 1})

    async def _progress(self, _: web.Request) -> web.Response:
        return _json(self._progress_view())

    async def _begin(self, request: web.Request) -> web.Response:
        if self.workday is not None and self.workday.running:
            raise ValueError("A workday is running; stop it first.")
        order = WorkdayOrder.of(await _body(request), self._graph.seed)
        self._graph.delivery.settings = dataclasses.replace(self._graph.delivery.settings, duplicates=order.duplicates)
        self.workday = Workday(order, self._graph.requests, self._graph.faults)
        self.workday.begin()
        return _json(self._progress_view(), 202)

    async def _stop(self, _: web.Request) -> web.Response:
        if self.workday is not None:
            self.workday.stopped = True
        return _json(self._progress_view())

    def _progress_view(self) -> dict[str, Any]:
        day, tally, waiting = self.workday, self._graph.delivery.tally, self._graph.requests.versions_pending
        running = day is not None and day.running
        return {
            "running": running,
            "plannedCalls": day.order.calls if day else 0,
            "startedCalls": day.started if day else 0,
            "notified": tally.notified,
            "accepted": tally.accepted,
            "pending": tally.pending,
            "givenUp": tally.given_up,
            "droppedByGraph": tally.dropped_by_graph,
            "plantedDrops": tally.planted,
            "versionsPending": waiting,
            "done": day is not None and not running and tally.pending == 0 and waiting == 0,
            "planted": self._planted(),
        }

    def _planted(self) -> dict[str, int]:
        planted = self._graph.world.planted
        names = ("largeMeeting", "webinar", "lateVersion", "notFoundFirst", "drop", "throttleStorm")
        return {name: planted[name] for name in names} | {"throttled": self._graph.effects.by_status[429]}

    async def _expected(self, request: web.Request) -> web.StreamResponse:
        """One line for each call; the loop breathes between calls, so that delivery goes on."""
        children = request.query.get("children", "false") == "true"
        tenant = request.query.get("tenantId", "").lower()
        stream = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await stream.prepare(request)
        for call in self._graph.world:
            if tenant in {"", call.plan.tenant_id}:
                await stream.write(orjson.dumps(expected_entry(self._graph.world, call, children=children)) + b"\n")
        await stream.write_eof()
        return stream

    async def _ledger(self, request: web.Request) -> web.Response:
        kinds = frozenset(kind for kind in request.query.get("kind", "").split(",") if kind)
        offset, limit = int(request.query.get("offset", "0")), int(request.query.get("limit", "1000"))
        lines, behind = self._graph.ledger.read(offset, limit, kinds)
        return _json({"lines": lines, "nextOffset": behind})

    def _call(self, request: web.Request) -> Call:
        call = self._graph.world.find(*_names(request))
        if call is None:
            raise KeyError("no such call")
        return call

    def _subscription(self, request: web.Request) -> Subscription:
        return self._graph.service.subscriptions.one(request.match_info["id"])


def _names(request: web.Request) -> tuple[str, str]:
    return request.match_info["tenant"].lower(), canonical_id(request.match_info["call"])


async def _body(request: web.Request) -> dict[str, Any]:
    raw = await request.read()
    body: Any = orjson.loads(raw) if raw else {}
    if not isinstance(body, dict):
        raise TypeError("The body must be a JSON object.")
    return body  # pyright: ignore[reportUnknownVariableType]


def _json(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


@web.middleware
async def _sentences(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn a caller's mistake into one sentence."""
    try:
        return await handler(request)
    except KeyError as error:
        return _json({"error": f"Missing or unknown: {error.args[0]}."}, 404 if "such" in str(error) else 400)
    except (ValueError, TypeError) as error:
        return _json({"error": str(error)}, 400)
    except GraphError as error:
        return _json({"error": error.message}, error.status)
