"""Payments: list, details, capture and cancel, refunds."""
