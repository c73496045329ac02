"""YooKassa, API v3: `adapter` calls, `wire` translates."""
