"""The web pages under `/vk`: the client's view and the community's management."""
