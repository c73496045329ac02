"""Queries on shops, users, members, sessions and API keys."""
