"""Writes the tables `dead_letter`, `dead_letter_decision` and `status`."""

from collections.abc import Sequence
from dataclasses import fields

from ringback_sink.store.adapters.database import Database
from ringback_sink.store.core.decisions import Decision, newest_decisions
from ringback_sink.store.core.operations import Head, Report, newest_reports
from ringback_sink.store.core.statements import columns_of

__all__ = ["Operations"]

_HEAD_COLUMNS = tuple(field.name for field in fields(Head))
_HEAD = (
    f"INSERT INTO callrecords.dead_letter ({columns_of(_HEAD_COLUMNS)}) "  # noqa: S608 - our own column names
    f"VALUES ({', '.join(f'${place}' for place in range(1, len(_HEAD_COLUMNS) + 1))}) ON CONFLICT DO NOTHING"
)
_REPORT = """
    INSERT INTO callrecords.status (process, instance, tenant_id, reported_at, state, detail)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (process, instance, tenant_id) DO UPDATE
    SET reported_at = excluded.reported_at, state = excluded.state, detail = excluded.detail,
        stored_at = clock_timestamp()
    WHERE excluded.reported_at > status.reported_at
"""
_DECISION = """
    INSERT INTO callrecords.dead_letter_decision (topic, partition, "offset", decision, decided_by, why, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (topic, partition, "offset") DO UPDATE
    SET decision = excluded.decision, decided_by = excluded.decided_by, why = excluded.why, at = excluded.at,
        stored_at = clock_timestamp()
    WHERE excluded.at >= dead_letter_decision.at
"""
_FORGET = "DELETE FROM callrecords.status WHERE least(reported_at, stored_at) < now() - interval '1 day'"
"""An instance silent for a day will not speak again: instances are new at each start."""


class Operations:
    """What operators look at; every write may be repeated."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write_heads(self, heads: Sequence[Head]) -> None:
        """Add heads that are not there yet.

        Raises:
            Transient: nothing was written, it may work later.
            Refused: nothing was written, PostgreSQL refuses some of the data.
        """
        async with self._database.transaction() as connection:
            await connection.executemany(_HEAD, [head.row() for head in heads])

    async def write_reports(self, reports: Sequence[Report]) -> None:
        """Keep the newest report of each process instance and tenant; raises as `write_heads`."""
        async with self._database.transaction() as connection:
            await connection.executemany(_REPORT, [report.row() for report in newest_reports(reports)])
            await connection.execute(_FORGET)

    async def write_decisions(self, decisions: Sequence[Decision]) -> None:
        """Keep the newest decision about each dead letter; raises as `write_heads`."""
        async with self._database.transaction() as connection:
            await connection.executemany(_DECISION, [one.row() for one in newest_decisions(decisions)])
