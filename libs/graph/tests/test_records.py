"""Reading whole records."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from multidict import CIMultiDict
from ringback_common.errors import Throttled, Transient
from ringback_graph.answers import (
    AuthFailed,
    Current,
    Found,
    Hostile,
    Malformed,
    NeedsBulk,
    NotFound,
    Refused,
    TooLarge,
    Unstable,
)
from ringback_graph.budget import Priority
from ringback_graph.records import ReadLimits, RecordReader
from ringback_graph.tenants import Tenant
from ringback_graph.transport import Reply, Request

CALL = "e523d2ed-2966-4b6b-925b-754a88034cc5"
ROOT = f"https://graph.test/v1.0/communications/callRecords/{CALL}"
LIVE, BULK = Priority.LIVE, Priority.BULK
Make = Callable[..., Reply]


class Record:
    """A record with pages, as Graph serves it; `version` may be changed between two requests."""

    def __init__(self, reply: Make, sessions: int = 3, participants: int = 2, page: int = 60) -> None:
        self.reply, self.sessions, self.participants, self.page = reply, sessions, participants, page
        self.version = 1
        self.type = "groupCall"
        self.refuses_both = False
        self.before: Callable[[Request], Reply | None] = lambda _: None

    def __call__(self, request: Request) -> Reply:
        """Serve one request."""
        early = self.before(request)
        if early is not None:
            return early
        split = urlsplit(request.url)
        query = dict(parse_qsl(split.query))
        if split.path.endswith("/sessions"):
            return self.reply(200, self.part("sessions", int(query["$skip"]), "value", "@odata.nextLink"))
        if split.path.endswith("/participants_v2"):
            return self.reply(200, self.part("participants_v2", int(query.get("$skip", 0)), "value", "@odata.nextLink"))
        if "$select" in query:
            return self.reply(200, self.head())
        return self.record(query["$expand"])

    def head(self) -> dict[str, Any]:
        """What every answer about the record itself begins with."""
        return {"id": CALL, "version": self.version, "lastModifiedDateTime": f"2026-11-22T10:00:0{self.version}Z"}

    def record(self, expand: str) -> Reply:
        """The record with its first pages."""
        both = "participants_v2" in expand
        if both and self.refuses_both:
            return self.reply(400, {"error": {"code": "BadRequest", "message": "no"}})
        whole = self.head() | {"type": self.type, "strange": {"kept": [None]}, "sessions@odata.context": "kept"}
        whole |= self.part("sessions", 0, "sessions", "sessions@odata.nextLink")
        if both:
            whole |= self.part("participants_v2", 0, "participants_v2", "participants_v2@odata.nextLink")
        return self.reply(200, whole)

    def part(self, member: str, skip: int, into: str, next_link: str) -> dict[str, Any]:
        """One page."""
        total, size = (self.sessions, self.page) if member == "sessions" else (self.participants, 130)
        values = [{"id": f"{member}-{n}", "v": self.version} for n in range(skip, min(skip + size, total))]
        link = {next_link: f"{ROOT}/{member}?$skip={skip + size}"} if skip + size < total else {}
        return {into: values} | link


async def read(graph: Any, tenant: Tenant, priority: Priority = BULK, **limits: Any) -> Any:
    """Read the record."""
    return await RecordReader(graph.client(), ReadLimits(**limits)).read(tenant, CALL, priority, "trace-1")


async def test_a_small_record_costs_one_request(graph: Any, tenant: Tenant, reply: Make) -> None:
    """One request with both expands, our headers, and every member kept."""
    graph.answer = Record(reply)
    found = await read(graph, tenant, LIVE)
    assert isinstance(found, Found)
    assert (found.version, found.requests, found.started_at) == (1, 1, graph.clock.now())
    assert found.record["strange"] == {"kept": [None]}
    assert found.record["sessions@odata.context"] == "kept"
    (request,) = graph.requests
    assert request.url == f"{ROOT}?$expand=sessions($expand=segments),participants_v2"
    assert request.headers["Authorization"] == "Bearer token-1"
    assert request.headers["Prefer"] == "include-unknown-enum-members"
    assert request.headers["client-request-id"] == "trace-1"


@pytest.mark.parametrize(("sessions", "participants"), [(1000, 2), (61, 400), (3, 131), (60, 130), (61, 131)])
async def test_every_page_is_read(graph: Any, tenant: Tenant, reply: Make, sessions: int, participants: int) -> None:
    """All sessions and participants, in order, once each, and no next link left; then the version once more."""
    graph.answer = Record(reply, sessions, participants)
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert [each["id"] for each in found.record["sessions"]] == [f"sessions-{n}" for n in range(sessions)]
    assert [each["id"] for each in found.record["participants_v2"]] == [
        f"participants_v2-{n}" for n in range(participants)
    ]
    assert not [name for name in found.record if name.endswith("nextLink")]
    pages = -(-sessions // 60) + -(-participants // 130) - 1
    assert found.requests == len(graph.requests) == (pages if pages == 1 else pages + 1)


async def test_segments_that_go_on_are_read_to_their_end(graph: Any, tenant: Tenant, reply: Make) -> None:
    """A next link inside a session is followed like any other."""
    record = Record(reply, 1)

    def before(request: Request) -> Reply | None:
        if request.url.endswith("/more"):
            return reply(200, {"value": [{"id": "segment-2"}]})
        if "$expand" not in request.url:
            return None
        session = {"id": "s", "segments": [{"id": "segment-1"}], "segments@odata.nextLink": f"{ROOT}/sessions/s/more"}
        return reply(200, record.head() | {"sessions": [session]})

    record.before = before
    graph.answer = record
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert found.record["sessions"] == [{"id": "s", "segments": [{"id": "segment-1"}, {"id": "segment-2"}]}]


@pytest.mark.parametrize(("member", "then"), [("version", 2), ("lastModifiedDateTime", "2026-11-22T10:00:07Z")])
async def test_a_record_that_differs_after_its_last_page_is_read_again(
    graph: Any, tenant: Tenant, reply: Make, member: str, then: Any
) -> None:
    """Either member shows the change: Graph may rewrite a record without raising its version."""
    record = Record(reply, 61)

    def before(request: Request) -> Reply | None:
        asked = [each.url for each in graph.requests]
        return reply(200, record.head() | {member: then}) if "$select" in request.url and len(asked) == 3 else None

    record.before = before
    graph.answer = record
    assert isinstance(await read(graph, tenant), Found)
    assert sum("$expand" in request.url for request in graph.requests) == 2


async def test_a_version_that_rises_between_two_pages_starts_the_read_over(
    graph: Any, tenant: Tenant, reply: Make
) -> None:
    """No record of two versions: what comes back is of the new version throughout."""
    record = Record(reply, 150)

    def before(request: Request) -> None:
        if "$skip=60" in request.url and record.version == 1:
            record.version = 2

    record.before = before
    graph.answer = record
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert found.version == 2
    assert {each["v"] for each in found.record["sessions"]} == {2}
    assert found.requests == 8


async def test_a_record_that_never_stands_still_is_unstable(graph: Any, tenant: Tenant, reply: Make) -> None:
    """The first attempt and three more, then the retry tier."""
    record = Record(reply, 61)

    def before(request: Request) -> None:
        record.version += "$skip=60" in request.url

    record.before = before
    graph.answer = record
    assert await read(graph, tenant) == Unstable(12)


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_a_page_whose_token_died_starts_the_read_over(
    graph: Any, tenant: Tenant, reply: Make, status: int
) -> None:
    """A page's token dies with its version; that is a change, not an answer about the record."""
    record, died = Record(reply, 61), [status]
    record.before = lambda request: reply(died.pop(), {}) if "$skip" in request.url and died else None
    graph.answer = record
    assert isinstance(await read(graph, tenant), Found)


