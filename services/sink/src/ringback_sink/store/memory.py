"""A store in the process's own memory: for tests, and to run the sink without a database in development.

It keeps the promises of the port: `tests/integration/test_store_contract.py` asks the same of it as of PostgreSQL. All
of it is gone when the process ends.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ringback_common.clock import Clock

from ringback_sink.store.model.flat import FlatRow
from ringback_sink.store.model.shapes import Values
from ringback_sink.store.model.version import HISTORY_COLUMNS, CallKey, Version, named
from ringback_sink.store.port import Prepared, Result, Row, Stored

__all__ = ["MemoryStore", "StoredCall"]


@dataclass(frozen=True, slots=True)
class StoredCall:
    """One version of a call, as it is kept."""

    key: CallKey
    rank: tuple[int, int]
    columns: dict[str, Any]
    document: bytes
    children: dict[str, list[Values]]

    @property
    def history(self) -> dict[str, Any]:
        """What the history keeps of it."""
        return {name: self.columns[name] for name in HISTORY_COLUMNS}


@dataclass(slots=True)
class MemoryStore:
    """The tables as dictionaries.

    Attributes:
        calls: the newest version of each call.
        history: every version, by call and version.
        tables: the rows of the other tables, by table and key.
    """

    clock: Clock
    calls: dict[CallKey, StoredCall] = field(default_factory=dict[CallKey, StoredCall])
    history: dict[tuple[CallKey, int], dict[str, Any]] = field(
        default_factory=dict[tuple[CallKey, int], dict[str, Any]]
    )
    tables: dict[str, dict[tuple[Any, ...], FlatRow]] = field(default_factory=dict[str, dict[tuple[Any, ...], FlatRow]])

    @property
    def away(self) -> str | None:
        """It is always there."""
        return None

    def prepare(self, row: Row) -> Prepared:
        """A version's rows are made, so that its record need not be kept."""
        return Prepared(type(row), _kept(row) if isinstance(row, Version) else row)

    async def write(self, rows: Sequence[Prepared]) -> Sequence[Result]:
        """Write them one after the other; none is ever refused.

        Of the versions of one call in a batch only the newest can become the current one.
        """
        newest = _newest([row.form for row in rows if row.kind is Version])
        return [
            self._write_flat(row.form) if row.kind is not Version else self._write_version(row.form, newest)
            for row in rows
        ]

    def _write_version(self, call: StoredCall, of_batch: Mapping[CallKey, StoredCall]) -> Stored:
        version, revision = call.rank
        known = self.history.get((call.key, version))
        if known is None or revision > known["revision"]:
            self.history[call.key, version] = call.history
        current = self.calls.get(call.key)
        if of_batch[call.key] is not call or (current is not None and call.rank <= current.rank):
            return Stored.OLDER
        self.calls[call.key] = call
        return Stored.ADDED if current is None else Stored.REPLACED

    def _write_flat(self, row: FlatRow) -> Stored:
        table = self.tables.setdefault(row.TABLE, {})
        stored = table.setdefault(row.key(), row)
        if row.replaces(stored):
            table[row.key()] = row
        self._forget(row)
        return Stored.ADDED

    def _forget(self, like: FlatRow) -> None:
        if like.FORGOTTEN_AFTER is not None and like.NEWEST is not None:
            table, since = self.tables[like.TABLE], self.clock.now() - like.FORGOTTEN_AFTER
            for key in [key for key, row in table.items() if getattr(row, like.NEWEST) < since]:
                del table[key]

    async def verify(self) -> None:
        """There is nothing to be migrated."""

    async def migrate(self) -> None:
        """There is nothing to be migrated."""

    async def follow(self) -> None:
        """Wait for ever: nothing changes."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """There is nothing to let go of."""


def _newest(calls: Sequence[StoredCall]) -> Mapping[CallKey, StoredCall]:
    newest = dict[CallKey, StoredCall]()
    for call in calls:
        if call.rank > newest.setdefault(call.key, call).rank:
            newest[call.key] = call
    return newest


def _kept(version: Version) -> StoredCall:
    children = {table: list(rows) for table, rows in version.children()}
    return StoredCall(version.key, version.rank, named(version), version.document, children)
