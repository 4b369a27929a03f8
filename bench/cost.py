"""What processes cost while a load runs: CPU seconds and resident memory, sampled from the kernel's own counters."""

import asyncio
import bisect
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psutil

__all__ = ["Meter", "metered"]

_EVERY = 0.05
_MIB = 1024 * 1024


@dataclass(slots=True)
class Meter:
    """The CPU seconds and the memory of some process trees over time."""

    pids: Sequence[int]
    times: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])
    peak_mib: float = 0.0

    def sample(self) -> None:
        """Look at all processes once; those that have ended count for nothing any more."""
        used, resident = 0.0, 0
        for process in _family(self.pids):
            try:
                spent = process.cpu_times()
                # What ended children used stands with their parent, so the sum never falls while the tree's root lives.
                used += spent.user + spent.system + spent.children_user + spent.children_system
                resident += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        self.times.append(time.time())
        self.cpu.append(used)
        self.peak_mib = max(self.peak_mib, resident / _MIB)

    def seconds_between(self, began: float, ended: float) -> float:
        """CPU seconds spent between two moments (epoch seconds)."""
        return self._at(ended) - self._at(began)

    def _at(self, moment: float) -> float:
        place = bisect.bisect_left(self.times, moment)
        if place in {0, len(self.times)}:
            return self.cpu[min(place, len(self.times) - 1)]
        (t0, t1), (c0, c1) = self.times[place - 1 : place + 1], self.cpu[place - 1 : place + 1]
        return c0 + (c1 - c0) * (moment - t0) / (t1 - t0)


@asynccontextmanager
async def metered(pids: Sequence[int]) -> AsyncGenerator[Meter]:
    """Sample while the block lasts."""
    meter = Meter(pids)
    meter.sample()
    sampling = asyncio.create_task(_keep_sampling(meter))
    try:
        yield meter
    finally:
        sampling.cancel()
        meter.sample()


async def _keep_sampling(meter: Meter) -> None:
    while True:
        await asyncio.sleep(_EVERY)
        meter.sample()


def _family(pids: Sequence[int]) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for pid in pids:
        try:
            root = psutil.Process(pid)
            found += [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    return found
