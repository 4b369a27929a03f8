"""The two steps of the store: records of calls, and what operators look at."""

import asyncio
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from ringback_common import traces
from ringback_common.clock import Clock
from ringback_common.outcomes import Drop, Emit, Outcome, Reason, Received, Reject
from ringback_common.settings import LimitsSettings
from ringback_common.threads import in_thread
from ringback_events import topics
from ringback_events.header_names import TRACEPARENT
from ringback_events.topics import Topic

from ringback_sink.store.core.decisions import decisions_of
from ringback_sink.store.core.operations import head_of, report_of
from ringback_sink.store.core.record import decode
from ringback_sink.store.model.flat import FlatRow
from ringback_sink.store.model.operations import Head
from ringback_sink.store.model.version import Version
from ringback_sink.store.port import Prepared, Refusal, Result, Store, Stored
from ringback_sink.store.telemetry import CALLS, HEADS, STORED_SECONDS

__all__ = ["OPERATIONS", "ROWS", "OperationsStep", "RecordsStep", "chunks"]

_RECORDS, _BYTES = 500, 4 * 1024 * 1024
"""Bounds of one write: long enough to pay for its round trips, short enough to prepare the next beside it."""
ROWS = 4
"""Bytes of memory for each byte of a record while it becomes rows, its own included. Measured of a meeting: 3.6."""
_AT_ONCE = 1024 * 1024
"""Bytes of a record that becomes rows on the event loop, in some 20 ms; a larger one does in a thread."""
_BREATH = 8
"""Records prepared before the event loop gets its turn, so that the write under way goes on."""
_SAMPLED = tuple(digit.encode() for digit in "13579bdf")
"""Last digits of a traceparent with the sampled bit."""

_COUNTED = {Stored.ADDED: "added", Stored.REPLACED: "replaced", Stored.OLDER: "older"}
"""Label of the metric by what became of a version."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A version in the store's form, and when Ringback was notified of it."""

    row: Prepared
    received_at: datetime | None


class RecordsStep:
    """Stores versions of calls; prepares the next batch while the store writes the one before."""

    def __init__(self, store: Store, clock: Clock, limits: LimitsSettings) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits

    async def __call__(self, waiting: Sequence[Received]) -> Sequence[Outcome]:
        """Store a batch, in several writes where it is large.

        Cancelled, it ends when its thread and its write have ended: until then the batch is in memory. Cancelled again,
        it waits for the write no longer: a store that does not answer must not hold up a stop.

        Returns:
            The outcome of each record; what is stored is durable by then.

        Raises:
            Transient: as the store does; the whole batch is to be given once more.
        """
        outcomes: list[Outcome] = []
        writing: asyncio.Task[list[Outcome]] | None = None
        behind = 0
        try:
            for chunk in chunks(waiting):
                needed = ROWS * _size(chunk)
                if writing is not None and behind + needed > self._limits.in_hand_bytes:
                    await asyncio.wait((writing,))
                behind, prepared = needed, await self._prepare(chunk)
                if writing is not None:
                    outcomes += await writing
                writing = asyncio.create_task(self._write(chunk, prepared))
            return outcomes + (await writing if writing is not None else [])
        finally:
            if writing is not None and not writing.done():
                writing.cancel()
                await asyncio.wait([writing])

    async def _write(self, chunk: Sequence[Received], prepared: Sequence[_Ready | Reject]) -> list[Outcome]:
        ready = [one for one in prepared if isinstance(one, _Ready)]
        with _spans(chunk):
            results = await self._store.write([one.row for one in ready])
        self._count(ready, results)
        outcomes = iter(map(_outcome, results))
        return [next(outcomes) if isinstance(one, _Ready) else one for one in prepared]

    def _count(self, ready: Sequence[_Ready], results: Sequence[Result]) -> None:
        for stored, count in Counter(result for result in results if isinstance(result, Stored)).items():
            CALLS.labels(_COUNTED[stored]).inc(count)
        now = self._clock.now()
        for one, result in zip(ready, results, strict=True):
            if one.received_at is not None and isinstance(result, Stored):
                STORED_SECONDS.observe((now - one.received_at).total_seconds())

    async def _prepare(self, chunk: Sequence[Received]) -> list[_Ready | Reject]:
        prepared: list[_Ready | Reject] = []
        for index, received in enumerate(chunk):
            if _size((received,)) > _AT_ONCE:
                prepared.append(await in_thread(partial(self._prepared, received)))
                continue
            prepared.append(self._prepared(received))
            if index % _BREATH == 0:
                await asyncio.sleep(0)
        return prepared

    def _prepared(self, received: Received) -> _Ready | Reject:
        record = decode(received, self._limits.published_bytes)
        if isinstance(record, Reject):
            return record
        version = Version(record)
        return _Ready(self._store.prepare(version), version.received_at)


