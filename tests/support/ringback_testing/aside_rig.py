"""A keyed runner with lanes for what is put aside, and what it wrote; without a broker."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ringback_common.clock import SystemClock
from ringback_common.outcomes import Accounting, Emit, Message, Outcome, Reason, Received
from ringback_events.topics import FETCH, FETCH_ASIDES, FETCH_BULK, FETCH_RETRY_10S
from ringback_stream.aside.admission import ShareAdmission
from ringback_stream.aside.deadlines import AsideDeadlines, AsideTargets
from ringback_stream.aside.lanes import AsideLanes
from ringback_stream.aside.policy import AsidePolicy
from ringback_stream.aside.writer import AsideWriter
from ringback_stream.consume.byte_budget import current_hold
from ringback_stream.consume.keyed_runner import KeyedRunner
from ringback_stream.consume.offsets import OffsetTracker, Ticket
from ringback_stream.consume.outcome_handler import OutcomeHandler
from ringback_stream.consume.partitions import Partition
from ringback_stream.flows import Aside, Caps, KeyedFlow, Lane, LaneKind

__all__ = ["AsideRig", "Gate", "KeyStep", "deferred", "requested", "running_aside"]

KeyStep = Callable[[Sequence[Received]], Awaitable[Sequence[Outcome]]]


def requested(key: str, offset: int = 0, topic: str = FETCH.name) -> Received:
    """A record of this key, `tenant|call`."""
    return Received(topic, 0, offset, 0, key.encode(), b"")


def deferred(received: Received, topic: str, read: bytes | None = None) -> Outcome:
    """What becomes of a record that goes to another lane, as a copy for that read."""
    headers = () if read is None else (("ringback_read", read),)
    return Emit(((Message(topic, received.key or b"", b"", headers),),), Accounting.DEFERRED, Reason.SLOW)


class Gate:
    """A step that asks Graph, hangs until it is let go, then publishes."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.begun: list[bytes | None] = []

    async def __call__(self, records: Sequence[Received]) -> Sequence[Outcome]:
        """One publication for all."""
        self.begun.append(records[0].key)
        with current_hold().asking():
            await self.open.wait()
        return [Emit(((Message("published", b"", b""),),)), *[Emit()] * (len(records) - 1)]


@dataclass
class AsideRig:
    """A runner with its gate, and what it wrote, finished and logged.

    Attributes:
        within: seconds for which a record may be in hand.
        ends: what becomes of a record that would move; None: it moves.
        slow: records of which it was said that their reads are slow; others waited for something of ours.
        tasks: runner and writer.
        settled: outcomes of which the flow was told.
        taken: set while publications are taken.
        moved: set while what is put aside is taken.
    """

    within: float
    ends: Outcome | None = None
    written: list[Message] = field(default_factory=list[Message])
    finished: list[int] = field(default_factory=list[int])
    slow: list[bytes] = field(default_factory=list[bytes])
    settled: list[Outcome] = field(default_factory=list[Outcome])
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    def __post_init__(self) -> None:
        self.taken.set()
        self.moved.set()

    def build(self, step: KeyStep, caps: Caps) -> None:
        """Make all that runs."""
        flow = KeyedFlow(
            "g",
            (Lane(FETCH), Lane(FETCH_BULK, LaneKind.BULK), Lane(FETCH_RETRY_10S, LaneKind.RETRY)),
            step,
            lambda received, _attempts: deferred(received, "given up"),
            on_applied=self.settled.extend,
            aside=self._aside(),
            caps=caps,
        )
        clock, producer = SystemClock(), self._as_producer()
        outcome_handler = OutcomeHandler(producer, "s", "g", lambda ticket: self.finished.append(ticket.offset) is None)
        self.writer, self.lanes = AsideWriter(outcome_handler, clock), AsideLanes(FETCH_ASIDES, [FETCH_BULK])
        aside = self._aside()
        self.runner = KeyedRunner(
            flow, outcome_handler, clock, lambda _: True, AsideTargets(aside, self.lanes, self.writer)
        )
        self.policy = AsidePolicy(aside, self.runner, self.lanes, self.writer, clock)
        self.tracker = OffsetTracker(0)

    def _aside(self) -> Aside:
        return Aside(
            topics=FETCH_ASIDES,
            move=lambda received, topic: self.ends or deferred(received, topic),
            slow=self._slow,
            busy=lambda received, read: deferred(received, FETCH_RETRY_10S.name, read),
            is_paused=lambda _: False,
            may_ask=lambda _: True,
            quota=lambda _: 1000,
            within=self.within,
        )

    def _slow(self, received: Received, read: bytes) -> Outcome:
        self.slow.append(received.key or b"")
        return deferred(received, FETCH_RETRY_10S.name, read)

    def _as_producer(self) -> Any:
        return self

    @property
    def admission(self) -> ShareAdmission:
        """Who decides whether a record has room."""
        assert self.runner.admission is not None
        return self.runner.admission

    @property
    def leaving(self) -> AsideDeadlines:
        """Who answers for what is in hand for too long."""
        assert self.runner.leaving is not None
        return self.runner.leaving

    def offer(self, offset: int, key: str, kind: LaneKind = LaneKind.LIVE) -> None:
        """Take a record in."""
        topic = FETCH_BULK.name if kind is LaneKind.BULK else FETCH.name
        self.runner.offer(Ticket(Partition(topic, 0), offset, 1), requested(key, offset, topic), kind)

    async def end(self) -> None:
        """End the tasks of runner and writer, as a failure does."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def answer_of(self, copy: Received) -> Outcome | None:
        """What becomes of a copy at the door."""
        return self.leaving.answer_of(copy, LaneKind.RETRY)

    def topics(self) -> list[str]:
        """Where what was written went, in that order."""
        return [message.topic for message in self.written]

    def copy(self) -> Received:
        """What was written first, as it comes again on its lane."""
        message = self.written[0]
        return Received(message.topic, 0, 0, 0, message.key, b"", message.headers)

    async def stages(self, stages: Sequence[Sequence[Message]]) -> None:
        """Take publications."""
        await self.taken.wait()
        self.written += [message for stage in stages for message in stage]

    async def send_together(self, messages: Sequence[Message], acked: Callable[[int], None]) -> list[int]:
        """Take what is put aside."""
        await self.moved.wait()
        for index, message in enumerate(messages):
            self.written.append(message)
            acked(index)
        return []


@asynccontextmanager
async def running_aside(step: KeyStep, within: float = 0.1, **caps: int) -> AsyncGenerator[AsideRig]:
    """A runner of this step, and its writer."""
    rig = AsideRig(within)
    rig.build(step, Caps(**caps))
    rig.tasks = [asyncio.create_task(rig.runner.run()), asyncio.create_task(rig.writer.run())]
    rig.runner.resume()
    rig.writer.resume()
    try:
        yield rig
    finally:
        await rig.end()
