"""Answers to a read that are no record."""

from collections.abc import Mapping
from typing import Any

import pytest
from ringback_graph.answers import Forbidden, Found, Hostile, Malformed, NotFound, Refused
from ringback_graph.availability import Priority
from ringback_graph.exchange import Reply
from ringback_graph.records import RecordReader
from ringback_graph.tenants import Tenant
from ringback_testing.scripted_graph import ScriptedGraph, json_headers, reply

CALL = "e523d2ed-2966-4b6b-925b-754a88034cc5"
ROOT = f"https://graph.test/v1.0/communications/callRecords/{CALL}"
BULK = Priority.BULK
JSON = json_headers()


async def read(graph: ScriptedGraph, tenant: Tenant) -> object:
    """Read the record."""
    return await RecordReader(graph.client()).read(tenant, CALL, BULK)


ERROR = {"error": {"code": "UnknownError", "message": "names somebody@example.com"}}


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (404, ERROR, NotFound()),
        (403, ERROR, Forbidden("UnknownError")),
        (403, {"error": {"code": "some body@example.com"}}, Forbidden("none")),
        (403, ["x"], Forbidden("none")),
        (410, ERROR, Refused(410, "UnknownError")),
        (302, None, Refused(302, "none")),
        (200, ["x"], Malformed("json")),
        (200, {"id": CALL}, Malformed("version")),
        (200, {"id": CALL, "version": "x"}, Malformed("version")),
        (200, {"id": "other", "version": 1}, Malformed("id")),
        (200, {"version": 1}, Malformed("id")),
        (
            200,
            {"id": CALL, "version": 1, "sessions": {}, "sessions@odata.nextLink": f"{ROOT}/x"},
            Malformed("sessions"),
        ),
        (200, {"id": CALL, "version": 1, "sessions@odata.nextLink": 5}, Malformed("next_link")),
        (200, {"id": CALL, "version": 1, "sessions@odata.nextLink": "https://evil.test/v1.0/a"}, Hostile("origin")),
    ],
)
async def test_what_graph_says_is_data(
    graph: ScriptedGraph, tenant: Tenant, status: int, content: Any, expected: object
) -> None:
    """Refusals and malformed bodies are answers; codes are words, never messages."""
    graph.answer = lambda _: reply(status, content)
    assert await read(graph, tenant) == expected


@pytest.mark.parametrize("depth", [1025, 100_000])
async def test_a_reply_nested_too_deeply_is_no_record(graph: ScriptedGraph, tenant: Tenant, depth: int) -> None:
    """An answer as any other JSON that is no record: what cannot be read now cannot be read in an hour."""
    body = f'{{"id":"{CALL}","version":1,"x":{"[" * depth}{"]" * depth}}}'.encode()
    graph.answer = lambda _: Reply(200, JSON, body)
    assert await read(graph, tenant) == Malformed("json")


@pytest.mark.parametrize("name", ["version", "lastModifiedDateTime"])
async def test_what_tells_versions_apart_may_be_nested_as_deeply_as_can_be_read(
    graph: ScriptedGraph, tenant: Tenant, name: str
) -> None:
    """Python compares no such lists; neither of them is a version or a time."""
    reported = {"id": f'"{CALL}"', "version": "1", name: "[" * 1000 + "]" * 1000}
    record = reported | {"sessions": "[]", "sessions@odata.nextLink": f'"{ROOT}/sessions"'}
    pages = {"/sessions": {"value": "[]"}, f"{CALL}?$select=id,version,lastModifiedDateTime": reported}
    graph.answer = lambda request: _replied(next((pages[end] for end in pages if request.url.endswith(end)), record))
    answer = await read(graph, tenant)
    assert len(graph.requests) == (1 if name == "version" else 3)
    assert answer == Malformed("version") if name == "version" else isinstance(answer, Found)


def _replied(members: Mapping[str, str]) -> Reply:
    reported = ",".join(f'"{name}":{value}' for name, value in members.items())
    return Reply(200, JSON, f"{{{reported}}}".encode())


async def test_the_documented_sample_s_next_link_from_another_host_ends_the_read_before_any_request(
    graph: ScriptedGraph, tenant: Tenant
) -> None:
    """Of a Graph that is not the one its host names, it gets no request and so no token."""
    link = f"https://graph.microsoft.com/v1.0/$metadata#communications/callRecords('{CALL}')/sessions?$skiptoken=abc"
    graph.answer = lambda _: reply(200, {"id": CALL, "version": 1, "sessions@odata.nextLink": link})
    assert isinstance(await read(graph, tenant), Hostile)
    assert [request.url.split("/")[2] for request in graph.requests] == ["graph.test"]


async def test_a_call_id_cannot_leave_its_path(graph: ScriptedGraph, tenant: Tenant) -> None:
    """An id with slashes or dots is refused before anything is sent."""
    reader = RecordReader(graph.client())
    for call_id in ("../subscriptions", "..", "a/b", "a%2fb", "a\\b"):
        assert isinstance(await reader.read(tenant, call_id, BULK), Hostile)
    assert graph.requests == []