def _outcome(result: Result) -> Outcome:
    return Reject(Reason.STORE_REFUSED, result.cause) if isinstance(result, Refusal) else Emit()


def _size(records: Iterable[Received]) -> int:
    return sum(len(received.value or b"") for received in records)


def chunks(waiting: Sequence[Received]) -> Iterator[Sequence[Received]]:
    """Cut a batch into writes, each within the bounds; a record that is larger by itself is a write of its own."""
    start, size = 0, 0
    for index, received in enumerate(waiting):
        size += len(received.value or b"")
        if index > start and (index - start >= _RECORDS or size > _BYTES):
            yield waiting[start:index]
            start, size = index, len(received.value or b"")
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
    return any(name == TRACEPARENT and (value or b"").endswith(_SAMPLED) for name, value in received.headers)


class OperationsStep:
    """Stores the heads of dead letters, what operators decided about them, and the status of processes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, batch: Sequence[Received]) -> Sequence[Outcome]:
        """Store a batch, each topic's records at once.

        Returns:
            The outcome of each record. A dead letter is never rejected: that would make another one.

        Raises:
            Transient: as the store does; the whole batch is to be given once more.
        """
        outcomes: dict[int, Outcome] = {}
        by_topic: dict[str, list[int]] = {}
        for place, record in enumerate(batch):
            by_topic.setdefault(record.topic, []).append(place)
        for topic, places in by_topic.items():
            stored = await self._write([_READERS[topic](batch[place]) for place in places])
            outcomes.update(zip(places, stored, strict=True))
        return [outcomes[place] for place in range(len(batch))]

    async def _write(self, read: Sequence[Sequence[FlatRow] | Reject]) -> list[Outcome]:
        """Write the rows of some records at once; a record is refused if one of its rows is."""
        rows = [row for each in read if not isinstance(each, Reject) for row in each]
        results = iter(await self._store.write([self._store.prepare(row) for row in rows]) if rows else ())
        for row in rows:
            HEADS.labels(row.TABLE).inc()
        return [each if isinstance(each, Reject) else _whole([next(results) for _ in each], each) for each in read]


def _whole(results: Sequence[Result], rows: Sequence[FlatRow]) -> Outcome:
    refused = [result for result in results if isinstance(result, Refusal)]
    if not refused:
        return Emit()
    return Drop(Reason.STORE_REFUSED) if isinstance(rows[0], Head) else _outcome(refused[0])


def _head(letter: Received) -> Sequence[FlatRow]:
    return (head_of(letter),)


def _report(received: Received) -> Sequence[FlatRow] | Reject:
    report = report_of(received)
    return report if isinstance(report, Reject) else (report,)


OPERATIONS: Mapping[Topic, Callable[[Received], Sequence[FlatRow] | Reject]] = {
    topics.STATUS: _report,
    topics.INTERNAL_DEAD_LETTERS: _head,
    topics.RESTRICTED_DEAD_LETTERS: _head,
    topics.AUDIT: decisions_of,
}
"""The topics that the step reads, and what makes rows of their records."""
_READERS = {topic.name: read for topic, read in OPERATIONS.items()}
