"""Things that happen later: versions, expiries, the calls of a workday."""

import asyncio
import heapq
import itertools
from collections.abc import Callable

__all__ = ["Timetable"]


class Timetable:
    """Actions by due time, run one after the other by one task. An action must not block and must not raise."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = asyncio.Event()

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Run `action` at `when` (seconds since the epoch) or, if that has passed, at once."""
        heapq.heappush(self._due, (when, next(self._order), action))
        self._changed.set()

    async def run(self) -> None:
        """Serve for ever."""
        while True:
            self._changed.clear()
            wait = self._run_due()
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _run_due(self) -> float | None:
        while self._due:
            wait = self._due[0][0] - self._clock()
            if wait > 0:
                return wait
            heapq.heappop(self._due)[2]()
        return None
