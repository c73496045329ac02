"""Exports: choose columns and format, see the progress, download."""
