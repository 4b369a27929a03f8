"""Follows what a started process serves and writes, and tells people."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ringback_events.topics import FETCH, FETCH_LANES, RECORDS

from bench.aside.process import Looked
from bench.kafka import Count, Lanes

__all__ = ["Counts", "Watch"]

_EVERY, _TOLD_EVERY = 0.1, 10.0
_STUCK = 60.0
_WRITTEN = tuple(lane for lane in FETCH_LANES if lane != FETCH)
"""Every lane that the process itself writes to."""


@dataclass(frozen=True, slots=True)
class Counts:
    """So many records came to be, and so many requests were written once more."""

    served: int
    written: int

    def reach(self, wanted: "Counts") -> bool:
        """Whether both are there."""
        return self.served >= wanted.served and self.written >= wanted.written


class Watch:
    """Over the topics of one case."""

    def __init__(self, served: Count, written: Count, say: Callable[[str], None]) -> None:
        self._served, self._written, self._say = served, written, say

    @classmethod
    @asynccontextmanager
    async def open(cls, lanes: Lanes, say: Callable[[str], None]) -> AsyncGenerator["Watch"]:
        """Connect, before the process is started."""
        async with lanes.counted(RECORDS) as served, lanes.counted(*_WRITTEN) as written:
            yield cls(served, written, say)

    async def counts(self) -> Counts:
        """As of now."""
        return Counts(await self._served(), await self._written())

    async def until(self, wanted: Counts, looked: Looked) -> None:
        """Wait until so many are there.

        Raises:
            TimeoutError: neither count moved for a minute.
            StartFailed: the process ended.
        """
        seen, moved, told = await self.counts(), time.monotonic(), time.monotonic()
        while not seen.reach(wanted):
            await asyncio.sleep(_EVERY)
            looked.check()
            before, seen, now = seen, await self.counts(), time.monotonic()
            moved = now if seen != before else moved
            if now - moved > _STUCK:
                raise TimeoutError(f"{_progress(seen, wanted)}, and nothing more for {_STUCK:.0f} s")
            if now - told >= _TOLD_EVERY:
                told = now
                self._say(f"{_progress(seen, wanted)}; {looked.rss_mib:.0f} MiB")


def _progress(seen: Counts, wanted: Counts) -> str:
    of = f" of {wanted.written:,}" if wanted.written else ""
    return f"{seen.served:,} of {wanted.served:,} served, {seen.written:,}{of} put aside"
