"""Records that need no step: decided already, written many at a time, finished as their acks arrive.

A tenant that is not asked may have thousands of records ahead of others in one partition. They skip the key queue and
its slots; the rule of commit is the same: never above the lowest unfinished.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from ringback_common.clock import Clock
from ringback_common.outcomes import Outcome, Received

from ringback_stream.consume.offsets import OffsetTracker, Ticket
from ringback_stream.consume.outcome_handler import OutcomeHandler, StepResult
from ringback_stream.consume.runner import MayGoOn

__all__ = ["MOST_DEFERRED", "AsideWriter"]

MOST_DEFERRED = 10_000
"""Records of a partition deferred early above its lowest unfinished offset: so many a crash writes twice at most,
which is harmless, for such a request is one that comes again anyway."""
_WAITING, _WAITING_BYTES = 1000, 4 * 1024 * 1024
"""What gathers while a round is under way: with the round itself at most 2,000 records, 8 MiB and one poll more."""
_ROOM_WITHIN = 0.25
"""Seconds for which the back-pressure gate waits for capacity; then it pauses. That discards
prefetched records, but polling must go on."""


class AsideWriter:
    """One round in flight; what is answered during it forms the next.

    Its count and bytes are no `CapacityLimit`: the back-pressure gate does not wait, it pauses a partition, and goes on
    at half the limit so that it does not pause again for the next record.

    Args:
        outcome_handler: carries the outcomes out.
        clock: monotonic time.
    """

    def __init__(self, outcome_handler: OutcomeHandler, clock: Clock) -> None:
        self._outcome_handler = outcome_handler
        self._clock = clock
        self._waiting: deque[StepResult] = deque()
        self._bytes = 0
        self._oldest: deque[tuple[float, bytes]] = deque()
        self._changed = asyncio.Event()
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._open = False
        self._round: asyncio.Task[None] | None = None

    def refusal(self, tracker: OffsetTracker) -> MayGoOn | None:
        """Refuse when too many wait, or too many lie above the lowest unfinished offset."""
        if tracker.deferred_early >= MOST_DEFERRED:
            return lambda: tracker.deferred_early <= MOST_DEFERRED // 2
        return None if self.has_capacity else lambda: self._has_capacity(2)

    @property
    def has_capacity(self) -> bool:
        """Whether one more may wait."""
        return self._has_capacity(1)

    @property
    def is_busy(self) -> bool:
        """Whether something is not written yet, and still will be."""
        return self._open and bool(self._oldest)

    def offer(self, ticket: Ticket, received: Received, outcome: Outcome) -> None:
        """Take the decided record."""
        if not self._waiting:
            self._oldest.append((self._clock.monotonic(), received.key or b""))
        self._waiting.append(StepResult(ticket, received, outcome))
        self._bytes += len(received.value or b"")
        if not self._has_capacity(2):
            self._roomy.clear()
        self._changed.set()

    async def wait_for_capacity(self) -> None:
        """Wait a little while half of what may wait does."""
        if self._roomy.is_set():
            return
        try:
            async with asyncio.timeout(_ROOM_WITHIN):
                await self._roomy.wait()
        except TimeoutError:
            return

    @property
    def oldest_arrival(self) -> float | None:
        """Monotonic time at which the first record of the oldest round was answered."""
        return self._oldest[0][0] if self._oldest else None

    @property
    def oldest_key(self) -> bytes:
        """Its key; empty for none."""
        return self._oldest[0][1] if self._oldest else b""

    def resume(self) -> None:
        """Begin rounds again."""
        self._open = True
        self._changed.set()

    def drop(self) -> None:
        """Cancel the round and forget everything; what is being sent is written twice."""
        self._open = False
        if self._round is not None:
            self._round.cancel()
        self._clear()
        self._oldest.clear()

    async def run(self) -> None:
        """One round after the other, for ever."""
        async with asyncio.TaskGroup() as tasks:
            try:
                while True:
                    await self._next_round(tasks)
            finally:
                self._open = False

    async def _next_round(self, tasks: asyncio.TaskGroup) -> None:
        while not (self._open and self._waiting):
            self._changed.clear()
            await self._changed.wait()
        answers = tuple(self._waiting)
        self._clear()
        self._round = tasks.create_task(self._apply(answers), name="aside")
        await asyncio.wait((self._round,))
        self._round = None

    async def _apply(self, answers: Sequence[StepResult]) -> None:
        await self._outcome_handler.apply_together(answers)
        self._oldest.popleft()

    def _clear(self) -> None:
        self._waiting.clear()
        self._bytes = 0
        self._roomy.set()

    def _has_capacity(self, share: int) -> bool:
        return len(self._waiting) < _WAITING // share and self._bytes < _WAITING_BYTES // share
