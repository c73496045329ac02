"""Encryption at rest: AES-256-GCM under keys derived from SIGMA_SECRET_KEY.

A ciphertext is `2.<key id>.<payload>`: the version of the format, the key that opens it, and
URL-safe base64 of nonce and AES-GCM output. Its table, column and row id are associated data:
copied to another cell it does not open.

Plain AES-GCM with random nonces of 96 bits allows only 2^32 messages for each key, and a repeated
nonce gives away the key that authenticates. So the version is XAES-256-GCM: the first half of a
nonce of 192 bits derives a key for AES-256-GCM, whose nonce is the other half. 2^80 messages are
safe for each key. https://c2sp.org/XAES-256-GCM
"""

import base64
import hashlib
import hmac
import secrets as random_source
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Protocol

import msgspec
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

log = structlog.get_logger()

VERSION: Final = "2"
KEY_ID_LENGTH: Final = 8  # hex digits
PREFIX_LENGTH: Final = len(VERSION) + KEY_ID_LENGTH + 2  # "1.", the key id and "."
SIGNATURE_BYTES: Final = 18  # 144 bits: 24 characters of base64 without padding


class AuthenticatedCipher(Protocol):
    """Authenticated encryption under one key, as the classes of `cryptography` have it."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...
    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...


class Xaes256Gcm:
    """XAES-256-GCM: AES-256-GCM with a key derived for each nonce (NIST SP 800-108, CMAC)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Return ciphertext and tag. The nonce has 24 bytes."""
        return self._derived(nonce).encrypt(nonce[12:], data, associated_data)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Return the plain text. Raises InvalidTag; ValueError for a nonce that is too short."""
        return self._derived(nonce).decrypt(nonce[12:], data, associated_data)

    def _derived(self, nonce: bytes) -> AESGCM:
        key = b""
        for counter in (1, 2):
            mac = CMAC(AES256(self._key))
            mac.update(bytes((0, counter)) + b"X\x00" + nonce[:12])
            key += mac.finalize()
        return AESGCM(key)


# Version of the format → cipher and bytes of its nonce. The first encrypts, all decrypt: rotation
# (`sigma keys rotate`) moves every row to the first.
FORMATS: Final[dict[str, tuple[type[Xaes256Gcm] | type[AESGCMSIV], int]]] = {
    VERSION: (Xaes256Gcm, 24),
    "1": (AESGCMSIV, 12),
}


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
    LIST_TOKEN = "list_token"  # what a list of payments or invoices is searched by  # noqa: S105
    CONTACT = "contact"  # VK id, e-mail or phone of a client, to find their payments
    CUSTOMER_WORD = "customer_word"  # a word of a client's name, or a tag
    REMINDER_STOP = "reminder_stop"  # a client who wants no reminders: survives an erasure
    ERASED_PEER = "erased_peer"  # a VK user whose older messages must not come back
    LOGIN = "login"  # of a failed sign-in, in the audit log
    DRAFT = "draft"  # the key that encrypts unsent replies in the browser of a user
    SETUP_CODE = "setup_code"  # the code of the set-up page
    NOTIFICATION_LINK = "notification_link"  # the code that links a VK page or Telegram chat
    NOTIFICATION_ADDRESS = "notification_address"  # a VK page, chat or browser, to find it again


