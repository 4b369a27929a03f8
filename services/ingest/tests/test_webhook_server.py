"""The webhook's own HTTP connection, over real sockets: what general servers lack, and what they all must have."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from ringback_common.clock import SystemClock
from ringback_common.errors import Transient
from ringback_common.outcomes import Message
from ringback_ingest.client_state import KeyRing
from ringback_ingest.webhook.adapters import connection, server
from ringback_ingest.webhook.adapters.server import HttpServer
from ringback_ingest.webhook.core.genuine import genuine_at
from ringback_ingest.webhook.entry import Entry

PATH = "/graph/notifications?slot=callrecords&kid=k2&installation=test"
Body = Callable[..., bytes]
Item = Callable[..., dict[str, Any]]


class RecordingWriter:
    """Stands where Kafka's producer does: keeps what it is given, and acknowledges when `gate` is set."""

    def __init__(self) -> None:
        self.accepting = True
        self.failing = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.written: list[Message] = []
        self.writes = 0

    async def write(self, messages: Sequence[Message]) -> None:
        """Acknowledge, or fail, when the gate is open."""
        self.writes += 1
        await self.gate.wait()
        if self.failing:
            raise Transient("not acknowledged")
        self.written.extend(messages)


@pytest_asyncio.fixture
async def writer() -> RecordingWriter:
    """A writer that acknowledges at once."""
    return RecordingWriter()


@pytest_asyncio.fixture
async def http(writer: RecordingWriter, ring: KeyRing) -> AsyncIterator[HttpServer]:
    """A listening webhook on a port of its own."""
    clock = SystemClock()
    entry = Entry(writer, genuine_at(ring, datetime(2026, 11, 22, 12, 0, tzinfo=UTC)), clock)
    listening = HttpServer(entry, "127.0.0.1", 0)
    await listening.start()
    yield listening
    writer.gate.set()
    await listening.stop()


class Client:
    """A client that sends octets as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, octets: bytes) -> None:
        """Send."""
        self.writer.write(octets)
        await self.writer.drain()

    async def answer(self) -> bytes:
        """One answer: head and body."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head + await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        return await asyncio.wait_for(self.reader.read(), 10)


Connect = Callable[[], Any]


@pytest_asyncio.fixture
async def connect(http: HttpServer) -> AsyncIterator[Connect]:
    """Opens connections, and closes them after the test."""
    opened: list[asyncio.StreamWriter] = []

    async def make() -> Client:
        reader, out = await asyncio.open_connection("127.0.0.1", http.port)
        opened.append(out)
        return Client(reader, out)

    yield make
    for out in opened:
        out.close()


def post(body: bytes, *headers: str, path: str = PATH) -> bytes:
    """A POST of JSON as Graph's senders write it."""
    lines = [f"POST {path} HTTP/1.1", "Host: h", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def status(answer: bytes) -> int:
    """The status of an answer."""
    return int(answer.split(b" ", 2)[1])


async def test_accepted_when_written(connect: Connect, writer: RecordingWriter, item: Item, body: Body) -> None:
    """202 comes after the write was acknowledged, never before."""
    writer.gate.clear()
    client = await connect()
    await client.send(post(body(item())))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.reader.read(1), 0.2)
    assert writer.written == []
    writer.gate.set()
    assert status(await client.answer()) == 202
    assert len(writer.written) == 1


async def test_unavailable_when_not_written(connect: Connect, writer: RecordingWriter, item: Item, body: Body) -> None:
    """A write that is not acknowledged answers the whole POST 503, for Graph to send it all again."""
    writer.failing = True
    client = await connect()
    await client.send(post(body(item(), item())))
    answer = await client.answer()
    assert status(answer) == 503
    assert b"retry-after: 1\r\n" in answer


async def test_unavailable_at_once(connect: Connect, writer: RecordingWriter, item: Item, body: Body) -> None:
    """While the writer takes nothing, nothing is queued for it; what needs no writing is answered as ever."""
    writer.accepting = False
    client = await connect()
    await client.send(post(body(item())))
    assert status(await client.answer()) == 503
    await client.send(post(body(item(clientState="forged"))))
    assert status(await client.answer()) == 202
    assert writer.writes == 0


