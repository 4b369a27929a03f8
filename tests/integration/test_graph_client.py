"""The Graph client against the simulator: real TLS, real msal, real pages and real limits."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import aiohttp.web
import orjson
import pytest
from ringback_common.clock import SystemClock
from ringback_common.errors import Throttled, Transient
from ringback_graph.answers import AuthFailed, Found, Hostile, Malformed, NeedsBulk, NotFound, Refused, TooLarge
from ringback_graph.availability import Governor, Priority, RateLimiter, Role
from ringback_graph.client import GraphClient
from ringback_graph.records import RecordReader
from ringback_graph.settings import GraphSettings
from ringback_graph.subscriptions import Gone, Hint, NewSubscription, NotAccepted, Subscriptions
from ringback_graph.tenants import Tenant
from ringback_graph.transport import AiohttpTransport
from ringback_local.simulator import RunningSimulator
from ringback_testing.json_values import is_list, is_object

pytestmark = pytest.mark.integration

_ENVELOPE = ("@odata.context", "@odata.nextLink", "@odata.count", "@odata.etag", "@odata.id")


class Control:
    """The simulator's control API for one tenant of the test's own."""

    def __init__(self, session: aiohttp.ClientSession, url: str, tenant_id: str) -> None:
        self._session, self._url, self.tenant_id = session, url, tenant_id

    async def post(self, path: str, **body: Any) -> Any:
        """Ask for something."""
        async with self._session.post(f"{self._url}/control/{path}", json=body) as answer:
            content = await answer.json(content_type=None)
            assert answer.status < 300, content
            return content

    async def call(self, shape: str, **more: Any) -> str:
        """A new call; its id."""
        made = await self.post("calls", tenantId=self.tenant_id, shape=shape, notify=False, **more)
        return made["callId"]

    async def fault(self, call_id: str, **more: Any) -> None:
        """Plant a fault on one record."""
        await self.post("faults", tenantId=self.tenant_id, callId=call_id, **more)

    async def expected(self, call_id: str) -> Any:
        """What the simulator holds of a call."""
        async with self._session.get(f"{self._url}/control/calls/{self.tenant_id}/{call_id}") as answer:
            return await answer.json()

    async def requests(self) -> list[dict[str, Any]]:
        """The ledger's requests of this tenant."""
        url, found, offset = f"{self._url}/control/ledger", list[dict[str, Any]](), 0
        while True:
            params = {"offset": offset, "limit": 1000, "kind": "request"}
            async with self._session.get(url, params=params) as answer:
                page = await answer.json()
            found.extend(line for line in page["lines"] if line["tenantId"] == self.tenant_id)
            if page["nextOffset"] == offset:
                return found
            offset = page["nextOffset"]


@pytest.fixture
async def control(simulator: RunningSimulator) -> AsyncIterator[Control]:
    """A tenant that no other test uses."""
    tenant_id = str(uuid.uuid4())
    async with aiohttp.ClientSession() as session:
        made = Control(session, simulator.control_url, tenant_id)
        await made.post("tenants", tenants=[{"tenantId": tenant_id, "clientId": tenant_id, "clientSecret": "planted"}])
        yield made


@pytest.fixture
def tenant(simulator: RunningSimulator, control: Control, tmp_path: Path) -> Tenant:
    """The same tenant as Ringback knows it."""
    (tmp_path / "secret").write_text("planted\n")
    return Tenant.model_validate(
        {
            "tenant_id": control.tenant_id,
            "client_id": control.tenant_id,
            "graph_url": simulator.graph_url,
            "authority_url": simulator.authority_url,
            "credential": {"secret_file": tmp_path / "secret"},
            "notification_url": "http://localhost:1/graph/notifications",
        }
    )


@asynccontextmanager
async def client_of(simulator: RunningSimulator, role: Role) -> AsyncGenerator[GraphClient]:
    """The client of a process of that role, which shares no tenant with another."""
    settings, governor = GraphSettings(cafile=simulator.ca_file), Governor(RateLimiter(role, 1.0, SystemClock()))
    async with (
        AiohttpTransport(settings) as transport,
        GraphClient.open(transport, governor) as client,
    ):
        yield client


@pytest.fixture
async def graph(simulator: RunningSimulator) -> AsyncIterator[GraphClient]:
    """The client of a fetching process."""
    async with client_of(simulator, Role.FETCHER) as client:
        yield client


