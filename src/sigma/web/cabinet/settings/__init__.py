"""Settings of the shop: requisites, connections, mail, API keys, auto-replies, failed jobs."""
