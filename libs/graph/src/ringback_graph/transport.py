"""httpx's transport over aiohttp's connections: TLS, proxy, addresses, time-outs.

httpx is the interface of every request (ADR 0046). Its own pool looks at all connections for each request, which at 32
requests in flight costs ten times the processor time; aiohttp's does not. Only this file and `addresses` know aiohttp.
"""

import aiohttp
import httpx
from yarl import URL

from ringback_graph.addresses import PublicResolver
from ringback_graph.exchange import CertificateError
from ringback_graph.settings import GraphSettings
from ringback_graph.trust import trusted

__all__ = ["AiohttpTransport", "sent_url"]

_CHUNK = 64 * 1024
"""Bytes of a body that are passed on at once."""
_LONGEST_CONNECT = 10.0
"""Seconds until a connection stands, TLS included."""
_FAILURES = (aiohttp.ClientError, TimeoutError, OSError)
_ERRORS: tuple[tuple[tuple[type[BaseException], ...], type[httpx.TransportError]], ...] = (
    ((aiohttp.ConnectionTimeoutError,), httpx.ConnectTimeout),
    ((TimeoutError,), httpx.ReadTimeout),
    ((aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError), httpx.ProxyError),
    ((aiohttp.ClientConnectorCertificateError,), CertificateError),
    ((aiohttp.ClientConnectorError,), httpx.ConnectError),
    ((aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError), httpx.RemoteProtocolError),
    ((aiohttp.ClientResponseError,), httpx.RemoteProtocolError),
    ((aiohttp.ClientConnectionResetError,), httpx.WriteError),
    ((aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError), httpx.UnsupportedProtocol),
)
"""The error that httpx's own transport raises where aiohttp raises one of these; the first match counts."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends requests as `httpx.AsyncHTTPTransport` does, over a pool of kept-alive HTTP/1.1 connections.

    It follows no redirect, keeps no cookie, reads no environment and decompresses nothing. Of a request's extensions it
    honours `target` and `timeout` (`connect` and `read`); waiting for a free connection and the body's arrival are
    bounded by four times the setting's longest silence. Plain http, as managed identities are asked, takes no proxy.

    Its errors are httpx's, with the class of aiohttp's as their only text and no cause: aiohttp's quote the request.
    """

    def __init__(self, settings: GraphSettings) -> None:
        """Open the pool, within a running loop. Raises ConfigError if the CA file cannot be used."""
        patience = settings.timeout_seconds
        self._proxy = settings.proxy
        self._timeout = aiohttp.ClientTimeout(
            total=4 * patience, sock_connect=min(_LONGEST_CONNECT, patience), sock_read=patience
        )
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=settings.connections, ssl=trusted(settings), resolver=PublicResolver(), ttl_dns_cache=60
            ),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the response's body is still to be read, and the response to be closed.

        Raises:
            httpx.TransportError: as httpx's own transport.
        """
        try:
            answer = await self._session.request(
                request.method,
                URL(sent_url(request), encoded=True),
                headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw],
                data=await request.aread() or None,
                allow_redirects=False,
                proxy=self._proxy if request.url.scheme == "https" else None,
                timeout=self._timeout_of(request),
            )
        except _FAILURES as failure:
            error = _as_httpx(failure)
        else:
            return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Body(answer))
        raise error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()

    def _timeout_of(self, request: httpx.Request) -> aiohttp.ClientTimeout:
        own = request.extensions.get("timeout")
        if own is None:
            return self._timeout
        return aiohttp.ClientTimeout(
            total=self._timeout.total, sock_connect=own.get("connect"), sock_read=own.get("read")
        )


def sent_url(request: httpx.Request) -> str:
    """The URL that goes out: the extension `target`, character for character, at the origin of the request's URL.

    httpx parses and escapes a URL anew, while a next link is opaque; and parsing it takes 40 µs.
    """
    target = request.extensions.get("target")
    if target is None:
        return str(request.url)
    url = request.url
    return f"{url.scheme}://{url.netloc.decode('ascii')}{target.decode('ascii')}"


class _Body(httpx.AsyncByteStream):
    """The body of an answer as it comes in."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    def __aiter__(self) -> "_Body":
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._answer.content.read(_CHUNK)
        except _FAILURES as failure:
            error = _as_httpx(failure)
        else:
            if piece:
                return piece
            raise StopAsyncIteration
        raise error

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        self._answer.release()
        await self._answer.wait_for_close()


def _as_httpx(failure: BaseException) -> httpx.TransportError:
    kind = next((kind for causes, kind in _ERRORS if isinstance(failure, causes)), httpx.ReadError)
    return kind(type(failure).__name__)
