"""Idempotency of POST requests by the Idempotence-Key header.

YooKassa returns the first result for 24 hours. The sandbox answers a repeated request with HTTP 200
and the same object **in its current state**. The documentation leaves two cases open; here the same
key with other data is 400 invalid_request, and a failed request does not consume its key.

Source: https://yookassa.ru/developers/using-api/interaction-format
"""

import hashlib
from collections.abc import Callable

import msgspec

from sigma_sandbox.bank.errors import invalid_request
from sigma_sandbox.bank.store import Bank, IdempotencyKey, Json

HEADER = "Idempotence-Key"
MAX_KEY_LENGTH = 64


def require_key(key: str | None) -> str:
    """Return the header value. Raises ApiError when it is missing or too long."""
    if not key:
        raise invalid_request("Idempotence-Key is required", HEADER)
    if len(key) > MAX_KEY_LENGTH:
        raise invalid_request(f"At most {MAX_KEY_LENGTH} characters", HEADER)
    return key


def run_once(
    bank: Bank, shop_id: str, key: str, endpoint: str, body: Json, create_object: Callable[[], str]
) -> str:
    """Run `create_object` once per key and return the id of the object that it created.

    There is no await between the lookup and the write, so concurrent requests with one key cannot
    both run `create_object`. Raises ApiError if the key was used with another endpoint or data.
    """
    request_bytes = msgspec.json.encode([endpoint, body], order="sorted")
    fingerprint = hashlib.sha256(request_bytes).hexdigest()
    stored = bank.find_key(shop_id, key)
    if stored is None:
        object_id = create_object()
        bank.put_key(IdempotencyKey(shop_id, key, fingerprint, object_id, bank.now_us(shop_id)))
        return object_id
    if stored.fingerprint != fingerprint:
        raise invalid_request("This key was used with other data", HEADER)
    return stored.object_id
