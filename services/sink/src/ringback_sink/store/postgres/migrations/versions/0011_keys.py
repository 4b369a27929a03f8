"""Children and history are kept under a bigint of their call instead of the texts of its tenant and its id.

Two texts of 36 characters in each of these keys made them the largest part of the store, and put each call's rows where
chance had its id. `call.call_key` grows, so that new rows come last in every key. The tables are `call_version_row`,
`participant_row`, `session_row` and `stream_row`; views under the former names show the same columns, ids included. A
table keeps `tenant_id` beside its key, for the indices by tenant.

What is stored is copied in this one transaction: writers and readers wait for it, and the store needs the room of the
copy meanwhile. A store of the release before is refused from then on: it cannot copy into a view.
"""

from alembic import op
from ringback_common.errors import ConfigError
from sqlalchemy import text

from ringback_sink.store.postgres.indices import plain
from ringback_sink.store.postgres.views import ROW_VIEW

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_KEYS = {
    "call_version": "call_key, version",
    "participant": "call_key, index, call_start",
    "session": "call_key, ordinal, call_start",
    "stream": "call_key, session_ordinal, segment_index, media_index, stream_index, call_start",
}
"""By former table: the primary key of the table that takes its place."""
_READING = ("settled_call", "call_timeline", "freshness")
"""The views of these tables. They are dropped before the tables are locked: a reader, too, locks a view before its
tables, so neither has what the other waits for."""
_NAMED = "c.relnamespace = 'callrecords'::regnamespace AND c.relname IN ({})"
_FORMER, _OURS = (_NAMED.format(", ".join(f"'{one}'" for one in names)) for names in ((*_KEYS, *_READING), _READING))

_LOCK = "LOCK TABLE " + ", ".join(f"callrecords.{table}" for table in ("call", *_KEYS))
_CALL = """
    ALTER TABLE callrecords.call
        ADD COLUMN call_key bigint GENERATED ALWAYS AS IDENTITY,
        ADD CONSTRAINT call_by_key UNIQUE (call_key)
    """
_PARTITIONS = """
    SELECT replace(c.relname, '{table}', '{table}_row'), pg_get_expr(c.relpartbound, c.oid)
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'callrecords.{table}'::regclass
    """
_COLUMNS = """
    SELECT quote_ident(attname) FROM pg_attribute
    WHERE attrelid = 'callrecords.{table}'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'call_id'
    """
_COPY = """
    INSERT INTO callrecords.{table}_row (call_key, {columns})
    SELECT c.call_key, {of_former} FROM callrecords.{table} former
    JOIN callrecords.call c USING (tenant_id, call_id)
    """
_LEFT_OUT = "SELECT (SELECT count(*) FROM callrecords.{table}) - (SELECT count(*) FROM callrecords.{table}_row)"
_RIGHTS = f"""
    SELECT format('GRANT %s%s ON callrecords.%I TO %s%s', granted.privilege_type,
                  ' (' || quote_ident(granted.attname) || ')', place.name,
                  CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END,
                  CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' END)
    FROM pg_class c
    CROSS JOIN LATERAL (
        SELECT NULL AS attname, entry.* FROM aclexplode(c.relacl) AS entry
        UNION ALL
        SELECT a.attname, entry.* FROM pg_attribute a CROSS JOIN LATERAL aclexplode(a.attacl) AS entry
        WHERE a.attrelid = c.oid
    ) AS granted
    CROSS JOIN LATERAL (VALUES (c.relname::text, true), (c.relname || '_row', false)) AS place (name, is_view)
    WHERE {_FORMER} AND granted.grantee <> c.relowner
      AND CASE WHEN place.is_view THEN granted.privilege_type = 'SELECT'
               ELSE c.relkind <> 'v' AND granted.attname IS DISTINCT FROM 'call_id' END
    """  # noqa: S608 - our own names
"""What was granted on a table or on columns of it, as statements for its view and the table that takes its place."""
_OTHERS = f"""
    SELECT string_agg(DISTINCT rule.ev_class::regclass::text, ', ')
    FROM pg_depend d JOIN pg_rewrite rule ON rule.oid = d.objid JOIN pg_class c ON c.oid = d.refobjid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
      AND ({_FORMER} OR c.relispartition AND c.relnamespace = 'callrecords'::regnamespace)
      AND rule.ev_class NOT IN (SELECT c.oid FROM pg_class c WHERE {_OURS})
    """  # noqa: S608 - our own names
