"""How a webhook stops while senders keep their connections: no request fails, none is cut, over real sockets."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from ringback_ingest.webhook.adapters import connection
from ringback_ingest.webhook.adapters.server import HttpServer
from ringback_testing import eventually
from ringback_testing.webhook import PATH, Client, Connect, RecordingWriter, post, status

Body = Callable[..., bytes]
Item = Callable[..., dict[str, Any]]

CLOSE = b"connection: close\r\n"


class Balancer:
    """Hands connections out by turns over the instances that are ready, as an ingress does."""

    def __init__(self, *instances: HttpServer) -> None:
        self._ready = list(instances)
        self._turn = itertools.count()

    def unready(self, instance: HttpServer) -> None:
        """Hand out no more connections to it; those it has are kept."""
        self._ready.remove(instance)

    async def connect(self) -> Client:
        """A connection to the next instance."""
        instance = self._ready[next(self._turn) % len(self._ready)]
        return Client(*await asyncio.open_connection("127.0.0.1", instance.port))


class Sender:
    """Posts at a rate over one kept-alive connection, and opens another only when an answer says that it ends."""

    def __init__(self, balancer: Balancer, request: bytes) -> None:
        self.answered: list[int] = []
        self.failed: list[str] = []
        self._balancer = balancer
        self._request = request
        self._client: Client | None = None

    async def run(self, stop: asyncio.Event, every: float) -> None:
        """Post until `stop` is set; what is cut or refused counts as failed."""
        while not stop.is_set():
            try:
                await self._post()
            except (OSError, asyncio.IncompleteReadError) as failure:
                self.failed.append(type(failure).__name__)
                self._close()
            await asyncio.sleep(every)
        self._close()

    async def _post(self) -> None:
        self._client = self._client or await self._balancer.connect()
        await self._client.send(self._request)
        answer = await self._client.answer()
        self.answered.append(status(answer))
        if CLOSE in answer:
            self._close()

    def _close(self) -> None:
        if self._client is not None:
            self._client.writer.close()
        self._client = None


async def test_no_request_fails_while_an_instance_stops(
    http: HttpServer, listen: Callable[[], Awaitable[HttpServer]], writer: RecordingWriter, item: Item, body: Body
) -> None:
    """100 requests a second over 10 kept-alive connections, two instances, one of which is stopped."""
    balancer, stop = Balancer(http, await listen()), asyncio.Event()
    senders = [Sender(balancer, post(body(item()))) for _ in range(10)]
    running = [asyncio.create_task(sender.run(stop, 0.1)) for sender in senders]
    await asyncio.sleep(1.0)
    balancer.unready(http)
    http.drain()
    await asyncio.sleep(0.5)
    await http.stop()
    await asyncio.sleep(0.5)
    stop.set()
    await asyncio.gather(*running)
    assert [sender.failed for sender in senders] == [[]] * 10
    answered = [code for sender in senders for code in sender.answered]
    assert set(answered) == {202}
    assert len(writer.written) == len(answered) > 150


async def test_what_comes_in_the_grace_is_served(http: HttpServer, connect: Connect, item: Item, body: Body) -> None:
    """A kept-alive connection and a new one have their request answered; the answer says that it was the last."""
    kept = await connect()
    await kept.send(post(body(item())))
    assert CLOSE not in await kept.answer()
    http.drain()
    for client in (kept, await connect()):
        await client.send(post(body(item())))
        answer = await client.rest()
        assert (status(answer), CLOSE in answer) == (202, True)


@pytest.mark.parametrize("again", [b"", b"more"])
async def test_an_idle_connection_sees_an_end_and_no_reset(
    http: HttpServer, connect: Connect, item: Item, body: Body, again: bytes
) -> None:
    """What a sender still sends when its idle connection is closed is read and dropped: it sees a clean end."""
    idle = await connect()
    await idle.send(post(body(item())))
    await idle.answer()
    stopping = asyncio.create_task(http.stop())
    await asyncio.sleep(0.1)
    for _ in range(3):
        await idle.send(again)
        await asyncio.sleep(0.05)
    assert not stopping.done()
    assert await idle.rest() == b""
    idle.writer.close()
    await asyncio.wait_for(stopping, 1.0)


async def test_a_client_that_keeps_its_end_open_holds_no_stop_up(
    http: HttpServer, connect: Connect, item: Item, body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lingering connection is closed after its time."""
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.2)
    idle = await connect()
    await idle.send(post(body(item())))
    await idle.answer()
    await asyncio.wait_for(http.stop(), 1.5)


