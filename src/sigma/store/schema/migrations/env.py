"""Alembic environment; `sigma.store.schema.migrate` passes the open connection in."""

from alembic import context

context.configure(**context.config.attributes["configure"])
with context.begin_transaction():
    context.run_migrations()
