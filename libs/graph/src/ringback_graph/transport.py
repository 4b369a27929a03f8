"""One function does one request: TLS, proxy, timeouts, caps. Whoever wants another HTTP library replaces this file.

aiohttp is used as it is: behind httpx's interface the same requests cost twice the processor time.
"""

import zlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp
from ringback_common.errors import Transient
from yarl import URL

from ringback_graph.addresses import PublicResolver
from ringback_graph.room import Boundless, Room
from ringback_graph.settings import GraphSettings
from ringback_graph.trust import trusted

__all__ = ["HttpTransport", "Reply", "Request", "Transport"]

LARGEST_REPLY = 32 * 1024 * 1024
"""Octets after decompression; a page of 60 sessions has some 300 KiB."""
_SMALL_REPLY = 4 * 1024 * 1024
"""Octets that cannot hold enough values to matter."""
_MOST_VALUES = 1_000_000
"""Values in one reply: 32 MiB of empty objects would be eleven million, and 700 MiB of ours; a page has some 10,000."""
_CHUNK = 64 * 1024
_GZIP = 31
"""zlib's window bits for a gzip wrapper and nothing else."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; the URL is sent as it is written, character for character."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    room: Room = field(default_factory=Boundless, repr=False)
    """Takes the reply's body, piece by piece."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; redirects are replies like any other and are never followed."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Case-insensitive."""
    body: bytes | None = field(repr=False)
    """None: it was larger than the cap and is cut off, or holds more values than a parser should make of it."""


class Transport(Protocol):
    """Sends one request."""

    async def send(self, request: Request) -> Reply:
        """Raises Transient on timeout, broken connection or encoding; the message names the error's class only."""
        ...


class HttpTransport:
    """The real thing, over aiohttp."""

    def __init__(self, session: aiohttp.ClientSession, proxy: str | None, largest: int = LARGEST_REPLY) -> None:
        self._session = session
        self._proxy = proxy
        self._largest = largest

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: GraphSettings, largest: int = LARGEST_REPLY) -> AsyncGenerator["HttpTransport"]:
        """A transport with its own connections, closed at the end.

        Raises:
            ConfigError: the CA file cannot be used.
        """
        connector = aiohttp.TCPConnector(
            limit=settings.connections, ssl=trusted(settings), resolver=PublicResolver(), ttl_dns_cache=60
        )
        # A page must not trickle in for ever: the whole request may take four times the longest silence.
        patience = settings.timeout_seconds
        timeout = aiohttp.ClientTimeout(total=4 * patience, sock_connect=min(10.0, patience), sock_read=patience)
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        ) as session:
            yield cls(session, settings.proxy, largest)

    async def send(self, request: Request) -> Reply:
        """Raises Transient, as `Transport.send`."""
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
                proxy=self._proxy,
            ) as response:
                return Reply(response.status, response.headers, await self._body(response, request.room))
        except (aiohttp.ClientError, TimeoutError, OSError, zlib.error) as failure:
            kind = type(failure).__name__
        # Raised out here, without a cause: aiohttp's errors quote the request with its headers, the token among them.
        raise Transient(f"request to Graph failed: {kind}")

    async def _body(self, response: aiohttp.ClientResponse, room: Room) -> bytes | None:
        if (response.content_length or 0) > self._largest:
            return None
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        if encoding not in {"identity", "gzip"}:
            raise zlib.error("an encoding that was not asked for")
        plain = _Gunzip(self._largest) if encoding == "gzip" else _Plain(self._largest)
        async for chunk in response.content.iter_chunked(_CHUNK):
            before = plain.left
            if not plain.feed(chunk):
                return None
            await room.take(before - plain.left)
        whole = plain.whole()
        return whole if len(whole) <= _SMALL_REPLY or _values(whole) <= _MOST_VALUES else None


def _values(body: bytes) -> int:
    """At least as many as a JSON parser would make: each value but the first follows one of these."""
    return body.count(b",") + body.count(b"{") + body.count(b"[")


class _Plain:
    """Collects a body up to a cap."""

    def __init__(self, largest: int) -> None:
        self._parts: list[bytes] = []
        self.left = largest

    def feed(self, chunk: bytes) -> bool:
        """Take a piece; False once the cap is passed."""
        self.left -= len(chunk)
        self._parts.append(chunk)
        return self.left >= 0

    def whole(self) -> bytes:
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


class _Gunzip(_Plain):
    """The same for a gzip body; never inflates more than the cap and one octet, whatever the body promises."""

    def __init__(self, largest: int) -> None:
        super().__init__(largest)
        self._inflate = zlib.decompressobj(_GZIP)

    def feed(self, chunk: bytes) -> bool:
        fits = super().feed(self._inflate.decompress(chunk, self.left + 1))
        if self._inflate.unused_data:  # zlib would collect them without any cap
            raise zlib.error("bytes behind the end of the body")
        return fits

    def whole(self) -> bytes:
        if not self._inflate.eof:
            raise zlib.error("the body ends early")
        return super().whole()
