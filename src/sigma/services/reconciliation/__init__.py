"""Reconciliation with acquirers: runs, both sides of a page, repairs of differences."""