async def test_a_live_record_of_more_than_eight_requests_goes_to_bulk(graph: Any, tenant: Tenant, reply: Make) -> None:
    """Seven pages and the version check are live's; one page more is bulk's."""
    graph.answer = Record(reply, 7 * 60)
    assert isinstance(await read(graph, tenant, LIVE), Found)
    graph.answer = Record(reply, 7 * 60 + 1)
    graph.requests.clear()
    assert await read(graph, tenant, LIVE) == NeedsBulk(8)
    assert len(graph.requests) == 8


async def test_a_graph_that_refuses_both_expands_is_remembered(graph: Any, tenant: Tenant, reply: Make) -> None:
    """A 400 is remembered per tenant; participants are then a second request, whatever kind of call it is."""
    record = Record(reply, 3, 131)
    record.refuses_both = True
    graph.answer = record
    reader = RecordReader(graph.client())
    found = await reader.read(tenant, CALL, BULK)
    assert isinstance(found, Found)
    assert len(found.record["participants_v2"]) == 131
    graph.requests.clear()
    await reader.read(tenant, CALL, BULK)
    assert [request.url.removeprefix(ROOT).partition("?")[0] for request in graph.requests] == [
        "",
        "/participants_v2",
        "/participants_v2",
        "",
    ]
    graph.requests.clear()
    record.type = "peerToPeer"
    found = await reader.read(tenant, CALL, BULK)
    assert isinstance(found, Found)
    assert len(found.record["participants_v2"]) == 131


