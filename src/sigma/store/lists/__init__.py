"""Queries of the lists of payments and invoices: filters, search, totals, saved views."""
