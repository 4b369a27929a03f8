"""What really goes over the wire."""

import gzip
import traceback
import zlib

import httpx
import pytest
from ringback_common.clock import SystemClock
from ringback_common.errors import Transient
from ringback_graph.answers import AuthFailed, Hostile, Refused
from ringback_graph.availability import Governor, Priority, RateLimiter, Role
from ringback_graph.client import GraphClient
from ringback_graph.exchange import LARGEST_REPLY, Reply, exchange
from ringback_graph.records import RecordReader
from ringback_graph.room import Boundless
from ringback_graph.settings import GraphSettings
from ringback_graph.tenants import Tenant
from ringback_graph.transport import AiohttpTransport
from ringback_testing.https_server import HttpsServer, StartHttps, raw_response
from ringback_testing.scripted_graph import ScriptedGraph

MIB = 1024 * 1024


def get(url: str) -> httpx.Request:
    """A GET with a token, of a URL that goes out as it is written."""
    root = "/".join(url.split("/")[:3])
    target = url.removeprefix(root).encode()
    headers = {"Authorization": "Bearer planted-token", "Accept-Encoding": "gzip"}
    return httpx.Request("GET", root, headers=headers, extensions={"target": target})


def settings(server: HttpsServer, timeout: float = 5.0) -> GraphSettings:
    """Trusts the server's CA."""
    return GraphSettings(cafile=server.ca_file, timeout_seconds=timeout)


async def sent(server: HttpsServer, path: str = "/v1.0/a", largest: int = LARGEST_REPLY, timeout: float = 5.0) -> Reply:
    """Send one GET to the server and read its reply."""
    async with AiohttpTransport(settings(server, timeout)) as transport:
        return await exchange(transport, get(f"{server.url}{path}"), largest=largest)


async def test_a_request_arrives_as_it_was_written(https: StartHttps) -> None:
    """The URL is sent character for character, with our headers and no cookie of an earlier answer."""
    server = await https()
    server.answer = lambda _: raw_response(200, b"{}", Set_Cookie="a=b")
    written = f"{server.url}/v1.0/a('b')?$expand=s($expand=t),p&x=%2B%20+%"
    async with AiohttpTransport(settings(server)) as transport:
        replies = [await exchange(transport, get(written)) for _ in range(2)]
    reply = replies[0]
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"{}", "application/json")
    assert [seen.line for seen in server.seen] == ["GET /v1.0/a('b')?$expand=s($expand=t),p&x=%2B%20+% HTTP/1.1"] * 2
    assert "cookie" not in server.seen[1].headers


async def test_a_redirect_is_a_reply_and_the_other_host_sees_nothing(https: StartHttps) -> None:
    """No redirect is followed, so no token travels with it."""
    server, catcher = await https(), await https()
    server.answer = lambda _: raw_response(302, Location=f"{catcher.url}/v1.0/a")
    assert (await sent(server)).status == 302
    assert catcher.seen == []


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_above_the_cap_is_cut_off(https: StartHttps, *, declared: bool) -> None:
    """Declared or not, more than the cap is never collected."""
    server = await https()
    body = b"x" * (2 * MIB)
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:MIB], body[MIB:])) + b"0\r\n\r\n"
    undeclared = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunked
    server.answer = lambda _: raw_response(200, body) if declared else undeclared
    assert (await sent(server, largest=MIB)).body is None
    assert (await sent(server, largest=2 * MIB)).body == body


@pytest.mark.parametrize("unit", [b"{},", b"[],", b"0,", b'"",', b"[[", b'{"":'])
async def test_a_body_of_too_many_values_is_no_reply(https: StartHttps, unit: bytes) -> None:
    """Eleven million empty objects fit into the cap on bytes and would cost twenty times as much; text does not."""
    server = await https()
    server.answer = lambda _: raw_response(200, unit * (6 * MIB // len(unit)))
    assert (await sent(server)).body is None
    text = b'"' + b"a" * (6 * MIB) + b'"'
    server.answer = lambda _: raw_response(200, text)
    assert (await sent(server)).body == text


async def test_a_gzip_bomb_is_cut_off_at_the_cap(https: StartHttps) -> None:
    """64 MiB of zeros in 64 KiB of gzip never become 64 MiB of ours; an honest gzip body is read."""
    server = await https()
    server.answer = lambda _: raw_response(200, gzip.compress(b"\0" * (64 * MIB)), Content_Encoding="gzip")
    assert (await sent(server, largest=MIB)).body is None
    honest = b'{"a":1}' * 100_000
    server.answer = lambda _: raw_response(200, gzip.compress(honest), Content_Encoding="gzip")
    assert (await sent(server, largest=MIB)).body == honest


def test_a_gzip_bomb_inflates_no_more_than_the_cap() -> None:
    """The inflating itself stops: what is held in memory is the cap and one byte."""
    from ringback_graph.exchange import _Gunzip  # noqa: PLC0415  # pyright: ignore[reportPrivateUsage] - looks inside

    bomb = _Gunzip(MIB)
    assert not bomb.feed(gzip.compress(b"\0" * (64 * MIB)))
    assert sum(len(part) for part in bomb._parts) == MIB + 1


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(b"{}")[:-9], "gzip"),
        (gzip.compress(b"{}") + b"x" * MIB, "gzip"),
        (b"not gzip", "gzip"),
        (zlib.compress(b"{}"), "deflate"),
        (b"{}", "br"),
    ],
    ids=["cut short", "something behind", "not gzip", "not asked for", "unknown"],
)
async def test_a_broken_or_unasked_encoding_is_transient(https: StartHttps, body: bytes, encoding: str) -> None:
    """A damaged body may come whole the next time."""
    server = await https()
    server.answer = lambda _: raw_response(200, body, Content_Encoding=encoding)
    with pytest.raises(Transient):
        await sent(server)


