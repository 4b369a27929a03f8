"""Runs the revisions on the connection that `ringback_sink.store.postgres.migrate` hands over."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], version_table_schema="callrecords", transactional_ddl=True
)
context.run_migrations()
