"""A test bank with the YooKassa API v3 and a hosted card page."""
