"""Work in a thread: a cancelled caller goes on only when that work has ended, since a thread cannot be stopped."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

__all__ = ["in_thread"]

_Made = TypeVar("_Made")


async def in_thread(make: Callable[[], _Made]) -> _Made:
    """Call a function in a thread of asyncio's default pool and return what it returns.

    A cancelled caller waits until the function has ended: until then the thread keeps the memory that the caller has
    accounted for.

    Raises:
        asyncio.CancelledError: the caller was cancelled; what the function returned or raised is dropped.
        Exception: whatever the function raises.
    """
    making = asyncio.ensure_future(asyncio.to_thread(make))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        await _ended(making)
        raise


async def _ended(work: asyncio.Future[Any]) -> None:
    """Wait until the work has ended; further cancellations of the caller do not shorten that."""
    while not work.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait((work,))
