"""Client for the VKontakte API 5.199: one module per group of API methods."""
