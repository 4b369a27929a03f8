"""Wait in the event loop for what no event announces: another process's end, an HTTP answer, a lag."""

import asyncio
import time
from collections.abc import Awaitable, Callable

__all__ = ["until"]

_PAUSE = 0.05


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = float("inf")) -> bool:
    """Return True as soon as the condition, which may have to be awaited, holds; False if not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (held if isinstance(held := condition(), bool) else await held):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_PAUSE)
    return True
