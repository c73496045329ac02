"""Persistence: repository modules (one per noun) over SQLite and PostgreSQL."""
