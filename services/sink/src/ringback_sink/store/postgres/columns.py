"""Columns of the store's tables with their types in PostgreSQL, derived from the contracted models.

The migrations spell the same columns out as SQL; a test compares them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import AwareDatetime
from pydantic.fields import FieldInfo
from ringback_events.fields import Event
from ringback_events.record import CallRecord, Party, Session, Stream

from ringback_sink.store.model.shapes import members, prefix_of

__all__ = ["CALL", "CALL_KEY", "CHILD_KEY", "PARTICIPANT", "SESSION", "STREAM", "Column"]

_SQL: dict[Any, str] = {
    str: "text",
    int: "bigint",
    float: "double precision",
    bool: "boolean",
    AwareDatetime: "timestamp with time zone",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its PostgreSQL type, whether it may be null, and what a reader should know of it."""

    name: str
    sql_type: str
    nullable: bool
    comment: str


def _columns(model: type[Event], prefix: str = "", *, nullable: bool = False) -> Iterator[Column]:
    for member in members(model):
        within = nullable or member.optional
        if member.nested is not None and not member.listed:
            yield from _columns(member.nested, prefix + prefix_of(member.name), nullable=within)
        elif member.kind in _SQL:
            sql_type = _SQL[member.kind] + ("[]" if member.listed else "")
            yield Column(prefix + member.name, sql_type, within, _comment(member.field))


def _comment(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    facts = cast("Mapping[str, object]", extra if isinstance(extra, dict) else {})
    unit = f" Unit: {facts['x-unit']}." if "x-unit" in facts else ""
    return f"{field.description}{unit} Class {facts.get('x-privacy')}."


_CALL_START = Column(
    "call_start",
    "timestamp with time zone",
    nullable=False,
    comment="Start of the call, else its last modification, else its fetch; the children are filed by it. Class C0.",
)

CALL = (*_columns(CallRecord), _CALL_START)
"""Of `call`, beside `call_key`, `document` and `stored_at`."""

CALL_KEY = Column(
    "call_key", "bigint", nullable=False, comment="Number of the call in this store, from call.call_key. Class C0."
)

CHILD_KEY = (
    CALL_KEY,
    *(column for column in CALL if column.name in {"tenant_id", "version", "revision"}),
    _CALL_START,
)
"""What every row of a child table begins with."""

PARTICIPANT = (*CHILD_KEY, *_columns(Party))
SESSION = (*CHILD_KEY, *_columns(Session))
STREAM = (
    *CHILD_KEY,
    Column("session_ordinal", "bigint", nullable=False, comment="The session the stream belongs to. Class C0."),
    *_columns(Stream),
)
