"""Customers: list, search, one customer, merge and split, export and erasure of their data."""