async def test_silence_and_broken_connections_are_transient_and_quote_nothing(https: StartHttps) -> None:
    """A hanging server, a cut body, a closed port: Transient, with the class of the error and no address."""
    server = await https()
    for answer in (None, raw_response(200, b"{}", Content_Length="100"), b"", b"rubbish\r\n\r\n"):
        server.answer = lambda _, answer=answer: answer
        with pytest.raises(Transient) as failure:
            await sent(server, "/v1.0/secret-call", timeout=0.3)
        assert "secret-call" not in str(failure.value)
        assert "localhost" not in str(failure.value)
        written = "".join(traceback.format_exception(failure.value))
        assert "planted-token" not in written
        assert failure.value.__context__ is None
    async with AiohttpTransport(settings(server)) as transport:
        with pytest.raises(Transient):
            await exchange(transport, get("https://localhost:1/v1.0/a"))


async def test_an_unknown_ca_gets_no_request(https: StartHttps) -> None:
    """Without the CA file the server's certificate is refused and nothing is sent."""
    server = await https()
    async with AiohttpTransport(GraphSettings()) as transport:
        with pytest.raises(Transient):
            await exchange(transport, get(f"{server.url}/v1.0/a"))
    assert server.seen == []


async def test_no_token_ever_reaches_a_foreign_host(https: StartHttps, graph: ScriptedGraph, tenant: Tenant) -> None:
    """A record's next links and redirects point to a server that collects tokens; it collects none."""
    server, catcher = await https(), await https()
    ours = tenant.model_copy(update={"graph_url": server.url})
    for link in (f"{catcher.url}/v1.0/a", f"https://{server.url[8:]}@{catcher.url[8:]}/v1.0/a"):
        body = b'{"id":"call","version":1,"sessions@odata.nextLink":"%s"}' % link.encode()
        server.answer = lambda _, body=body: raw_response(200, body)
        assert isinstance(await _read(server, graph, ours), Hostile)
    server.answer = lambda _: raw_response(307, Location=f"{catcher.url}/v1.0/a")
    assert await _read(server, graph, ours) == Refused(307, "none")
    assert catcher.seen == []
    assert all(seen.headers["authorization"].startswith("Bearer token-") for seen in server.seen)


async def _read(server: HttpsServer, graph: ScriptedGraph, tenant: Tenant) -> object:
    async with AiohttpTransport(settings(server)) as transport:
        return await RecordReader(graph.client(transport)).read(tenant, "call", Priority.LIVE)


async def test_the_whole_client_opens_and_closes(https: StartHttps, tenant: Tenant) -> None:
    """The composition with msal: a tenant without its secret file is an answer, not a crash."""
    server = await https()
    server.answer = lambda _: raw_response(404)
    governor = Governor(RateLimiter(Role.KEEPER, 1.0, SystemClock()))
    async with (
        AiohttpTransport(settings(server)) as transport,
        GraphClient.open(transport, governor) as client,
    ):
        answer = await RecordReader(client).read(tenant, "call", Priority.LIVE)
    assert answer == AuthFailed("credential_unreadable")


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_body_is_counted_as_it_comes_in(https: StartHttps, encoding: str) -> None:
    """Piece by piece, as it is after decompression: the reader of many bodies knows its memory at any time."""
    server, body, taken = await https(), b"x" * MIB, list[int]()

    class Counted(Boundless):
        async def take(self, byte_count: int) -> None:
            taken.append(byte_count)

    written = gzip.compress(body) if encoding == "gzip" else body
    server.answer = lambda _: raw_response(200, written, Content_Encoding=encoding)
    async with AiohttpTransport(settings(server)) as transport:
        assert (await exchange(transport, get(f"{server.url}/v1.0/a"), room=Counted())).body == body
    assert sum(taken) == MIB
