"""From a batch of versions, in any order and with repeats, to what one transaction writes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from ringback_sink.store.core.months import first_of_month
from ringback_sink.store.core.record import Record
from ringback_sink.store.core.rows import CHILD_COLUMNS, CallRows, call_start, rows_of

__all__ = ["CallKey", "Entry", "Plan", "plan", "prepare"]

CallKey = tuple[str, str]
"""Tenant and call."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of one call, with its rows."""

    key: CallKey
    version: int
    revision: int
    month: date
    received_at: datetime | None
    rows: CallRows


@dataclass(frozen=True, slots=True)
class Plan:
    """What a transaction writes: the newest revision of every version, sorted so that transactions never deadlock.

    Attributes:
        versions: one entry per (call, version), sorted.
        newest: the entry that is the call's newest, per call.
    """

    versions: tuple[Entry, ...]
    newest: dict[CallKey, Entry]

    def incoming(self) -> Iterator[bytes]:
        """The lines of the incoming calls, in pieces."""
        for entry in self.versions:
            yield from entry.rows.call_line(newest=entry is self.newest[entry.key])

    def months(self) -> frozenset[date]:
        """The months whose partitions the children need."""
        return frozenset(entry.month for entry in self.newest.values())

    def children(self, winners: Iterable[CallKey]) -> dict[str, bytes]:
        """The lines of each child table, of the calls whose upsert took effect."""
        rows = [self.newest[key].rows.children for key in winners]
        return {table: b"".join(row[index] for row in rows) for index, table in enumerate(CHILD_COLUMNS)}


def prepare(record: Record) -> Entry:
    """One version with its rows made."""
    return Entry(
        key=(record.tenant_id, record.call_id),
        version=record.version,
        revision=record.revision,
        month=first_of_month(call_start(record)),
        received_at=_moment(record.received_at),
        rows=rows_of(record),
    )


def _moment(told: str | None) -> datetime | None:
    try:
        return None if told is None else datetime.fromisoformat(told)
    except ValueError:
        return None  # the 30th of February; PostgreSQL will refuse the row


def plan(entries: Iterable[Entry]) -> Plan:
    """Keep the newest revision of each version, and know each call's newest; the order of arrival does not matter.

    Within one (version, revision) the content is the same by contract, and the first that came is kept.
    """
    versions: dict[tuple[CallKey, int], Entry] = {}
    for entry in entries:
        known = versions.get((entry.key, entry.version))
        if known is None or entry.revision > known.revision:
            versions[entry.key, entry.version] = entry
    ordered = tuple(versions[identity] for identity in sorted(versions))
    return Plan(ordered, {entry.key: entry for entry in ordered})
