"""VK communities: connection, access keys, checklist and incoming VK events."""
