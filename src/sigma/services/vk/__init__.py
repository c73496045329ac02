"""VKontakte API access for a connected community, and links to VK pages."""
