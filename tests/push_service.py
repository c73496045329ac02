"""A push service on this machine, and browsers that decrypt what it gets (RFC 8030, 8291, 8292)."""

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import http_ece
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def encode(raw: bytes) -> str:
    """Return URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode(text: str) -> bytes:
    """Return the bytes of URL-safe base64 without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class PushRequest:
    """A request to the push service."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of the signature, which is checked here with the key that it names."""
        parts = self.headers["authorization"].removeprefix("vapid ").split(", ")
        fields = dict(part.split("=", 1) for part in parts)
        head, body, signature = fields["t"].split(".")
        raw = decode(signature)
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decode(fields["k"]))
        key.verify(der, f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
        assert json.loads(decode(head)) == {"typ": "JWT", "alg": "ES256"}
        return {**json.loads(decode(body)), "key": fields["k"]}


@dataclass
class PushBrowser:
    """A browser with a subscription; `displayed` is what its service worker shows, by tag."""

    endpoint: str
    private_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    auth: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    @property
    def path(self) -> str:
        return "/" + self.endpoint.split("/", 3)[3]

    @property
    def keys(self) -> tuple[str, str]:
        """`p256dh` and `auth` as the browser gives them."""
        raw = self.private_key.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        return encode(raw), encode(self.auth)

    def read(self, request: PushRequest) -> dict[str, Any]:
        """Return the decrypted payload of a request."""
        raw = http_ece.decrypt(
            request.body,
            private_key=self.private_key,
            auth_secret=self.auth,
            version="aes128gcm",
        )
        payload: dict[str, Any] = json.loads(raw)
        return payload


@dataclass
class PushService:
    """The service. `statuses`: what it answers, one for each request, then 201."""

    origin: str
    requests: list[PushRequest] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def new_browser(self) -> PushBrowser:
        """Return a browser that is subscribed here."""
        return PushBrowser(f"{self.origin}/push/{secrets.token_hex(8)}")

    def payloads(self, browser: PushBrowser) -> list[dict[str, Any]]:
        """Return what a browser has got, decrypted, the oldest first."""
        return [browser.read(one) for one in self.requests if one.path == browser.path]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        status = self.statuses.pop(0) if self.statuses else 201
        if 200 <= status < 300:
            self.requests.append(PushRequest(first.split()[1], headers, body))
        writer.write(
            f"HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def open_push_service() -> AsyncIterator[PushService]:
    """Serve on a free port while the block runs."""
    service = PushService("")
    server = await asyncio.start_server(service.handle, "127.0.0.1", 0)
    service.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield service
