"""What every request shares."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_graph.budget import Priority
from ringback_graph.client import Call
from ringback_graph.links import HostileLink
from ringback_graph.retry_after import retry_after
from ringback_graph.tenants import Tenant

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "17"}, 17.0),
        ({"Retry-After": " 3 "}, 3.0),
        ({"Retry-After": "0"}, 1.0),
        ({"Retry-After": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Sun, 22 Nov 2026 11:59:00 GMT"}, 1.0),
        ({"Retry-After": "Sun, 22 Nov 2026 13:00:30 GMT", "Date": "Sun, 22 Nov 2026 13:00:20 GMT"}, 10.0),
        ({"Retry-After": "9" * 400}, 86_400.0),
        ({"Retry-After": "soon"}, 10.0),
        ({"Retry-After": "-5"}, 10.0),
        ({"Retry-After": "120.5"}, 120.5),
        ({"Retry-After": ""}, 10.0),
        ({}, 10.0),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float) -> None:
    """Seconds, an HTTP date against the reply's own Date, garbage, or nothing."""
    assert retry_after(headers, NOW) == seconds


@given(st.text(), st.text())
def test_retry_after_is_total(written: str, date: str) -> None:
    """No header makes it raise, and no wait is shorter than a second or longer than a day."""
    assert 1.0 <= retry_after({"Retry-After": written, "Date": date}, NOW) <= 86_400.0


async def test_the_token_is_not_even_asked_for_before_the_guard(graph: Any, tenant: Tenant) -> None:
    """A foreign URL is refused before a token exists, whoever made the call."""
    client = graph.client()
    with pytest.raises(HostileLink):
        await client.send(Call(tenant, "page", "GET", "https://evil.test/v1.0/a", Priority.LIVE))
    assert graph.tokens.given == 0
    assert graph.requests == []


async def test_a_request_never_shows_its_token(graph: Any, tenant: Tenant, reply: Any) -> None:
    """The repr of what is sent holds no header."""
    graph.answer = lambda _: reply(200, {})
    await graph.client().send(Call(tenant, "page", "GET", "https://graph.test/v1.0/a", Priority.LIVE))
    assert graph.requests[0].headers["Authorization"] == "Bearer token-1"
    assert "token-1" not in repr(graph.requests[0])
