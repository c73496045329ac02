"""Queries over everything that is stored about a client, and of what is deleted by date."""
