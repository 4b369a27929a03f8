"""How much may be under way to Kafka at once, counted and in bytes; who exceeds it waits."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

__all__ = ["CapacityLimit"]


class CapacityLimit:
    """Lets callers in while their count and bytes stay within the limit; one larger than the limit enters alone.

    Each departure wakes one waiting caller. A new caller that fits enters before those that wait and do not fit.

    Args:
        count: callers that are in at most.
        byte_count: bytes of all that are in together.
    """

    def __init__(self, count: int, byte_count: int) -> None:
        self._most, self._most_bytes = count, byte_count
        self._count = self._bytes = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def hold(self, byte_count: int) -> AsyncGenerator[None]:
        """Enter, and leave at the end of the block."""
        await self.enter(byte_count)
        try:
            yield
        finally:
            self.leave(byte_count)

    async def enter(self, byte_count: int) -> None:
        """Wait until so many bytes fit, then count them; `leave` takes them out again."""
        while self._count and (self._count >= self._most or self._bytes + byte_count > self._most_bytes):
            await self._departure()
        self._count, self._bytes = self._count + 1, self._bytes + byte_count

    def leave(self, byte_count: int) -> None:
        """Take out what `enter` counted, and wake one caller that waits."""
        self._count, self._bytes = self._count - 1, self._bytes - byte_count
        self._wake_one()

    async def _departure(self) -> None:
        woken = asyncio.get_running_loop().create_future()
        self._waiting.append(woken)
        try:
            await woken
        except asyncio.CancelledError:
            if not woken.cancelled():  # woken and cancelled at once: the departure is the next one's
                self._wake_one()
            raise

    def _wake_one(self) -> None:
        while self._waiting:
            woken = self._waiting.popleft()
            if not woken.done():
                woken.set_result(None)
                return
