"""The views that show history and children with the ids of tenant and call instead of the number of their call."""

__all__ = ["ROW_VIEW"]

ROW_VIEW = """
    DO $$ BEGIN EXECUTE (
        SELECT format('CREATE OR REPLACE VIEW callrecords.{table} AS SELECT r.tenant_id, c.call_id, %s '
                      'FROM callrecords.{table}_row r '
                      'JOIN callrecords.call c ON c.call_key = r.call_key AND c.tenant_id = r.tenant_id',
                      string_agg('r.' || quote_ident(attname), ', ' ORDER BY attnum))
        FROM pg_attribute
        WHERE attrelid = 'callrecords.{table}_row'::regclass AND attnum > 0 AND NOT attisdropped
          AND attname NOT IN ('call_key', 'tenant_id')
    ); END $$
    """
"""Makes the view of `{table}_row`, or adds the columns that the table has got since.

That both tenants are equal lets PostgreSQL begin at either: at the call by its id, or at an index by tenant."""
