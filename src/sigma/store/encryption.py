"""Encryption at rest: AES-256-GCM-SIV under keys derived from SIGMA_SECRET_KEY.

A ciphertext is `1.<key id>.<payload>`: the version of the format, the key that opens it, and
URL-safe base64 of nonce and AES-GCM-SIV output. Its table, column and row id are associated data:
copied to another cell it does not open. GCM-SIV (RFC 8452), because nonces are random: a repeated
nonce reveals only that two equal values are equal, while with plain GCM it gives away the key that
authenticates, and allows at most 2^32 messages for each key.
"""

import base64
import hashlib
import hmac
import secrets as random_source
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

log = structlog.get_logger()

VERSION: Final = "1"
KEY_ID_LENGTH: Final = 8  # hex digits
PREFIX_LENGTH: Final = len(VERSION) + KEY_ID_LENGTH + 2  # "1.", the key id and "."
NONCE_BYTES: Final = 12
SIGNATURE_BYTES: Final = 18  # 144 bits: 24 characters of base64 without padding


class HashPurpose(StrEnum):
    """What a keyed hash is for. It is part of what is hashed, so that a hash made for one purpose
    never equals one made for another: a cookie cannot be used as a counter or a signature.
    """

    PAYER = "payer"  # the browser of a payer
    BUYER = "buyer"  # the browser of a buyer on a public page
    DEVICE = "device"  # a known device: that we issued its id
    DEVICE_ACCOUNT = "device_account"  # that an account has signed in there
    INVITATION = "invitation"  # the token of an invitation's link
    RATE_COUNTER = "rate_counter"
    SEARCH_WORD = "search_word"
    CONTACT = "contact"  # e-mail or phone of a client, to find their payments
    ERASED_PEER = "erased_peer"  # a VK user whose older messages must not come back
    LOGIN = "login"  # of a failed sign-in, in the audit log
    SETUP_CODE = "setup_code"  # the code of the set-up page
    NOTIFICATION_LINK = "notification_link"  # the code that links a VK page or Telegram chat
    NOTIFICATION_ADDRESS = "notification_address"  # a VK page, chat or browser, to find it again


class SignaturePurpose(StrEnum):
    """What a signature is for; part of what is signed, like a HashPurpose."""

    PAYMENT_LINK = "payment_link"  # the card of an invoice
    PUSH_KEY = "push_key"  # the key by which push services know this installation


class DecryptionError(Exception):
    """A stored value cannot be decrypted.

    `key_id`: the key that it needs and SIGMA_SECRET_KEY does not contain; empty when the
    ciphertext is damaged or was copied from another cell.
    """

    def __init__(self, key_id: str = "") -> None:
        super().__init__(f"needs the key {key_id}" if key_id else "damaged")
        self.key_id = key_id

    @property
    def is_key_missing(self) -> bool:
        """Whether another SIGMA_SECRET_KEY can decrypt the value."""
        return bool(self.key_id)


@dataclass(frozen=True, slots=True)
class InstallationKeys:
    """Random keys of one installation, stored encrypted: rotation of the secret keeps them.

    `hash_key`: search tokens, browsers, rate limits. `signing_keys`: links; the first signs, all
    verify. `audit_keys`: entries of the audit log, which links have no access to; the same rule.
    """

    hash_key: bytes
    signing_keys: tuple[bytes, ...]
    audit_keys: tuple[bytes, ...]


def key_id_of(ciphertext: str) -> str:
    """Return the id of the key that a ciphertext needs; empty for a text of another format."""
    version, _, rest = ciphertext.partition(".")
    key_id, separator, _ = rest.partition(".")
    return key_id if version == VERSION and separator and len(key_id) == KEY_ID_LENGTH else ""


