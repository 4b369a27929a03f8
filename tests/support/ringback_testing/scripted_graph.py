"""A Graph of a test's own making: replies by a function of the request, tokens by number, budgets without waiting."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
from ringback_graph.answers import AuthFailed
from ringback_graph.auth import Granted, TokenCache
from ringback_graph.availability import Governor, QuotaRequest, RateLimiter, Role, ThrottleRegistry
from ringback_graph.client import GraphClient
from ringback_graph.exchange import Reply
from ringback_graph.tenants import Tenant
from ringback_graph.transport import sent_url

__all__ = [
    "Asked",
    "NumberedTokens",
    "ScriptedGraph",
    "StoppedClock",
    "Unlimited",
    "graph_tenant",
    "json_headers",
    "reply",
]

_BEYOND_ANY_CAP = str(10**12)


@dataclass
class StoppedClock:
    """A clock that moves only when the test says so."""

    seconds: float = 1000.0

    def now(self) -> datetime:
        """The wall clock."""
        return datetime(2026, 11, 22, 12, 0, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds


@dataclass
class NumberedTokens:
    """An authority that gives token-1, token-2, ... or what the test puts into `refusal`."""

    given: int = 0
    seconds: float = 3600.0
    refusal: AuthFailed | Exception | None = None

    def acquire(self, tenant: Tenant) -> Granted | AuthFailed:  # noqa: ARG002 - the port's signature
        """A new token."""
        if isinstance(self.refusal, Exception):
            raise self.refusal
        if self.refusal is not None:
            return self.refusal
        self.given += 1
        return Granted(f"token-{self.given}", self.seconds)


class Unlimited(RateLimiter):
    """The real limiter, but no request waits."""

    async def acquire(self, ticket: QuotaRequest) -> None:
        """Let the request pass."""


@dataclass(frozen=True)
class Asked:
    """One request as it would have gone out."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


@dataclass
class ScriptedGraph(httpx.AsyncBaseTransport):
    """Answers each request by `answer` and remembers all of them."""

    answer: Callable[[Asked], Reply] = lambda _: reply(404)
    clock: StoppedClock = field(default_factory=StoppedClock)
    tokens: NumberedTokens = field(default_factory=NumberedTokens)
    requests: list[Asked] = field(default_factory=list[Asked])

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        self.requests.append(Asked(request.method, sent_url(request), request.headers, request.content or None))
        return _response(self.answer(self.requests[-1]))

    def client(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        limiter: RateLimiter | None = None,
        registry: ThrottleRegistry | None = None,
    ) -> GraphClient:
        """A client whose Graph this is, or with a transport, a limiter or a registry of its own."""
        governor = Governor(limiter or Unlimited(Role.FETCHER, 1.0, self.clock), registry)
        return GraphClient(transport or self, TokenCache(self.tokens, self.clock), governor)


def json_headers(**headers: str) -> Mapping[str, str]:
    """Headers of a JSON body and others, whose underscores stand for hyphens; case-insensitive."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Headers({"Content-Type": "application/json"} | named)


def reply(status: int, content: Any = None, **headers: str) -> Reply:
    """A reply with a JSON body."""
    return Reply(status, json_headers(**headers), orjson.dumps(content))


def graph_tenant(folder: Path, tenant_id: str) -> Tenant:
    """A tenant of graph.test whose secret would lie in a folder."""
    return Tenant.model_validate(
        {
            "tenant_id": tenant_id,
            "client_id": "app",
            "graph_url": "https://graph.test",
            "authority_url": "https://login.test",
            "credential": {"secret_file": folder / "secret"},
            "notification_url": "https://ringback.test/graph/notifications",
        }
    )


def _response(answer: Reply) -> httpx.Response:
    """The response that a transport gives; a reply without a body declares more than any cap."""
    if answer.body is None:
        headers = {**answer.headers, "Content-Length": _BEYOND_ANY_CAP}
        return httpx.Response(answer.status, headers=headers, stream=httpx.ByteStream(b""))
    return httpx.Response(answer.status, headers=dict(answer.headers), stream=httpx.ByteStream(answer.body))
