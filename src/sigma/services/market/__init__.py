"""The catalogue compared and synchronised with VK's market items."""
