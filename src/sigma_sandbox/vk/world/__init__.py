"""The state of the sandbox's VKontakte: objects, their store and images."""
