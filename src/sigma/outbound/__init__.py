"""The outbound guard: every connection to a configured or received address goes through here."""
