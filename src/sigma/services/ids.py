"""Ids and tokens: ids sort by creation time and carry their shop."""

import base64
import random
import secrets
from collections.abc import Callable

# Crockford's base 32, lower case: no i, l, o, u.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # pragma: allowlist secret


class IdGenerator:
    """Generates ids that sort by creation time, even within one microsecond.

    Format in base 32: prefix + "_" + 11 characters of time + 4 of the shop + 8 random.
    `clock` returns UTC microseconds.
    """

    def __init__(
        self, clock: Callable[[], int], random_source: random.Random | None = None
    ) -> None:
        self._clock = clock
        self._random = random_source or secrets.SystemRandom()
        self._last_us = 0

    def new(self, prefix: str, shop_id: str = "") -> str:
        """Return a new id such as "inv_…". Without `shop_id` the shop part is random."""
        self._last_us = max(self._clock(), self._last_us + 1)
        # The shop part of "shp_" + 11 characters of time + 4 of the shop.
        tag = shop_id[15:19] if shop_id else _encode_base32(self._random.getrandbits(20), 4)
        time, random = self._last_us, self._random.getrandbits(40)
        return f"{prefix}_{_encode_base32(time, 11)}{tag}{_encode_base32(random, 8)}"

    def new_token(self) -> str:
        """Return a public token: 128 random bits as 22 characters of URL-safe base64."""
        raw = self._random.getrandbits(128).to_bytes(16, "big")
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def shop_tag(object_id: str) -> str:
    """Return the part of an id that names its shop; the same for all ids of a shop.

    Two shops may have the same tag by chance: it only says that a shop may own the object.
    """
    return object_id.partition("_")[2][11:15]


def min_id(prefix: str, since_us: int) -> str:
    """Return the lower bound of this prefix's ids made since `since_us` (UTC microseconds)."""
    return f"{prefix}_{_encode_base32(since_us, 11)}"


def _encode_base32(number: int, width: int) -> str:
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(5 * (width - 1), -1, -5))
