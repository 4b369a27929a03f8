"""Deriving and encoding beside the event loop, and within the bytes in hand.

A record at the limit takes seconds of Python. In a thread it shares the interpreter with the event loop in slices of
5 ms, so that heartbeats and other records go on; one large record at a time, for two would take turns all the same.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from ringback_common.threads import in_thread
from ringback_stream.consume.byte_budget import current_hold

__all__ = ["CONVERTING", "READING", "Conversions"]

READING, CONVERTING = 4, 6
"""Bytes of memory for each byte of Graph's JSON: its objects; and beside them what is derived and encoded of them.
Measured of a meeting at the limit: 3.3 and 5.2."""
_AT_ONCE = 256 * 1024
"""Bytes of JSON that are converted where they are, in some 10 ms; a thread costs its own time."""

_Made = TypeVar("_Made")


class Conversions:
    """Makes publications of records."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def make(self, make: Callable[[], _Made], byte_count: int) -> _Made:
        """What `make` makes of a record of so many bytes of JSON.

        The bytes are waited for before the turn: a conversion that has its turn waits for nothing more.
        """
        await current_hold().ahead(CONVERTING * byte_count)
        if byte_count <= _AT_ONCE:
            return make()
        async with self._turn:
            return await in_thread(make)
