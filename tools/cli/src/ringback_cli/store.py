"""Reads from the store, with the statements its documentation gives; never writes."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from ringback_common.errors import ConfigError, Transient
from ringback_common.settings import load

from ringback_cli.settings import StoreAccess

__all__ = ["Store"]

Row = Mapping[str, Any]

STATUS = """
SELECT process, instance, nullif(tenant_id, '') AS tenant_id, age_seconds, state, detail
FROM callrecords.status_now ORDER BY process, tenant_id, instance"""
FRESHNESS = "SELECT * FROM callrecords.freshness ORDER BY tenant_id"
CALLS = "SELECT * FROM callrecords.call WHERE call_id = lower($1) OR call_id = $1 ORDER BY tenant_id"
VERSIONS = """
SELECT version, revision, last_modified_date_time, session_count, quality_verdict, first_stored_at
FROM callrecords.call_version WHERE tenant_id = $1 AND call_id = $2 ORDER BY version"""
PARTIES = """
SELECT * FROM callrecords.participant
WHERE tenant_id = $1 AND call_id = $2 AND call_start = $3 ORDER BY index"""
SESSIONS = """
SELECT ordinal, start_date_time, duration_ms, verdict, caller_platform, callee_platform, failure_stage
FROM callrecords.session WHERE tenant_id = $1 AND call_id = $2 AND call_start = $3 ORDER BY ordinal LIMIT $4"""
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
DIGEST = """
SELECT part."table", part.day, count(*) AS rows,
       lpad(to_hex((sum(hashtextextended(part.content::text, 0)::numeric) % 9223372036854775807)::bigint), 16, '0')
           AS digest
FROM (
    SELECT 'call' AS "table", (call_start AT TIME ZONE 'UTC')::date AS day, to_jsonb(c) - $1::text[] AS content
    FROM callrecords.call c
    UNION ALL
    SELECT 'call_version', (start_date_time AT TIME ZONE 'UTC')::date, to_jsonb(v) - $1::text[]
    FROM callrecords.call_version v
    UNION ALL
    SELECT 'participant', (call_start AT TIME ZONE 'UTC')::date, to_jsonb(p) - $1::text[]
    FROM callrecords.participant p
    UNION ALL
    SELECT 'session', (call_start AT TIME ZONE 'UTC')::date, to_jsonb(s) - $1::text[] FROM callrecords.session s
    UNION ALL
    SELECT 'stream', (call_start AT TIME ZONE 'UTC')::date, to_jsonb(s) - $1::text[] FROM callrecords.stream s
) part
WHERE ($2::date IS NULL OR day >= $2) AND ($3::date IS NULL OR day < $3)
GROUP BY part."table", part.day ORDER BY part.day, part."table"
"""
"""The sum of the rows' hashes: equal content gives an equal digest, in whatever order it was written."""


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
            Transient: nothing answers there.
        """
        try:
            settings = load(StoreAccess)
            dsn = settings.store.connection_string(settings.profile)
            connection = await asyncpg.connect(dsn, timeout=10, server_settings={"timezone": "UTC"})
        except (OSError, TimeoutError):
            raise Transient("The store does not answer at RINGBACK_STORE__DSN.") from None
        except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as refused:
            raise ConfigError(f"The store refuses the connection: {type(refused).__name__}.") from None
        try:
            yield cls(connection)
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            raise ConfigError("The store has no Ringback tables yet: run `ringback-sink migrate`.") from None
        except asyncpg.PostgresError as failed:
            raise Transient(f"The store failed: SQLSTATE {failed.sqlstate}.") from None
        finally:
            await connection.close()

    async def rows(self, statement: str, *values: Any) -> list[Row]:
        """All rows of a statement."""
        return [dict(row) for row in await self._connection.fetch(statement, *values)]
