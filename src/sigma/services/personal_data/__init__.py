"""Retention periods, deletion by date, export and erasure of a client's data."""
