"""The two steps of the store: records of calls, and what operators look at."""

import asyncio
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from ringback_common import logs, traces
from ringback_common.clock import Clock
from ringback_common.outcomes import Drop, Outcome, Reason, Received, Reject
from ringback_common.settings import LimitsSettings
from ringback_common.threads import in_thread
from ringback_events import topics

from ringback_sink.store.adapters.calls import Calls, Written
from ringback_sink.store.adapters.operations import Operations
from ringback_sink.store.core.decisions import Decision, decisions_of
from ringback_sink.store.core.months import worth_a_partition
from ringback_sink.store.core.operations import Report, head_of, report_of
from ringback_sink.store.core.plan import Entry, plan, prepare
from ringback_sink.store.core.record import decode
from ringback_sink.store.settle import settle
from ringback_sink.store.telemetry import CALLS, HEADS, NUL_REPLACED, STORED_SECONDS, TRANSACTION_SECONDS

__all__ = ["ROWS", "OperationsStep", "RecordsStep", "chunks"]

_RECORDS, _BYTES = 500, 4 * 1024 * 1024
"""Bounds of one transaction: long enough to pay for its round trips, short enough to prepare the next beside it."""
ROWS = 4
"""Bytes of memory for each byte of a record while it becomes rows, its own included. Measured of a meeting: 3.6."""
_AT_ONCE = 1024 * 1024
"""Bytes of a record that becomes rows where it is, in some 20 ms; a larger one does in a thread."""
_BREATH = 8
"""Records prepared before the event loop gets its turn, so that the transaction under way is served."""
_SAMPLED = tuple(digit.encode() for digit in "13579bdf")
"""Last digits of a traceparent with the sampled bit."""

_log = logs.logger(__name__)
Prepared = list[Entry | Reject]


class RecordsStep:
    """Stores versions of calls; prepares the next transaction while PostgreSQL works on the one before."""

    def __init__(self, calls: Calls, clock: Clock, limits: LimitsSettings) -> None:
        self._calls = calls
        self._clock = clock
        self._limits = limits

    async def __call__(self, waiting: Sequence[Received]) -> Sequence[Outcome]:
        """The outcome of each record; what is stored is committed in PostgreSQL before this returns.

        Cut off, it ends when its thread and its transaction have: only then nothing of the batch is in memory any more.
        Cut off again, it leaves the transaction to itself: a PostgreSQL that is silent must not hold up a stop.
        """
        outcomes: list[Outcome] = []
        writing: asyncio.Task[list[Outcome]] | None = None
        behind = 0
        try:
            for chunk in chunks(waiting):
                needed = ROWS * _bytes(chunk)
                if writing is not None and behind + needed > self._limits.in_hand_bytes:
                    await asyncio.wait((writing,))
                behind, prepared = needed, await self._prepare(chunk)
                if writing is not None:
                    outcomes += await writing
                writing = asyncio.create_task(self._store(chunk, prepared))
            return outcomes + (await writing if writing is not None else [])
        finally:
            if writing is not None and not writing.done():
                writing.cancel()
                await asyncio.wait([writing])

    async def _store(self, chunk: Sequence[Received], prepared: Prepared) -> list[Outcome]:
        entries = [entry for entry in prepared if isinstance(entry, Entry)]
        with _spans(chunk):
            settled = iter(await settle(entries, self._write))
        return [next(settled) if isinstance(entry, Entry) else entry for entry in prepared]

    async def _write(self, entries: Sequence[Entry]) -> None:
        planned = plan(entries)
        worth = [month for month in planned.months() if worth_a_partition(month, self._clock.now())]
        with TRANSACTION_SECONDS.time():
            written = await self._calls.write(planned, worth)
        self._count(written, entries)

    def _count(self, written: Written, entries: Sequence[Entry]) -> None:
        CALLS.labels("added").inc(written.added)
        CALLS.labels("replaced").inc(written.replaced)
        CALLS.labels("older").inc(written.older)
        NUL_REPLACED.inc(sum(entry.rows.nul_replaced for entry in entries))
        now = self._clock.now()
        for entry in entries:
            if entry.received_at is not None:
                STORED_SECONDS.observe((now - entry.received_at).total_seconds())

    async def _prepare(self, chunk: Sequence[Received]) -> Prepared:
        prepared: Prepared = []
        for index, received in enumerate(chunk):
            if _bytes((received,)) > _AT_ONCE:
                prepared.append(await in_thread(partial(_prepared, received, self._limits.published_bytes)))
                continue
            prepared.append(_prepared(received, self._limits.published_bytes))
            if index % _BREATH == 0:
                await asyncio.sleep(0)
        return prepared


