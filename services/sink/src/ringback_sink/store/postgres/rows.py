"""From a version to the lines that are copied into its tables."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from operator import itemgetter

from ringback_sink.store.model.shapes import Values
from ringback_sink.store.model.version import CALL, CHILDREN, CallKey, Version
from ringback_sink.store.postgres.lines import array, document, line
from ringback_sink.store.postgres.months import first_of_month

__all__ = ["CALL_COLUMNS", "CHILD_KEY", "Entry", "entry_of"]

CALL_COLUMNS = (*CALL.names, "call_start", "newest", "document")
"""Columns of an incoming call, in the order of its line."""

CHILD_KEY = ("call_key", "tenant_id", "version", "revision", "call_start")
"""What each line of a child begins with; the same for all children of a version."""

_LISTS = {table: child.shape.lists for table, child in CHILDREN.items()}


@dataclass(frozen=True, slots=True)
class Entry:
    """Everything one version of a call writes, as COPY lines.

    Attributes:
        key: the call.
        rank: version and revision.
        month: of the call's start; its first day.
        values: the call's own columns, but `newest` and `document`.
        document: Graph's JSON, quoted.
        start: the call's start, as the children are filed by it.
        children: by table the lines of the children without what is the same for all of them.
        nul_replaced: U+0000 that became U+FFFD.
    """

    key: CallKey
    rank: tuple[int, int]
    month: date
    values: Values
    document: bytes
    start: str
    children: dict[str, list[bytes]]
    nul_replaced: int

    def call_line(self, *, newest: bool) -> Iterator[bytes]:
        """The line of the call in pieces; its document only where it is needed, for the history keeps none."""
        head, _ = line((*self.values, newest))
        yield head[:-1] + b","
        yield self.document if newest else b"null"
        yield b"\n"

    def child_lines(self, table: str, call_key: int) -> bytes:
        """The lines of a child table, whole.

        Args:
            table: of `CHILDREN`.
            call_key: the number of the call in the store.
        """
        lines = self.children[table]
        if not lines:
            return b""
        head = line((call_key, self.key[0], *self.rank, self.start))[0][:-1] + b","
        return head + head.join(lines)


def entry_of(version: Version) -> Entry:
    """All lines of one version.

    Raises:
        ValueError: never of a version that was decoded: its start has a month.
    """
    start = version.call_start
    copied, replaced = document(version.document)
    values = (*_with_arrays(version.call(), CALL.lists), start)
    replaced += line(values)[1]
    children: dict[str, list[bytes]] = {}
    for table, rows in version.children():
        lines = list(map(line, _arrayed(rows, _LISTS[table])))
        replaced += sum(map(_REPLACED, lines))
        children[table] = list(map(_TEXT, lines))
    return Entry(version.key, version.rank, first_of_month(start), values, copied, start, children, replaced)


_TEXT, _REPLACED = itemgetter(0), itemgetter(1)


def _arrayed(rows: Iterable[Values], lists: slice) -> Iterable[Values]:
    if lists.start == lists.stop:
        return rows
    return (_with_arrays(row, lists) for row in rows)


def _with_arrays(row: Values, lists: slice) -> Values:
    """The row with its lists as PostgreSQL's array literals."""
    return row[: lists.start] + tuple(map(array, row[lists])) + row[lists.stop :]
