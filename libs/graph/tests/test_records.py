"""Reading whole records."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from ringback_common.errors import Throttled, Transient
from ringback_common.scopes import Scope
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
from ringback_graph.availability import Priority
from ringback_graph.exchange import Reply
from ringback_graph.records import ReadLimits, RecordReader
from ringback_graph.tenants import Tenant
from ringback_testing.paged_record import CALL, ROOT
from ringback_testing.paged_record import PagedRecord as Record
from ringback_testing.scripted_graph import Asked, ScriptedGraph, reply

LIVE, BULK = Priority.LIVE, Priority.BULK


async def read(graph: ScriptedGraph, tenant: Tenant, priority: Priority = BULK, **limits: Any) -> Any:
    """Read the record."""
    return await RecordReader(graph.client(), ReadLimits(**limits)).read(tenant, CALL, priority, "trace-1")


@pytest.mark.parametrize(("sessions", "participants"), [(1000, 2), (61, 400), (3, 131), (60, 130), (61, 131)])
async def test_every_page_is_read(graph: ScriptedGraph, tenant: Tenant, sessions: int, participants: int) -> None:
    """All sessions and participants, in order, once each, and no next link left; the version, if participants go on."""
    graph.answer = Record(reply, sessions, participants)
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert [each["id"] for each in found.record["sessions"]] == [f"sessions-{n}" for n in range(sessions)]
    assert [each["id"] for each in found.record["participants_v2"]] == [
        f"participants_v2-{n}" for n in range(participants)
    ]
    assert not [name for name in found.record if name.endswith("nextLink")]
    pages = -(-sessions // 60) + -(-participants // 130)
    assert found.requests == len(graph.requests) == pages + (participants > 130)


async def test_segments_that_go_on_are_read_to_their_end(graph: ScriptedGraph, tenant: Tenant) -> None:
    """A next link inside a session is followed like any other."""
    record = Record(reply, 1)

    def before(request: Asked) -> Reply | None:
        if request.url.endswith("/more"):
            return reply(200, {"value": [{"id": "segment-2"}]})
        if "$expand=sessions(" not in request.url:
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
    graph: ScriptedGraph, tenant: Tenant, member: str, then: Any
) -> None:
    """Either member shows the change: Graph may rewrite a record without raising its version."""
    record = Record(reply, 61)

    def before(request: Asked) -> Reply | None:
        asked = [each.url for each in graph.requests]
        return reply(200, record.head() | {member: then}) if "$select" in request.url and len(asked) == 3 else None

    record.before = before
    graph.answer = record
    assert isinstance(await read(graph, tenant), Found)
    assert sum("$expand=sessions(" in request.url for request in graph.requests) == 2


async def test_a_version_that_rises_between_two_pages_starts_the_read_over(
    graph: ScriptedGraph, tenant: Tenant
) -> None:
    """No record of two versions: what comes back is of the new version throughout."""
    record = Record(reply, 150)

    def before(request: Asked) -> None:
        if "$skip=60" in request.url and record.version == 1:
            record.version = 2

    record.before = before
    graph.answer = record
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert found.version == 2
    assert {each["v"] for each in found.record["sessions"]} == {2}
    assert found.requests == 8


async def test_a_record_that_never_stands_still_is_unstable(graph: ScriptedGraph, tenant: Tenant) -> None:
    """The first attempt and three more, then the retry tier."""
    record = Record(reply, 61)

    def before(request: Asked) -> None:
        record.version += "$skip=60" in request.url

    record.before = before
    graph.answer = record
    assert await read(graph, tenant) == Unstable(12)


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_a_page_whose_token_died_starts_the_read_over(graph: ScriptedGraph, tenant: Tenant, status: int) -> None:
    """A page's token dies with its version; that is a change, not an answer about the record."""
    record, died = Record(reply, 61), [status]
    record.before = lambda request: reply(died.pop(), {}) if "$skip" in request.url and died else None
    graph.answer = record
    assert isinstance(await read(graph, tenant), Found)


async def test_a_live_record_of_more_than_eight_requests_goes_to_bulk(graph: ScriptedGraph, tenant: Tenant) -> None:
    """Seven pages and the participants are live's; one page more is bulk's."""
    graph.answer = Record(reply, 7 * 60)
    assert isinstance(await read(graph, tenant, LIVE), Found)
    graph.answer = Record(reply, 7 * 60 + 1)
    graph.requests.clear()
    assert await read(graph, tenant, LIVE) == NeedsBulk(8)
    assert len(graph.requests) == 8


@pytest.mark.parametrize("holder", ["record", "page", "session"])
async def test_a_next_link_to_another_record_ends_the_read_before_any_request(
    graph: ScriptedGraph, tenant: Tenant, holder: str
) -> None:
    """Wherever the link stands: pages of another call never become part of this one."""
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


