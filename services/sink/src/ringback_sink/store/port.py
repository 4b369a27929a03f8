"""The port behind which a store's engine stands: what the sink asks of it, whichever it is.

Today PostgreSQL (`postgres/`) and one in memory (`memory.py`). A further one is a folder beside these, a name in
`engines.py` and the tests of `tests/integration/test_store_contract.py`, which every engine passes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from ringback_sink.store.model.flat import FlatRow
from ringback_sink.store.model.version import Version

__all__ = ["Prepared", "Refusal", "Result", "Row", "Store", "Stored"]

Row = Version | FlatRow
"""What can be stored: a version of a call, or a row of a table of its own."""


class Stored(Enum):
    """What became of a row that was taken."""

    ADDED = auto()
    """The first version of its call, or a row of another table, new or not."""
    REPLACED = auto()
    """It is its call's newest version now, in place of an older one."""
    OLDER = auto()
    """The call has a newer version, or just this one: it is in the history, nothing else changed."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The engine refuses a row, and would at every attempt; `cause` is a code of its own, which quotes no data."""

    cause: str


Result = Stored | Refusal


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row in the form in which an engine writes it; `form` is read by that engine alone."""

    kind: type[Row]
    form: Any


class Store(Protocol):
    """A store. (version, revision) of a call never goes back, and whatever is written twice is stored once."""

    @property
    def away(self) -> str | None:
        """Why the store cannot be used right now, in one sentence, or None; for readiness."""
        ...

    def prepare(self, row: Row) -> Prepared:
        """Bring a row into the engine's form: computation alone, done in a thread or while another batch is written."""
        ...

    async def write(self, rows: Sequence[Prepared]) -> Sequence[Result]:
        """Write rows of one kind, in any order and with repeats; durable when this returns.

        A row that is refused leaves the others stored.

        Returns:
            A result for each row, in the rows' order.

        Raises:
            Transient: the store is away, full or locked. Some rows may be stored; all are to be written again.
            ConfigError: it refuses credentials or rights, and waiting will not help.
        """
        ...

    async def verify(self) -> None:
        """Make sure that the store has what this release writes to.

        Raises:
            Transient: the store is away.
            ConfigError: it has to be migrated first, or was by a later release.
        """
        ...

    async def migrate(self) -> None:
        """Bring the store to this release's form; may be run again, and by several at once.

        Raises:
            Transient: the store is away.
            ConfigError: credentials or rights do not suffice, or what is stored cannot be converted.
        """
        ...

    async def follow(self) -> None:
        """For ever: keep `away` true while nothing is written."""
        ...

    async def close(self) -> None:
        """Let go of connections; what was written stays."""
        ...
