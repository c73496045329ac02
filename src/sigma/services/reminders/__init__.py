"""Reminders of unpaid invoices: switches, facts, clients who want none."""
