"""One budget of bytes over everything a flow has in hand: read, being made, waiting for Kafka.

Most of it is shared. The rest, the *reserve*, is as large as one step may ever become, and belongs to one step at a
time: to the one that has waited longest for the shared part. So a step that has begun always ends, whatever the others
hold. Some of the shared part is kept for steps that begin: small records need no more than that, so they pass while
large ones wait for each other.

It is no `ringback_stream.publish.capacity.CapacityLimit`: what a step takes is not known when it begins, and grows.
"""

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import NamedTuple

__all__ = ["ByteBudget", "ByteLease", "current_hold"]


class ByteLease:
    """The bytes of one step.

    Attributes:
        granted: bytes of the budget that are this step's; never more than its `largest`.
        used: bytes that were taken.
        is_final: whether it grows no more.
        is_answered: whether the other side has answered anything that it was asked.
    """

    def __init__(self, in_hand: "ByteBudget") -> None:
        self._in_hand = in_hand
        self.granted = 0
        self.used = 0
        self.is_final = False
        self.is_answered = False
        self._asked = 0.0
        self._asks_since: tuple[float, float] | None = None  # now, and what had been waited for bytes by then
        self._waited = 0.0
        self._waits_since: float | None = None

    @property
    def waited(self) -> float:
        """Seconds for which the step has waited for bytes so far: caused by this process, not by Graph."""
        now = _now()
        return self._waited + (0.0 if self._waits_since is None else now - self._waits_since)

    @contextmanager
    def waiting(self) -> Generator[None]:
        """Count the time until it ends as waiting for bytes."""
        self._waits_since = _now()
        try:
            yield
        finally:
            self._waited, self._waits_since = self.waited, None

    @property
    def asked(self) -> float:
        """Seconds for which the step has waited for the other side's answers so far."""
        if self._asks_since is None:
            return self._asked
        at, waited = self._asks_since
        return self._asked + (asyncio.get_running_loop().time() - at) - (self.waited - waited)

    @contextmanager
    def asking(self) -> Generator[None]:
        """Count the time until it ends as Graph's, except for what is waited for bytes in between.

        It has answered unless this ends with an exception.
        """
        self._asks_since = asyncio.get_running_loop().time(), self.waited
        try:
            yield
            self.is_answered = True
        finally:
            self._asked, self._asks_since = self.asked, None

    async def ahead(self, byte_count: int) -> None:
        """Wait until so many bytes more than are used may be taken."""
        await self._in_hand.grow(self, self.used + byte_count - self.granted)

    async def take(self, byte_count: int) -> None:
        """Count bytes that are there already; waits while the budget has no room for them."""
        self.used += byte_count
        await self.ahead(0)

    def shrink(self, used: int) -> None:
        """Give back all but so many bytes: what was made is smaller than what it was made of."""
        self.used, self.is_final = used, True
        self._in_hand.keep(self, min(used, self.granted))


class _Claim(NamedTuple):
    hold: ByteLease
    byte_count: int
    granted: asyncio.Future[None]
    since: float


class ByteBudget:
    """The budget; without arguments it has no bounds.

    Args:
        total: bytes of everything in hand.
        largest: bytes that one step may have at most; what exceeds them is not counted.
        first: bytes that must be free for a step to begin.
        kept: bytes of the shared part that only steps that begin may take.
    """

    def __init__(self, total: int = sys.maxsize, largest: int = 0, first: int = 0, kept: int = 0) -> None:
        if largest > total:
            raise ValueError("the largest step must fit into the budget")
        self._largest, self._first, self._kept = largest or total, first, kept
        self._free = total - largest
        self._reserved: ByteLease | None = None
        self._holds: set[ByteLease] = set()
        self._growing: deque[_Claim] = deque()
        self._beginning: deque[_Claim] = deque()

    @property
    def byte_count(self) -> int:
        """Bytes granted."""
        return sum(hold.granted for hold in self._holds)

    @property
    def oldest_claim(self) -> float:
        """Seconds for which the oldest waiting step has waited for bytes; 0 if none waits."""
        since = [claim.since for queue in (self._growing, self._beginning) for claim in islice(queue, 1)]
        return _now() - min(since) if since else 0.0

    @asynccontextmanager
    async def hold(self) -> AsyncGenerator[ByteLease]:
        """The bytes of a step from before it begins until what it made is written; see `current_hold`."""
        hold = ByteLease(self)
        self._holds.add(hold)
        token = _current.set(hold)
        try:
            await self._claim(self._beginning, hold, self._first)
            yield hold
        finally:
            _current.reset(token)
            self._holds.discard(hold)
            self.keep(hold, 0)

    async def grow(self, hold: ByteLease, byte_count: int) -> None:
        """Grant a step more bytes, up to the largest it may have; steps are served in the order in which they ask."""
        more = min(byte_count, self._largest - hold.granted)
        if more > 0:
            await self._claim(self._growing, hold, more)

    def keep(self, hold: ByteLease, byte_count: int) -> None:
        """Let a step keep so many of its bytes; the reserve is left as soon as the shared part has room for them."""
        if hold is not self._reserved:
            self._free += hold.granted - byte_count
        elif byte_count <= self._free:
            self._free -= byte_count
            self._reserved = None
        hold.granted = byte_count
        self._serve()

    async def _claim(self, queue: deque[_Claim], hold: ByteLease, byte_count: int) -> None:
        at_once = hold is self._reserved or not queue
        if at_once and self._grants(hold, byte_count, growing=queue is self._growing):
            self._serve()  # a step that moved to the reserve has freed its bytes of the shared part
            return
        claim = _Claim(hold, byte_count, asyncio.get_running_loop().create_future(), _now())
        queue.append(claim)
        try:
            with hold.waiting():
                await claim.granted
        finally:
            if claim in queue:  # cancelled
                queue.remove(claim)
                self._serve()

    def _serve(self) -> None:
        self._leave_the_reserve()
        for queue in (self._growing, self._beginning):
            while queue and self._served(queue[0], growing=queue is self._growing):
                queue.popleft()

    def _served(self, claim: _Claim, *, growing: bool) -> bool:
        if claim.granted.done():
            return True
        if not self._grants(claim.hold, claim.byte_count, growing=growing):
            return False
        claim.granted.set_result(None)
        return True

    def _leave_the_reserve(self) -> None:
        """What grows no more moves to the shared part as soon as it fits there."""
        hold = self._reserved
        if hold is not None and hold.is_final and hold.granted <= self._free:
            self._free -= hold.granted
            self._reserved = None

    def _grants(self, hold: ByteLease, byte_count: int, *, growing: bool) -> bool:
        if hold is not self._reserved and byte_count <= self._free - (self._kept if growing else 0):
            self._free -= byte_count
        elif hold is not self._reserved:
            if self._reserved is not None or not (growing or self.byte_count == 0):
                return False
            self._reserved = hold
            self._free += hold.granted
        hold.granted += byte_count
        return True


def _now() -> float:
    return asyncio.get_running_loop().time()


_current: ContextVar[ByteLease] = ContextVar("hold")
_UNBOUNDED = ByteBudget()


def current_hold() -> ByteLease:
    """The bytes of the step that runs; outside of one they have no bounds."""
    return _current.get(None) or ByteLease(_UNBOUNDED)
