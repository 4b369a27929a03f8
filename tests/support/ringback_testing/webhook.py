"""A client that speaks HTTP byte by byte, and a writer in Kafka's place, for tests of the webhook's own server."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from ringback_common.errors import Transient
from ringback_common.outcomes import Message

__all__ = ["PATH", "Client", "Connect", "RecordingWriter", "post", "status"]

PATH = "/graph/notifications?slot=callrecords&kid=k2&installation=test"


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


class Client:
    """A client that sends bytes as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> bytes:
        """One answer: head and body."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head + await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        return await asyncio.wait_for(self.reader.read(), 10)


Connect = Callable[[], Awaitable[Client]]
"""Opens a connection."""


def post(body: bytes, *headers: str, path: str = PATH) -> bytes:
    """A POST of JSON as Graph's senders write it."""
    lines = [f"POST {path} HTTP/1.1", "Host: h", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def status(answer: bytes) -> int:
    """The status of an answer."""
    return int(answer.split(b" ", 2)[1])
