"""Queries of exports and of the parts of their files."""
