"""Customers: who paid or wrote, and when two of them are one person."""
