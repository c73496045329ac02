"""Alembic migrations for both databases, applied by `sigma.store.schema.migrate`."""
