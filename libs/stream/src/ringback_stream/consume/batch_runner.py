"""The batched runner: one mixed batch at a time while the next is gathered; a failed one is tried until it works."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice

from ringback_common import logs
from ringback_common.backoff import Backoff
from ringback_common.clock import Clock
from ringback_common.outcomes import Outcome, Received
from ringback_common.retrying import FailedAttempt, until_it_works
from ringback_common.traces import SpanKind, span

from ringback_stream import telemetry
from ringback_stream.consume.failures import FailureContext, action_for
from ringback_stream.consume.key_queue import Item
from ringback_stream.consume.offsets import OffsetTracker, Ticket
from ringback_stream.consume.outcome_handler import OutcomeHandler, StepResult
from ringback_stream.consume.runner import MayGoOn
from ringback_stream.flows import BatchedFlow, LaneKind

__all__ = ["BatchedRunner"]

_log = logs.logger(__name__)

_BATCHES_IN_HAND = 2
"""One in the step, one being gathered."""
_ROOM_WITHIN = 1.0
"""Seconds for which the back-pressure gate waits for capacity; then it pauses. That discards
prefetched records, but polling must go on."""


class BatchedRunner:
    """Runs a batched flow; see `ringback_stream.consume.runner.Runner` for what each method promises.

    Its count and bytes are no `CapacityLimit`: the back-pressure gate does not wait, it pauses a partition, and goes on
    at half a batch so that it does not pause again for the next record.
    """

    def __init__(self, flow: BatchedFlow, outcome_handler: OutcomeHandler, clock: Clock) -> None:
        self._flow = flow
        self._outcome_handler = outcome_handler
        self._clock = clock
        self._waiting: deque[Item] = deque()
        self._batch: tuple[Item, ...] = ()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._roomy = asyncio.Event()
        self._idle = asyncio.Event()
        self._empty = asyncio.Event()
        self._idle.set()
        self._roomy.set()
        self._empty.set()
        self._open = False
        self._task: asyncio.Task[None] | None = None
        self._step_began: float | None = None

    # -- called by the back-pressure gate --

    def refusal(  # a batch knows neither spans nor lanes
        self,
        tracker: OffsetTracker,  # noqa: ARG002
        received: Received,  # noqa: ARG002
        kind: LaneKind,  # noqa: ARG002
    ) -> MayGoOn | None:
        """Refuse when two batches are in hand, in records or in bytes."""
        if self._has_capacity():
            return None
        return self._half_empty

    def offer(self, ticket: Ticket, received: Received, kind: LaneKind) -> None:
        """Put the record at the end of the line."""
        self._waiting.append(Item(ticket, received, kind, self._clock.monotonic()))
        self._empty.clear()
        self._bytes += _bytes(received)
        if not self._has_capacity():
            self._roomy.clear()
        self._changed.set()

    async def wait_for_capacity(self) -> None:
        """Wait up to a second while two batches are in hand."""
        try:
            async with asyncio.timeout(_ROOM_WITHIN):
                await self._roomy.wait()
        except TimeoutError:
            return

    async def emptied(self) -> None:
        """Wait until nothing is in hand: all of it is finished, or the assignment is over and it was given back."""
        await self._empty.wait()

    def resume(self) -> None:
        """Start batches again."""
        self._open = True
        self._changed.set()

    def close(self) -> None:
        """Begin no batch any more."""
        self._open = False

    async def drain(self, seconds: float) -> None:
        """What waits is given back at once; the running batch gets until the deadline."""
        self._open = False
        self._waiting.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            _log.warning("A batch did not end in time; it will be redelivered.", group=self._flow.group)
        self.drop()

    def drop(self) -> None:
        """Cancel the running batch and forget everything."""
        self._open = False
        if self._task is not None:
            self._task.cancel()
        self._waiting.clear()
        self._batch, self._bytes = (), 0
        self._roomy.set()
        self._empty.set()

    @property
    def oldest_arrival(self) -> float | None:
        """The running batch is older than what waits."""
        oldest = self._batch[0] if self._batch else next(iter(self._waiting), None)
        return None if oldest is None else oldest.arrived

    @property
    def stuck_since(self) -> float | None:
        """The running step; or what waits although no batch is in hand."""
        if self._step_began is not None or self._batch or not self._waiting:
            return self._step_began
        return self._waiting[0].arrived

    @property
    def unstarted_since(self) -> None:
        """A batch takes what waits; see `stuck_since`."""
        return

    def oldest_by_reason(self) -> Mapping[str, float]:
        """The batch, and what waits for it."""
        oldest = {"running": self._batch, "ready": self._waiting}
        return {why: next(iter(items)).arrived for why, items in oldest.items() if items}

    def oldest_key(self, why: str) -> bytes:
        """Of the batch's first record, or of the first that waits for it."""
        items = self._batch if why == "running" else self._waiting if why == "ready" else ()
        return next((item.received.key or b"" for item in items), b"")

    @property
    def keys_of_a_tenant(self) -> int:
        """Keys are not distinguished."""
        return 0

    # -- running --

    async def run(self) -> None:
        """One batch after the other, for ever."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._gathered()
                batch = self._next_batch()
                if batch:
                    self._idle.clear()
                    self._batch = batch
                    self._task = tasks.create_task(self._work(batch))
                    self._task.add_done_callback(lambda _: self._idle.set())
                    await self._idle.wait()
                    self._task, self._batch = None, ()
                    if not self._waiting:
                        self._empty.set()

    async def _gathered(self) -> None:
        """Until a batch is worth starting: full, or its first record has waited for company long enough."""
        while not (self._open and self._waiting):
            self._changed.clear()
            await self._changed.wait()
        remaining = self._waiting[0].arrived + self._flow.limits.wait - self._clock.monotonic()
        if remaining > 0 and self._has_capacity() and len(self._waiting) < self._flow.limits.records:
            await asyncio.sleep(remaining)

    def _next_batch(self) -> tuple[Item, ...]:
        if not self._open:
            return ()
        limits, byte_count, size = self._flow.limits, 0, 0
        for item in islice(self._waiting, limits.records):
            byte_count += _bytes(item.received)
            if size and byte_count > limits.byte_count:
                break
            size += 1
        return tuple(self._waiting.popleft() for _ in range(size))

    async def _work(self, batch: Sequence[Item]) -> None:
        records = [item.received for item in batch]
        with span(f"process batch {records[0].topic}", SpanKind.CONSUMER, links=[r.headers for r in records]):
            outcomes, attempts = await self._until_it_works(records)
            if len(outcomes) != len(batch):
                raise RuntimeError("a step must answer each record it was given")
            answers = [
                StepResult(item.ticket, item.received, outcome) for item, outcome in zip(batch, outcomes, strict=True)
            ]
            await self._outcome_handler.apply_each(answers, attempts)
        self._bytes -= sum(_bytes(record) for record in records)
        if self._half_empty():
            self._roomy.set()

    async def _until_it_works(self, records: Sequence[Received]) -> tuple[Sequence[Outcome], int]:
        limits, attempts = self._flow.limits, 0

        async def attempt() -> Sequence[Outcome]:
            nonlocal attempts
            attempts += 1
            return await self._answer(records)

        outcomes = await until_it_works(attempt, Backoff(limits.retry_first, limits.retry_longest), self._met)
        telemetry.child(telemetry.BREAKER_OPEN, self._flow.group).set(0)
        telemetry.child(telemetry.STEP_RECORDS, self._flow.group).observe(len(records))
        return outcomes, attempts

    def _met(self, failed: FailedAttempt) -> None:
        # A batch has records of all tenants: its failure is general.
        telemetry.child(telemetry.STEPS, self._flow.group, action_for(failed.failure, FailureContext.GENERAL)).inc()
        telemetry.child(telemetry.BREAKER_OPEN, self._flow.group).set(1)
        _log.warning("A batch met a failure that may pass; trying again.", attempt=failed.attempt, delay_s=failed.wait)

    async def _answer(self, records: Sequence[Received]) -> Sequence[Outcome]:
        began = self._step_began = self._clock.monotonic()
        try:
            outcomes = await self._flow.step(records)
        finally:
            self._step_began = None
        telemetry.child(telemetry.STEP_SECONDS, self._flow.group).observe(self._clock.monotonic() - began)
        return outcomes

    def _has_capacity(self) -> bool:
        limits = self._flow.limits
        in_hand = len(self._waiting) + len(self._batch)
        return in_hand < _BATCHES_IN_HAND * limits.records and self._bytes < _BATCHES_IN_HAND * limits.byte_count

    def _half_empty(self) -> bool:
        limits = self._flow.limits
        return len(self._waiting) <= limits.records // 2 and self._bytes <= limits.byte_count


def _bytes(received: Received) -> int:
    return len(received.key or b"") + len(received.value or b"")