"""Views that are not of this schema's migrations and read what is replaced here."""

_READING_HISTORY = (
    """
    CREATE VIEW callrecords.settled_call AS
    SELECT c.tenant_id, c.call_id, c.version, c.revision, c.type, c.start_date_time, c.end_date_time,
           v.first_stored_at + interval '4 hours' AS settled_at
    FROM callrecords.call c JOIN callrecords.call_version_row v USING (call_key, version)
    WHERE v.first_stored_at <= now() - interval '4 hours'
    """,
    """
    CREATE VIEW callrecords.call_timeline AS
    SELECT tenant_id, call_id, at, event, version, revision,
           extract(epoch FROM at - lag(at) OVER (PARTITION BY tenant_id, call_id ORDER BY at, step))::double precision
               * 1000 AS since_previous_ms
    FROM (
        SELECT c.tenant_id, c.call_id, c.version, c.revision, moment.step, moment.at, moment.event
        FROM callrecords.call c
        CROSS JOIN LATERAL (VALUES (1, c.start_date_time, 'call_started'), (2, c.end_date_time, 'call_ended'))
            AS moment (step, at, event)
        UNION ALL
        SELECT v.tenant_id, v.call_id, v.version, v.revision, moment.step, moment.at, moment.event
        FROM callrecords.call_version v
        CROSS JOIN LATERAL (VALUES
            (3, v.last_modified_date_time, 'modified'), (4, v.received_at, 'received'),
            (5, v.fetched_at, 'fetched'), (6, v.first_stored_at, 'stored')) AS moment (step, at, event)
    ) moments
    WHERE at IS NOT NULL
    """,
    """
    CREATE VIEW callrecords.freshness AS
    WITH RECURSIVE tenants AS (
        (SELECT tenant_id FROM callrecords.call_version_row ORDER BY tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT v.tenant_id FROM callrecords.call_version_row v
                WHERE v.tenant_id > t.tenant_id ORDER BY v.tenant_id LIMIT 1)
        FROM tenants t WHERE t.tenant_id IS NOT NULL
    )
    SELECT t.tenant_id,
           newest.first_stored_at AS newest_stored_at,
           extract(epoch FROM now() - newest.first_stored_at)::double precision AS age_seconds,
           recent.calls AS calls_last_hour,
           recent.since_received[1] AS received_to_stored_p50_ms,
           recent.since_received[2] AS received_to_stored_p95_ms,
           recent.since_received[3] AS received_to_stored_p99_ms,
           recent.since_fetched[1] AS fetched_to_stored_p50_ms,
           recent.since_fetched[2] AS fetched_to_stored_p99_ms
    FROM tenants t
    CROSS JOIN LATERAL (
        SELECT v.first_stored_at FROM callrecords.call_version_row v
        WHERE v.tenant_id = t.tenant_id ORDER BY v.first_stored_at DESC LIMIT 1
    ) newest
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT v.call_key) AS calls,
               percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (
                   ORDER BY extract(epoch FROM v.first_stored_at - v.received_at)::double precision * 1000
               ) AS since_received,
               percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
                   ORDER BY extract(epoch FROM v.first_stored_at - v.fetched_at)::double precision * 1000
               ) AS since_fetched
        FROM callrecords.call_version_row v
        WHERE v.tenant_id = t.tenant_id AND v.first_stored_at > now() - interval '1 hour'
    ) recent
    WHERE t.tenant_id IS NOT NULL
    """,
)

_MAKE_MONTH = """
    CREATE OR REPLACE FUNCTION callrecords.make_month(parent text, month date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = callrecords, pg_temp SET timezone = 'UTC' AS $$
    DECLARE
        child text := parent || '_' || to_char(month, 'YYYY_MM');
        first_day timestamptz := date_trunc('month', month);
        next_first timestamptz := date_trunc('month', month) + interval '1 month';
    BEGIN
        IF parent NOT IN ('participant_row', 'session_row', 'stream_row') THEN
            RAISE EXCEPTION 'not a table by month' USING ERRCODE = 'undefined_table';
        END IF;
        PERFORM pg_advisory_xact_lock(hashtext('callrecords.make_month'));
        IF to_regclass('callrecords.' || parent || '_default') IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', parent || '_default', parent);
        END IF;
        IF to_regclass('callrecords.' || child) IS NOT NULL THEN
            RETURN false;
        END IF;
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent || '_default');
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
        EXECUTE format(
            'WITH moved AS (DELETE FROM %I WHERE call_start >= $1 AND call_start < $2 RETURNING *) '
            'INSERT INTO %I SELECT * FROM moved', parent || '_default', child) USING first_day, next_first;
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            parent, child, first_day, next_first);
        RETURN true;
    END $$
    """
