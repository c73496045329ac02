"""Hashes of secret tokens: API keys and session cookies are stored only as hashes."""

import hashlib


def hash_token(token: str) -> str:
    """Return the SHA-256 (hex) of a random token.

    The token has 256 random bits: a plain hash is enough, and it is fast on every request.
    """
    return hashlib.sha256(token.encode()).hexdigest()
