"""VK communities: connect, checklist, access key, delivery of events."""