"""A parent it does not know is a bug of who asks, not bad data: a store of the release before must not reject its batch
because of it."""

_INDEX = "CREATE INDEX call_version_by_time ON callrecords.call_version_row (tenant_id, first_stored_at)"
_GUARD = """
    CREATE TRIGGER never_goes_back BEFORE UPDATE ON callrecords.call_version_row FOR EACH ROW
    WHEN (NEW.revision < OLD.revision) EXECUTE FUNCTION callrecords.refuse_older()
    """


def upgrade() -> None:
    """Make the new tables, copy what is stored, and put views in the place of the former ones.

    Raises:
        ConfigError: there are children or versions of a call that is not there, or a foreign view reads them.
    """
    _require_no_other_views()
    rights = [row[0] for row in op.get_bind().execute(text(_RIGHTS))]
    for statement in (*(f"DROP VIEW callrecords.{view}" for view in _READING), _LOCK, _CALL):
        op.execute(statement)
    for table, key in _KEYS.items():
        _replace(table, key)
    for statement in (*_READING_HISTORY, *rights, _INDEX, _GUARD, _MAKE_MONTH):
        op.execute(statement)
    if not op.get_bind().execute(text("SELECT EXISTS (SELECT FROM callrecords.call)")).scalar():
        for statement in plain():
            op.execute(statement)


def _require_no_other_views() -> None:
    others = op.get_bind().execute(text(_OTHERS)).scalar()
    if others:
        raise ConfigError(
            f"These views read tables that revision 0011 replaces: {others}. Drop them, run `ringback-sink migrate` "
            "again, then make them anew with the same text."
        )


def _replace(table: str, key: str) -> None:
    """One table: the key is made after the rows were copied, which is faster."""
    columns = [row[0] for row in op.get_bind().execute(text(_COLUMNS.format(table=table)))]
    _make(table, partitioned=table != "call_version")
    of_former = ", ".join(f"former.{column}" for column in columns)
    op.execute(_COPY.format(table=table, columns=", ".join(columns), of_former=of_former))
    _require_all(table)
    op.execute(f"ALTER TABLE callrecords.{table}_row ADD PRIMARY KEY ({key})")
    op.execute(f"DROP TABLE callrecords.{table}")
    op.execute(ROW_VIEW.format(table=table))


def _make(table: str, *, partitioned: bool) -> None:
    """A table like the former one, with the number of the call in the place of its id, and with the same partitions.

    A model without the id stands between: if the column were dropped from the table itself, each row that is copied
    into a partition would be converted.
    """
    row, model = f"callrecords.{table}_row", f"callrecords.{table}_model"
    by_month = " PARTITION BY RANGE (call_start)" if partitioned else ""
    op.execute(f"CREATE TABLE {model} (LIKE callrecords.{table} INCLUDING DEFAULTS)")
    op.execute(f"ALTER TABLE {model} DROP COLUMN call_id")
    op.execute(f"CREATE TABLE {row} (call_key bigint NOT NULL, LIKE {model} INCLUDING DEFAULTS){by_month}")
    op.execute(f"DROP TABLE {model}")
    if partitioned:
        for name, bound in op.get_bind().execute(text(_PARTITIONS.format(table=table))).all():
            op.execute(f'CREATE TABLE callrecords."{name}" PARTITION OF {row} {bound}')


def _require_all(table: str) -> None:
    left_out = op.get_bind().execute(text(_LEFT_OUT.format(table=table))).scalar()
    if left_out:
        raise ConfigError(
            f"{left_out} rows of callrecords.{table} belong to no row of callrecords.call, so they cannot be kept: "
            "delete them, then run `ringback-sink migrate` again."
        )


def downgrade() -> None:
    """Not possible in place.

    Raises:
        ConfigError: always.
    """
    raise ConfigError("Revision 0011 is not taken back: restore a backup, or let the topic fill an empty store.")
