"""VKontakte in a box: people, communities, dialogs, the API, callbacks and long poll."""
