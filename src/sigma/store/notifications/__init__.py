"""Queries of notifications, their deliveries, addresses and settings."""
