"""Sealing: answers, credentials and raw exchanges are ciphertext at rest, under keys derived from
SIGMA_SECRET_KEY.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Unsealable(Exception):  # noqa: N818 - a word of ours
    """The ciphertext belongs to a key that is not among the settings, or was tampered with."""


class Sealer:
    """Seals with the first secret and opens with any, so that a secret can be changed without
    losing data.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        assert secrets, "at least one secret"
        keys = [_derive(secret, b"sigma seal 1") for secret in secrets]
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
        self._mac = _derive(secrets[-1], b"sigma mac 1")

    def seal(self, value: Any) -> str:
        """Ciphertext of any JSON-able value."""
        return self._fernet.encrypt(msgspec.json.encode(value)).decode()

    def open(self, sealed: str) -> Any:
        """The value that was sealed. Raises Unsealable."""
        try:
            return msgspec.json.decode(self._fernet.decrypt(sealed.encode()))
        except (InvalidToken, ValueError) as error:
            raise Unsealable("sealed with another SIGMA_SECRET_KEY, or damaged") from error

    def mark(self, text: str) -> str:
        """A keyed hash: the same text gives the same mark, and nobody without the key can guess
        back.
        """
        return hmac.new(self._mac, text.encode(), hashlib.sha256).hexdigest()[:40]


def _derive(secret: str, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(secret.encode())
