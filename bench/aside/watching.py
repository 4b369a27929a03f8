"""Counts what a started process serves and writes, and shows how far it is."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ringback_events.topics import FETCH, FETCH_LANES, RECORDS

from bench.aside.process import ProcessMonitor
from bench.kafka import Count, Lanes

__all__ = ["Counts", "Watch"]

_EVERY, _PROGRESS_EVERY = 0.1, 10.0
_STUCK = 60.0
_WRITTEN = tuple(lane for lane in FETCH_LANES if lane != FETCH)
"""Every lane that the process itself writes to."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many records were published, and how many requests were written to another lane."""

    served: int
    written: int

    def reach(self, wanted: "Counts") -> bool:
        """Whether both counts are at least as high as wanted."""
        return self.served >= wanted.served and self.written >= wanted.written


class Watch:
    """Counts of the topics of one case."""

    def __init__(self, served: Count, written: Count, progress: Callable[[str], None]) -> None:
        self._served, self._written, self._progress = served, written, progress

    @classmethod
    @asynccontextmanager
    async def open(cls, lanes: Lanes, progress: Callable[[str], None]) -> AsyncGenerator["Watch"]:
        """Connect, before the process is started."""
        async with lanes.counted(RECORDS) as served, lanes.counted(*_WRITTEN) as written:
            yield cls(served, written, progress)

    async def counts(self) -> Counts:
        """As of now."""
        return Counts(await self._served(), await self._written())

    async def until(self, wanted: Counts, monitor: ProcessMonitor) -> None:
        """Wait until both counts are reached.

        Raises:
            TimeoutError: neither count moved for a minute.
            StartFailed: the process ended.
        """
        seen, moved, shown = await self.counts(), time.monotonic(), time.monotonic()
        while not seen.reach(wanted):
            await asyncio.sleep(_EVERY)
            monitor.check()
            before, seen, now = seen, await self.counts(), time.monotonic()
            moved = now if seen != before else moved
            if now - moved > _STUCK:
                raise TimeoutError(f"{_progress(seen, wanted)}, and nothing more for {_STUCK:.0f} s")
            if now - shown >= _PROGRESS_EVERY:
                shown = now
                self._progress(f"{_progress(seen, wanted)}; {monitor.rss_mib:.0f} MiB")


def _progress(seen: Counts, wanted: Counts) -> str:
    of = f" of {wanted.written:,}" if wanted.written else ""
    return f"{seen.served:,} of {wanted.served:,} served, {seen.written:,}{of} put aside"
