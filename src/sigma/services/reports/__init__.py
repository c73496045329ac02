"""Figures of a period, and the month's statement for an accountant."""
