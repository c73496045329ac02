"""Keyset paging: the cursor values before the first row of a list with the latest first."""

MAX_ID = "~"  # sorts after every id
MAX_INT = 2**62  # greater than every stored time (UTC microseconds) and message position
