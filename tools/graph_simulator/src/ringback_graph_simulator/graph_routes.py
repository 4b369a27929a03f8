"""Graph's routes: authority, subscriptions, call records."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

from ringback_graph_simulator.calls import Call
from ringback_graph_simulator.clock import GraphClock
from ringback_graph_simulator.exchange import Exchange, read_path
from ringback_graph_simulator.fault_effects import FaultEffects
from ringback_graph_simulator.gate import Gate
from ringback_graph_simulator.ledger import Ledger
from ringback_graph_simulator.odata import (
    Expand,
    GraphError,
    Prefer,
    error_body,
    number,
    parse_expand,
    parse_filter,
    parse_prefer,
    read_skiptoken,
    whole,
)
from ringback_graph_simulator.pages import PAGE_SIZES, ChildQuery, ListQuery, Pages
from ringback_graph_simulator.subscription_service import SubscriptionService
from ringback_graph_simulator.tokens import Tenant
from ringback_graph_simulator.world import World

__all__ = ["GraphRoutes"]

_LIST_OPTIONS = frozenset({"$filter", "$select", "$skiptoken"})
_STALE_BY = 60.0
"""Seconds by which the version before was modified earlier."""


class GraphRoutes:
    """Answers everything below /v1.0 and /beta."""

    def __init__(
        self,
        world: World,
        pages: Pages,
        service: SubscriptionService,
        gate: Gate,
        effects: FaultEffects,
        ledger: Ledger,
        clock: GraphClock,
    ) -> None:
        self._world = world
        self._pages = pages
        self._service = service
        self._gate = gate
        self._effects = effects
        self._ledger = ledger
        self._clock = clock

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any Graph request; what it came to is in the ledger before the answer leaves."""
        exchange = read_path(request, self._clock.now())
        exchange.connection = _peer(request)
        try:
            response = await self._faulted(request, exchange)
        except GraphError as refusal:
            response = self._refusal(request, exchange, refusal)
        response.headers["request-id"] = exchange.request_id
        response.headers["client-request-id"] = request.headers.get("client-request-id", exchange.request_id)
        size = len(response.body) if isinstance(response, web.Response) and isinstance(response.body, bytes) else 0
        self._ledger.write("request", **exchange.line(end=self._clock.now(), status=response.status, size=size))
        self._effects.count(response.status, exchange)
        return response

    async def _faulted(self, request: web.Request, exchange: Exchange) -> web.StreamResponse:
        tenant = self._gate.admit(request, exchange)
        exchange.page = self._page_number(request, exchange)
        await self._effects.take_time()
        fault = self._effects.draw(exchange)
        if fault is not None:
            await self._effects.before(fault, exchange, tenant, self._gate)
        stale = fault is not None and fault.effect == "staleVersion"
        response = await self._answer(request, exchange, tenant, stale=stale)
        return response if fault is None else await self._effects.after(fault, exchange, request, response)

    async def _answer(self, request: web.Request, exchange: Exchange, tenant: Tenant, *, stale: bool) -> web.Response:
        if exchange.route == "subscriptions":
            return await self._subscriptions(request, exchange, tenant)
        if request.method != "GET":
            raise GraphError(HTTPStatus.METHOD_NOT_ALLOWED, "BadRequest", "Only GET is allowed.")
        if exchange.route == "list":
            return self._json(self._pages.listing(tenant.tenant_id, self._list_query(request)))
        call = self._readable(tenant, exchange)
        if stale and call.version > 1:  # what a replica that lags behind still has
            call = replace(call, version=call.version - 1, modified=call.modified - _STALE_BY)
        exchange.version = call.version
        prefer = parse_prefer(request.headers.getall("Prefer", []))
        if exchange.is_record:
            expand = self._expand(request, tenant)
            return self._json(self._pages.record(call, expand, prefer, _names(request, "$select")))
        if exchange.route == "participants" and not tenant.participants_v2:
            raise GraphError(HTTPStatus.NOT_FOUND, "NotFound", "There is no participants_v2 here.")
        return self._json(self._pages.children(call, self._child_query(request, exchange, prefer), prefer))

    def _readable(self, tenant: Tenant, exchange: Exchange) -> Call:
        call = self._world.find(tenant.tenant_id, exchange.call_id or "")
        if call is not None and self._world.visible(call) and call.absences == 0:
            return call
        if call is not None and not call.removed:
            call.absences = max(0, call.absences - 1)
            if "notFoundFirst" not in call.tags:
                self._world.plant(call, "notFoundFirst")
        raise GraphError(HTTPStatus.NOT_FOUND, "NotFound", "The call record was not found.")

    @staticmethod
    def _expand(request: web.Request, tenant: Tenant) -> Expand:
        expand = parse_expand(request.query.get("$expand", ""))
        if expand.sessions and expand.participants and tenant.refuse_double_expand:
            raise GraphError(HTTPStatus.BAD_REQUEST, "BadRequest", "Only one navigation property can be expanded.")
        if expand.participants and not tenant.participants_v2:
            raise GraphError(HTTPStatus.BAD_REQUEST, "BadRequest", "Could not find a property named 'participants_v2'.")
        return expand

    @staticmethod
    def _child_query(request: web.Request, exchange: Exchange, prefer: Prefer) -> ChildQuery:
        kind = "sessions" if exchange.route == "sessions" else "participants_v2"
        expand = request.query.get("$expand", "")
        if expand not in {"", "segments"} or (expand and kind != "sessions"):
            raise GraphError(HTTPStatus.BAD_REQUEST, "BadRequest", f"{kind} cannot expand {expand!r}.")
        query = ChildQuery.first(kind, prefer, segments=bool(expand), select=_names(request, "$select"))
        return query.at(request.query["$skiptoken"]) if "$skiptoken" in request.query else query

    @staticmethod
    def _list_query(request: web.Request) -> ListQuery:
        if unknown := request.query.keys() - _LIST_OPTIONS:
            raise GraphError(HTTPStatus.BAD_REQUEST, "BadRequest", f"Query option {min(unknown)!r} is not allowed.")
        text = request.query.get("$filter", "")
        wish = parse_prefer(request.headers.getall("Prefer", [])).page_size
        size, after = min(wish or PAGE_SIZES["list"], PAGE_SIZES["list"]), None
        if "$skiptoken" in request.query:
            start, call_id, page = read_skiptoken(request.query["$skiptoken"], 3)
            size, after = whole(page, least=1), (number(start), call_id)
        return ListQuery(parse_filter(text), size, text, _names(request, "$select"), after)

    @staticmethod
    def _page_number(request: web.Request, exchange: Exchange) -> int:
        if exchange.route not in {"sessions", "participants"} or "$skiptoken" not in request.query:
            return 1
        offset, size = read_skiptoken(request.query["$skiptoken"], 2)
        return whole(offset) // whole(size, least=1) + 1

    async def _subscriptions(self, request: web.Request, exchange: Exchange, tenant: Tenant) -> web.Response:
        held = self._service.subscriptions
        if exchange.target is None:
            if request.method == "POST":
                created = await self._service.create(tenant, await _body(request))
                return self._json(_one(created.view()), HTTPStatus.CREATED)
            return self._json(_many([one.view() for one in held.own(tenant.tenant_id, tenant.client_id)]))
        one = held.one(exchange.target, (tenant.tenant_id, tenant.client_id))
        if exchange.action == "reauthorize" and request.method == "POST":
            self._service.reauthorize(one)
            return web.Response(status=HTTPStatus.ACCEPTED)
        if request.method == "DELETE":
            self._service.remove(one, "deleted")
            return web.Response(status=HTTPStatus.NO_CONTENT)
        if request.method not in {"GET", "PATCH"}:
            raise GraphError(HTTPStatus.METHOD_NOT_ALLOWED, "BadRequest", "The method is not allowed here.")
        if request.method == "PATCH":
            one = await self._service.patch(one, await _body(request))
        return self._json(_one(one.view()))

    def _refusal(self, request: web.Request, exchange: Exchange, refusal: GraphError) -> web.Response:
        exchange.retry_after = refusal.headers.get("Retry-After")
        client_id = request.headers.get("client-request-id", exchange.request_id)
        body = error_body(
            refusal.code,
            refusal.message,
            at=self._clock.now(),
            request_id=exchange.request_id,
            client_request_id=client_id,
        )
        response = self._json(orjson.dumps(body), refusal.status)
        response.headers.update(refusal.headers)
        return response

    @staticmethod
    def _json(body: bytes, status: int = HTTPStatus.OK) -> web.Response:
        content = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
        return web.Response(body=body, status=status, headers={"Content-Type": content})


def _peer(request: web.Request) -> str:
    """Which connection it came over; empty once that is gone."""
    peer = None if request.transport is None else request.transport.get_extra_info("peername")
    return "" if peer is None else f"{peer[0]}:{peer[1]}"


def _one(view: dict[str, Any]) -> bytes:
    return orjson.dumps({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#subscriptions/$entity"} | view)


def _many(views: list[dict[str, Any]]) -> bytes:
    context = "https://graph.microsoft.com/v1.0/$metadata#subscriptions"
    return orjson.dumps({"@odata.context": context, "value": views})


def _names(request: web.Request, option: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in request.query.get(option, "").split(",") if name.strip())


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.read())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise GraphError(HTTPStatus.BAD_REQUEST, "BadRequest", "Unable to read JSON request payload.")
    return body  # pyright: ignore[reportUnknownVariableType]
