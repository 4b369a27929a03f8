"""Records that need no step: decided at the intake, written many at a time, finished as their acks arrive.

A tenant that is not asked may have thousands of records ahead of others in one partition. They skip the key queue, its
slots, its keys per tenant and its span; the rule of commit is the same: never above the lowest unfinished.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from ringback_common import logs
from ringback_common.clock import Clock
from ringback_common.outcomes import Outcome, Received

from ringback_stream.flows import Divert
from ringback_stream.runner import MayGoOn
from ringback_stream.settlement import Answered, Settlement
from ringback_stream.watermarks import Ticket, Watermark

__all__ = ["LARGEST_SPAN", "Diversion"]

_log = logs.logger(__name__)

LARGEST_SPAN = 10_000
"""Diverted records between a partition's watermark and its head: so many deferrals a crash repeats at most, which is
harmless, for a deferred request is one that comes again anyway. At 15,000/s one slow neighbour may hold the watermark
for most of a second before they wait too."""
_WAITING, _WAITING_OCTETS = 1000, 4 * 1024 * 1024
"""What gathers while a round is under way: with the round itself at most 2,000 records, 8 MiB and one poll more."""
_LOOK = 0.005
"""Seconds between looks at whether all is written, while draining."""
_ROOM_WITHIN = 0.25
"""Seconds the intake waits for room; then it pauses: that discards prefetched records, but polling must go on."""


class Diversion:
    """One round in flight; what is diverted meanwhile forms the next.

    Args:
        divert: decides, synchronously, for each record taken in.
        settlement: carries the outcomes out.
        clock: monotonic time.
    """

    def __init__(self, divert: Divert, settlement: Settlement, clock: Clock) -> None:
        self.outcome = divert
        """Decides; may be asked again for the same record."""
        self._settlement = settlement
        self._clock = clock
        self._waiting: deque[Answered] = deque()
        self._octets = 0
        self._oldest: deque[float] = deque()
        self._changed = asyncio.Event()
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._open = False
        self._round: asyncio.Task[None] | None = None

    # -- the intake's side --

    def refusal(self, watermark: Watermark) -> MayGoOn | None:
        """Refuse when too many wait, or too many are in front of the watermark."""
        if watermark.diverted >= LARGEST_SPAN:
            return lambda: watermark.diverted <= LARGEST_SPAN // 2
        return None if self._has_room(1) else lambda: self._has_room(2)

    def offer(self, ticket: Ticket, received: Received, outcome: Outcome) -> None:
        """Take the decided record."""
        if not self._waiting:
            self._oldest.append(self._clock.monotonic())
        self._waiting.append(Answered(ticket, received, outcome))
        self._octets += len(received.value or b"")
        if not self._has_room(2):
            self._roomy.clear()
        self._changed.set()

    async def room(self) -> None:
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
        """Monotonic time at which the first record of the oldest round was taken in."""
        return self._oldest[0] if self._oldest else None

    # -- running --

    def resume(self) -> None:
        """Begin rounds again."""
        self._open = True
        self._changed.set()

    async def drain(self, seconds: float) -> None:
        """What waits and the round under way get until the deadline: they are decided, and only to be written."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._oldest and self._open:  # noqa: ASYNC110 - rounds end in several places
                    await asyncio.sleep(_LOOK)
        self.drop()

    def drop(self) -> None:
        """Cancel the round and forget everything; what was sent meanwhile is deferred twice."""
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
        self._round = tasks.create_task(self._settle(answers), name="diverted")
        await asyncio.wait((self._round,))
        self._round = None

    async def _settle(self, answers: Sequence[Answered]) -> None:
        await self._settlement.settle_together(answers)
        self._oldest.popleft()

    def _clear(self) -> None:
        self._waiting.clear()
        self._octets = 0
        self._roomy.set()

    def _has_room(self, share: int) -> bool:
        return len(self._waiting) < _WAITING // share and self._octets < _WAITING_OCTETS // share
