"""What every request shares."""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_common.errors import Throttled
from ringback_common.scopes import Scope
from ringback_graph.availability import Priority, RateLimiter, Role
from ringback_graph.client import Call
from ringback_graph.links import HostileLink
from ringback_graph.retry_after import retry_after
from ringback_graph.room import Boundless
from ringback_graph.tenants import Tenant
from ringback_testing.scripted_graph import ScriptedGraph, reply

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


async def test_the_token_is_not_even_asked_for_before_the_guard(graph: ScriptedGraph, tenant: Tenant) -> None:
    """A foreign URL is refused before a token exists, for every caller."""
    client = graph.client()
    with pytest.raises(HostileLink):
        await client.send(Call(tenant, "page", "GET", "https://evil.test/v1.0/a", Priority.LIVE))
    assert graph.tokens.given == 0
    assert graph.requests == []


class _Told(Boundless):
    """Room that notes when a request is under way."""

    def __init__(self) -> None:
        self.requests = 0

    def asking(self) -> AbstractContextManager[None]:
        """Note it."""
        self.requests += 1
        return nullcontext()


async def test_a_read_is_told_when_its_request_is_sent_and_not_while_it_waits_for_its_budget(
    graph: ScriptedGraph, tenant: Tenant
) -> None:
    """Until the request leaves, the wait is ours and not Graph's."""
    graph.answer = lambda _: reply(200, {})
    limiter, room = RateLimiter(Role.FETCHER, 1.0, graph.clock), _Told()
    client = graph.client(limiter=limiter)
    call = Call(tenant, "record", "GET", "https://graph.test/v1.0/a", Priority.LIVE, room=room)
    limiter.hold_tenant(call.ticket(), 5.0)
    waiting = asyncio.create_task(client.send(call))
    await asyncio.sleep(0.05)
    assert (room.requests, graph.requests) == (0, [])
    waiting.cancel()
    graph.clock.seconds += 6
    await client.send(call)
    assert (room.requests, len(graph.requests)) == (1, 1)


@dataclass
class Takeover:
    """A tenant that this process has taken over from one that got a Retry-After."""

    left: float
    published: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])

    def publish(self, tenant_id: str, seconds: float) -> None:
        """Note it."""
        self.published.append((tenant_id, seconds))

    def remaining(self, tenant_id: str) -> float:  # noqa: ARG002 - the port's signature
        """What is left."""
        return self.left


async def test_what_another_process_was_told_is_kept(graph: ScriptedGraph, tenant: Tenant) -> None:
    """Nothing is sent before it has passed; a request fails as if Graph had answered so, and so does the next one."""
    graph.answer = lambda _: reply(200, {})
    limiter, registry = RateLimiter(Role.FETCHER, 1.0, graph.clock), Takeover(left=90.0)
    client = graph.client(limiter=limiter, registry=registry)
    call = Call(tenant, "record", "GET", "https://graph.test/v1.0/a", Priority.LIVE)
    limiter.hold_tenant(call.ticket(), 0.0)
    graph.clock.seconds += 1  # a bucket is empty at first
    for _ in range(2):
        with pytest.raises(Throttled) as held:
            await client.send(call)
        assert (held.value.scope, held.value.retry_after) == (Scope.tenant(tenant.tenant_id), 90.0)
    assert graph.requests == []
    graph.clock.seconds += 91
    registry.left = 0.0
    await client.send(call)
    assert len(graph.requests) == 1


async def test_a_short_wait_of_another_process_is_told_too_and_then_kept_in_place(
    graph: ScriptedGraph, tenant: Tenant
) -> None:
    """No step stands in a line for it: its caller puts the tenant aside, as after a 429."""
    graph.answer = lambda _: reply(200, {})
    limiter, registry = RateLimiter(Role.FETCHER, 1.0, graph.clock), Takeover(left=9.0)
    client = graph.client(limiter=limiter, registry=registry)
    call = Call(tenant, "record", "GET", "https://graph.test/v1.0/a", Priority.LIVE)
    limiter.hold_tenant(call.ticket(), 0.0)
    graph.clock.seconds += 1
    with pytest.raises(Throttled):
        await client.send(call)
    waiting = asyncio.create_task(client.send(call))
    await asyncio.sleep(0.05)
    assert graph.requests == []
    waiting.cancel()


async def test_a_429_is_told_to_whoever_takes_the_tenant_over(graph: ScriptedGraph, tenant: Tenant) -> None:
    """With the seconds Graph named."""
    graph.answer = lambda _: reply(429, {}, Retry_After="17")
    registry = Takeover(left=0.0)
    client = graph.client(registry=registry)
    with pytest.raises(Throttled):
        await client.send(Call(tenant, "record", "GET", "https://graph.test/v1.0/a", Priority.LIVE))
    assert registry.published == [(tenant.tenant_id, 17.0)]


async def test_a_request_never_shows_its_token(graph: ScriptedGraph, tenant: Tenant) -> None:
    """The repr of what is sent holds no header."""
    graph.answer = lambda _: reply(200, {})
    await graph.client().send(Call(tenant, "page", "GET", "https://graph.test/v1.0/a", Priority.LIVE))
    assert graph.requests[0].headers["Authorization"] == "Bearer token-1"
    assert "token-1" not in repr(graph.requests[0])