async def test_a_request_sent_before_the_end_is_answered(
    http: HttpServer, connect: Connect, item: Item, body: Body
) -> None:
    """It lies in the kernel, unread, when the listener closes: its connection is not idle."""
    kept = await connect()
    await kept.send(post(body(item())))
    await kept.answer()
    kept.writer.write(post(body(item())))  # sends at once; the server's side is read in the loop's next turn
    stopping = asyncio.create_task(http.stop())
    assert status(await kept.rest()) == 202
    kept.writer.close()
    await stopping


async def test_a_new_connection_has_the_time_for_its_first_request(
    http: HttpServer, connect: Connect, item: Item, body: Body
) -> None:
    """Opened just before the listener closed, it is not idle: its first request is on the way."""
    new = await connect()
    stopping = asyncio.create_task(http.stop())
    await asyncio.sleep(0.3)
    await new.send(post(body(item())))
    answer = await new.rest()
    assert (status(answer), CLOSE in answer) == (202, True)
    new.writer.close()
    await stopping


async def test_a_slow_request_is_finished(
    http: HttpServer, connect: Connect, writer: RecordingWriter, item: Item, body: Body
) -> None:
    """A request whose head has begun when the server stops gets the time that every request gets."""
    writer.gate.clear()
    request = post(body(item()))
    slow = await connect()
    await slow.send(request[:40])
    await asyncio.sleep(0.1)
    stopping = asyncio.create_task(http.stop())
    await asyncio.sleep(2.5)
    await slow.send(request[40:])
    await eventually(lambda: writer.writes == 1)
    await asyncio.sleep(1.0)
    writer.gate.set()
    assert status(await slow.rest()) == 202
    slow.writer.close()
    await stopping


async def test_an_answer_is_not_lost_to_a_reset(
    http: HttpServer, connect: Connect, writer: RecordingWriter, item: Item, body: Body
) -> None:
    """Bytes that arrive with or after the last request do not turn the close into a reset that destroys the answer."""
    writer.gate.clear()
    client = await connect()
    await client.send(post(body(item()), "Connection: close"))
    await eventually(lambda: writer.writes == 1)
    writer.gate.set()
    await asyncio.sleep(0.1)
    await client.send(post(body(item())))
    await asyncio.sleep(0.1)
    await client.send(post(body(item())))
    assert status(await client.rest()) == 202
    assert len(writer.written) == 1


async def test_what_follows_the_last_request_is_not_answered(http: HttpServer, connect: Connect) -> None:
    """Not even where it comes with it, and is refused in its first bytes."""
    raised = list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: raised.append(context))
    client = await connect()
    http.drain()
    last = post(b"", path=PATH + "&validationToken=token")
    await client.send(last + b"POST /" + b"x" * 20_000)
    assert (await client.rest()).count(b"HTTP/1.1") == 1
    assert raised == []


async def test_a_client_that_has_ended_its_side_is_not_waited_for(
    http: HttpServer, connect: Connect, item: Item, body: Body
) -> None:
    """Nothing more can come of it: its connection is closed with the answer."""
    client = await connect()
    client.writer.write(post(body(item())))
    client.writer.write_eof()
    assert status(await client.rest()) == 202
    await eventually(lambda: not http._connections, 1.0)


async def test_a_last_answer_that_no_write_preceded_keeps_no_connection(
    http: HttpServer, connect: Connect, writer: RecordingWriter, item: Item, body: Body
) -> None:
    """A genuine POST that is refused at once, for want of Kafka, and asked for the close: it has 2 s, not 75."""
    writer.accepting = False
    client = await connect()
    await client.send(post(body(item()), "Connection: close"))
    assert status(await client.rest()) == 503
    await eventually(lambda: not http._connections, 10.0)