def bare(value: Any) -> Any:
    """A value without OData's envelope members, as the simulator hashes it."""
    if is_object(value):
        return {name: bare(each) for name, each in value.items() if not name.endswith(_ENVELOPE)}
    return [bare(each) for each in value] if is_list(value) else value


def content_hash(children: list[Any]) -> str:
    """The simulator's hash over all children."""
    ones = sorted(
        hashlib.sha256(orjson.dumps(bare(child), option=orjson.OPT_SORT_KEYS)).hexdigest()[:32] for child in children
    )
    return hashlib.sha256("\n".join(ones).encode()).hexdigest()[:32]


async def assert_whole(control: Control, found: Found, call_id: str) -> None:
    """Every session of that version, and of a group call every participant, by content."""
    version = (await control.expected(call_id))["versions"][str(found.version)]
    assert len(found.record["sessions"]) == version["sessions"]
    assert content_hash(found.record["sessions"]) == version["sessionsHash"]
    if found.record["type"] == "peerToPeer":
        assert "participants_v2" not in found.record
    else:
        assert content_hash(found.record["participants_v2"]) == version["participantsHash"]


@pytest.mark.parametrize("shape", ["peerToPeer", "meeting", "guest", "pstn", "queue", "failed"])
async def test_calls_of_every_shape_arrive_whole(
    graph: GraphClient, control: Control, tenant: Tenant, shape: str
) -> None:
    """What the client returns equals what the simulator holds, by content hash."""
    call_id = await control.call(shape)
    found = await RecordReader(graph).read(tenant, call_id, Priority.LIVE, str(uuid.uuid4()))
    assert isinstance(found, Found)
    await assert_whole(control, found, call_id)


async def test_a_meeting_of_150_sessions_and_a_webinar_of_400_participants_arrive_whole(
    graph: GraphClient, control: Control, tenant: Tenant
) -> None:
    """Every page of both collections, within the record's limit."""
    reader = RecordReader(graph)
    for more in ({"sessions": 150, "participants": 20}, {"participants": 400, "sessions": 10}):
        call_id = await control.call("meeting", **more)
        found = await reader.read(tenant, call_id, Priority.BULK)
        assert isinstance(found, Found)
        await assert_whole(control, found, call_id)
    assert all(request["overBudget"] is None for request in await control.requests())


@pytest.mark.parametrize(("shape", "requests"), [("peerToPeer", 1), ("smallMeeting", 2)])
async def test_a_small_record_costs_one_request_or_two_and_no_refusal(
    graph: GraphClient, control: Control, tenant: Tenant, shape: str, requests: int
) -> None:
    """The simulator refuses two relationships in one expand, as Graph is likely to."""
    while (await control.expected(call_id := await control.call(shape)))["type"] == "unknown":
        pass  # one call in a hundred says so, and is asked about like a group call
    found = await RecordReader(graph).read(tenant, call_id, Priority.LIVE)
    assert isinstance(found, Found)
    reported = [(line["route"], line["status"]) for line in await control.requests()]
    assert reported == [("record", 200), ("participants", 200)][:requests]


async def test_where_participants_v2_does_not_exist_the_record_is_read_without_them(
    graph: GraphClient, control: Control, tenant: Tenant
) -> None:
    """400 on the expand and 404 on the page: sessions whole, and four requests."""
    one = {"tenantId": control.tenant_id, "clientId": control.tenant_id, "clientSecret": "planted"}
    await control.post("tenants", tenants=[one | {"participantsV2": False}])
    call_id = await control.call("meeting", sessions=70)
    found = await RecordReader(graph).read(tenant, call_id, Priority.LIVE)
    assert isinstance(found, Found)
    assert "participants_v2" not in found.record
    assert content_hash(found.record["sessions"]) == (await control.expected(call_id))["versions"]["1"]["sessionsHash"]
    reported = [(line["route"], line["status"]) for line in await control.requests()]
    assert reported[2:] == [("participants", 400), ("participants", 404), ("versionCheck", 200)]


async def test_next_links_as_in_microsoft_s_sample_are_read_from_the_record_s_own_address(
    graph: GraphClient, control: Control, tenant: Tenant
) -> None:
    """Every page of both lists behind `$metadata#…`, byte for byte the token that the simulator gave."""
    call_id = await control.call("meeting", sessions=150, participants=300)
    await control.fault(call_id, route="records", effect="sampleNextLink")
    found = await RecordReader(graph).read(tenant, call_id, Priority.BULK)
    assert isinstance(found, Found)
    await assert_whole(control, found, call_id)
    assert {line["status"] for line in await control.requests()} == {200}


