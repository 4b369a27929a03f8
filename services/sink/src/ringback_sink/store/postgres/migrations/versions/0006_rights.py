"""Functions are for those who write: a reader could make tables through one that runs with its owner's rights.

PostgreSQL lets PUBLIC execute every new function. Roles that may insert into `stream`, so writers apart from the owner,
keep `make_month`: they make the months of what they write.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NOT_FOR_EVERYBODY = (
    "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA callrecords FROM PUBLIC",
    "REVOKE CREATE ON SCHEMA callrecords FROM PUBLIC",
)
_FOR_WRITERS = """
    DO $$
    DECLARE
        writer oid;
    BEGIN
        FOR writer IN
            SELECT DISTINCT granted.grantee FROM pg_class, aclexplode(relacl) AS granted
            WHERE pg_class.oid = 'callrecords.stream'::regclass AND granted.privilege_type = 'INSERT'
              AND granted.grantee NOT IN (0, relowner)
        LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION callrecords.make_month(text, date) TO %s', writer::regrole);
        END LOOP;
    END $$
    """


def upgrade() -> None:
    """Take the functions, and the right to make things in the schema, from PUBLIC."""
    for statement in (*_NOT_FOR_EVERYBODY, _FOR_WRITERS):
        op.execute(statement)


def downgrade() -> None:
    """Give PUBLIC what PostgreSQL gives it by itself."""
    op.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA callrecords TO PUBLIC")
