"""VKontakte as Sigma speaks to it: one file for each thing one can talk about."""
