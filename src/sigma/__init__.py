"""Sigma: a self-hosted service for invoices and payments by link."""
