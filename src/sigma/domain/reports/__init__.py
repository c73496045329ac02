"""Periods in a shop's time zone, and the month's statement."""
