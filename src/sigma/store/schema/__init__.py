"""The database schema: tables (SQLAlchemy Core) and migrations (Alembic)."""
