"""A running simulator, a client with a token, and an endpoint that receives notifications."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from ringback_graph_simulator.app import Options, Simulator
from yarl import URL

TENANT = "dc368399-474c-4d40-900c-6265431fd81f"
CLIENT = "11111111-474c-4d40-900c-6265431fd81f"
SESSIONS = "?$expand=sessions($expand=segments)"
PARTICIPANTS = "?$select=id,version,lastModifiedDateTime,participants_v2&$expand=participants_v2"
BOTH = f"{SESSIONS},participants_v2"
UNKNOWN_MEMBERS = {"Prefer": "include-unknown-enum-members"}


@dataclass
class Endpoint:
    """A notification endpoint that keeps what it is sent; `answer` says what; the first `hung` get none."""

    url: str = ""
    posts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    handshakes: list[str] = field(default_factory=list[str])
    echo: bool = True
    moved: bool = False
    hung: int = 0
    answer: Callable[[int], int] = lambda _: 202

    async def receive(self, request: web.Request) -> web.Response:
        """Echo a validation token, else keep the body."""
        if "validationToken" in request.query:
            self.handshakes.append(request.rel_url.raw_path_qs)
            if self.moved:
                raise web.HTTPTemporaryRedirect(f"/elsewhere?{request.rel_url.raw_query_string}")
            return web.Response(text=request.query["validationToken"] if self.echo else "no")
        if self.hung:
            self.hung -= 1
            await asyncio.Event().wait()
        self.posts.append({"path": str(request.rel_url), **await request.json()})
        return web.Response(status=self.answer(len(self.posts)))

    @property
    def items(self) -> list[dict[str, Any]]:
        """All items of all posts."""
        return [item for post in self.posts for item in post["value"]]


@dataclass
class Lab:
    """A simulator with a tenant, and both of its doors."""

    ready: dict[str, Any]
    session: aiohttp.ClientSession
    endpoint: Endpoint
    headers: dict[str, str] = field(default_factory=dict[str, str])

    async def control(self, method: str, path: str, body: Any = None, status: int | None = None) -> Any:
        """One call of the control API; its answer."""
        async with self.session.request(method, f"{self.ready['controlUrl']}/control/{path}", json=body) as answer:
            assert answer.status < 300 if status is None else answer.status == status, await answer.text()
            return await answer.json()

    async def token(self, tenant: str = TENANT, **form: str) -> aiohttp.ClientResponse:
        """Ask for a token."""
        fields = {"client_id": CLIENT, "grant_type": "client_credentials", "client_secret": "open sesame"}
        fields["scope"] = "https://graph.microsoft.com/.default"
        url = f"{self.ready['authorityUrl']}/{tenant}/oauth2/v2.0/token"
        return await self.session.post(url, data=fields | form)

    async def graph(self, method: str, path: str, **options: Any) -> aiohttp.ClientResponse:
        """One request to Graph with the token."""
        url = path if path.startswith("https") else f"{self.ready['graphUrl']}/v1.0/{path}"
        headers = self.headers | options.pop("headers", {})
        return await self.session.request(method, URL(url, encoded=True), headers=headers, **options)

    async def get(self, path: str, **headers: str) -> Any:
        """JSON of a successful GET."""
        answer = await self.graph("GET", path, headers=headers)
        assert answer.status == 200, await answer.text()
        return await answer.json()

    async def record(self, call_id: str, query: str = SESSIONS, **headers: str) -> Any:
        """GET of one record."""
        return await self.get(f"communications/callRecords/{call_id}{query}", **headers)

    async def whole(self, call_id: str, **headers: str) -> dict[str, Any]:
        """A record with every page of both kinds; its head is that of the first request."""
        body = await self.record(call_id, **headers)
        more = await self.record(call_id, PARTICIPANTS, **headers)
        body |= {name: value for name, value in more.items() if name.startswith("participants_v2")}
        for kind in ("sessions", "participants_v2"):
            link = body.get(f"{kind}@odata.nextLink")
            while link:
                page = await self.get(link, **headers)
                body[kind] += page["value"]
                link = page.get("@odata.nextLink")
        return body

    async def as_tenant(self, **changes: Any) -> None:
        """Register the tenant anew, and speak with a token of that registration."""
        tenant = {"tenantId": TENANT, "clientId": CLIENT, "clientSecret": "open sesame"}
        await self.control("POST", "tenants", {"tenants": [tenant | changes]})
        self.headers = {"Authorization": f"Bearer {(await (await self.token()).json())['access_token']}"}

    async def call(self, **body: Any) -> dict[str, Any]:
        """A new call."""
        return await self.control("POST", "calls", {"tenantId": TENANT, **body})

    async def subscribe(self, status: int = 201, **changes: Any) -> dict[str, Any]:
        """A new subscription to the endpoint."""
        expires = datetime.now(UTC) + timedelta(hours=48)
        body = {
            "changeType": "updated",
            "resource": "communications/callRecords",
            "notificationUrl": f"{self.endpoint.url}/notify?kid=1&t=a%20b",
            "lifecycleNotificationUrl": f"{self.endpoint.url}/lifecycle",
            "clientState": "state",
            "expirationDateTime": expires.isoformat(),
        }
        answer = await self.graph("POST", "subscriptions", json=body | changes)
        assert answer.status == status, await answer.text()
        return await answer.json()

    async def ledger(self, kind: str) -> list[dict[str, Any]]:
        """All lines of one kind."""
        return (await self.control("GET", f"ledger?limit=100000&kind={kind}"))["lines"]

    async def until(self, done: Callable[[], Any], seconds: float = 10) -> None:
        """Wait for a condition, which may be a coroutine."""
        async with asyncio.timeout(seconds):
            while True:
                seen = done()
                if await seen if asyncio.iscoroutine(seen) else seen:
                    return
                await asyncio.sleep(0.01)

    async def idle(self, seconds: float = 10) -> dict[str, Any]:
        """Wait until nothing is pending; the state then."""

        async def settled() -> bool:
            return (await self.control("GET", "state"))["items"]["pending"] == 0

        await self.until(settled, seconds)
        return await self.control("GET", "state")


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """An endpoint on a free port."""
    endpoint, app = Endpoint(), web.Application()
    app.router.add_post("/{tail:.*}", endpoint.receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield endpoint
    await runner.cleanup()


@pytest.fixture
def time_scale() -> float:
    """Graph's waits are a hundredth, unless a test says otherwise."""
    return 100.0


@pytest.fixture
def http_hosts() -> tuple[str, ...]:
    """Only loopback is called without TLS, unless a test says otherwise."""
    return ()


@pytest.fixture
async def lab(tmp_path: Path, endpoint: Endpoint, time_scale: float, http_hosts: tuple[str, ...]) -> AsyncIterator[Lab]:
    """A simulator with one tenant, a token and an endpoint."""
    async with open_lab(tmp_path, endpoint, time_scale, http_hosts) as lab:
        yield lab


@asynccontextmanager
async def open_lab(
    folder: Path, endpoint: Endpoint, time_scale: float, http_hosts: tuple[str, ...] = ()
) -> AsyncGenerator[Lab]:
    """The same, for tests that compare two."""
    async with Simulator(Options(workdir=folder, seed=5, time_scale=time_scale, http_hosts=http_hosts)) as simulator:
        context = ssl.create_default_context(cafile=simulator.ready["caFile"])
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            lab = Lab(simulator.ready, session, endpoint)
            await lab.as_tenant()
            yield lab
