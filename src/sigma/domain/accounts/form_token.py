"""Tokens of cabinet forms (CSRF): one for each shop of a session.

A form that was opened in one shop cannot be sent after the session has switched to another: its
token is of the former shop. The token names that shop, so that a page can offer to open it.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode

MAX_TOKEN_CHARS = 100


def form_token(form_key: str, shop_id: str) -> str:
    """Return the token of a session's forms in a shop. `form_key`: the session's own secret."""
    digest = hmac.digest(form_key.encode(), f"form:{shop_id}".encode(), hashlib.sha256)
    return f"{shop_id}.{urlsafe_b64encode(digest).decode().rstrip('=')}"


def is_form_token(token: str, form_key: str, shop_id: str) -> bool:
    """Compare a submitted token with the one of a shop, in constant time."""
    return hmac.compare_digest(token.encode(), form_token(form_key, shop_id).encode())


def shop_of_form(token: str, form_key: str) -> str:
    """Return the shop that a token of this session belongs to; "" for any other text."""
    shop_id = token[:MAX_TOKEN_CHARS].partition(".")[0]
    return shop_id if shop_id and is_form_token(token, form_key, shop_id) else ""
