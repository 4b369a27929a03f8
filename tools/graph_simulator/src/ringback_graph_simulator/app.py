"""The two servers: Graph and its authority over https, the control API over plain http on loopback."""

import asyncio
import socket
import ssl
from contextlib import AsyncExitStack
from typing import Any, Self

import aiohttp
import orjson
from aiohttp import web

from ringback_graph_simulator.authority_routes import AuthorityRoutes
from ringback_graph_simulator.certs import make_certificates, server_context
from ringback_graph_simulator.clock import GraphClock
from ringback_graph_simulator.control_routes import ControlRoutes, register_tenants
from ringback_graph_simulator.gate import Gate
from ringback_graph_simulator.graph import Graph, build_graph
from ringback_graph_simulator.graph_routes import GraphRoutes
from ringback_graph_simulator.ledger import Ledger
from ringback_graph_simulator.options import Options
from ringback_graph_simulator.pages import Pages

__all__ = ["Options", "Simulator"]

_CONTROL_HOST = "127.0.0.1"
_CONNECTIONS = 256
_GRACE_S = 1.0


class Simulator:
    """Use as `async with Simulator(options) as simulator`; `ready` then says where everything is."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.ready: dict[str, Any] = {}
        self._stack = AsyncExitStack()
        self._graph: Graph | None = None

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for `stop`, or for a bug; leaving the context then raises it."""
        assert self._graph is not None  # noqa: S101 (entered: see the class)
        waits = {asyncio.create_task(stop.wait()), asyncio.create_task(self._graph.broken())}
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        options, clock = self.options, GraphClock(self.options.time_scale)
        options.workdir.mkdir(parents=True, exist_ok=True)
        files = make_certificates(options.workdir, _hosts(options))
        ledger = Ledger(
            options.workdir / "ledger.jsonl", seed=options.seed, time_scale=options.time_scale, at=clock.now()
        )
        session = await stack.enter_async_context(_client(options))
        listener, control = _listen(options.host, options.port), _listen(_CONTROL_HOST, options.control_port)
        root = f"https://{options.public_host}:{listener.getsockname()[1]}"
        graph = build_graph(
            session, ledger, clock, seed=options.seed, root=root, http_hosts=frozenset(options.http_hosts)
        )
        if options.tenants_file is not None:
            register_tenants(graph, orjson.loads(options.tenants_file.read_bytes()))
        graph.start()
        self._graph = graph
        stack.push_async_callback(graph.stop)
        await _serve(stack, _graph_application(graph), listener, server_context(files))
        await _serve(stack, ControlRoutes(graph).application(), control, None)
        self.ready = {
            "ready": True, "graphUrl": root, "authorityUrl": root,
            "controlUrl": f"http://{_CONTROL_HOST}:{control.getsockname()[1]}", "caFile": str(files.ca_file.resolve()),
            "ledgerFile": str(ledger.path.resolve()), "seed": options.seed, "timeScale": options.time_scale,
        }  # fmt: skip


def _hosts(options: Options) -> tuple[str, ...]:
    known = ["localhost", "127.0.0.1", "::1", options.public_host, options.host]
    return tuple(dict.fromkeys(known))


def _client(options: Options) -> aiohttp.ClientSession:
    context = ssl.create_default_context()
    if options.trust_ca is not None:
        context.load_verify_locations(options.trust_ca)
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=context)
    agent = {"User-Agent": "Microsoft-Graph-Change-Tracking"}
    return aiohttp.ClientSession(connector=connector, headers=agent, cookie_jar=aiohttp.DummyCookieJar())


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


def _graph_application(graph: Graph) -> web.Application:
    app = web.Application(client_max_size=1 << 20)
    AuthorityRoutes(graph.authority, graph.effects, graph.ledger, graph.clock, graph.root).add_to(app)
    gate, pages = Gate(graph.authority, graph.clock), Pages(graph.world, graph.root)
    routes = GraphRoutes(graph.world, pages, graph.service, gate, graph.effects, graph.ledger, graph.clock)
    app.router.add_route("*", "/{tail:.*}", routes.handle)
    return app


async def _serve(
    stack: AsyncExitStack, app: web.Application, listener: socket.socket, context: ssl.SSLContext | None
) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE_S, keepalive_timeout=120)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, listener, ssl_context=context).start()
