"""Queries of the reconciliation: runs, differences, and both sides of a page."""