def _prepared(received: Received, largest: int) -> Entry | Reject:
    record = decode(received, largest)
    return record if isinstance(record, Reject) else prepare(record)


def _bytes(records: Iterable[Received]) -> int:
    return sum(len(received.value or b"") for received in records)


def chunks(waiting: Sequence[Received]) -> Iterator[Sequence[Received]]:
    """Cut a batch into transactions, each within its bounds; one larger record is a transaction of its own."""
    start, octets = 0, 0
    for index, received in enumerate(waiting):
        octets += len(received.value or b"")
        if index > start and (index - start >= _RECORDS or octets > _BYTES):
            yield waiting[start:index]
            start, octets = index, len(received.value or b"")
    if waiting:
        yield waiting[start:]


@contextmanager
def _spans(chunk: Sequence[Received]) -> Generator[None]:
    """One span per record whose trace is kept, child of the context it came with: the row ends the POST's trace."""
    with ExitStack() as spans:
        for received in chunk:
            if _is_traced(received):
                name = f"store {received.topic}"
                spans.enter_context(traces.span(name, traces.SpanKind.CONSUMER, parent=received.headers))
        yield


def _is_traced(received: Received) -> bool:
    """Whether the sampled bit is set, the lowest of the flags; a random trace id sets another (W3C Trace Context 2)."""
    return any(name == "traceparent" and (value or b"").endswith(_SAMPLED) for name, value in received.headers)


class OperationsStep:
    """Stores the heads of dead letters, what operators decided about them, and the status of processes."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def __call__(self, waiting: Sequence[Received]) -> Sequence[Outcome]:
        """The outcome of each record; a dead letter is never rejected, for that would make another one."""
        outcomes: dict[int, Outcome] = {}
        by_topic: dict[str, list[int]] = {}
        for at, one in enumerate(waiting):
            by_topic.setdefault(one.topic, []).append(at)
        for topic, places in by_topic.items():
            store = {topics.STATUS.name: self._reports, topics.AUDIT.name: self._decisions}.get(topic, self._heads)
            outcomes.update(zip(places, await store([waiting[at] for at in places]), strict=True))
        return [outcomes[at] for at in range(len(waiting))]

    async def _reports(self, told: Sequence[Received]) -> list[Outcome]:
        read = [report_of(one) for one in told]
        good = [report for report in read if isinstance(report, Report)]
        written = iter(await settle(good, self._operations.write_reports))
        HEADS.labels("status").inc(len(good))
        return [next(written) if isinstance(report, Report) else report for report in read]

    async def _decisions(self, told: Sequence[Received]) -> list[Outcome]:
        read = [decisions_of(one) for one in told]
        good = [decisions for decisions in read if not isinstance(decisions, Reject)]
        written = iter(await settle(good, self._write_decisions))
        return [decisions if isinstance(decisions, Reject) else next(written) for decisions in read]

    async def _write_decisions(self, entries: Sequence[Sequence[Decision]]) -> None:
        decisions = [decision for entry in entries for decision in entry]
        if decisions:  # most entries are about something else
            await self._operations.write_decisions(decisions)
            HEADS.labels("dead_letter_decision").inc(len(decisions))

    async def _heads(self, letters: Sequence[Received]) -> list[Outcome]:
        written = await settle([head_of(letter) for letter in letters], self._operations.write_heads)
        HEADS.labels("dead_letter").inc(len(letters))
        return [Drop(Reason.STORE_REFUSED) if isinstance(outcome, Reject) else outcome for outcome in written]
