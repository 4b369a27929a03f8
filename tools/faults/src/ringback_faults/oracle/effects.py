"""When a record that was taken in had its effect, from what others saw of it. Pure.

The services' own accounting is not asked: what a fetch request led to is read off the simulator's ledger and the
topics, what a record version led to off the store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf
from operator import attrgetter

from ringback_events import topics

from ringback_faults.ledgers import Request, TopicRecord
from ringback_faults.oracle.index import LANES, Index, Place, place_of

__all__ = ["NEVER", "READ", "Effects", "due_of", "effects_of", "standing_of"]

NEVER = inf
READ = "ringback_read"
"""Header of a copy on a lane: the read that was going on for the request when the copy was written."""
_ROUNDING = 0.002
"""Kafka's times are whole milliseconds, rounded down; the simulator's are not."""


@dataclass(frozen=True, slots=True)
class Effects:
    """Unix seconds of the first effect of each record, `NEVER` for none.

    Attributes:
        lanes: of each record of a fetch lane: it was dead-lettered, put on another lane, or satisfied.
        records: of each record of restricted.records: its version stands in the history, in this revision or a later
            one (its beginning is known of the first alone), or it was dead-lettered.
    """

    lanes: Mapping[Place, float]
    records: Mapping[Place, float]


def effects_of(index: Index) -> Effects:
    """The effect of every record of the row."""
    lanes: dict[Place, float] = {}
    for key, requests in index.lanes.items():
        asked = sorted((*index.reads.get(key, ()), *index.checks.get(key, ())), key=attrgetter("at"))
        satisfied = _Satisfied.of(asked, index.published.get(key, ()))
        for record in requests:
            lanes[place_of(record)] = min(
                _dead_lettered(record, index),
                _deferred(record, requests),
                satisfied.since(_asked_since(record, requests)),
            )
    records = {
        place_of(record): min(_dead_lettered(record, index), _stored(record, index))
        for group in (*index.published.values(), index.planted)
        for record in group
        if record.topic == topics.RECORDS.name
    }
    return Effects(lanes, records)


def due_of(record: TopicRecord) -> float:
    """When a record may be worked on: its append, or the moment its `ringback_due` header names."""
    reported = record.headers.get("ringback_due", b"")
    return max(record.at, int(reported) / 1000) if reported.isdigit() else record.at


def _dead_lettered(record: TopicRecord, index: Index) -> float:
    return min((letter.at for letter in index.letters_of.get(place_of(record), ())), default=NEVER)


def _deferred(record: TopicRecord, requests: Sequence[TopicRecord]) -> float:
    """The same request, byte for byte, on a lane later on: a deferral keeps the value as it is."""
    return min(
        (
            other.at
            for other in requests
            if other is not record
            and other.topic in LANES - {topics.FETCH.name}
            and other.digest == record.digest
            and (other.at, _attempt(other)) >= (record.at, _attempt(record))
        ),
        default=NEVER,
    )


def _asked_since(record: TopicRecord, requests: Sequence[TopicRecord]) -> float:
    """From when on a read answers a record: its append; of a copy for which a read goes on, that of the original.

    That read began before the copy was written, and may have published before, too. The original has the same bytes;
    a dead letter that was released has them as well, and asks anew.
    """
    if READ not in record.headers:
        return record.at
    same = (other for other in requests if other.digest == record.digest and _run(other) == _run(record))
    return min(other.at for other in same)


def _run(record: TopicRecord) -> bytes:
    """The operator's command that wrote it; empty if it is none's."""
    return record.headers.get("ringback_run", b"")


def _attempt(record: TopicRecord) -> int:
    reported = record.headers.get("ringback_attempt", b"0")
    return int(reported) if reported.isdigit() else 0


def _stored(record: TopicRecord, index: Index) -> float:
    rows = index.history.get(record.key or ("", ""), ())
    revision = record.revision or 0
    same = (row for row in rows if row.version == record.version and row.revision >= revision)
    return min((row.first_stored_at for row in same), default=NEVER)


@dataclass(frozen=True, slots=True)
class _Satisfied:
    """Since when requests of one call that came by then are satisfied.

    `steps` are (beginning of a read, moment at which what it found stood published as a whole), later reads first,
    and each moment is the best of all reads that began later.
    """

    steps: Sequence[tuple[float, float]]

    @classmethod
    def of(cls, reads: Sequence[Request], published: Sequence[TopicRecord]) -> "_Satisfied":
        """A read, be it of the version alone, satisfies once that or a newer one has all its events on all topics."""
        standing = standing_of(published)
        found = [
            (read.at, max(read.end, min((at for v, at in standing.items() if v >= (read.version or 0)), default=NEVER)))
            for read in reversed(reads)
        ]
        best = accumulate((moment for _, moment in found), min)
        return cls([(began, moment) for (began, _), moment in zip(found, best, strict=True)])

    def since(self, appended: float) -> float:
        """When a request that was appended then is satisfied: only by a read that began after it had come."""
        moment = NEVER
        for began, best in self.steps:
            if began < appended - _ROUNDING:
                break
            moment = best
        return moment


def standing_of(published: Sequence[TopicRecord]) -> dict[int, float]:
    """Version → when its record, all its sessions, their marker and its open call stood on their topics."""
    firsts: dict[tuple[int, int], dict[bytes, float]] = {}
    sessions: dict[tuple[int, int], int] = {}
    for record in published:
        if record.version is None or record.event_id is None:
            continue
        version = (record.version, record.revision or 0)
        firsts.setdefault(version, {}).setdefault(record.event_id, record.at)
        if record.children is not None:
            sessions[version] = record.children.sessions
    whole = {version: sessions[version] + 3 for version in firsts.keys() & sessions.keys()}
    standing: dict[int, float] = {}
    for (number, revision), wanted in whole.items():
        seen = firsts[number, revision]
        moment = max(seen.values()) if len(seen) >= wanted else NEVER
        standing[number] = min(moment, standing.get(number, NEVER))
    return standing