async def test_a_large_live_record_moves_to_bulk(graph: GraphClient, control: Control, tenant: Tenant) -> None:
    """After eight requests a live read of 1,000 sessions gives up its place."""
    call_id = await control.call("largeMeeting")
    assert await RecordReader(graph).read(tenant, call_id, Priority.LIVE) == NeedsBulk(8)


async def test_a_version_that_rises_between_pages_gives_no_mixed_record(
    graph: GraphClient, control: Control, tenant: Tenant
) -> None:
    """The simulator's mark in every session names one version only, the new one."""
    call_id = await control.call("meeting", sessions=130, participants=20, versionMark=True)
    await control.fault(call_id, route="records", page=1, effect="versionRise", count=1)
    found = await RecordReader(graph).read(tenant, call_id, Priority.BULK)
    assert isinstance(found, Found)
    assert found.version == 2
    assert {each["caller"]["userAgent"]["applicationVersion"] for each in found.record["sessions"]} == {"mark-v2"}
    await assert_whole(control, found, call_id)


@pytest.mark.parametrize(("route", "page"), [("record", 1), ("participants", 1), ("participants", 2)])
async def test_a_version_that_rises_behind_any_answer_gives_no_mixed_record(
    graph: GraphClient, control: Control, tenant: Tenant, route: str, page: int
) -> None:
    """Between the two requests, or between them and a page: sessions and participants are of the new version."""
    call_id = await control.call("meeting", sessions=10, participants=150, versionMark=True)
    await control.fault(call_id, route=route, page=page, effect="versionRise", count=1)
    found = await RecordReader(graph).read(tenant, call_id, Priority.BULK)
    assert isinstance(found, Found)
    assert found.version == 2
    await assert_whole(control, found, call_id)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"effect": "status", "status": 503}, Transient),
        ({"effect": "status", "status": 500}, Transient),
        ({"effect": "truncated"}, Transient),
        ({"effect": "throttle", "retryAfter": 3}, Throttled),
        ({"effect": "status", "status": 410, "code": "Gone"}, Refused),
        ({"effect": "malformed"}, Transient),
        ({"effect": "htmlPage"}, Transient),
        ({"effect": "wrongShape"}, Malformed),
        ({"effect": "foreignNextLink"}, Hostile),
        ({"effect": "redirect"}, Refused),
        ({"effect": "oversize"}, TooLarge),
    ],
)
async def test_each_fault_has_its_answer(
    graph: GraphClient, control: Control, tenant: Tenant, fault: dict[str, Any], expected: type
) -> None:
    """Data is an answer, what may pass is an exception, and the next call of the tenant is read all the same."""
    sick, well = await control.call("meeting", sessions=70), await control.call("peerToPeer")
    await control.fault(sick, route="record", count=1, **fault)
    reader = RecordReader(graph)
    if issubclass(expected, Exception):
        with pytest.raises(expected):
            await reader.read(tenant, sick, Priority.LIVE)
    else:
        assert isinstance(await reader.read(tenant, sick, Priority.LIVE), expected)
    assert isinstance(await reader.read(tenant, well, Priority.LIVE), Found)
    assert not any(request["insideRetryAfter"] for request in await control.requests())


async def test_an_unknown_call_is_not_found(graph: GraphClient, tenant: Tenant) -> None:
    """404 is data."""
    assert await RecordReader(graph).read(tenant, str(uuid.uuid4()), Priority.LIVE) == NotFound()


async def test_a_rejected_token_is_replaced_once(graph: GraphClient, control: Control, tenant: Tenant) -> None:
    """A 401 costs one new token and no error."""
    call_id = await control.call("peerToPeer")
    reader = RecordReader(graph)
    await reader.read(tenant, call_id, Priority.LIVE)
    await control.fault(call_id, route="record", effect="status", status=401, count=1)
    assert isinstance(await reader.read(tenant, call_id, Priority.LIVE), Found)
    assert len({request["token"] for request in await control.requests()}) == 2


async def test_a_wrong_secret_is_an_answer_until_it_is_right(
    graph: GraphClient, control: Control, tenant: Tenant, tmp_path: Path
) -> None:
    """The authority's code comes back; a corrected file works after the pause without a restart."""
    call_id = await control.call("peerToPeer")
    (tmp_path / "secret").write_text("wrong")
    reader = RecordReader(graph)
    refused = await reader.read(tenant, call_id, Priority.LIVE)
    assert isinstance(refused, AuthFailed)
    assert refused.code.startswith("invalid_client")
    (tmp_path / "secret").write_text("planted")
    await asyncio.sleep(5.1)  # the pause before the authority is asked again, in real time
    assert isinstance(await reader.read(tenant, call_id, Priority.LIVE), Found)


