"""Views for operators and analysts, in their first form."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_FRESHNESS = """
    CREATE VIEW callrecords.freshness AS
    WITH RECURSIVE tenants AS (
        (SELECT tenant_id FROM callrecords.call_version ORDER BY tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT v.tenant_id FROM callrecords.call_version v
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
        SELECT v.first_stored_at FROM callrecords.call_version v
        WHERE v.tenant_id = t.tenant_id ORDER BY v.first_stored_at DESC LIMIT 1
    ) newest
    CROSS JOIN LATERAL (
        SELECT count(*) AS calls,
               percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (
                   ORDER BY extract(epoch FROM v.first_stored_at - v.received_at)::double precision * 1000
               ) AS since_received,
               percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
                   ORDER BY extract(epoch FROM v.first_stored_at - v.fetched_at)::double precision * 1000
               ) AS since_fetched
        FROM callrecords.call_version v
        WHERE v.tenant_id = t.tenant_id AND v.first_stored_at > now() - interval '1 hour'
    ) recent
    WHERE t.tenant_id IS NOT NULL
    """
"""The recursion hops from tenant to tenant along the key instead of reading the whole history."""

_SETTLED_CALL = """
    CREATE VIEW callrecords.settled_call AS
    SELECT tenant_id, call_id, version, revision, type, start_date_time, end_date_time,
           coalesce(last_modified_date_time, fetched_at) + interval '4 hours' AS settled_at
    FROM callrecords.call
    WHERE coalesce(last_modified_date_time, fetched_at) <= now() - interval '4 hours'
    """
"""Graph has no final version; four hours without a newer one is as settled as a call gets."""

_CALL_TIMELINE = """
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
    """

_STATUS_NOW = """
    CREATE VIEW callrecords.status_now AS
    SELECT process, instance, tenant_id, reported_at, age_seconds,
           CASE WHEN age_seconds <= 30 THEN state ELSE 'unknown' END AS state, detail
    FROM (
        SELECT s.*, extract(epoch FROM now() - heard_at)::double precision AS age_seconds,
               row_number() OVER (PARTITION BY process, tenant_id ORDER BY heard_at DESC, instance) AS place
        FROM callrecords.status s CROSS JOIN LATERAL (SELECT least(s.reported_at, s.stored_at) AS heard_at) heard
    ) reports
    WHERE age_seconds <= 30 OR place = 1
    """
"""An instance that was replaced disappears as soon as another one speaks; silence of all shows as unknown.

A report counts from its own clock or from the store's, whichever is earlier: a clock that runs ahead does not keep a
dead process green, nor does a store that catches up on old reports."""

_COMMENTS = {
    "freshness": "Per tenant: when something was last stored, and how long the last hour''s versions took.",
    "settled_call": "Calls without a newer version for four hours.",
    "call_timeline": "What happened to a call and its versions, in order of time.",
    "status_now": "What every process says now; older than 30 s is unknown.",
}


def upgrade() -> None:
    """Make the views."""
    for statement in (_FRESHNESS, _SETTLED_CALL, _CALL_TIMELINE, _STATUS_NOW):
        op.execute(statement)
    for view, comment in _COMMENTS.items():
        op.execute(f"COMMENT ON VIEW callrecords.{view} IS '{comment}'")


def downgrade() -> None:
    """Drop the views."""
    for view in reversed(_COMMENTS):
        op.execute(f"DROP VIEW callrecords.{view}")
