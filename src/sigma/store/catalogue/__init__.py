"""Queries on services and their photos."""
