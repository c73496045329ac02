"""The inbox: list of conversations, one conversation, its actions, live updates."""
