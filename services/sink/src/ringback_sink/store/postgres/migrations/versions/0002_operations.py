"""What operators look at: the heads of dead letters and the newest status of every process."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = (
    """
    CREATE TABLE callrecords.dead_letter (
        topic text NOT NULL,
        partition integer NOT NULL,
        "offset" bigint NOT NULL,
        source_topic text,
        source_partition integer,
        source_offset bigint,
        source_timestamp timestamptz,
        service text,
        reason text,
        error_class text,
        fingerprint text,
        attempts integer,
        tenant_id text,
        call_id text,
        octets bigint NOT NULL,
        at timestamptz NOT NULL,
        stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (topic, partition, "offset")
    )
    """,
    "CREATE INDEX dead_letter_by_time ON callrecords.dead_letter (at)",
    "CREATE INDEX dead_letter_by_call ON callrecords.dead_letter (tenant_id, call_id)",
    """
    CREATE TABLE callrecords.status (
        process text NOT NULL,
        instance text NOT NULL,
        tenant_id text NOT NULL,
        reported_at timestamptz NOT NULL,
        state text NOT NULL,
        detail jsonb NOT NULL,
        stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (process, instance, tenant_id)
    )
    """,
)

_COMMENTS = {
    "TABLE callrecords.dead_letter": "Heads of the dead letters, never their payload; the key is where the letter is.",
    "COLUMN callrecords.dead_letter.topic": "Contract name, without the installation's prefix.",
    "COLUMN callrecords.dead_letter.octets": "Size of the refused value. Unit: bytes.",
    "COLUMN callrecords.dead_letter.at": "When the broker took the dead letter, UTC.",
    "TABLE callrecords.status": "Newest report of every process instance; older than 30 s means unknown.",
    "COLUMN callrecords.status.tenant_id": "Empty for the process itself.",
}


def upgrade() -> None:
    """Make both tables."""
    for statement in _TABLES:
        op.execute(statement)
    for what, comment in _COMMENTS.items():
        op.execute(f"COMMENT ON {what} IS '{comment.replace(chr(39), chr(39) * 2)}'")


def downgrade() -> None:
    """Drop both tables."""
    op.execute("DROP TABLE callrecords.status")
    op.execute("DROP TABLE callrecords.dead_letter")
