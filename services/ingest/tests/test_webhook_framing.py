"""Framing over real sockets: bodies in every form, what is ambiguous, too long, too slow or another protocol."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from ringback_ingest.webhook.adapters import connection
from ringback_ingest.webhook.adapters.server import HttpServer
from ringback_testing import eventually
from ringback_testing.webhook import PATH, Connect, RecordingWriter, post, status

Body = Callable[..., bytes]
Item = Callable[..., dict[str, Any]]


async def test_body_in_pieces(connect: Connect, writer: RecordingWriter, item: Item, body: Body) -> None:
    """A body that comes byte by byte, within its deadline, is whole in the end."""
    client = await connect()
    for byte in post(body(item())):
        await client.send(bytes([byte]))
    assert status(await client.answer()) == 202
    assert len(writer.written) == 1


async def test_chunked_body(connect: Connect, writer: RecordingWriter, item: Item, body: Body) -> None:
    """A chunked body is taken like any other."""
    content = body(item())
    client = await connect()
    await client.send(
        f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n".encode()
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
    )
    assert status(await client.answer()) == 202
    assert len(writer.written) == 1


async def test_expect_continue(connect: Connect, item: Item, body: Body) -> None:
    """A client that asks first is told to go on, and one that would send too much is told so instead."""
    content = body(item())
    client = await connect()
    whole = post(content, "Expect: 100-continue")
    await client.send(whole[: -len(content)])
    assert await client.reader.readexactly(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    await client.send(content)
    assert status(await client.answer()) == 202


@pytest.mark.parametrize(
    "request_head",
    [
        "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n\r\n",
        "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["declared", "chunked"],
)
async def test_too_large(connect: Connect, http: HttpServer, request_head: str) -> None:
    """Past 1 MiB, declared or not, the answer is 413, the body is let go and the connection ends."""
    client = await connect()
    await client.send(request_head.format(path=PATH).encode())
    if "chunked" in request_head:
        for _ in range(17):
            await client.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    answer = await client.rest()
    assert status(answer) == 413
    assert b"connection: close\r\n" in answer
    assert http._bytes == 0


async def test_gzip_is_refused(connect: Connect) -> None:
    """A compressed body is not read at all: what it would grow to is unknown."""
    client = await connect()
    await client.send(post(b"\x1f\x8b", "Content-Encoding: gzip"))
    assert status(await client.rest()) == 415


async def test_upgrade_is_refused(connect: Connect, item: Item, body: Body) -> None:
    """A wish for another protocol hides the body from the parser: it is refused, never taken for an empty POST."""
    client = await connect()
    await client.send(post(body(item()), "Connection: Upgrade", "Upgrade: h2c"))
    answer = await client.rest()
    assert status(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("surplus", [b"GARBAGE GARBAGE\r\n\r\n", b"\x00"], ids=["garbage", "NUL"])
async def test_bytes_behind_the_body(
    connect: Connect, writer: RecordingWriter, item: Item, body: Body, surplus: bytes
) -> None:
    """What follows a whole POST and is no request neither joins it nor is answered before it; the connection ends."""
    writer.gate.clear()
    client, neighbour = await connect(), await connect()
    await client.send(post(body(item())) + surplus)
    await neighbour.send(post(body(item())))
    await eventually(lambda: writer.writes > 0)
    writer.gate.set()
    answers = await client.rest()
    assert status(answers) == 202
    assert answers.count(b"HTTP/1.1 ") == 1
    assert status(await neighbour.answer()) == 202
    assert len(writer.written) == 2


async def test_slow_body_is_cut(connect: Connect) -> None:
    """A body that does not come within two seconds of its head is answered 408 and cut."""
    client = await connect()
    await client.send(post(b"x" * 100)[:-50])
    began = asyncio.get_running_loop().time()
    answer = await client.rest()
    assert status(answer) == 408
    assert 1.5 < asyncio.get_running_loop().time() - began < 6


@pytest.mark.parametrize("begun", [b"", b"POST /graph/notifi", b"POST / HTTP/1.1\r\nHost: h\r\nX-A: "])
async def test_slow_head_is_cut(
    connect: Connect, http: HttpServer, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    """A connection that does not get its head together is closed without an answer, however it dribbles."""
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.3)
    client = await connect()
    if begun:
        await client.send(begun)
    assert await client.rest() == b""
    assert not http._connections


async def test_silence_before_the_first_request_gains_no_time(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head's time runs from the connect; else a slow client could have it twice."""
    monkeypatch.setattr(connection, "HEAD_SECONDS", 1.0)
    began = asyncio.get_running_loop().time()
    client = await connect()
    await asyncio.sleep(0.8)  # the client's own silence
    await client.send(b"POST / HT")
    assert await client.rest() == b""
    assert asyncio.get_running_loop().time() - began < 1.6


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/0.9"])
async def test_another_version_of_http_is_refused(
    connect: Connect, writer: RecordingWriter, item: Item, body: Body, version: bytes
) -> None:
    """The parser reads them as if they were HTTP/1.1; what stands in front may read them otherwise."""
    client = await connect()
    await client.send(post(body(item())).replace(b"HTTP/1.1", version, 1))
    assert status(await client.rest()) == 400
    assert writer.written == []


