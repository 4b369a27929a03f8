"""Columns for who took part, and for the devices of both sides of a stream.

A column that may be null is added without rewriting a table; rows keep null until their call comes again.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NAMES = ("capture_name", "capture_driver", "render_name", "render_driver")
_COLUMNS = {
    "participant": {"took_part": "boolean"},
    "stream": {f"{side}_device_{name}": "text" for side in ("caller", "callee") for name in _NAMES},
}
"""By table: columns with their types. `migrate` takes the comments from the contract."""


def upgrade() -> None:
    """Add the columns."""
    for table, columns in _COLUMNS.items():
        added = ", ".join(f"ADD COLUMN {name} {sql_type}" for name, sql_type in columns.items())
        op.execute(f"ALTER TABLE callrecords.{table} {added}")


def downgrade() -> None:
    """Drop the columns, what they hold included."""
    for table, columns in _COLUMNS.items():
        dropped = ", ".join(f"DROP COLUMN {name}" for name in columns)
        op.execute(f"ALTER TABLE callrecords.{table} {dropped}")
