"""Reads from the store, with the statements its documentation gives; never writes."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from ringback_common.errors import ConfigError, Transient
from ringback_common.grants import Duty, missing_right, role_of
from ringback_common.settings import load

from ringback_cli.settings import StoreAccess

__all__ = ["Store"]

Row = Mapping[str, Any]

STATUS = """
SELECT process, instance, nullif(tenant_id, '') AS tenant_id, age_seconds, state, detail
FROM callrecords.status_now ORDER BY process, tenant_id, instance"""
FRESHNESS = "SELECT * FROM callrecords.freshness ORDER BY tenant_id"
CALLS = """
SELECT tenant_id, call_id, version, revision, type, start_date_time, end_date_time, duration_ms, session_count,
       quality_verdict, worst_feedback, failure_stage, failure_reason, stored_at, call_start
FROM callrecords.call WHERE call_id = ANY (ARRAY[lower($1), $1]) ORDER BY tenant_id"""
VERSIONS = """
SELECT version, revision, last_modified_date_time, session_count, quality_verdict, first_stored_at
FROM callrecords.call_version WHERE tenant_id = $1 AND call_id = $2 ORDER BY version"""
PARTIES = """
SELECT * FROM callrecords.participant
WHERE tenant_id = $1 AND call_id = $2 AND call_start = $3 ORDER BY index"""
SESSIONS = """
SELECT * FROM callrecords.session WHERE tenant_id = $1 AND call_id = $2 AND call_start = $3 ORDER BY ordinal"""
POOR_STREAMS = """
SELECT * FROM callrecords.stream
WHERE tenant_id = $1 AND call_id = $2 AND call_start = $3 AND verdict = 'poor'
ORDER BY session_ordinal, segment_index, media_index, stream_index"""
KNOWS_TENANT = "SELECT EXISTS (SELECT FROM callrecords.call WHERE tenant_id = lower($1)) AS known"
TIMELINE = """
SELECT at, event, version, since_previous_ms FROM callrecords.call_timeline
WHERE tenant_id = $1 AND call_id = $2 ORDER BY at"""
DEAD_LETTERS = """
SELECT topic, partition, "offset", l.at, l.reason, l.service, l.error_class, l.attempts, l.tenant_id, l.call_id,
       d.decision, d.decided_by, d.why
FROM callrecords.dead_letter l
LEFT JOIN callrecords.dead_letter_decision d USING (topic, partition, "offset")
WHERE ($2::text IS NULL OR l.reason = $2) AND ($3 OR d.at IS NULL OR d.at < l.at)
ORDER BY l.at DESC LIMIT $1"""
CALLS_BETWEEN = """
SELECT call_id FROM callrecords.call WHERE tenant_id = lower($1) AND call_start >= $2 AND call_start < $3"""
_DAYS = "($2::timestamptz IS NULL OR {start} >= $2) AND ($3::timestamptz IS NULL OR {start} < $3)"
_PART = """
    SELECT '{table}' AS "table", ({start} AT TIME ZONE 'UTC')::date AS day, to_jsonb(r) - $1::text[] AS content
    FROM callrecords.{table} r WHERE {days}"""
_STARTS = {
    "call": "call_start",
    "call_version": "start_date_time",
    "participant": "call_start",
    "session": "call_start",
    "stream": "call_start",
}
"""By table: the column that says on which day a row is counted. It is compared as it stands, so that an index or a
month's partition answers, and a day's digest reads that day."""
_PARTS = " UNION ALL ".join(
    _PART.format(table=table, start=start, days=_DAYS.format(start=start)) for table, start in _STARTS.items()
)
DIGEST = f"""
SELECT part."table", part.day, count(*) AS rows,
       lpad(to_hex((sum(hashtextextended(part.content::text, 0)::numeric) % 9223372036854775807)::bigint), 16, '0')
           AS digest
FROM ({_PARTS}) part
GROUP BY part."table", part.day ORDER BY part.day, part."table"
"""  # noqa: S608 - our own tables and columns
"""The sum of the rows' hashes: equal content gives an equal digest, in whatever order it was written."""


_PASSING = frozenset({"08", "53", "57"})
"""Classes of SQLSTATE at connecting: the connection broke, too many of them, PostgreSQL starts or stops."""


class Store:
    """One connection for the length of a command."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def connect(cls) -> AsyncGenerator["Store"]:
        """Connect as the settings say.

        Raises:
            ConfigError: the DSN is missing or wrong, or the store has not been migrated.
            Transient: nothing answers there, or it takes no connection now.
        """
        settings = load(StoreAccess)
        dsn = settings.store.connection_string(settings.profile)
        try:
            connection = await asyncpg.connect(dsn, timeout=10, server_settings={"timezone": "UTC"})
            await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
        except (OSError, TimeoutError):
            raise Transient("The store does not answer at RINGBACK_STORE__DSN.") from None
        except asyncpg.PostgresError as refused:
            raise _refusal(refused, role_of(dsn)) from None
        except (asyncpg.InterfaceError, ValueError) as refused:
            raise ConfigError(f"The store refuses the connection: {type(refused).__name__}.") from None
        try:
            yield cls(connection)
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            raise ConfigError("The store has no Ringback tables yet: run `ringback-sink migrate`.") from None
        except asyncpg.InsufficientPrivilegeError as refused:
            raise ConfigError(_lacking(refused, role_of(dsn))) from None
        except asyncpg.PostgresError as failed:
            raise Transient(f"The store failed: SQLSTATE {failed.sqlstate}.") from None
        finally:
            await connection.close()

    async def rows(self, statement: str, *values: Any) -> list[Row]:
        """All rows of a statement."""
        return [dict(row) for row in await self._connection.fetch(statement, *values)]


def _refusal(refused: asyncpg.PostgresError, role: str | None) -> ConfigError | Transient:
    """What a connection that PostgreSQL refuses means to the operator: mend something, or try again."""
    if isinstance(refused, asyncpg.InsufficientPrivilegeError):
        return ConfigError(_lacking(refused, role))
    if str(refused.sqlstate)[:2] in _PASSING:
        return Transient(f"The store takes no connection at RINGBACK_STORE__DSN now: SQLSTATE {refused.sqlstate}.")
    return ConfigError(f"The store refuses the connection: {type(refused).__name__}.")


def _lacking(refused: asyncpg.PostgresError, role: str | None) -> str:
    """Which right a reader lacks, if PostgreSQL says it in English."""
    reported = missing_right(str(refused.args[0]) if refused.args else "", role, Duty.READ)
    return (
        reported
        or f"The store refuses RINGBACK_STORE__DSN (SQLSTATE {refused.sqlstate}): check the rights of its role."
    )
