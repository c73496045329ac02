"""The database engines: one interface, implemented by SQLite and PostgreSQL."""
