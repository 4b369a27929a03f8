"""When a Kafka node that was started counts as ready."""

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
    ("reply", "ready"),
    [(_reply(7), True), (_reply(-1), False), (_reply(7)[:-4], False), (b"\x00\x00", False), (b"", False)],
    ids=["with a controller", "without one", "cut", "no length", "closed"],
)
async def test_a_node_is_ready_when_it_names_a_controller(reply: bytes, *, ready: bool) -> None:
    """Without one, making a topic right after the start ends with an AttributeError of aiokafka."""
    async with _node(reply) as port:
        assert await asyncio.to_thread(answers, port) is ready
