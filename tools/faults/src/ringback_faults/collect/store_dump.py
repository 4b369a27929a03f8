"""The store's rows, and a record of every change of them that took effect, kept by triggers of the harness's own.

The triggers are deferred: they write when the transaction commits, so that `at` is never earlier than the commit began
and what was rolled back leaves nothing. A row that is deleted counts as lowered to (0, 0).
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast

import asyncpg
import orjson

from ringback_faults.contents import children_of, contents_of_graph, contents_of_rows, rows
from ringback_faults.ledgers import Key, StoredCall, StoredVersion, Write

__all__ = ["connected", "last_write", "stored_calls", "stored_versions", "watch_writes", "writes_since"]

_WATCH = """
SELECT pg_advisory_xact_lock(7305);
CREATE SCHEMA IF NOT EXISTS ringback_faults;
CREATE TABLE IF NOT EXISTS ringback_faults.write (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
  history boolean NOT NULL, tenant_id text NOT NULL, call_id text NOT NULL,
  before_version bigint, before_revision bigint, version bigint NOT NULL, revision bigint NOT NULL);
CREATE OR REPLACE FUNCTION ringback_faults.note_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  changed text;
BEGIN
  IF TG_TABLE_NAME = 'call' THEN
    changed := coalesce(NEW.call_id, OLD.call_id);
  ELSE
    changed := (SELECT c.call_id FROM callrecords.call c WHERE c.call_key = NEW.call_key);
  END IF;
  INSERT INTO ringback_faults.write
    (history, tenant_id, call_id, before_version, before_revision, version, revision)
  VALUES (TG_TABLE_NAME <> 'call', coalesce(NEW.tenant_id, OLD.tenant_id), changed,
    OLD.version, OLD.revision, coalesce(NEW.version, 0), coalesce(NEW.revision, 0));
  RETURN NULL;
END $$;
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'ringback_faults_write') THEN
    CREATE CONSTRAINT TRIGGER ringback_faults_write AFTER INSERT OR UPDATE OR DELETE ON callrecords.call
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ringback_faults.note_write();
    CREATE CONSTRAINT TRIGGER ringback_faults_write AFTER INSERT OR UPDATE ON callrecords.call_version_row
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ringback_faults.note_write();
  END IF;
END $$;
"""

_OWN = "{table} t WHERE t.tenant_id = c.tenant_id AND t.call_id = c.call_id"
_SESSION, _PARTY, _STREAM = (
    f"FROM callrecords.{_OWN.format(table=table)}" for table in ("session", "participant", "stream")
)
_CALLS = f"""
WITH own AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[]) AS t(tenant_id, call_id))
SELECT c.tenant_id, c.call_id, c.version, c.revision, c.session_count, c.document::text AS document,
  count(*) OVER (PARTITION BY c.tenant_id, c.call_id) - 1 AS twice_call,
  (SELECT count(*) - count(DISTINCT ordinal) {_SESSION}) AS twice_sessions,
  (SELECT count(*) - count(DISTINCT index) {_PARTY}) AS twice_participants,
  ARRAY(SELECT version {_SESSION} UNION SELECT version {_PARTY} UNION SELECT version {_STREAM}) AS rows_versions,
  {rows.CALL} AS call, (SELECT json_agg({rows.PARTICIPANTS}) {_PARTY}) AS participants,
  (SELECT json_agg({rows.SESSIONS}) {_SESSION}) AS sessions, (SELECT json_agg({rows.STREAMS}) {_STREAM}) AS streams
FROM callrecords.call c JOIN own USING (tenant_id, call_id)"""  # noqa: S608 - the harness's own text

_VERSIONS = """
WITH own AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[]) AS t(tenant_id, call_id)),
noted AS (SELECT tenant_id, call_id, version, min(at) AS at FROM ringback_faults.write
  WHERE history AND id > $3 GROUP BY 1, 2, 3)
SELECT v.tenant_id, v.call_id, v.version, v.revision, coalesce(noted.at, v.first_stored_at) AS first_stored_at
FROM callrecords.call_version v JOIN own USING (tenant_id, call_id)
  LEFT JOIN noted USING (tenant_id, call_id, version)"""

_WRITES = """
SELECT at, tenant_id, call_id, before_version, before_revision, version, revision FROM ringback_faults.write
WHERE NOT history AND id > $1 ORDER BY id"""


@asynccontextmanager
async def connected(dsn: str) -> AsyncGenerator[Any]:
    """A connection of the harness's own."""
    connection = cast("Any", await asyncpg.connect(dsn))
    try:
        yield connection
    finally:
        await connection.close()


async def watch_writes(connection: Any) -> None:
    """Have every change of a current or history row noted from now on; does nothing the second time."""
    async with connection.transaction():
        await connection.execute(_WATCH)


async def last_write(connection: Any) -> int:
    """The id of the newest note."""
    return int(await connection.fetchval("SELECT coalesce(max(id), 0) FROM ringback_faults.write"))


async def stored_calls(connection: Any, keys: Iterable[Key]) -> dict[Key, StoredCall]:
    """The current rows of these calls."""
    tenants, calls = _columns(keys)
    found: dict[Key, StoredCall] = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async for row in connection.cursor(_CALLS, tenants, calls, prefetch=20):
            found[row["tenant_id"], row["call_id"]] = _stored(row)
    return found


def _stored(row: Mapping[str, Any]) -> StoredCall:
    document: dict[str, Any] = orjson.loads(row["document"])
    said = (orjson.loads(row[name] or b"[]") for name in ("call", "participants", "sessions", "streams"))
    call, participants, sessions, streams = said
    return StoredCall(
        key=(row["tenant_id"], row["call_id"]),
        version=row["version"],
        revision=row["revision"],
        children=children_of(document),
        contents=contents_of_rows(call, row["session_count"], participants, sessions, streams),
        source=contents_of_graph(document),
        surplus=row["twice_sessions"] + row["twice_participants"] + row["twice_call"],
        rows_version=frozenset(row["rows_versions"]),
    )


async def stored_versions(connection: Any, keys: Iterable[Key], after: int) -> tuple[StoredVersion, ...]:
    """The history of these calls; `first_stored_at` is when the transaction committed, where that was noted."""
    tenants, calls = _columns(keys)
    rows = await connection.fetch(_VERSIONS, tenants, calls, after)
    return tuple(
        StoredVersion(
            (row["tenant_id"], row["call_id"]), row["version"], row["revision"], _unix(row["first_stored_at"])
        )
        for row in rows
    )


async def writes_since(connection: Any, after: int) -> tuple[Write, ...]:
    """Changes of current rows noted after this id, oldest first."""
    rows = await connection.fetch(_WRITES, after)
    return tuple(
        Write(
            _unix(row["at"]),
            (row["tenant_id"], row["call_id"]),
            None if row["before_version"] is None else (row["before_version"], row["before_revision"]),
            (row["version"], row["revision"]),
        )
        for row in rows
    )


def _columns(keys: Iterable[Key]) -> tuple[list[str], list[str]]:
    pairs = list(keys)
    return [tenant for tenant, _ in pairs], [call for _, call in pairs]


def _unix(moment: datetime) -> float:
    return moment.timestamp()
