"""Customers: found or created with each payment and conversation; their cards, merges, splits."""
