"""Columns of the store's tables, derived from the contracted models.

A column bears its field's name; a field of a nested shape bears the path joined by `_` (`counts.people` is
`counts_people`), except that both networks of a stream drop the word: `caller_network.site` is `caller_site`.
Lists of shapes are tables of their own. The migrations spell the same columns out as SQL; a test compares them.
"""

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Union, cast, get_args, get_origin

from pydantic import AwareDatetime
from pydantic.fields import FieldInfo
from ringback_events.fields import Event
from ringback_events.record import CallRecord, Party, Session, Stream

__all__ = [
    "CALL",
    "CHILD_KEY",
    "PARTICIPANT",
    "PREFIXES",
    "SESSION",
    "STREAM",
    "Column",
    "Member",
    "members",
    "unwrapped",
]

PREFIXES = {"caller_network": "caller_", "callee_network": "callee_"}
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


@dataclass(frozen=True, slots=True)
class Member:
    """One field of a model as the store sees it; `nested` is its shape if it is one, `listed` marks an array."""

    name: str
    kind: Any
    optional: bool
    listed: bool
    field: FieldInfo

    @property
    def nested(self) -> type[Event] | None:
        """The model of a nested shape, or None for a plain value."""
        return self.kind if isinstance(self.kind, type) and issubclass(self.kind, Event) else None


def unwrapped(annotation: Any) -> tuple[Any, bool]:
    """A type without its `None`, and whether it had one."""
    if get_origin(annotation) not in {Union, types.UnionType}:
        return annotation, False
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    return kinds[0], len(kinds) != len(get_args(annotation))


def members(model: type[Event]) -> Iterator[Member]:
    """The fields of a model in their order."""
    for name, field in model.model_fields.items():
        kind, optional = unwrapped(field.annotation)
        listed = get_origin(kind) is list
        yield Member(name, get_args(kind)[0] if listed else kind, optional, listed, field)


def _columns(model: type[Event], prefix: str = "", *, nullable: bool = False) -> Iterator[Column]:
    for member in members(model):
        within = nullable or member.optional
        if member.nested is not None and not member.listed:
            yield from _columns(member.nested, prefix + PREFIXES.get(member.name, f"{member.name}_"), nullable=within)
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
"""Of `call`, beside `document` and `stored_at`."""

CHILD_KEY = (
    *(column for column in CALL if column.name in {"tenant_id", "call_id", "version", "revision"}),
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
