"""One version of a call, as rows: the call's own, and those of its parties, sessions and streams."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from ringback_events.record import CallRecord, Party, Session, Stream

from ringback_sink.store.core.record import Record
from ringback_sink.store.model.shapes import Flattened, Values

__all__ = ["CALL", "CHILDREN", "CHILD_COLUMNS", "HISTORY_COLUMNS", "CallKey", "Child", "Version"]

CallKey = tuple[str, str]
"""Tenant and call, as their texts."""

CALL = Flattened(CallRecord)
"""A call's row but for `call_start` and the document."""

_SESSIONS, _ORDINAL = attrgetter("sessions"), attrgetter("ordinal")


@dataclass(frozen=True, slots=True)
class Child:
    """A table of a call's children.

    Attributes:
        shape: turns a child into its own values.
        of_session: whether the children hang on a session, whose ordinal then comes before their own values.
        listed: name of the list in the record, or in the session.
        key: the columns that tell the children of one call apart.
    """

    shape: Flattened
    listed: str
    key: tuple[str, ...]
    of_session: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row, in the order of its values."""
        return ("session_ordinal", *self.shape.names) if self.of_session else self.shape.names

    def rows(self, record: Record) -> Iterator[Values]:
        """The rows of one version, made one at a time: a large meeting has some thirty thousand."""
        of, shape = attrgetter(self.listed), self.shape
        if self.of_session:
            for session in _SESSIONS(record):
                ordinal = (_ORDINAL(session),)
                for each in of(session):
                    yield ordinal + shape(each)
        else:
            yield from map(shape, of(record))


CHILDREN: Mapping[str, Child] = {
    "participant": Child(Flattened(Party), "parties", ("index",)),
    "session": Child(Flattened(Session), "sessions", ("ordinal",)),
    "stream": Child(
        Flattened(Stream),
        "streams",
        ("session_ordinal", "segment_index", "media_index", "stream_index"),
        of_session=True,
    ),
}
"""By table."""

CHILD_COLUMNS = {table: child.columns for table, child in CHILDREN.items()}
"""A child's own columns by table, in the order of its values; an engine puts those of its call before them."""

HISTORY_COLUMNS = (
    "version", "revision", "type", "start_date_time", "end_date_time", "last_modified_date_time", "received_at",
    "fetched_at", "session_count", "counts_parties", "quality_verdict",
)  # fmt: skip
"""What the history keeps of a version."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a call. `rank` orders the versions of a call: the greater one is the newer.

    Attributes:
        record: what the topic says.
    """

    record: Record

    @property
    def key(self) -> CallKey:
        """The call it is a version of."""
        return self.record.tenant_id, self.record.call_id

    @property
    def rank(self) -> tuple[int, int]:
        """Graph's version, then Ringback's revision of it."""
        return self.record.version, self.record.revision

    @property
    def call_start(self) -> str:
        """What the children are filed by: the start, else the last modification, else the fetch; never missing."""
        record = self.record
        return record.start_date_time or record.last_modified_date_time or record.fetched_at

    @property
    def received_at(self) -> datetime | None:
        """When Ringback was notified; None also for a day that no calendar has, which an engine will refuse."""
        written = self.record.received_at
        try:
            return None if written is None else datetime.fromisoformat(written)
        except ValueError:
            return None

    @property
    def document(self) -> bytes:
        """Graph's JSON, as it came."""
        return bytes(self.record.graph)

    def call(self) -> Values:
        """The values of the call's row, in the order of `CALL.names`."""
        return CALL(self.record)

    def children(self) -> Iterator[tuple[str, Iterator[Values]]]:
        """Each child table with its rows."""
        for table, child in CHILDREN.items():
            yield table, child.rows(self.record)


def named(version: Version) -> dict[str, Any]:
    """The call's row by column, for engines that need no order."""
    return dict(zip(CALL.names, version.call(), strict=True)) | {"call_start": version.call_start}
