"""From a record to the rows of its tables, ready to be copied."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from ringback_events.fields import Event
from ringback_events.record import CallRecord, Party, Session, Stream

from ringback_sink.store.core.columns import PREFIXES, members
from ringback_sink.store.core.lines import array, document, line
from ringback_sink.store.core.record import Record

__all__ = ["CALL_COLUMNS", "CHILD_COLUMNS", "CallRows", "Flattened", "call_start", "rows_of"]

Values = tuple[Any, ...]


class Flattened:
    """Turns a decoded shape into the values of its columns: plain members, lists, then nested shapes that may lack.

    The order serves speed, not beauty: each group is one call in C. `names` tells it.
    """

    def __init__(self, model: type[Event], prefix: str = "") -> None:
        plain = list(_plain(model))
        lists = [m.name for m in members(model) if m.listed and m.nested is None]
        nested = [(m.name, m.nested) for m in members(model) if m.nested is not None and m.optional and not m.listed]
        self._plain = _getter([path for path, _ in plain])
        self._lists = _getter(lists)
        self._nested = [(attrgetter(name), Flattened(shape, PREFIXES.get(name, f"{name}_"))) for name, shape in nested]
        names = [name for _, name in plain] + lists
        self.names: tuple[str, ...] = tuple(prefix + name for name in names) + tuple(
            name for _, shape in self._nested for name in shape.names
        )
        self._absent = (None,) * len(self.names)

    def __call__(self, shape: Any) -> Values:
        """The values of one row, in the order of `names`; all None if the shape is None."""
        if shape is None:
            return self._absent
        values = self._plain(shape) + tuple(map(array, self._lists(shape)))
        for get, flattened in self._nested:
            values += flattened(get(shape))
        return values


def _plain(model: type[Event], path: str = "", prefix: str = "") -> Iterator[tuple[str, str]]:
    """Attribute path and column of every plain member, those of nested shapes that are always there included."""
    for member in members(model):
        if member.listed or member.name == "graph" or (member.nested is not None and member.optional):
            continue
        if member.nested is None:
            yield path + member.name, prefix + member.name
        else:
            yield from _plain(member.nested, f"{path}{member.name}.", f"{prefix}{member.name}_")


def _getter(paths: Sequence[str]) -> Callable[[Any], Values]:
    """Like attrgetter, but a tuple for any number of paths."""
    if len(paths) > 1:
        return attrgetter(*paths)
    if not paths:
        return lambda _shape: ()
    only = attrgetter(paths[0])
    return lambda shape: (only(shape),)


_CALL, _PARTY, _SESSION, _STREAM = Flattened(CallRecord), Flattened(Party), Flattened(Session), Flattened(Stream)
_KEY = ("tenant_id", "call_id", "version", "revision", "call_start")

CALL_COLUMNS = (*_CALL.names, "call_start", "newest", "document")
"""Columns of an incoming call, in the order of its line."""

CHILD_COLUMNS = {
    "participant": (*_KEY, *_PARTY.names),
    "session": (*_KEY, *_SESSION.names),
    "stream": (*_KEY, "session_ordinal", *_STREAM.names),
}
"""Columns of each child table, in the order of its lines."""


@dataclass(frozen=True, slots=True)
class CallRows:
    """Everything one version of a call writes, as COPY lines.

    Attributes:
        values: the call's own columns, but `newest` and `document`.
        document: Graph's JSON, quoted.
        children: the lines of each child table, in one piece.
        nul_replaced: U+0000 that became U+FFFD.
    """

    values: Values
    document: bytes
    children: tuple[bytes, ...]
    nul_replaced: int

    def call_line(self, *, newest: bool) -> Iterator[bytes]:
        """The line of the call in pieces; its document only where it is needed, for the history keeps none."""
        head, _ = line((*self.values, newest))
        yield head[:-1] + b","
        yield self.document if newest else b"null"
        yield b"\n"


def call_start(record: Record) -> str:
    """What the children are filed by: the start, else the last modification, else the fetch; never missing."""
    return record.start_date_time or record.last_modified_date_time or record.fetched_at


def rows_of(record: Record) -> CallRows:
    """All rows of one version."""
    start = call_start(record)
    key: Values = (record.tenant_id, record.call_id, record.version, record.revision, start)
    streams = ((*key, session.ordinal, *_STREAM(stream)) for session in record.sessions for stream in session.streams)
    copied, replaced = document(bytes(record.graph))
    values = (*_CALL(record), start)
    lines = [
        [line((*key, *_PARTY(party))) for party in record.parties],
        [line((*key, *_SESSION(session))) for session in record.sessions],
        [line(stream) for stream in streams],
    ]
    replaced += line(values)[1] + sum(count for table in lines for _, count in table)
    return CallRows(values, copied, tuple(b"".join(text for text, _ in table) for table in lines), replaced)
