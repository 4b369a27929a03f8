"""A Graph without participants_v2: until 2026-01 Microsoft listed it for the global cloud only."""

import logging
from typing import Any

import pytest
from ringback_graph.answers import Forbidden, Found, NotFound, Refused, Unstable
from ringback_graph.availability import Priority
from ringback_graph.exchange import Reply
from ringback_graph.records import RecordReader
from ringback_graph.tenants import Tenant
from ringback_testing.paged_record import CALL, PARTICIPANTS, ROOT, SESSIONS, VERSION, PagedRecord
from ringback_testing.scripted_graph import Asked, ScriptedGraph, reply

PAGE = "/participants_v2"
BAD, ODD = {"error": {"code": "BadRequest"}}, {"error": {"code": "UnknownError"}}
NO_SEGMENT = {"error": {"code": "BadRequest", "message": "Resource not found for the segment 'participants_v2'."}}


def asked(graph: ScriptedGraph) -> list[str]:
    """What was asked for, in order, without the record's own address."""
    return [request.url.removeprefix(ROOT) for request in graph.requests]


async def read(graph: ScriptedGraph, tenant: Tenant) -> Any:
    """Read the record."""
    return await RecordReader(graph.client()).read(tenant, CALL, Priority.LIVE)


@pytest.mark.parametrize(("status", "body"), [(404, {}), (404, ODD), (400, NO_SEGMENT)])
async def test_sessions_and_old_participants_are_the_record(
    graph: ScriptedGraph, tenant: Tenant, status: int, body: Any
) -> None:
    """400 on the expand, then 404 on the page, or Graph's 400 for a segment that its schema lacks; then the version."""
    record = graph.answer = PagedRecord(reply)
    record.lacks = (reply(400, BAD), reply(status, body))
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert asked(graph) == [f"?{SESSIONS}", f"?{PARTICIPANTS}", PAGE, f"?{VERSION}"]
    assert "participants_v2" not in found.record
    assert found.record["participants"] == [{"user": {"id": "old-participant"}}]
    assert len(found.record["sessions"]) == 3


async def test_it_is_said_once_for_each_tenant(
    graph: ScriptedGraph, tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    """However many records are read of it; never before a record has come through so."""
    record = graph.answer = PagedRecord(reply)
    record.lacks = (reply(400, BAD), reply(404, {}))
    reader = RecordReader(graph.client())
    other = tenant.model_copy(update={"tenant_id": "22222222-2222-4333-8444-555555555555"})
    with caplog.at_level(logging.WARNING):
        record.before = lambda request: reply(404, {}) if request.url.endswith(VERSION) else None
        assert await reader.read(tenant, CALL, Priority.BULK) == Unstable(16)
        assert caplog.records == []
        record.before = lambda _: None
        for each in (tenant, other, tenant, other):
            assert isinstance(await reader.read(each, CALL, Priority.BULK), Found)
    assert [vars(line)["ringback_fields"]["tenant_id"] for line in caplog.records] == [
        tenant.tenant_id,
        other.tenant_id,
    ]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((400, ODD), Refused(400, "UnknownError")),
        ((400, BAD), Refused(400, "BadRequest")),
        ((400, {"error": {"code": "BadRequest", "message": "Invalid request."}}), Refused(400, "BadRequest")),
        (
            (400, {"error": {"code": "BadRequest", "message": ["Resource not found for the segment"]}}),
            Refused(400, "BadRequest"),
        ),
        ((403, NO_SEGMENT), Forbidden("BadRequest")),
        ((403, ODD), Forbidden("UnknownError")),
        ((410, ODD), Refused(410, "UnknownError")),
    ],
)
async def test_another_answer_to_the_page_does_not_say_that_it_does_not_exist(
    graph: ScriptedGraph, tenant: Tenant, answer: tuple[int, Any], expected: object
) -> None:
    """A fault that answers both with 400 must not cost a record its participants: a whole one comes too late then."""
    record = graph.answer = PagedRecord(reply)
    record.lacks = (reply(400, BAD), reply(*answer))
    assert await read(graph, tenant) == expected


async def test_where_only_the_expand_is_refused_the_page_has_them(graph: ScriptedGraph, tenant: Tenant) -> None:
    """The page says no version, so that is asked for at the end; its own next links are followed."""
    record = graph.answer = PagedRecord(reply, 3, 131)
    record.before = lambda request: reply(400, ODD) if request.url.endswith(PARTICIPANTS) else None
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert asked(graph) == [f"?{SESSIONS}", f"?{PARTICIPANTS}", PAGE, f"{PAGE}?$skip=130", f"?{VERSION}"]
    assert len(found.record["participants_v2"]) == 131


@pytest.mark.parametrize("page", ["with the page", "without it"])
async def test_a_version_that_rises_meanwhile_starts_the_read_over(
    graph: ScriptedGraph, tenant: Tenant, page: str
) -> None:
    """The page says no version: only the check at the end can tell."""
    record = graph.answer = PagedRecord(reply)
    if page == "without it":
        record.lacks = (reply(400, BAD), reply(404, {}))

    def before(request: Asked) -> Reply | None:
        record.version = 2 if request.url.endswith(PAGE) else record.version
        return reply(400, BAD) if request.url.endswith(PARTICIPANTS) else None

    record.before = before
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert (found.version, found.requests) == (2, 8)


async def test_a_record_that_went_meanwhile_is_not_found(graph: ScriptedGraph, tenant: Tenant) -> None:
    """The 404 of the page was the record's: the version is not there either, nor is the record when it is read anew."""
    record = graph.answer = PagedRecord(reply)
    record.lacks = (reply(400, BAD), reply(404, {}))
    record.before = lambda _: reply(404, {}) if graph.requests[3:] else None
    assert await read(graph, tenant) == NotFound()
    assert asked(graph) == [f"?{SESSIONS}", f"?{PARTICIPANTS}", PAGE, f"?{VERSION}", f"?{SESSIONS}"]