async def test_both_expands_are_tried_again_after_an_hour_by_one_read(graph: Any, tenant: Tenant, reply: Make) -> None:
    """One odd 400 costs a tenant a second request for an hour, not for the life of the process."""
    record = Record(reply)
    record.refuses_both = True
    graph.answer = record
    reader = RecordReader(graph.client())

    async def tried() -> list[bool]:
        """For each of two reads at once, whether it tried the double form."""
        graph.requests.clear()
        found = await asyncio.gather(*(reader.read(tenant, CALL, BULK) for _ in range(2)))
        assert all(isinstance(each, Found) and len(each.record["participants_v2"]) == 2 for each in found)
        firsts = [request.url for request in graph.requests if "$expand" in request.url]
        return sorted("participants_v2" in url for url in firsts)

    await reader.read(tenant, CALL, BULK)
    graph.clock.seconds += 3599
    assert await tried() == [False, False]
    graph.clock.seconds += 2
    assert await tried() == [False, False, True]
    record.refuses_both = False
    assert await tried() == [False, False]
    graph.clock.seconds += 3600
    assert await tried() == [False, True]
    assert await tried() == [True, True]


async def test_a_400_for_another_reason_is_not_remembered(graph: Any, tenant: Tenant, reply: Make) -> None:
    """If the simple expand is refused too, the record is refused and the tenant keeps its one request."""
    graph.answer = lambda _: reply(400, {"error": {"code": "badId", "message": "secret"}})
    reader = RecordReader(graph.client())
    assert await reader.read(tenant, CALL, BULK) == Refused(400, "badId")
    graph.answer = Record(reply)
    graph.requests.clear()
    await reader.read(tenant, CALL, BULK)
    assert len(graph.requests) == 1


@pytest.mark.parametrize("holder", ["record", "page", "session"])
async def test_a_next_link_to_another_record_ends_the_read_before_any_request(
    graph: Any, tenant: Tenant, reply: Make, holder: str
) -> None:
    """Wherever the link stands: pages of somebody else's call never become part of this one."""
    record, foreign = Record(reply, 1), f"{ROOT[:-1]}0/sessions?$skiptoken=a"
    links = {"record": {"sessions@odata.nextLink": foreign}, "page": {"sessions@odata.nextLink": f"{ROOT}/sessions?a"}}
    segments = {"sessions": [{"id": "s", "segments@odata.nextLink": foreign}]}
    record.before = lambda request: reply(
        200,
        {"value": [], "@odata.nextLink": foreign}
        if request.url.endswith("?a")
        else record.head() | links.get(holder, segments),
    )
    graph.answer = record
    assert await read(graph, tenant) == Hostile("record")
    assert all(CALL in request.url for request in graph.requests)


async def test_pages_that_lead_in_a_circle_end(graph: Any, tenant: Tenant, reply: Make) -> None:
    """A next link seen before is malformed, not followed for ever."""
    record = Record(reply, 61)
    record.before = lambda request: (
        reply(200, {"value": [], "@odata.nextLink": request.url}) if "$skip" in request.url else None
    )
    graph.answer = record
    assert await read(graph, tenant) == Malformed("next_link")


async def test_the_caps_end_a_read(graph: Any, tenant: Tenant, reply: Make) -> None:
    """Pages, octets, one page's size and time are capped."""
    graph.answer = Record(reply, 1000)
    assert await read(graph, tenant, requests=5) == TooLarge("pages")
    assert await read(graph, tenant, octets=5000) == TooLarge("record")
    with pytest.raises(Transient):
        await read(graph, tenant, seconds=-1.0)
    graph.answer = lambda _: Reply(200, {}, None)
    assert await read(graph, tenant) == TooLarge("page")


