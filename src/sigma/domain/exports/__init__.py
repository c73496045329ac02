"""Exports of lists as files: what is exported, how far it is, when it is deleted. Pure."""
