"""The port's PostgreSQL: versions by `Calls`, other rows by `Tables`, each over a connection of its own."""

from collections.abc import Sequence

from ringback_common import logs
from ringback_common.clock import Clock
from ringback_common.grants import Duty, role_of

from ringback_sink.store.model.version import Version
from ringback_sink.store.port import Prepared, Result, Row
from ringback_sink.store.postgres.bisect import bisected
from ringback_sink.store.postgres.calls import Calls
from ringback_sink.store.postgres.database import Database
from ringback_sink.store.postgres.failures import translated
from ringback_sink.store.postgres.rows import entry_of
from ringback_sink.store.postgres.schema import REVISION
from ringback_sink.store.postgres.tables import Tables

__all__ = ["PostgresStore"]

_log = logs.logger(__name__)


class PostgresStore:
    """A store in PostgreSQL; see the port for what each verb promises."""

    def __init__(self, dsn: str, clock: Clock) -> None:
        self._dsn = dsn
        self._of_calls, self._of_tables = Database(dsn), Database(dsn)
        self._calls, self._tables = Calls(self._of_calls, clock), Tables(self._of_tables)

    @property
    def away(self) -> str | None:
        """Why calls cannot be written right now, or None."""
        return self._of_calls.away

    def prepare(self, row: Row) -> Prepared:
        """A version becomes its COPY lines; another row stays as it is."""
        return Prepared(type(row), entry_of(row) if isinstance(row, Version) else row)

    async def write(self, rows: Sequence[Prepared]) -> Sequence[Result]:
        """Write rows of one kind in one transaction, in several where some are refused."""
        write = self._calls.write if rows and rows[0].kind is Version else self._tables.write
        return await bisected([row.form for row in rows], write)

    async def verify(self) -> None:
        """Make sure that the schema has this release's revision."""
        await self._of_calls.verify()

    async def migrate(self) -> None:
        """Apply missing revisions, make months, comments and indices."""
        # Imported by need: who only writes does not load the migration tools.
        from ringback_sink.store.postgres.migrate import migrate  # noqa: PLC0415

        with translated(role_of(self._dsn), Duty.OWN):
            await migrate(self._dsn)
        _log.info("The store has this release's schema.", value=REVISION)

    async def follow(self) -> None:
        """For ever: ask PostgreSQL whether it is there while no transaction does."""
        await self._of_calls.follow()

    async def close(self) -> None:
        """Close both connections."""
        await self._of_calls.close()
        await self._of_tables.close()
