"""A store as an earlier release left it."""

import pytest
from ringback_sink.store.postgres.migrate import migrate

from ringback_testing.call_records import START

__all__ = ["migrated_to"]

_KEYS_CHANGED = "0011"
_MONTHLY_BEFORE = ("participant", "session", "stream")


async def migrated_to(revision: str, database: str) -> None:
    """Migrate an empty database to a revision, with its months, without the indices that `migrate` makes last."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ringback_sink.store.postgres.migrate.REVISION", revision)
        patch.setattr("ringback_sink.store.postgres.indices.INDICES", ())
        if revision < _KEYS_CHANGED:
            patch.setattr("ringback_sink.store.postgres.migrate.CHILD_TABLES", _MONTHLY_BEFORE)
        await migrate(database, START)
