"""The transport beside httpx's own: the same errors for the same faults, and a client of httpx works over it."""

import gzip
import ssl
import time
from pathlib import Path

import httpx
import pytest
from ringback_graph.settings import GraphSettings
from ringback_graph.transport import AiohttpTransport
from ringback_testing.https_server import StartHttps, raw_response

PATIENT = httpx.Timeout(30.0)


def ours(ca_file: Path | None) -> httpx.AsyncBaseTransport:
    """The transport under test."""
    return AiohttpTransport(GraphSettings(cafile=ca_file))


def theirs(ca_file: Path | None) -> httpx.AsyncBaseTransport:
    """Httpx's own."""
    return httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=ca_file))


async def raised(transport: httpx.AsyncBaseTransport, url: str, timeout: httpx.Timeout = PATIENT) -> type[Exception]:
    """The class of the error that a GET ends with; AssertionError if it ends with none."""
    async with httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as client:
        try:
            await client.get(url)
        except httpx.HTTPError as error:
            return type(error)
    return AssertionError


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", httpx.RemoteProtocolError),
        (b"rubbish\r\n\r\n", httpx.RemoteProtocolError),
        (raw_response(200, b"{}", Content_Length="100"), httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", httpx.RemoteProtocolError),
    ],
    ids=["closed without an answer", "no HTTP", "a body cut short", "a chunk cut short"],
)
async def test_a_broken_connection_is_a_broken_connection(
    https: StartHttps, answer: bytes, error: type[httpx.HTTPError]
) -> None:
    """And no connect time-out, as which other bridges from aiohttp to httpx report it."""
    server = await https()
    server.answer = lambda _: answer
    for make in (theirs, ours):
        assert await raised(make(server.ca_file), f"{server.url}/a") is error


async def test_a_reset_a_silence_and_a_closed_port_have_their_own_errors(https: StartHttps) -> None:
    """Each as httpx's own transport names it, the client's time-outs included; an unknown CA is no connection."""
    server = await https()
    server.answer = lambda _: None
    silent = await https()
    silent.answer = lambda _: None
    server.resets = True
    for make in (theirs, ours):
        assert await raised(make(server.ca_file), f"{server.url}/a") is httpx.ReadError
        assert await raised(make(server.ca_file), "https://localhost:1/a") is httpx.ConnectError
        assert issubclass(await raised(make(None), f"{server.url}/a"), httpx.ConnectError)
        began = time.monotonic()
        assert await raised(make(server.ca_file), f"{silent.url}/a", httpx.Timeout(30.0, read=0.5)) is httpx.ReadTimeout
        assert time.monotonic() - began < 25


async def test_the_body_is_given_to_the_network_as_the_client_wrote_it(https: StartHttps) -> None:
    """A POST with content, headers in their spelling; the reply is decompressed and decoded by the client."""
    server = await https()
    server.answer = lambda _: raw_response(200, gzip.compress(b'{"a": 1}'), Content_Encoding="gzip")
    async with httpx.AsyncClient(transport=ours(server.ca_file), timeout=PATIENT) as client:
        reply = await client.post(f"{server.url}/a?b=c", json={"x": [1, 2]}, headers={"X-Odd": "1"})
    assert reply.json() == {"a": 1}
    (seen,) = server.seen
    assert (seen.line, seen.body, seen.headers["x-odd"]) == ("POST /a?b=c HTTP/1.1", b'{"x":[1,2]}', "1")


async def test_redirects_are_the_client_s(https: StartHttps) -> None:
    """The transport follows none; a client that is asked to does."""
    server = await https()
    server.answer = lambda seen: (
        raw_response(302, Location="/b") if seen.line.startswith("GET /a ") else raw_response(200, b"{}")
    )
    async with httpx.AsyncClient(transport=ours(server.ca_file), timeout=PATIENT) as client:
        assert (await client.get(f"{server.url}/a")).status_code == 302
        assert (await client.get(f"{server.url}/a", follow_redirects=True)).status_code == 200
    assert [seen.line.split()[1] for seen in server.seen] == ["/a", "/a", "/b"]
