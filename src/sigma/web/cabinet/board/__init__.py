"""The to-do board: what needs an action, and its two actions."""
