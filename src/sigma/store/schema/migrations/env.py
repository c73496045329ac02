"""What Alembic runs for every command; the connection is opened by `sigma.store.schema.migrate`."""

from alembic import context

context.configure(**context.config.attributes["configure"])
with context.begin_transaction():
    context.run_migrations()