class Cipher:
    """Encrypts with the first secret, decrypts with the one that the ciphertext names.

    Without `keys` the hash and signing keys are derived from the last secret; a process that
    serves loads them from the database (`sigma.store.installation_keys`).
    """

    def __init__(self, secrets: Sequence[str], keys: InstallationKeys | None = None) -> None:
        assert secrets, "at least one secret is required"
        self._secrets = tuple(secrets)
        self._aead_by_id = {
            _key_id(one): AESGCMSIV(_derive_key(one, b"sigma encryption 1"))
            for one in reversed(self._secrets)
        }
        # Ids of the configured keys: the first encrypts.
        self.key_ids = tuple(dict.fromkeys(_key_id(one) for one in self._secrets))
        keys = keys or InstallationKeys(
            _derive_key(secrets[-1], b"sigma hash 1"),
            (_derive_key(secrets[-1], b"sigma signing 1"),),
            (_derive_key(secrets[-1], b"sigma audit 1"),),
        )
        self._hash_key, self._signing_keys = keys.hash_key, keys.signing_keys
        self._audit_keys = {_fingerprint(key): key for key in keys.audit_keys}
        self._audit_key_id = next(iter(self._audit_keys))
        # Keys that this process needed for a value and that SIGMA_SECRET_KEY does not contain.
        self.missing_key_ids: set[str] = set()
        self._logged: set[tuple[str, str]] = set()

    @property
    def current_key_id(self) -> str:
        """The id of the key that encrypts."""
        return self.key_ids[0]

    @property
    def current_prefix(self) -> str:
        """What every ciphertext of the current key begins with; PREFIX_LENGTH characters."""
        return f"{VERSION}.{self.current_key_id}."

    def with_keys(self, keys: InstallationKeys) -> "Cipher":
        """Return a cipher with the same secrets that hashes and signs with `keys`."""
        cipher = Cipher(self._secrets, keys)
        cipher.missing_key_ids = self.missing_key_ids
        return cipher

    def encrypt(self, value: Any, column: str, row_id: str) -> str:
        """Return the ciphertext of any JSON-serializable value for one cell of the database.

        `column` is an EncryptedColumn, or the purpose of a value that is not stored.
        """
        assert row_id, "a ciphertext is bound to its row"
        nonce = random_source.token_bytes(NONCE_BYTES)
        prefix, aead = self.current_prefix, self._aead_by_id[self.current_key_id]
        cell = _associated_data(prefix, column, row_id)
        encrypted = aead.encrypt(nonce, msgspec.json.encode(value), cell)
        return prefix + base64.urlsafe_b64encode(nonce + encrypted).decode().rstrip("=")

    def decrypt(self, ciphertext: str, column: str, row_id: str) -> Any:
        """Return the value of a ciphertext of this cell. Raises DecryptionError."""
        key_id = key_id_of(ciphertext)
        aead = self._aead_by_id.get(key_id)
        if aead is None:
            raise self._failure(key_id, column, row_id)
        prefix, payload = ciphertext[:PREFIX_LENGTH], ciphertext[PREFIX_LENGTH:]
        try:
            raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
            cell = _associated_data(prefix, column, row_id)
            return msgspec.json.decode(aead.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], cell))
        except (InvalidTag, ValueError) as error:
            raise self._failure("", column, row_id) from error

    def _failure(self, missing_key_id: str, column: str, row_id: str) -> DecryptionError:
        """Log a value that cannot be decrypted: once for each key and column."""
        if missing_key_id:
            self.missing_key_ids.add(missing_key_id)
        topic = (missing_key_id or row_id, column)
        if topic not in self._logged and len(self._logged) < 1000:
            self._logged.add(topic)
            event = "encryption.key_missing" if missing_key_id else "encryption.damaged"
            log.error(event, key_id=missing_key_id, column=str(column), row=row_id)
        return DecryptionError(missing_key_id)

    def audit_mac(self, data: bytes) -> str:
        """Return HMAC-SHA256 of `data` with the audit key, after the key's id: `id.hex`."""
        return f"{self._audit_key_id}.{_audit_hmac(self._audit_keys[self._audit_key_id], data)}"

    def verify_audit_mac(self, data: bytes, mac: str) -> bool:
        """Return whether `audit_mac` of an audit key of this installation made this MAC."""
        key_id, _, digest = mac.partition(".")
        key = self._audit_keys.get(key_id)
        if key is None:
            return False
        return hmac.compare_digest(digest.encode(), _audit_hmac(key, data).encode())

    def keyed_hash(self, purpose: HashPurpose, *texts: str) -> str:
        """Return HMAC-SHA256 of the texts for one purpose, the first 160 bits as 40 hex digits.

        Equal texts give equal hashes, also after a rotation; without the key a hash cannot be
        matched to a text. Other texts never give the same input: ("a b", "c") is not ("a", "b c").
        """
        return _hmac(self._hash_key, purpose, texts).hex()[:40]

    def sign(self, purpose: SignaturePurpose, *texts: str) -> bytes:
        """Return SIGNATURE_BYTES of HMAC-SHA256 of the texts with the first signing key."""
        return _hmac(self._signing_keys[0], purpose, texts)[:SIGNATURE_BYTES]

    def derive_key(self, purpose: SignaturePurpose) -> bytes:
        """Return 32 secret bytes for one purpose: the same until a signing key is lost."""
        return _hmac(self._signing_keys[0], purpose, ())

    def is_signature(self, signature: bytes, purpose: SignaturePurpose, *texts: str) -> bool:
        """Return whether one of the signing keys made this signature of the texts."""
        expected = [_hmac(key, purpose, texts)[:SIGNATURE_BYTES] for key in self._signing_keys]
        valid = [hmac.compare_digest(signature, one) for one in expected]
        return any(valid)


def _hmac(key: bytes, purpose: StrEnum, texts: Sequence[str]) -> bytes:
    """Return HMAC-SHA256 of purpose and texts as a JSON array, which keeps them apart."""
    return hmac.new(key, msgspec.json.encode((purpose, *texts)), hashlib.sha256).digest()


def _audit_hmac(key: bytes, data: bytes) -> str:
    return hmac.new(key, data, hashlib.sha256).hexdigest()


def _fingerprint(key: bytes) -> str:
    return hashlib.sha256(b"sigma audit key id 1" + key).hexdigest()[:KEY_ID_LENGTH]


def _associated_data(prefix: str, column: str, row_id: str) -> bytes:
    return f"{prefix}{column}\n{row_id}".encode()


def _key_id(secret: str) -> str:
    return _derive_key(secret, b"sigma key id 1").hex()[:KEY_ID_LENGTH]


def _derive_key(secret: str, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(secret.encode())
