"""The webhook's own HTTP connection, over real sockets: what general servers lack, and what they all must have."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from ringback_common.metrics import WEBHOOK_ITEMS
from ringback_ingest.webhook.adapters import connection, server
from ringback_ingest.webhook.adapters.server import HttpServer
from ringback_ingest.webhook.core.limits import ITEMS
from ringback_testing import eventually
from ringback_testing.counters import value_of
from ringback_testing.webhook import PATH, Connect, RecordingWriter, post, status

Body = Callable[..., bytes]
Item = Callable[..., dict[str, Any]]


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


async def test_one_deadline_for_body_and_kafka(
    connect: Connect, writer: RecordingWriter, item: Item, body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a slow body took of the time Graph waits is not Kafka's any more; a late acknowledgement answers nothing."""
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 1.8)
    writer.gate.clear()
    before = counted("unavailable"), counted("accepted")
    client = await connect()
    head, _, content = post(body(item()), "Expect: 100-continue").partition(b"\r\n\r\n")
    await client.send(head + b"\r\n\r\n")
    await client.reader.readuntil(b"\r\n\r\n")  # 100: the head is through
    began = time.monotonic()
    await asyncio.sleep(1.2)  # the slow body itself
    await client.send(content)
    assert status(await client.answer()) == 503
    assert time.monotonic() - began < 2.7
    writer.gate.set()
    await eventually(lambda: len(writer.written) == 1)
    await client.send(post(b"{}"))
    assert status(await client.answer()) == 202
    assert (counted("unavailable"), counted("accepted")) == (before[0] + 1, before[1])


def counted(outcome: str) -> float:
    """Items counted so far."""
    return value_of(WEBHOOK_ITEMS.labels(outcome))


async def test_forger_learns_nothing(connect: Connect, writer: RecordingWriter, item: Item, body: Body) -> None:
    """Forged, malformed and genuine items have the same answer but for the date."""
    client = await connect()
    answers: set[bytes] = set()
    for content in (body(item()), body(item(clientState="forged")), b"[]", body(None)):
        await client.send(post(content))
        head = await client.answer()
        answers.add(b"\r\n".join(line for line in head.split(b"\r\n") if not line.startswith(b"date")))
    assert answers == {b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"}
    assert len(writer.written) == 1


async def test_too_many_items_are_not_accepted(
    connect: Connect, writer: RecordingWriter, item: Item, body: Body
) -> None:
    """A genuine item among more than are looked at is not lost in silence: 413, counted, and the next POST is taken."""
    before = counted("too_many_items")
    client = await connect()
    await client.send(post(body(item(), *[{}] * ITEMS)))
    assert status(await client.answer()) == 413
    assert counted("too_many_items") == before + 1
    await client.send(post(body(item())))
    assert status(await client.answer()) == 202
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


async def test_too_many_connections(connect: Connect, item: Item, body: Body, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the cap a connection is closed at once if all others have sent something genuine, and those go on."""
    monkeypatch.setattr(server, "_CONNECTIONS", 1)
    first = await connect()
    await first.send(post(body(item())))
    assert status(await first.answer()) == 202
    second = await connect()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await second.reader.readexactly(1)
    await first.send(post(body(item())))
    assert status(await first.answer()) == 202


@pytest.mark.parametrize("limit", ["_CONNECTIONS", "_unproven_per_peer"])
async def test_a_newcomer_takes_the_place_of_what_sent_nothing_genuine(
    http: HttpServer, connect: Connect, item: Item, body: Body, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """However many connections a forger opens, a sender of ours gets in, and is not closed for the next one."""
    monkeypatch.setattr(server if limit == "_CONNECTIONS" else http, limit, 2)
    oldest, younger = await connect(), await connect()
    for each in (oldest, younger):
        await each.send(post(body(item(clientState="k2.forged"))))
        assert status(await each.answer()) == 202
    ours = await connect()
    assert await oldest.rest() == b""
    await ours.send(post(body(item())))
    assert status(await ours.answer()) == 202
    await connect()
    await connect()
    assert await younger.rest() == b""
    await ours.send(post(body(item())))
    assert status(await ours.answer()) == 202


async def test_what_sent_nothing_genuine_is_closed_soon(
    http: HttpServer, connect: Connect, item: Item, body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forged, malformed and echoed POSTs earn no time beyond the first seconds; one genuine item does."""
    monkeypatch.setattr(connection, "UNPROVEN_SECONDS", 0.5)
    forger, ours, echoed = await connect(), await connect(), await connect()
    await forger.send(post(body(item(clientState="k2.forged"))))
    await ours.send(post(body(item(), 17)))
    await echoed.send(post(b"", path=PATH + "&validationToken=token"))
    for each in (forger, ours, echoed):
        await each.answer()
    assert [await forger.rest(), await echoed.rest()] == [b"", b""]
    assert len(http._connections) == 1
    await ours.send(post(body(item(clientState="k2.forged"))))
    assert status(await ours.answer()) == 202


async def test_a_genuine_post_that_kafka_does_not_take_proves_its_sender(
    connect: Connect, writer: RecordingWriter, item: Item, body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Kafka is away a sender of ours keeps its connection for the repetition."""
    monkeypatch.setattr(connection, "UNPROVEN_SECONDS", 0.5)
    writer.accepting = False
    ours = await connect()
    await ours.send(post(body(item())))
    assert status(await ours.answer()) == 503
    await asyncio.sleep(1.0)
    writer.accepting = True
    await ours.send(post(body(item())))
    assert status(await ours.answer()) == 202


async def test_bodies_in_memory_are_capped(connect: Connect, monkeypatch: pytest.MonkeyPatch, http: HttpServer) -> None:
    """When all bodies together are too much, one more is answered 503 and forgotten."""
    monkeypatch.setattr(server, "_BODY_BYTES", 1000)
    holder, refused = await connect(), await connect()
    await holder.send(post(b"x" * 900)[:-1])
    await eventually(lambda: http._bytes == 899)
    await refused.send(post(b"x" * 200))
    assert status(await refused.rest()) == 503
    assert http._bytes == 899


async def test_stop_finishes_what_is_in_flight(
    http: HttpServer, connect: Connect, writer: RecordingWriter, item: Item, body: Body
) -> None:
    """On stop the answer that is due goes out, idle connections close, and new ones are refused."""
    busy, idle = await connect(), await connect()
    await idle.send(post(body(item())))
    await idle.answer()
    writer.gate.clear()
    await busy.send(post(body(item())))
    await eventually(lambda: writer.writes == 2)
    stopping = asyncio.create_task(http.stop())
    assert await idle.rest() == b""
    writer.gate.set()
    answer = await busy.rest()
    assert status(answer) == 202
    assert b"connection: close\r\n" in answer
    for client in (busy, idle):
        client.writer.close()
    await stopping
    with pytest.raises(OSError, match=r"."):
        await asyncio.open_connection("127.0.0.1", http.port)


async def test_client_that_went_away(connect: Connect, writer: RecordingWriter, item: Item, body: Body) -> None:
    """A sender that hangs up before its answer costs nobody else anything."""
    writer.gate.clear()
    gone, other = await connect(), await connect()
    await gone.send(post(body(item())))
    await eventually(lambda: writer.writes == 1)
    gone.writer.transport.abort()
    await other.send(post(body(item())))
    writer.gate.set()
    assert status(await other.answer()) == 202