class SignaturePurpose(StrEnum):
    """What a signature is for; part of what is signed, like a HashPurpose."""

    PAYMENT_LINK = "payment_link"  # the card of an invoice, or its recipient by e-mail
    STOP_LINK = "stop_link"  # the end of reminders to one client
    PUSH_KEY = "push_key"  # the key by which push services know this installation
    EXPORT_LINK = "export_link"  # an export and the end of its link


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
    `earlier_hash_keys`: stored hashes may still be theirs.
    """

    hash_key: bytes
    signing_keys: tuple[bytes, ...]
    audit_keys: tuple[bytes, ...]
    earlier_hash_keys: tuple[bytes, ...] = ()


def key_id_of(ciphertext: str) -> str:
    """Return the id of the key that a ciphertext needs; empty for a text of another format."""
    version, _, rest = ciphertext.partition(".")
    key_id, separator, _ = rest.partition(".")
    return key_id if version in FORMATS and separator and len(key_id) == KEY_ID_LENGTH else ""


class Cipher:
    """Encrypts with the first secret, decrypts with the one that the ciphertext names.

    Without `keys` the hash and signing keys are derived from the last secret; a process that
    serves loads them from the database (`sigma.store.installation_keys`).
    """

    def __init__(self, secrets: Sequence[str], keys: InstallationKeys | None = None) -> None:
        assert secrets, "at least one secret is required"
        self._secrets = tuple(secrets)
        self._ciphers: dict[tuple[str, str], AuthenticatedCipher] = {
            (version, _key_id(one)): cipher(
                _derive_key(one, f"sigma encryption {version}".encode())
            )
            for one in reversed(self._secrets)
            for version, (cipher, _) in FORMATS.items()
        }
        # Ids of the configured keys: the first encrypts.
        self.key_ids = tuple(dict.fromkeys(_key_id(one) for one in self._secrets))
        keys = keys or InstallationKeys(
            _derive_key(secrets[-1], b"sigma hash 1"),
            (_derive_key(secrets[-1], b"sigma signing 1"),),
            (_derive_key(secrets[-1], b"sigma audit 1"),),
        )
        self._keys = keys
        self._hash_key, self._signing_keys = keys.hash_key, keys.signing_keys
        self._audit_keys = {_fingerprint(key): key for key in keys.audit_keys}
        self._audit_key_id = next(iter(self._audit_keys))
        # Keys that this process needed for a value and that SIGMA_SECRET_KEY does not contain.
        self.missing_key_ids: set[str] = set()
        self._logged: set[tuple[str, str]] = set()

    def __reduce__(self) -> "tuple[type[Cipher], tuple[tuple[str, ...], InstallationKeys]]":
        """Let a process of our own that decrypts many rows have a copy."""
        return Cipher, (self._secrets, self._keys)

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

    def earlier_ciphers(self) -> "list[Cipher]":
        """Return a cipher for each earlier hash key, which hashes with it."""
        earlier = self._keys.earlier_hash_keys
        return [
            self.with_keys(replace(self._keys, hash_key=key, earlier_hash_keys=()))
            for key in earlier
        ]

    def keyed_hashes(self, purpose: HashPurpose, *texts: str) -> list[str]:
        """Return the keyed hashes that a stored one may have, that of today's key first."""
        ciphers = (self, *self.earlier_ciphers())
        return [cipher.keyed_hash(purpose, *texts) for cipher in ciphers]

    def encrypt(self, value: Any, column: str, row_id: str) -> str:
        """Return the ciphertext of any JSON-serializable value for one cell of the database.

        `column` is an EncryptedColumn, or the purpose of a value that is not stored.
        """
        assert row_id, "a ciphertext is bound to its row"
        nonce = random_source.token_bytes(FORMATS[VERSION][1])
        prefix, cipher = self.current_prefix, self._ciphers[VERSION, self.current_key_id]
        cell = _associated_data(prefix, column, row_id)
        encrypted = cipher.encrypt(nonce, msgspec.json.encode(value), cell)
        return prefix + base64.urlsafe_b64encode(nonce + encrypted).decode().rstrip("=")

    def decrypt(self, ciphertext: str, column: str, row_id: str) -> Any:
        """Return the value of a ciphertext of this cell. Raises DecryptionError."""
        key_id = key_id_of(ciphertext)
        version = ciphertext.partition(".")[0]
        cipher = self._ciphers.get((version, key_id))
        if cipher is None:
            raise self._failure(key_id, column, row_id)
        nonce_bytes = FORMATS[version][1]
        prefix, payload = ciphertext[:PREFIX_LENGTH], ciphertext[PREFIX_LENGTH:]
        try:
            raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
            cell = _associated_data(prefix, column, row_id)
            return msgspec.json.decode(cipher.decrypt(raw[:nonce_bytes], raw[nonce_bytes:], cell))
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


def _encryption_info(version: str) -> bytes:
    return f"sigma encryption {version}".encode()


def _key_id(secret: str) -> str:
    return _derive_key(secret, b"sigma key id 1").hex()[:KEY_ID_LENGTH]


def _derive_key(secret: str, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(secret.encode())
