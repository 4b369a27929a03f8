"""Freshness counts calls: three versions of two calls were three."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_FRESHNESS = """
    CREATE OR REPLACE VIEW callrecords.freshness AS
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
        SELECT count({calls}) AS calls,
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


def upgrade() -> None:
    """Count each call once, however many of its versions were stored."""
    op.execute(_FRESHNESS.format(calls="DISTINCT v.call_id"))


def downgrade() -> None:
    """Count versions again."""
    op.execute(_FRESHNESS.format(calls="*"))
