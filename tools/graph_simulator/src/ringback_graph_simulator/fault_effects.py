"""What a fault does to a request: before it is served, or to the answer."""

import asyncio
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus

import orjson
from aiohttp import web

from ringback_graph_simulator.announcer import Announcer
from ringback_graph_simulator.clock import GraphClock
from ringback_graph_simulator.exchange import Exchange
from ringback_graph_simulator.faults import Fault, Faults
from ringback_graph_simulator.gate import Gate
from ringback_graph_simulator.ledger import Ledger
from ringback_graph_simulator.odata import GraphError
from ringback_graph_simulator.tokens import Tenant
from ringback_graph_simulator.world import World

__all__ = ["FaultEffects"]

_FOREIGN = b"https://graph.attacker.example"
_HALF_PAIR = b',"note":"\\ud83d"}'
"""A last member whose text is half a surrogate pair, as clients cut texts."""
_RECORDS, _SAMPLE_RECORDS = b"/v1.0/communications", b"/v1.0/$metadata#communications"
"""The second as in example 2 of Microsoft's page on Get callRecord."""
_HANG_S = 600
_OVERSIZE_CHUNKS, _CHUNK = 256, b" " * (1 << 20)


class FaultEffects:
    """Carries out the faults that are planned."""

    def __init__(
        self, faults: Faults, world: World, announcer: Announcer, ledger: Ledger, clock: GraphClock, root: str
    ) -> None:
        self.faults = faults
        self.by_status: Counter[int] = Counter()
        self.inside_retry_after = 0
        self.over_budget: Counter[str] = Counter()
        self.latency = 0.0
        """Seconds every answer takes, faults or not."""
        self._world = world
        self._announcer = announcer
        self._ledger = ledger
        self._clock = clock
        own = f'nextLink":"{root}'.encode()
        self._rewrites: dict[str, Callable[[bytes], bytes]] = {
            "malformed": lambda _: b'{"id": "\xff\xfe, "sessions": [}',
            "wrongShape": lambda _: b'["no object"]',
            "halfPair": lambda body: body[:-1] + _HALF_PAIR,
            "foreignNextLink": lambda body: body.replace(own, b'nextLink":"' + _FOREIGN),
            "sampleNextLink": lambda body: body.replace(own + _RECORDS, own + _SAMPLE_RECORDS),
            "noSessions": _without_sessions,
        }
        """What becomes of the body of an answer, by effect."""

    def draw(self, exchange: Exchange) -> Fault | None:
        """The fault that strikes this request."""
        fault = self.faults.draw(exchange.route, exchange.tenant_id, exchange.call_id, exchange.page, exchange.begun)
        exchange.fault = None if fault is None else fault.id
        return fault

    async def take_time(self) -> None:
        """What an answer takes anyway."""
        if self.latency:
            await asyncio.sleep(self.latency)

    async def before(self, fault: Fault, exchange: Exchange, tenant: Tenant, gate: Gate) -> None:
        """Wait, or raise GraphError instead of an answer."""
        if fault.effect == "delay":
            await asyncio.sleep(fault.seconds)
        elif fault.effect == "hang":
            self._ledger.write("request", **exchange.line(end=self._clock.now(), status=None, size=0))
            await asyncio.sleep(_HANG_S)
        elif fault.effect in {"status", "throttle"}:
            retry_after = fault.retry_after_at(self._clock.now())
            gate.pause_for(fault, exchange, tenant, retry_after)
            headers = fault.headers | ({} if retry_after is None else {"Retry-After": retry_after})
            raise GraphError(fault.status, fault.code, "A fault was planned here.", headers)
        elif fault.effect == "redirect":
            raise GraphError(HTTPStatus.FOUND, "Found", "Moved.", {"Location": _FOREIGN.decode()})

    async def after(
        self, fault: Fault, exchange: Exchange, request: web.Request, response: web.Response
    ) -> web.StreamResponse:
        """The answer, spoiled as planned."""
        if fault.effect == "versionRise":
            self._rise(fault, exchange)
        elif fault.effect in self._rewrites and isinstance(response.body, bytes):
            response.body = self._rewrites[fault.effect](response.body)
        elif fault.effect == "htmlPage":
            return web.Response(text="<html><body>Down for maintenance</body></html>", content_type="text/html")
        elif fault.effect == "truncated" and isinstance(response.body, bytes):
            return await self._truncated(request, response)
        elif fault.effect == "oversize":
            return await self._oversize(request)
        if fault.hold:
            await asyncio.sleep(fault.hold)
        return response

    def count(self, status: int, exchange: Exchange) -> None:
        """Add one answered request to the counters."""
        self.by_status[status] += 1
        self.inside_retry_after += exchange.inside_retry_after
        if exchange.over_budget is not None:
            self.over_budget[exchange.over_budget] += 1

    def _rise(self, fault: Fault, exchange: Exchange) -> None:
        call = self._world.find(exchange.tenant_id or "", exchange.call_id or "")
        if call is not None:
            self._world.raise_version(call)
            if fault.notify:
                self._announcer.changed(call)

    @staticmethod
    async def _truncated(request: web.Request, response: web.Response) -> web.StreamResponse:
        """Half of the promised bytes, then the connection ends."""
        body = response.body if isinstance(response.body, bytes) else b""
        stream = web.StreamResponse(headers={"Content-Length": str(len(body)), "Content-Type": "application/json"})
        await stream.prepare(request)
        await stream.write(body[: len(body) // 2])
        if request.transport is not None:
            request.transport.abort()
        return stream

    @staticmethod
    async def _oversize(request: web.Request) -> web.StreamResponse:
        """JSON that never ends, up to 256 MiB or until the client hangs up."""
        stream = web.StreamResponse(headers={"Content-Type": "application/json"})
        await stream.prepare(request)
        try:
            for _ in range(_OVERSIZE_CHUNKS):
                await stream.write(_CHUNK)
        except ConnectionError:
            return stream
        return stream


def _without_sessions(body: bytes) -> bytes:
    """A record whose sessions are an empty list, as some peer-to-peer calls came (msgraph-sdk-powershell 3598)."""
    record = orjson.loads(body)
    record.pop("sessions@odata.nextLink", None)
    return orjson.dumps(record | {"sessions": []})
