"""Alembic's door: always given a connection by state.migrate, which owns the transaction."""

from alembic import context

from state.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
context.run_migrations()
