"""Rows of tables that stand for themselves: their columns are the row's fields, and their key decides what stays."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from datetime import timedelta
from operator import attrgetter
from typing import Any, ClassVar, TypeVar

__all__ = ["FlatRow", "collapsed"]


@dataclass(frozen=True, slots=True)
class FlatRow:
    """Base of such a row; a table is a subclass, a migration, and the code that makes the rows.

    Attributes:
        TABLE: its table.
        KEY: the fields that one row is kept for.
        NEWEST: the field by which a row replaces that of the same key, if its value is greater; None: the first stays.
        EQUAL_REPLACES: whether an equal value replaces, too.
        FORGOTTEN_AFTER: how old a row may get, by `NEWEST` or by when it was stored, whichever is earlier.
    """

    TABLE: ClassVar[str]
    KEY: ClassVar[tuple[str, ...]]
    NEWEST: ClassVar[str | None] = None
    EQUAL_REPLACES: ClassVar[bool] = False
    FORGOTTEN_AFTER: ClassVar[timedelta | None] = None

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """The columns, in the order of the values."""
        return tuple(field.name for field in fields(cls))

    def key(self) -> tuple[Any, ...]:
        """The values of `KEY`."""
        return tuple(getattr(self, name) for name in self.KEY)

    def values(self) -> tuple[Any, ...]:
        """The values of the row."""
        return astuple(self)

    def replaces(self, stored: "FlatRow") -> bool:
        """Whether this row is written over one of the same key."""
        if self.NEWEST is None:
            return False
        of = attrgetter(self.NEWEST)
        return of(self) > of(stored) or (self.EQUAL_REPLACES and of(self) == of(stored))


_Row = TypeVar("_Row", bound=FlatRow)


def collapsed(rows: Iterable[_Row]) -> list[_Row]:
    """Of each key the row that would be left after all were written; sorted by key, so that writers never deadlock."""
    left: dict[tuple[Any, ...], _Row] = {}
    for row in rows:
        stored = left.setdefault(row.key(), row)
        if row.replaces(stored):
            left[row.key()] = row
    return [left[key] for key in sorted(left)]
