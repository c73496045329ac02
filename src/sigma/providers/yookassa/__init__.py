"""YooKassa, API v3: `adapter` makes the calls, `wire` translates the JSON."""
