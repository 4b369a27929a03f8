"""One request to Graph, from budget and token to a reply: what every operation shares."""

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

import httpx
import orjson
from ringback_common.errors import Transient
from ringback_common.metrics import GRAPH_REFUSED_LINKS, GRAPH_REQUEST_SECONDS
from ringback_common.scopes import Scope

from ringback_graph.answers import AuthFailed
from ringback_graph.auth import TokenCache
from ringback_graph.availability import Governor, Priority, QuotaRequest
from ringback_graph.exchange import Reply, exchange
from ringback_graph.lenient import NO_JSON, read_json
from ringback_graph.links import HostileLink, checked_link, checked_page
from ringback_graph.msal_source import MsalSource
from ringback_graph.retry_after import retry_after
from ringback_graph.room import Boundless, Room
from ringback_graph.tenants import Tenant

__all__ = ["Call", "GraphClient", "error_code", "error_says", "json_object"]

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}\Z")
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "Ringback"}
_PREFER = "include-unknown-enum-members"


@dataclass(frozen=True, slots=True)
class Call:
    """One operation's next request."""

    tenant: Tenant
    operation: str
    """A bounded name for metrics, e.g. `record`, `page`."""
    method: str
    url: str
    priority: Priority
    narrow: Scope | None = None
    """The scope below the tenant, such as one record, whose quota the request counts against."""
    body: Mapping[str, Any] | None = None
    trace_id: str | None = None
    record: str | None = None
    """The id of the only call record that the URL, a next link, may lead to."""
    room: Room = field(default_factory=Boundless, repr=False)
    """Counts the reply's bytes."""

    def ticket(self) -> QuotaRequest:
        """The budget this request needs."""
        return QuotaRequest(self.tenant.tenant_id, self.tenant.budget, self.priority, self.narrow)


class GraphClient:
    """Sends requests for any tenant, within every budget, with that tenant's token, to that tenant's Graph only."""

    def __init__(self, transport: httpx.AsyncBaseTransport, tokens: TokenCache, governor: Governor) -> None:
        self._transport = transport
        self._tokens = tokens
        self._governor = governor
        self.clock = governor.clock

    @classmethod
    @asynccontextmanager
    async def open(cls, transport: httpx.AsyncBaseTransport, governor: Governor) -> AsyncGenerator["GraphClient"]:
        """The client of a process over an open transport; its tokens are closed at the end."""
        tokens = TokenCache(MsalSource(transport), governor.clock)
        try:
            yield cls(transport, tokens, governor)
        finally:
            await tokens.close()

    async def send(self, call: Call) -> Reply | AuthFailed:
        """Send one request; 2xx, 3xx and 4xx come back as they are, but 401 and 429.

        A 401 is tried once more with a new token.

        Raises:
            HostileLink: the URL is not the tenant's own Graph, or of another record; nothing was sent.
            Throttled: 429, or 503 with Retry-After, also of another process; the scope is held for all.
            Transient: 5xx, timeout, connection.
        """
        self._check(call)
        token = await self._tokens.get(call.tenant)
        if isinstance(token, AuthFailed):
            return token
        reply = await self._once(call, token)
        if reply.status != 401:  # noqa: PLR2004 - HTTP's own numbers read best
            return reply
        token = await self._tokens.replace(call.tenant, token)
        if isinstance(token, AuthFailed):
            return token
        reply = await self._once(call, token)
        return AuthFailed("token_rejected") if reply.status == 401 else reply  # noqa: PLR2004 - the same

    def _check(self, call: Call) -> None:
        try:
            if call.record is None:
                checked_link(call.url, call.tenant.graph_url)
            else:
                checked_page(call.url, call.tenant.graph_url, call.record)
        except HostileLink as hostile:
            GRAPH_REFUSED_LINKS.labels(hostile.why).inc()
            raise

    async def _once(self, call: Call, token: str) -> Reply:
        ticket = call.ticket()
        await self._governor.acquire(ticket)
        sent = self.clock.monotonic()
        status = "failed"
        try:
            with call.room.asking():
                reply = await exchange(self._transport, _request(call, token), room=call.room)
            status = str(reply.status)
        finally:
            _observer(call.operation, status)(self.clock.monotonic() - sent)
        return self._judged(reply, ticket, sent)

    def _judged(self, reply: Reply, ticket: QuotaRequest, sent: float) -> Reply:
        if reply.status == 429 or (reply.status == 503 and "Retry-After" in reply.headers):  # noqa: PLR2004 - HTTP
            raise self._governor.throttled(ticket, retry_after(reply.headers, self.clock.now()))
        self._governor.answered(ticket, sent)
        if reply.status >= 500:  # noqa: PLR2004 - HTTP
            raise Transient(f"Graph answered {reply.status}")
        return reply


@cache
def _observer(operation: str, status: str) -> Callable[[float], None]:
    """What observes the seconds of a request. Kept, for to look a label up costs more than to observe."""
    return GRAPH_REQUEST_SECONDS.labels(operation, status).observe


def _request(call: Call, token: str) -> httpx.Request:
    headers = {**_HEADERS, "Authorization": f"Bearer {token}", "Prefer": _PREFER}
    if call.trace_id is not None:
        headers["client-request-id"] = call.trace_id
    body = None if call.body is None else orjson.dumps(call.body)
    if body is not None:
        headers["Content-Type"] = "application/json"
    # Whatever the URL is, the request goes to the tenant's own Graph: of the checked URL only the target is used.
    root = call.tenant.graph_url
    target = {"target": call.url[len(root) :].encode("ascii")}
    return httpx.Request(call.method, _root(root), headers=headers, content=body, extensions=target)


@cache
def _root(url: str) -> httpx.URL:
    """A tenant's Graph; there are few, and to parse one takes as long as to send a request."""
    return httpx.URL(url)


def json_object(reply: Reply) -> dict[str, Any] | None:
    """The JSON object of a reply's body, or None if it holds JSON of another kind or is an error without JSON.

    Raises:
        Transient: a 2xx without any JSON: the page of a proxy, a portal or a maintenance. It is not from Graph, says
            nothing about what was asked for, and comes for every request at once.
    """
    content = _json(reply)
    if content is NO_JSON and reply.body is not None and 200 <= reply.status < 300:  # noqa: PLR2004 - HTTP
        raise Transient(f"an answer {reply.status} without JSON, so not Graph's")
    return cast("dict[str, Any]", content) if isinstance(content, dict) else None


def error_code(reply: Reply) -> str:
    """Graph's error code, or `none`; the message beside it may quote data and is no part of it."""
    error = (json_object(reply) or {}).get("error")
    code = cast("dict[str, Any]", error).get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and _WORD.match(code) else "none"


def error_says(reply: Reply, words: str) -> bool:
    """Whether the message of Graph's error has these lower-case words; it may quote data, and goes no further."""
    error = (json_object(reply) or {}).get("error")
    message = cast("dict[str, Any]", error).get("message") if isinstance(error, dict) else None
    return isinstance(message, str) and words in message.lower()


def _json(reply: Reply) -> object:
    if reply.body is None or "json" not in reply.headers.get("Content-Type", "").lower():
        return NO_JSON
    return read_json(reply.body)
