"""Queries of imports of invoices and of their rows."""