@pytest.mark.parametrize(
    "head",
    [b"x: y\r\n" * 4000, b"x: " + b"y" * 17000, b"x" * 17000],
    ids=["many", "one long value", "one long name"],
)
async def test_head_is_bounded(connect: Connect, head: bytes) -> None:
    """Headers without end are refused at 16 KiB, not collected."""
    client = await connect()
    await client.send(b"POST / HTTP/1.1\r\n" + head)
    assert status(await client.rest()) == 431


SMUGGLED = {
    "length and chunked": "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": "Content-Length: 2\r\nContent-Length: 4\r\n\r\n{}xx",
    "signed length": "Content-Length: +2\r\n\r\n{}",
    "length of letters": "Content-Length: 0x2\r\n\r\n{}",
    "negative length": "Content-Length: -1\r\n\r\n",
    "chunked not last": "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "bad chunk size": "Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
    "space before the colon": "Content-Length : 2\r\n\r\n{}",
    "bare line feed": "X: y\nContent-Length: 2\r\n\r\n{}",
    "NUL in a value": "X: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "folded header": "X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("rest", SMUGGLED.values(), ids=SMUGGLED.keys())
async def test_ambiguous_framing_is_refused(connect: Connect, writer: RecordingWriter, rest: str) -> None:
    """What two parsers could frame differently is refused, and nothing after it is taken for a request."""
    client = await connect()
    head = f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
    follower = "POST /graph/smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
    await client.send((head + rest + follower).encode("latin-1"))
    answers = await client.rest()
    assert status(answers) == 400
    assert answers.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 64, b"GET\r\n"]
)
async def test_other_protocols_are_refused(connect: Connect, data: bytes) -> None:
    """TLS, HTTP/2 and noise get a plain 400 without a banner."""
    client = await connect()
    await client.send(data)
    answer = await client.rest()
    assert status(answer) == 400
    assert b"server:" not in answer.lower()


CHUNKED = f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_trailers_mean_nothing(connect: Connect, writer: RecordingWriter, item: Item, body: Body) -> None:
    """Headers behind the body are legal: they neither refuse it nor change what was judged."""
    content = body(item())
    client = await connect()
    trailers = b"x-sum: 1\r\ncontent-type: text/html\r\n\r\n"
    await client.send(CHUNKED.encode() + b"%x\r\n%s\r\n0\r\n" % (len(content), content) + trailers)
    assert status(await client.answer()) == 202
    assert len(writer.written) == 1


@pytest.mark.parametrize(
    "endless",
    [b"0\r\nx: " + b"y" * 3_000_000, b"1;" + b"y" * 3_000_000, b"1\r\nx\r\n" * 400_000],
    ids=["trailer", "chunk extension", "tiny chunks"],
)
async def test_framing_around_the_body_is_bounded(connect: Connect, http: HttpServer, endless: bytes) -> None:
    """A body's limit cannot be got round by what stands around it: it would be kept, or cost time, without end."""
    client = await connect()
    await client.send(CHUNKED.encode() + endless)
    assert status(await client.rest()) == 413
    assert http._bytes == 0


async def test_compressed_transfer_is_refused(connect: Connect, item: Item, body: Body) -> None:
    """A transfer coding that is not undone here would make genuine items undecodable, and lost with a 202."""
    client = await connect()
    await client.send(CHUNKED.replace("chunked", "gzip, chunked").encode() + b"2\r\n\x1f\x8b\r\n0\r\n\r\n")
    assert status(await client.rest()) == 415


async def test_expectation_of_an_old_client_is_ignored(connect: Connect, item: Item, body: Body) -> None:
    """HTTP/1.0 knows no 100: such a client would take it for the answer."""
    client = await connect()
    await client.send(post(body(item()), "Expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    assert (await client.rest()).startswith(b"HTTP/1.1 202 ")
