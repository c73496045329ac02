"""Sessions of the cabinet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A cabinet session as stored. Times are UTC microseconds.

    `secret_hash` is the hash of the session cookie. Every form must contain `csrf_token`.
    """

    secret_hash: str
    user_id: str
    shop_id: str
    csrf_token: str
    created_at_us: int
    expires_at_us: int
