"""Clients of the webhook that never come to the end of what they have to say."""

import asyncio
import time
from dataclasses import dataclass

from ringback_faults.actions.registry import action
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["dribble"]

_HEAD = b"POST /graph/notifications HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\n"
_BODY = _HEAD + b"Content-Length: 5000\r\n\r\n{"
_AT_ONCE = 200
"""Connections opened side by side: more would only wait in the listener's backlog."""


@dataclass(slots=True)
class _Tally:
    connected: int = 0
    closed: int = 0
    longest: float = 0.0


@action("dribble")
async def dribble(scene: Scene, connections: int = 2000, seconds: float = 14.0, every: float = 1.0) -> None:
    """Connections that send an byte now and then, half of them of a head and half of a body.

    Evidence: how many were connected, how many the webhook closed, and the longest that one was let be.
    """
    at, tally, gate = time.time(), _Tally(), asyncio.Semaphore(_AT_ONCE)
    port = scene.stack.addresses.webhook_port
    begun = [_HEAD, _BODY]
    async with asyncio.TaskGroup() as clients:
        for number in range(connections):
            clients.create_task(_client(port, begun[number % 2], at + seconds, every, tally, gate))
    detail = {"connected": float(tally.connected), "closed": float(tally.closed), "longest": tally.longest}
    scene.note(Act(at, time.time(), "dribble", "webhook", detail))


async def _client(port: int, begun: bytes, until: float, every: float, tally: _Tally, gate: asyncio.Semaphore) -> None:
    async with gate:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return
    tally.connected += 1
    since = time.time()
    try:
        writer.write(begun)
        while time.time() < until:
            if await _closed(reader, every):
                tally.closed += 1
                return
            writer.write(b"x")
    except OSError:
        tally.closed += 1
    finally:
        tally.longest = max(tally.longest, time.time() - since)
        writer.close()


async def _closed(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Whether the webhook closed the connection within that time; an answer alone does not count."""
    try:
        async with asyncio.timeout(seconds):
            while await reader.read(4096):
                pass
    except TimeoutError:
        return False
    return True
