"""The SQL of the store, made from the columns once at import."""

from ringback_sink.store.model.version import CHILD_COLUMNS, HISTORY_COLUMNS
from ringback_sink.store.postgres.rows import CALL_COLUMNS

__all__ = ["INCOMING", "REMOVE_CHILDREN", "UPSERT", "VERSION_COLUMNS", "assignments", "columns_of"]


def columns_of(names: tuple[str, ...], prefix: str = "") -> str:
    """A column list; every name quoted."""
    return ", ".join(f'{prefix}"{name}"' for name in names)


def assignments(names: tuple[str, ...]) -> str:
    """The SET list of an upsert that takes over every one of these."""
    return ", ".join(f'"{name}" = excluded."{name}"' for name in names)


_CALL = tuple(name for name in CALL_COLUMNS if name != "newest")
VERSION_COLUMNS = ("tenant_id", "call_id", *HISTORY_COLUMNS)

INCOMING = f"""
    CREATE TEMPORARY TABLE IF NOT EXISTS incoming ON COMMIT DELETE ROWS AS
    SELECT {columns_of(_CALL)}, false AS newest FROM callrecords.call WITH NO DATA
"""  # noqa: S608 - our own column names
"""Where a batch is copied to; lives as long as the connection, emptied at each commit."""

UPSERT = f"""
    WITH history AS (
        INSERT INTO callrecords.call_version ({columns_of(VERSION_COLUMNS)})
        SELECT {columns_of(VERSION_COLUMNS)} FROM incoming ORDER BY tenant_id, call_id, version
        ON CONFLICT (tenant_id, call_id, version) DO UPDATE
        SET {assignments(VERSION_COLUMNS[3:])}, stored_at = clock_timestamp()
        WHERE excluded.revision > call_version.revision
    )
    INSERT INTO callrecords.call ({columns_of(_CALL)})
    SELECT {columns_of(_CALL)} FROM incoming WHERE newest ORDER BY tenant_id, call_id
    ON CONFLICT (tenant_id, call_id) DO UPDATE
    SET {assignments(_CALL[2:])}, stored_at = clock_timestamp()
    WHERE (excluded.version, excluded.revision) > (call.version, call.revision)
    RETURNING new.tenant_id, new.call_id, old.call_start AS replaced
"""  # noqa: S608 - our own column names
"""Answers the calls that won; `replaced` is where the children of the version before are, null for a new call."""

_GONE = """removed_{table} AS (
        DELETE FROM callrecords.{table} child USING replaced
        WHERE child.tenant_id = replaced.tenant_id AND child.call_id = replaced.call_id
          AND child.call_start = replaced.call_start
    )"""

REMOVE_CHILDREN = f"""
    WITH replaced AS MATERIALIZED (
        SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS gone (tenant_id, call_id, call_start)
    ), {", ".join(_GONE.format(table=table) for table in CHILD_COLUMNS)}
    SELECT
"""  # noqa: S608 - our own table names
"""Removes the children of the versions before: a corrected start must leave no second copy in another month."""
