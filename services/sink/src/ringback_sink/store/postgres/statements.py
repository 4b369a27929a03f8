"""The SQL of the store, made from the columns once at import."""

from ringback_sink.store.model.version import CHILD_COLUMNS, HISTORY_COLUMNS
from ringback_sink.store.postgres.rows import CALL_COLUMNS

__all__ = ["HISTORY", "INCOMING", "REMOVE_CHILDREN", "UPSERT", "VERSION_COLUMNS", "assignments", "columns_of"]


def columns_of(names: tuple[str, ...], prefix: str = "") -> str:
    """A column list; every name quoted."""
    return ", ".join(f'{prefix}"{name}"' for name in names)


def assignments(names: tuple[str, ...]) -> str:
    """The SET list of an upsert that takes over every one of these."""
    return ", ".join(f'"{name}" = excluded."{name}"' for name in names)


_CALL = tuple(name for name in CALL_COLUMNS if name != "newest")
VERSION_COLUMNS = ("tenant_id", *HISTORY_COLUMNS)
"""Of the history, beside the key of the call."""

INCOMING = f"""
    CREATE TEMPORARY TABLE IF NOT EXISTS incoming ON COMMIT DELETE ROWS AS
    SELECT {columns_of(_CALL)}, false AS newest FROM callrecords.call WITH NO DATA
"""  # noqa: S608 - our own column names
"""Where a batch is copied to; lives as long as the connection, emptied at each commit."""

UPSERT = f"""
    INSERT INTO callrecords.call ({columns_of(_CALL)})
    SELECT {columns_of(_CALL)} FROM incoming WHERE newest ORDER BY tenant_id, call_id
    ON CONFLICT (tenant_id, call_id) DO UPDATE
    SET {assignments(_CALL[2:])}, stored_at = clock_timestamp()
    WHERE (excluded.version, excluded.revision) > (call.version, call.revision)
    RETURNING new.tenant_id, new.call_id, new.call_key, old.call_start AS replaced
"""  # noqa: S608 - our own column names
"""Answers the calls that won; `replaced` is where the children of the version before are, null for a new call.

It locks the row of every call of the batch, in their order, those it does not change included: two writers meet at the
calls and nowhere else."""

HISTORY = f"""
    INSERT INTO callrecords.call_version_row (call_key, {columns_of(VERSION_COLUMNS)})
    SELECT (SELECT call_key FROM callrecords.call
            WHERE call.tenant_id = incoming.tenant_id AND call.call_id = incoming.call_id),
           {columns_of(VERSION_COLUMNS)} FROM incoming
    ON CONFLICT (call_key, version) DO UPDATE
    SET {assignments(VERSION_COLUMNS[2:])}, stored_at = clock_timestamp()
    WHERE excluded.revision > call_version_row.revision
"""  # noqa: S608 - our own column names
"""A statement of its own, after the upsert: in one statement it would not see a call that another writer has committed
since the statement began."""

_GONE = """removed_{table} AS (
        DELETE FROM callrecords.{table} child USING replaced
        WHERE child.call_key = replaced.call_key AND child.call_start = replaced.call_start
    )"""

REMOVE_CHILDREN = f"""
    WITH replaced AS MATERIALIZED (
        SELECT * FROM unnest($1::bigint[], $2::timestamptz[]) AS gone (call_key, call_start)
    ), {", ".join(_GONE.format(table=f"{table}_row") for table in CHILD_COLUMNS)}
    SELECT
"""  # noqa: S608 - our own table names
"""Removes the children of the versions before: a corrected start must leave no second copy in another month."""
