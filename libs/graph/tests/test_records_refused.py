"""Answers to a read that are no record."""

from collections.abc import Callable
from typing import Any

import pytest
from ringback_graph.answers import Forbidden, Hostile, Malformed, NotFound, Refused
from ringback_graph.budget import Priority
from ringback_graph.records import RecordReader
from ringback_graph.tenants import Tenant
from ringback_graph.transport import Reply

CALL = "e523d2ed-2966-4b6b-925b-754a88034cc5"
ROOT = f"https://graph.test/v1.0/communications/callRecords/{CALL}"
BULK = Priority.BULK
Make = Callable[..., Reply]


async def read(graph: Any, tenant: Tenant) -> object:
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
    graph: Any, tenant: Tenant, reply: Make, status: int, content: Any, expected: object
) -> None:
    """Refusals and malformed bodies are answers; codes are words, never messages."""
    graph.answer = lambda _: reply(status, content)
    assert await read(graph, tenant) == expected


async def test_the_documented_sample_s_next_link_ends_the_read_before_any_request(
    graph: Any, tenant: Tenant, reply: Make
) -> None:
    """The malformed foreign link of the documentation gets no request and so no token."""
    link = f"https://graph.microsoft.com/v1.0/$metadata#communications/callRecords('{CALL}')/sessions?$skiptoken=abc"
    graph.answer = lambda _: reply(200, {"id": CALL, "version": 1, "sessions@odata.nextLink": link})
    assert isinstance(await read(graph, tenant), Hostile)
    assert [request.url.split("/")[2] for request in graph.requests] == ["graph.test"]


async def test_a_call_id_cannot_leave_its_path(graph: Any, tenant: Tenant) -> None:
    """An id with slashes or dots is refused before anything is sent."""
    reader = RecordReader(graph.client())
    for call_id in ("../subscriptions", "..", "a/b", "a%2fb", "a\\b"):
        assert isinstance(await reader.read(tenant, call_id, BULK), Hostile)
    assert graph.requests == []
