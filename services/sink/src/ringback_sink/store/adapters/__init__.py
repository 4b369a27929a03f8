"""Everything that touches PostgreSQL."""
