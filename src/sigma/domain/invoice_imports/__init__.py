"""Imports of invoices from a table: columns and their meaning, rows, batches. Pure."""
