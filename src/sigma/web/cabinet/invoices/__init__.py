"""Invoices: list, details, the form, its editing without scripts."""
