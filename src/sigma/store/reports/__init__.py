"""Totals of reports, and the rows that a month's statement lists."""
