"""Web Push: one encrypted message to the push service of one browser.

Sources: RFC 8030 (request), RFC 8291 (encryption), RFC 8292 (VAPID, the signature of this server).
The push service is an address that a browser has named: every request passes the outbound guard.
"""

import base64
import binascii
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import http_ece
import httpx
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sigma.channels.delivery_error import NO_RESPONSE, DeliveryError, parse_retry_after_s
from sigma.outbound import http
from sigma.outbound.urls import InvalidUrlError, parse_url

MAX_PAYLOAD_BYTES = 3000  # services must accept 4096 with the encryption's own bytes
TTL_S = 24 * 3600  # a browser that is off for longer gets nothing: the page has it
TIMEOUT_S = 10.0
MAX_RESPONSE_BYTES = 64_000
_TOKEN_LIFETIME_S = 12 * 3600  # RFC 8292: at most 24 hours
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
_GONE = (404, 410)

OpenClient = Callable[[str | None], httpx.AsyncClient]


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a browser gives: the URL of its push service, and its keys as URL-safe base64."""

    endpoint: str
    p256dh: str
    auth: str = field(repr=False)


def parse_subscription(endpoint: str, p256dh: str, auth: str) -> Subscription:
    """Return a subscription that can be encrypted to. Raises ValueError.

    Whether the endpoint may be connected to is decided by the outbound guard at each request.
    """
    try:
        parse_url(endpoint, "https", "http")
        if len(_decode(auth)) != 16:
            raise ValueError("auth")
        _public_key(_decode(p256dh))
    except (InvalidUrlError, binascii.Error, UnsupportedAlgorithm) as error:
        raise ValueError("subscription") from error
    return Subscription(endpoint, p256dh, auth)


class ServerKey:
    """The key pair by which push services know this installation (VAPID)."""

    def __init__(self, secret: bytes) -> None:
        """`secret`: 32 random bytes; the same bytes give the same key."""
        number = int.from_bytes(secret, "big") % (_ORDER - 1) + 1
        self._private = ec.derive_private_key(number, ec.SECP256R1())

    @property
    def public_text(self) -> str:
        """The public key as a browser's `applicationServerKey`."""
        raw = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return _encode(raw)

    def authorization(self, origin: str, contact: str, now_s: int) -> str:
        """Return the header that signs a request to a push service.

        `contact`: a mailto: or https: URL where its operator reaches the administrator.
        """
        header = {"typ": "JWT", "alg": "ES256"}
        claims = {"aud": origin, "exp": now_s + _TOKEN_LIFETIME_S, "sub": contact}
        signed = ".".join(_encode(msgspec.json.encode(part)) for part in (header, claims))
        signature = self._private.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        r, s = decode_dss_signature(signature)
        token = f"{signed}.{_encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
        return f"vapid t={token}, k={self.public_text}"


def encrypt(payload: bytes, subscription: Subscription) -> bytes:
    """Return the body of a push message: only this browser can read it."""
    assert len(payload) <= MAX_PAYLOAD_BYTES, "the caller shortens the text"
    body: bytes = http_ece.encrypt(
        payload,
        salt=os.urandom(16),
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=_decode(subscription.p256dh),
        auth_secret=_decode(subscription.auth),
        version="aes128gcm",
    )
    return body


class PushClient:
    """Sends push messages of one installation. The HTTP client is opened at the first one."""

    def __init__(self, open_client: OpenClient) -> None:
        self._open_client = open_client
        self._http_client: httpx.AsyncClient | None = None

    async def send(
        self, key: ServerKey, subscription: Subscription, payload: bytes, contact: str, now_s: int
    ) -> str:
        """Send one message; return the status of the push service. Raises DeliveryError.

        A message that is sent twice replaces the first one in the browser: its `tag` is the same.
        """
        if self._http_client is None:
            self._http_client = self._open_client(None)
        origin = destination(subscription)
        headers = {
            "Authorization": key.authorization(origin, contact, now_s),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(TTL_S),
            "Urgency": "high",
        }
        try:
            response = await http.send(
                self._http_client,
                "POST",
                subscription.endpoint,
                timeout_s=TIMEOUT_S,
                max_bytes=MAX_RESPONSE_BYTES,
                headers=headers,
                content=encrypt(payload, subscription),
            )
        except http.NoResponseError:
            raise DeliveryError(NO_RESPONSE, is_response=False) from None
        if 200 <= response.status < 300:
            return f"HTTP {response.status}"
        raise _refusal(response)

    async def close(self) -> None:
        """Close the HTTP client."""
        opened, self._http_client = self._http_client, None
        if opened is not None:
            await opened.aclose()


def destination(subscription: Subscription) -> str:
    """Return the origin of a push service: what a circuit breaker counts."""
    return parse_url(subscription.endpoint, "https", "http").origin


def _refusal(response: http.HttpResponse) -> DeliveryError:
    """Return the error of an HTTP status. 401 and 403: the subscription is for another key."""
    status = response.status
    is_temporary = status == 429 or status >= 500
    return DeliveryError(
        f"HTTP {status}",
        is_gone=status in (*_GONE, 401, 403),
        is_permanent=not is_temporary,
        retry_after_s=parse_retry_after_s(response.retry_after),
        is_response=status < 500,
    )


def _public_key(raw: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
