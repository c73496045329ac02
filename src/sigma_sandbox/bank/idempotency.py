"""A POST done twice with one key is done once.

YooKassa promises the first result for 24 hours. Our reading of it: the answer is HTTP 200 with the
same object **in its current state**. What the documentation leaves open is our choice: the same key
with other data is 400 invalid_request, and a refused request does not use its key up.
"""

import hashlib
from collections.abc import Callable

import msgspec

from sigma_sandbox.bank.serializers import invalid
from sigma_sandbox.bank.store import Bank, Json, Key

HEADER = "Idempotence-Key"
MAX_KEY = 64


def check(key: str | None) -> str:
    """The key as sent. Raises Refused when it is missing or too long."""
    if not key:
        raise invalid("Idempotence-Key is required", HEADER)
    if len(key) > MAX_KEY:
        raise invalid(f"At most {MAX_KEY} characters", HEADER)
    return key


def once(bank: Bank, shop_id: str, key: str, what: str, body: Json, work: Callable[[], str]) -> str:
    """Do `work`, which gives an object's id, unless the key did it already. Raises Refused.

    Nothing is awaited in between, so simultaneous requests with one key cannot both do it.
    """
    print_of = msgspec.json.encode([what, body], order="sorted")
    fingerprint = hashlib.sha256(print_of).hexdigest()
    used = bank.key(shop_id, key)
    if used is None:
        object_id = work()
        bank.put_key(Key(shop_id, key, fingerprint, object_id, bank.now(shop_id)))
        return object_id
    if used.fingerprint != fingerprint:
        raise invalid("This key was used with other data", HEADER)
    return used.object_id
