"""Figures on the home page, and the month's statement."""
