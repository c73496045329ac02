"""Users, members, shops and API keys."""