async def test_server_errors_and_throttling_are_exceptions(graph: Any, tenant: Tenant, reply: Make) -> None:
    """5xx is Transient; 429, and 503 with Retry-After, are Throttled for the tenant and say how long."""
    for status in (500, 502, 503, 504):
        graph.answer = lambda _, status=status: reply(status, {})
        with pytest.raises(Transient) as failure:
            await read(graph, tenant)
        assert not isinstance(failure.value, Throttled)
    for status in (429, 503):
        graph.answer = lambda _, status=status: reply(status, {}, Retry_After="17")
        with pytest.raises(Throttled) as throttled:
            await read(graph, tenant)
        assert (throttled.value.scope, throttled.value.retry_after) == (f"tenant:{tenant.tenant_id}", 17.0)


@pytest.mark.parametrize(
    ("declared", "body"),
    [
        ("text/html; charset=utf-8", b"<html>Down for maintenance: https://proxy.test/?u=somebody@example.com</html>"),
        ("text/html", b'{"id": "looks like JSON"}'),
        ("application/json", b"<html></html>"),
        ("application/json", b'{"id": "\xff\xfe'),
        ("application/json", b""),
    ],
)
async def test_a_200_that_is_not_json_may_pass(
    graph: Any, tenant: Tenant, reply: Make, declared: str, body: bytes
) -> None:
    """A proxy's or maintenance page says nothing about the record or its pages: later, not never; it is not quoted."""
    page, record = Reply(200, CIMultiDict({"Content-Type": declared}), body), Record(reply, 61)
    for where in ("$expand", "$skip"):
        record.before = lambda request, where=where: page if where in request.url else None
        graph.answer = record
        with pytest.raises(Transient) as failure:
            await read(graph, tenant)
        assert "html" not in str(failure.value)


async def test_a_short_retry_after_between_pages_keeps_what_was_read(graph: Any, tenant: Tenant, reply: Make) -> None:
    """The read goes on with the same page; a long pause, or too many, gives it up."""
    record, storms = Record(reply, 150), ["3", "3"]
    record.before = lambda request: (
        reply(429, {}, Retry_After=storms.pop()) if "$skip=60" in request.url and storms else None
    )
    graph.answer = record
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert sum("$expand" in request.url for request in graph.requests) == 1
    for endless in ("31", "1"):
        record.before = lambda request, endless=endless: (
            reply(429, {}, Retry_After=endless) if "$skip=60" in request.url else None
        )
        with pytest.raises(Throttled):
            await read(graph, tenant)


async def test_a_401_is_tried_once_more_with_a_new_token(graph: Any, tenant: Tenant, reply: Make) -> None:
    """One new token for the tenant; if Graph refuses that too, the authorisation has failed."""
    record = Record(reply)
    record.before = lambda request: reply(401, {}) if request.headers["Authorization"] == "Bearer token-1" else None
    graph.answer = record
    assert isinstance(await read(graph, tenant), Found)
    graph.answer = lambda _: reply(401, {})
    reader = RecordReader(graph.client())
    assert await reader.read(tenant, CALL, BULK) == AuthFailed("token_rejected")
    given = graph.tokens.given
    assert await reader.read(tenant, CALL, BULK) == AuthFailed("token_rejected")
    assert graph.tokens.given == given


def test_an_answer_shows_nothing_of_the_record() -> None:
    """A Found that reaches a log shows counts only."""
    found = Found({"id": "person"}, 1, 1, None)  # pyright: ignore[reportArgumentType] - the time is not shown
    assert "person" not in repr(found)


@pytest.mark.parametrize(
    ("status", "refusal", "reached"),
    [
        (404, None, True),
        (401, None, None),
        (429, None, None),
        (502, None, False),
        (200, AuthFailed("invalid_client"), None),
        (200, Throttled("tenant:x", 5.0), None),
    ],
)
async def test_who_could_not_ask_says_nothing_about_graph(
    graph: Any, tenant: Tenant, reply: Make, status: int, refusal: AuthFailed | Throttled | None, reached: Any
) -> None:
    """No token, a rejected one or a pause: neither that Graph answers nor that it is silent."""
    graph.tokens.refusal = refusal
    graph.answer = lambda _request: reply(status, {})
    assert await RecordReader(graph.client()).reachable(tenant) is reached


