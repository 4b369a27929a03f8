"""How much memory a process takes while something is done to it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil

__all__ = ["MIB", "Resident", "resident"]

MIB = 1024 * 1024
_LOOK_SECONDS = 0.02


@dataclass
class Resident:
    """Resident bytes."""

    process: psutil.Process
    before: int
    peak: int

    @property
    def growth(self) -> int:
        """From before to the highest seen."""
        return self.peak - self.before

    def look(self) -> None:
        """Once."""
        self.peak = max(self.peak, self.process.memory_info().rss)


@asynccontextmanager
async def resident(pid: int) -> AsyncGenerator[Resident]:
    """Yield the memory of a process, looked at fifty times a second until the end."""
    process = psutil.Process(pid)
    seen = Resident(process, process.memory_info().rss, 0)

    async def watch() -> None:
        while True:
            seen.look()
            await asyncio.sleep(_LOOK_SECONDS)

    watching = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        watching.cancel()
