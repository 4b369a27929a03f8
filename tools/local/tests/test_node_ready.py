"""When a Kafka node counts as there."""

import asyncio
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from ringback_local.kafka.node import answers


def _reply(controller: int) -> bytes:
    """Metadata, version 1: correlation id, one broker without a rack, the controller's id, no topic."""
    body = struct.pack(">iiih9sihii", 1, 1, 7, 9, b"127.0.0.1", 9092, -1, controller, 0)
    return struct.pack(">i", len(body)) + body


@asynccontextmanager
async def _node(reply: bytes) -> AsyncGenerator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(18)
        writer.write(reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("reply", "there"),
    [(_reply(7), True), (_reply(-1), False), (_reply(7)[:-4], False), (b"\x00\x00", False), (b"", False)],
    ids=["with a controller", "without one", "cut", "no length", "closed"],
)
async def test_a_node_is_there_when_it_knows_a_controller(reply: bytes, *, there: bool) -> None:
    """Else who makes a topic right after the start finds nobody to ask, and aiokafka ends with an AttributeError."""
    async with _node(reply) as port:
        assert await asyncio.to_thread(answers, port) is there
