"""Delivery of events to programs: Callback API and Bots Long Poll."""
