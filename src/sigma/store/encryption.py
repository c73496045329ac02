"""Encryption at rest of answers, credentials and message bodies.

Fernet (https://github.com/fernet/spec) under keys derived from SIGMA_SECRET_KEY with HKDF-SHA256.
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


class DecryptionError(Exception):
    """No configured key decrypts the ciphertext: the key is missing or the text is damaged."""


class Cipher:
    """Encrypts with the first secret and decrypts with any of them, for key rotation.

    Keyed hashes use the last secret, so that they stay equal when a new secret is put first.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        assert secrets, "at least one secret is required"
        keys = [_derive_key(secret, b"sigma seal 1") for secret in secrets]
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
        self._hash_key = _derive_key(secrets[-1], b"sigma mac 1")

    def encrypt(self, value: Any) -> str:
        """Return the ciphertext (URL-safe base64) of any JSON-serializable value."""
        return self._fernet.encrypt(msgspec.json.encode(value)).decode()

    def decrypt(self, ciphertext: str) -> Any:
        """Return the decrypted value. Raises DecryptionError."""
        try:
            return msgspec.json.decode(self._fernet.decrypt(ciphertext.encode()))
        except (InvalidToken, ValueError) as error:
            raise DecryptionError("encrypted with another SIGMA_SECRET_KEY, or damaged") from error

    def keyed_hash(self, text: str) -> str:
        """Return HMAC-SHA256 of `text`, the first 160 bits as 40 hex digits.

        Equal texts give equal hashes; without the key a hash cannot be matched to a text.
        """
        return hmac.new(self._hash_key, text.encode(), hashlib.sha256).hexdigest()[:40]


def _derive_key(secret: str, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(secret.encode())
