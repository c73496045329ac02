"""Customers, their identities, and the trace of merges and splits."""
