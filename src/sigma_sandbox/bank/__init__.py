"""A bank that speaks the wire format of YooKassa API v3, with a hosted card page."""
