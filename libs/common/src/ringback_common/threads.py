"""Work in a thread: whoever is cancelled keeps what it holds until that work has ended."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

__all__ = ["in_thread"]

_Made = TypeVar("_Made")


async def in_thread(make: Callable[[], _Made]) -> _Made:
    """Call this in a thread; one that is cut off is waited for, since it keeps its memory until it has ended."""
    making = asyncio.ensure_future(asyncio.to_thread(make))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        await _ended(making)
        raise


async def _ended(work: asyncio.Future[Any]) -> None:
    """Wait until this has ended, however often the waiter is cancelled meanwhile."""
    while not work.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait((work,))
