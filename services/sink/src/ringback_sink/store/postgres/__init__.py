"""The store's engine PostgreSQL: COPY text, SQL, months, SQLSTATE, migrations. Only here is asyncpg imported."""
