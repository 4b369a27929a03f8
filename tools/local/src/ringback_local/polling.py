"""Wait in the event loop for what no event announces: another process's end, an HTTP answer, a lag."""

import asyncio
import time
from collections.abc import Callable

__all__ = ["until"]

_PAUSE = 0.05


async def until(condition: Callable[[], bool], seconds: float = float("inf")) -> bool:
    """Return True as soon as the condition holds, False if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_PAUSE)
    return True