async def test_a_flood_stays_within_graph_s_limits(graph: GraphClient, control: Control, tenant: Tenant) -> None:
    """Many readers at once: the simulator's sliding windows count none too many."""
    call_ids = [await control.call("peerToPeer") for _ in range(40)]
    reader = RecordReader(graph)
    answers = await asyncio.gather(*(reader.read(tenant, call_id, Priority.LIVE) for call_id in call_ids * 4))
    assert all(isinstance(answer, Found) for answer in answers)
    requests = await control.requests()
    assert len(requests) == sum(answer.requests for answer in answers if isinstance(answer, Found)) >= 160
    assert {request["overBudget"] for request in requests} == {None}


async def test_a_429_to_a_page_of_a_large_record_makes_the_whole_tenant_wait(
    graph: GraphClient, control: Control, tenant: Tenant
) -> None:
    """Graph's 429 does not say what it is about: no request of the tenant leaves before Retry-After is over."""
    large = await control.call("meeting", sessions=600, participants=20)
    small = [await control.call("peerToPeer") for _ in range(8)]
    await control.post("faults", tenantId=control.tenant_id, effect="throttle", retryAfter=3, route="sessions", count=1)
    reader = RecordReader(graph)

    async def follow() -> None:
        for call_id in small:
            await asyncio.sleep(0.3)  # some of them fall into the pause
            await reader.read(tenant, call_id, Priority.LIVE)

    found, _ = await asyncio.gather(reader.read(tenant, large, Priority.BULK), follow())
    assert isinstance(found, Found)
    requests = await control.requests()
    assert 429 in {request["status"] for request in requests}
    assert not any(request["insideRetryAfter"] for request in requests)


@pytest.fixture
async def webhook() -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Answers Graph's handshake."""
    runners: list[aiohttp.web.AppRunner] = []

    async def echo(request: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(text=request.query.get("validationToken", ""), content_type="text/plain")

    async def start() -> str:
        application = aiohttp.web.Application()
        application.router.add_post("/n", echo)
        runner = aiohttp.web.AppRunner(application)
        runners.append(runner)
        await runner.setup()
        site = aiohttp.web.TCPSite(runner, "localhost", 0)
        await site.start()
        return f"http://localhost:{runner.addresses[0][1]}/n"

    yield start
    for runner in runners:
        await runner.cleanup()


async def test_a_subscription_lives_and_dies(
    simulator: RunningSimulator, tenant: Tenant, webhook: Callable[[], Awaitable[str]]
) -> None:
    """Created with the handshake, listed, renewed, refused a second time, deleted, gone."""
    url, ends = await webhook(), datetime.now(UTC) + timedelta(hours=24)
    new = NewSubscription("communications/callRecords", "updated", url, url, "k1.state", ends)
    async with client_of(simulator, Role.KEEPER) as client:
        subscriptions = Subscriptions(client)
        made: Any = await subscriptions.create(tenant, new)
        listed: Any = await subscriptions.list(tenant)
        assert [each.id for each in listed] == [made.id]
        again: Any = await subscriptions.create(tenant, new)
        assert again.existing_id == made.id
        later = ends + timedelta(hours=10)
        renewed: Any = await subscriptions.renew(tenant, made.id, later)
        assert abs(renewed.expires_at - later) < timedelta(seconds=1)
        await subscriptions.delete(tenant, made.id)
        assert await subscriptions.renew(tenant, made.id, later) == Gone()
        assert await subscriptions.list(tenant) == []


async def test_a_webhook_that_does_not_answer_is_told_as_such(simulator: RunningSimulator, tenant: Tenant) -> None:
    """A failed handshake is reported differently from missing rights."""
    ends = datetime.now(UTC) + timedelta(hours=24)
    nowhere = "http://localhost:1/n"
    new = NewSubscription("communications/callRecords", "updated", nowhere, nowhere, "k1.state", ends)
    async with client_of(simulator, Role.KEEPER) as client:
        answer = await Subscriptions(client).create(tenant, new)
    assert isinstance(answer, NotAccepted)
    assert answer.hint is Hint.VALIDATION
