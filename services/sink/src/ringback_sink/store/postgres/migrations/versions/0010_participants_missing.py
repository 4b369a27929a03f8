"""A call of which Graph had no list of participants says so; older rows do not say it."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the anomaly. Without a default the table is not rewritten; comments come from the contract."""
    op.execute("ALTER TABLE callrecords.call ADD COLUMN anomalies_participants_missing boolean")


def downgrade() -> None:
    """Take it away."""
    op.execute("ALTER TABLE callrecords.call DROP COLUMN anomalies_participants_missing")
