"""Authenticators without hardware: a passkey in software, and the app with six digits.

The passkey answers as a browser does: https://www.w3.org/TR/webauthn-3/#sctn-cryptographic-challenges
"""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from typing import Any

import pyotp
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import bytes_to_base64url, encode_cbor

from sigma.services.context import Context

USER_PRESENT, USER_VERIFIED, HAS_CREDENTIAL = 0x01, 0x04, 0x40


def app_code(ctx: Context, secret: str, *, steps: int = 0) -> str:
    """Return the code of an app with this secret now, or some steps of half a minute later."""
    totp = pyotp.TOTP(secret.replace(" ", ""))
    return totp.at(ctx.now_us() // 1_000_000 + 30 * steps)


@dataclass
class SoftwarePasskey:
    """One passkey. `origin` and `rp_id`: the page that a browser says it was used on."""

    origin: str = "http://localhost:8000"
    rp_id: str = "localhost"
    is_user_verified: bool = True
    sign_count: int = 0
    user_handle: str = ""
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def create(self, options: str) -> str:
        """Answer the request for a new passkey."""
        request = json.loads(options)
        self.user_handle = request["user"]["id"]
        numbers = self.key.public_key().public_numbers()
        public_key: dict[int, Any] = {1: 2, 3: -7, -1: 1}
        public_key |= {-2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        credential = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id
        auth_data = self._authenticator_data(HAS_CREDENTIAL) + credential
        auth_data += encode_cbor(public_key)
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": auth_data})
        return self._answer(
            {
                "clientDataJSON": self._client_data("webauthn.create", request),
                "attestationObject": bytes_to_base64url(attestation),
                "transports": ["internal"],
            }
        )

    def get(self, options: str) -> str:
        """Answer a request to prove the possession of the passkey."""
        request = json.loads(options)
        self.sign_count += 1
        auth_data = self._authenticator_data()
        client_data = self._client_data("webauthn.get", request)
        signed = auth_data + hashlib.sha256(_decode(client_data)).digest()
        return self._answer(
            {
                "clientDataJSON": client_data,
                "authenticatorData": bytes_to_base64url(auth_data),
                "signature": bytes_to_base64url(self.key.sign(signed, ec.ECDSA(SHA256()))),
                "userHandle": self.user_handle,
            }
        )

    def _authenticator_data(self, flags: int = 0) -> bytes:
        flags |= USER_PRESENT | (USER_VERIFIED if self.is_user_verified else 0)
        rp_hash = hashlib.sha256(self.rp_id.encode()).digest()
        return rp_hash + bytes([flags]) + self.sign_count.to_bytes(4, "big")

    def _client_data(self, kind: str, request: dict[str, Any]) -> str:
        data = {"type": kind, "challenge": request["challenge"], "origin": self.origin}
        return bytes_to_base64url(json.dumps(data | {"crossOrigin": False}).encode())

    def _answer(self, response: dict[str, Any]) -> str:
        text = bytes_to_base64url(self.credential_id)
        return json.dumps({"id": text, "rawId": text, "type": "public-key", "response": response})


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