async def test_forger_learns_nothing(connect: Connect, writer: RecordingWriter, item: Item, body: Body) -> None:
    """Forged, malformed and genuine POSTs have the same answer but for the date."""
    client = await connect()
    answers: set[bytes] = set()
    for content in (body(item()), body(item(clientState="forged")), b"not json", body(None)):
        await client.send(post(content))
        head = await client.answer()
        answers.add(b"\r\n".join(line for line in head.split(b"\r\n") if not line.startswith(b"date")))
    assert answers == {b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"}
    assert len(writer.written) == 1


async def test_posts_of_one_moment_share_a_write(
    connect: Connect, writer: RecordingWriter, item: Item, body: Body
) -> None:
    """Arrivals while a round is in flight are written together: the rate does not hang on the broker's round trip."""
    clients = [await connect() for _ in range(20)]
    for client in clients:
        client.writer.write(post(body(item())))
    for client in clients:
        assert status(await client.answer()) == 202
    assert len(writer.written) == 20
    assert writer.writes < 20


async def test_echo(connect: Connect) -> None:
    """The handshake's answer is plain text that no browser interprets, and the token alone."""
    client = await connect()
    await client.send(
        b"POST /graph/lifecycle?validationToken=Validation%3a+x HTTP/1.1\r\nHost: h\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 0\r\n\r\n"
    )
    answer = await client.answer()
    assert status(answer) == 200
    assert b"content-type: text/plain; charset=utf-8\r\n" in answer
    assert b"x-content-type-options: nosniff\r\n" in answer
    assert answer.endswith(b"\r\n\r\nValidation: x")


async def test_body_in_pieces(connect: Connect, writer: RecordingWriter, item: Item, body: Body) -> None:
    """A body that comes octet by octet, within its deadline, is whole in the end."""
    client = await connect()
    for octet in post(body(item())):
        await client.send(bytes([octet]))
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
    assert http._octets == 0


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
async def test_octets_behind_the_body(
    connect: Connect, writer: RecordingWriter, item: Item, body: Body, surplus: bytes
) -> None:
    """What follows a whole POST and is no request neither joins it nor is answered before it; the connection ends."""
    writer.gate.clear()
    client, neighbour = await connect(), await connect()
    await client.send(post(body(item())) + surplus)
    await neighbour.send(post(body(item())))
    await asyncio.wait_for(_until(lambda: writer.writes > 0), 5)
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
    "octets", [b"\x16\x03\x01\x02\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 64, b"GET\r\n"]
)
async def test_other_protocols_are_refused(connect: Connect, octets: bytes) -> None:
    """TLS, HTTP/2 and noise get a plain 400 without a banner."""
    client = await connect()
    await client.send(octets)
    answer = await client.rest()
    assert status(answer) == 400
    assert b"server:" not in answer.lower()


async def test_pipelined_request_is_not_answered(
    connect: Connect, writer: RecordingWriter, item: Item, body: Body
) -> None:
    """A second request before the first answer ends the connection after it; its sender must send it again."""
    writer.gate.clear()
    client = await connect()
    await client.send(post(body(item())) * 2)
    writer.gate.set()
    answers = await client.rest()
    assert answers.count(b"HTTP/1.1 202") == 1
    assert b"connection: close\r\n" in answers
    assert len(writer.written) == 1


async def test_too_many_connections(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the cap a connection is closed at once, and the others go on."""
    monkeypatch.setattr(server, "_CONNECTIONS", 1)
    first = await connect()
    await first.send(post(b"{}"))
    assert status(await first.answer()) == 202
    second = await connect()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await second.reader.readexactly(1)
    await first.send(post(b"{}"))
    assert status(await first.answer()) == 202


async def test_bodies_in_memory_are_capped(connect: Connect, monkeypatch: pytest.MonkeyPatch, http: HttpServer) -> None:
    """When all bodies together are too much, one more is answered 503 and forgotten."""
    monkeypatch.setattr(server, "_BODY_OCTETS", 1000)
    holder, refused = await connect(), await connect()
    await holder.send(post(b"x" * 900)[:-1])
    await asyncio.wait_for(_until(lambda: http._octets == 899), 5)
    await refused.send(post(b"x" * 200))
    assert status(await refused.rest()) == 503
    assert http._octets == 899


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


async def test_stop_finishes_what_is_in_flight(
    http: HttpServer, connect: Connect, writer: RecordingWriter, item: Item, body: Body
) -> None:
    """On stop the answer that is due goes out, idle connections close, and new ones are refused."""
    writer.gate.clear()
    busy, idle = await connect(), await connect()
    await busy.send(post(body(item())))
    await asyncio.wait_for(_until(lambda: writer.writes == 1), 5)
    stopping = asyncio.create_task(http.stop())
    assert await idle.rest() == b""
    writer.gate.set()
    answer = await busy.rest()
    assert status(answer) == 202
    assert b"connection: close\r\n" in answer
    await stopping
    with pytest.raises(OSError, match=r"."):
        await asyncio.open_connection("127.0.0.1", http.port)


async def test_client_that_went_away(connect: Connect, writer: RecordingWriter, item: Item, body: Body) -> None:
    """A sender that hangs up before its answer costs nobody else anything."""
    writer.gate.clear()
    gone, other = await connect(), await connect()
    await gone.send(post(body(item())))
    await asyncio.wait_for(_until(lambda: writer.writes == 1), 5)
    gone.writer.transport.abort()
    await other.send(post(body(item())))
    writer.gate.set()
    assert status(await other.answer()) == 202
