"""Conversations with clients: inbox, message intake and history, outgoing messages, search."""
