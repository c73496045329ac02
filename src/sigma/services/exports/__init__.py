"""Exports of lists: request, make in the background, download."""
