"""What operators decided about dead letters, which themselves cannot be changed."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLE = """
    CREATE TABLE callrecords.dead_letter_decision (
        topic text NOT NULL,
        partition integer NOT NULL,
        "offset" bigint NOT NULL,
        decision text NOT NULL,
        decided_by text NOT NULL,
        why text NOT NULL,
        at timestamptz NOT NULL,
        stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (topic, partition, "offset")
    )
    """

_COMMENTS = {
    "TABLE callrecords.dead_letter_decision": "The newest decision about a dead letter; it may come before its head.",
    "COLUMN callrecords.dead_letter_decision.decision": "release or discard.",
    "COLUMN callrecords.dead_letter_decision.decided_by": "The actor of the audit entry.",
    "COLUMN callrecords.dead_letter_decision.why": "What the actor gave as the reason, e.g. a ticket.",
    "COLUMN callrecords.dead_letter_decision.at": "When the broker took the audit entry, UTC.",
}


def upgrade() -> None:
    """Make the table."""
    op.execute(_TABLE)
    for what, comment in _COMMENTS.items():
        op.execute(f"COMMENT ON {what} IS '{comment}'")


def downgrade() -> None:
    """Drop the table."""
    op.execute("DROP TABLE callrecords.dead_letter_decision")
