"""The sandbox's VKontakte: people, communities, conversations, the API, event delivery."""