async def test_the_version_alone_costs_one_request(graph: Any, tenant: Tenant, reply: Make) -> None:
    """The newest version, without sessions or participants."""
    served = graph.answer = Record(reply, sessions=200)
    served.version = 7
    assert await RecordReader(graph.client()).version(tenant, CALL, LIVE) == Current(7)
    assert [urlsplit(request.url).query for request in graph.requests] == [
        "$select=id,version,lastModifiedDateTime",
    ]


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (404, {}, NotFound()),
        (410, {"error": {"code": "Gone"}}, Refused(410, "Gone")),
        (200, {"error": {"code": "UnknownError"}}, Malformed("id")),
        (200, {"id": CALL}, Malformed("version")),
        (200, {"id": "another", "version": 3}, Malformed("id")),
    ],
)
async def test_a_version_that_is_not_said_is_an_answer_as_any_other(
    graph: Any, tenant: Tenant, reply: Make, status: int, body: dict[str, Any], answer: object
) -> None:
    """As for the whole record."""
    graph.answer = lambda _request: reply(status, body)
    assert await RecordReader(graph.client()).version(tenant, CALL, LIVE) == answer


class _Counted:
    """Room that notes what it is asked."""

    waited = 0.0

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    async def ahead(self, octets: int) -> None:
        """Note it."""
        self.asked.append(("ahead", octets))

    async def take(self, octets: int) -> None:
        """Note it."""
        self.asked.append(("take", octets))

    def asking(self) -> AbstractContextManager[None]:
        """Note it."""
        self.asked.append(("asking", 0))
        return nullcontext()

    def restart(self) -> None:
        """Note it."""
        self.asked.append(("restart", 0))


async def test_room_for_a_page_is_waited_for_before_it_is_asked_for(graph: Any, tenant: Tenant, reply: Make) -> None:
    """As much as the largest page so far had; an attempt that begins anew gives its bytes back first."""
    graph.answer, room = Record(reply, sessions=130), _Counted()
    found = await RecordReader(graph.client()).read(tenant, CALL, BULK, room=room)
    assert isinstance(found, Found)
    assert [kind for kind, _ in room.asked] == ["restart", *["ahead", "asking"] * len(graph.requests)]
    first, *later = [octets for kind, octets in room.asked if kind == "ahead"]
    assert first == 0
    assert min(later) > 1000
    assert all(request.room is room for request in graph.requests)


class _Full(_Counted):
    """Room that is found after a thousand seconds."""

    def __init__(self, clock: Any) -> None:
        super().__init__()
        self._clock = clock

    async def ahead(self, octets: int) -> None:
        """Time passes."""
        self._clock.seconds += 1000
        self.waited += 1000
        await super().ahead(octets)


async def test_waiting_for_room_is_not_held_against_the_record(graph: Any, tenant: Tenant, reply: Make) -> None:
    """While this process' memory is full Graph is not slow."""
    graph.answer = Record(reply, sessions=130)
    found = await RecordReader(graph.client()).read(tenant, CALL, BULK, room=_Full(graph.clock))
    assert isinstance(found, Found)


async def test_a_record_at_the_limit_is_found_and_one_byte_more_is_too_large(
    graph: Any, tenant: Tenant, reply: Make
) -> None:
    """The limit is of all replies together, of an attempt that begins anew only once."""
    graph.answer = Record(reply, sessions=130)
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert isinstance(await read(graph, tenant, octets=found.octets), Found)
    assert await read(graph, tenant, octets=found.octets - 1) == TooLarge("record")


async def test_a_refusal_of_both_expands_is_not_held_against_the_record(
    graph: Any, tenant: Tenant, reply: Make
) -> None:
    """A process that has yet to learn how a tenant may be asked draws the line at the same byte as one that knows."""
    graph.answer = Record(reply, sessions=130)
    graph.answer.refuses_both = True
    reader = RecordReader(graph.client())
    assert isinstance(await reader.read(tenant, CALL, BULK), Found)
    knows = await reader.read(tenant, CALL, BULK)
    assert isinstance(knows, Found)
    assert isinstance(await read(graph, tenant, octets=knows.octets), Found)
    assert await read(graph, tenant, octets=knows.octets - 1) == TooLarge("record")


async def test_what_would_become_much_from_little_is_too_large(graph: Any, tenant: Tenant, reply: Make) -> None:
    """Each object counts, however empty: a session is derived of every one."""
    record = Record(reply)
    graph.answer = lambda _: reply(200, record.head() | {"type": "peerToPeer", "sessions": [{}] * 1000})
    assert isinstance(await read(graph, tenant, octets=1002 * 128), Found)
    assert await read(graph, tenant, octets=1000 * 128) == TooLarge("record")
