"""`settled_call` counts from the arrival of the newest version; indices for the questions of a help desk.

Graph's own time of a version may be hours old when it comes: such a call was called settled the moment it arrived,
though the version behind it was still to come. A store that holds calls gets its indices after this, by `migrate`,
without blocking who writes; an empty one gets them in revision 0011.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_SETTLED_CALL = """
    CREATE OR REPLACE VIEW callrecords.settled_call AS
    SELECT c.tenant_id, c.call_id, c.version, c.revision, c.type, c.start_date_time, c.end_date_time,
           v.first_stored_at + interval '4 hours' AS settled_at
    FROM callrecords.call c JOIN callrecords.call_version v USING (tenant_id, call_id, version)
    WHERE v.first_stored_at <= now() - interval '4 hours'
    """
_BEFORE = """
    CREATE OR REPLACE VIEW callrecords.settled_call AS
    SELECT tenant_id, call_id, version, revision, type, start_date_time, end_date_time,
           coalesce(last_modified_date_time, fetched_at) + interval '4 hours' AS settled_at
    FROM callrecords.call
    WHERE coalesce(last_modified_date_time, fetched_at) <= now() - interval '4 hours'
    """


def upgrade() -> None:
    """Replace the view."""
    op.execute(_SETTLED_CALL)


def downgrade() -> None:
    """Count from Graph's time again."""
    op.execute(_BEFORE)