async def test_pages_that_lead_in_a_circle_end(graph: ScriptedGraph, tenant: Tenant) -> None:
    """A next link seen before is malformed, not followed for ever."""
    record = Record(reply, 61)
    record.before = lambda request: (
        reply(200, {"value": [], "@odata.nextLink": request.url}) if "$skip" in request.url else None
    )
    graph.answer = record
    assert await read(graph, tenant) == Malformed("next_link")


async def test_the_caps_end_a_read(graph: ScriptedGraph, tenant: Tenant) -> None:
    """Pages, bytes, one page's size and time are capped."""
    graph.answer = Record(reply, 1000)
    assert await read(graph, tenant, requests=5) == TooLarge("pages")
    assert await read(graph, tenant, byte_count=5000) == TooLarge("record")
    with pytest.raises(Transient):
        await read(graph, tenant, seconds=-1.0)
    graph.answer = lambda _: Reply(200, {}, None)
    assert await read(graph, tenant) == TooLarge("page")


async def test_server_errors_and_throttling_are_exceptions(graph: ScriptedGraph, tenant: Tenant) -> None:
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
        assert (throttled.value.scope, throttled.value.retry_after) == (Scope.tenant(tenant.tenant_id), 17.0)


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
    graph: ScriptedGraph, tenant: Tenant, declared: str, body: bytes
) -> None:
    """A proxy's or maintenance page says nothing about the record or its pages: later, not never; it is not quoted."""
    page, record = Reply(200, {"Content-Type": declared}, body), Record(reply, 61)
    for where in ("$expand", "$skip"):
        record.before = lambda request, where=where: page if where in request.url else None
        graph.answer = record
        with pytest.raises(Transient) as failure:
            await read(graph, tenant)
        assert "html" not in str(failure.value)


async def test_a_short_retry_after_between_pages_keeps_what_was_read(graph: ScriptedGraph, tenant: Tenant) -> None:
    """The read goes on with the same page; a long pause, or too many, gives it up."""
    record, storms = Record(reply, 150), ["3", "3"]
    record.before = lambda request: (
        reply(429, {}, Retry_After=storms.pop()) if "$skip=60" in request.url and storms else None
    )
    graph.answer = record
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert sum("$expand=sessions(" in request.url for request in graph.requests) == 1
    for endless in ("31", "1"):
        record.before = lambda request, endless=endless: (
            reply(429, {}, Retry_After=endless) if "$skip=60" in request.url else None
        )
        with pytest.raises(Throttled):
            await read(graph, tenant)


async def test_a_401_is_tried_once_more_with_a_new_token(graph: ScriptedGraph, tenant: Tenant) -> None:
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
        (200, Throttled(Scope.tenant("x"), 5.0), None),
    ],
)
async def test_who_could_not_ask_says_nothing_about_graph(
    graph: ScriptedGraph, tenant: Tenant, status: int, refusal: AuthFailed | Throttled | None, reached: Any
) -> None:
    """No token, a rejected one or a pause: neither that Graph answers nor that it is silent."""
    graph.tokens.refusal = refusal
    graph.answer = lambda _request: reply(status, {})
    assert await RecordReader(graph.client()).reachable(tenant) is reached


async def test_the_version_alone_costs_one_request(graph: ScriptedGraph, tenant: Tenant) -> None:
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
    graph: ScriptedGraph, tenant: Tenant, status: int, body: dict[str, Any], answer: object
) -> None:
    """As for the whole record."""
    graph.answer = lambda _request: reply(status, body)
    assert await RecordReader(graph.client()).version(tenant, CALL, LIVE) == answer


@pytest.mark.parametrize("page_status", [404, 400])
async def test_a_refusal_about_participants_is_not_held_against_the_record(
    graph: ScriptedGraph, tenant: Tenant, page_status: int
) -> None:
    """What Graph says of participants_v2 that it lacks is no byte of the record, however much it says."""
    record = graph.answer = Record(reply, sessions=130)
    reported = {"error": {"code": "BadRequest", "message": "Resource not found for the segment " + "{" * 5000}}
    record.lacks = (reply(400, reported), reply(page_status, reported))
    served = [record(request) for request in await _requests(graph, tenant)]
    whole = b"".join(each.body or b"" for each in served if each.status == 200)
    byte_count = max(len(whole), whole.count(b"{") * 128)
    assert [each.status for each in served] == [200, 200, 200, 400, page_status, 200]
    found = await read(graph, tenant, byte_count=byte_count)
    assert isinstance(found, Found)
    assert found.byte_count == byte_count
    assert await read(graph, tenant, byte_count=byte_count - 1) == TooLarge("record")


async def _requests(graph: ScriptedGraph, tenant: Tenant) -> list[Asked]:
    """What a read asks for."""
    assert isinstance(await read(graph, tenant), Found)
    return list(graph.requests)
