"""Pages of personal data: periods, the erasure log, one client's data."""
