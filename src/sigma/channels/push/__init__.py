"""Web Push: encryption, the signature of this server, the request to a push service."""
