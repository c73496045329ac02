"""Notifications to members: kinds, ways, preferences, grouping, delivery."""
