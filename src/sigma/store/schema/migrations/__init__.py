"""Migrations: one file for both databases, applied in order by `sigma.store.schema.migrate`."""
