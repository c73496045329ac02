"""Notifications to members: from an event to a message on their phone."""
