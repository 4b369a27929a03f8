"""A peer-to-peer call that Graph served without any session says so; older rows do not say it."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the anomaly. Without a default the table is not rewritten; comments come from the contract."""
    op.execute("ALTER TABLE callrecords.call ADD COLUMN anomalies_sessions_missing boolean")


def downgrade() -> None:
    """Take it away."""
    op.execute("ALTER TABLE callrecords.call DROP COLUMN anomalies_sessions_missing")
