"""The JSON of the VK API: objects and errors."""
