"""Servers on this machine with certificates of their own authority, and scripted resolvers."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sigma.outbound.guard import Outbound
from sigma.outbound.policy import Policy, parse_exemption

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Authority:
    """A certificate authority of a test. `pem` is its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        """The certificate as text."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def private_key_pem(self) -> str:
        """The private key as text."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()


def make_authority(*, expires_in_days: int = 2, is_authority: bool = True) -> Authority:
    """Make a self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
    builder = _builder(name, name, key.public_key(), expires_in_days)
    constraints = x509.BasicConstraints(ca=is_authority, path_length=None)
    signed = builder.add_extension(constraints, critical=True).sign(key, hashes.SHA256())
    return Authority(key, signed)


def pem_with_extensions(*extensions: tuple[str, bytes], equal: bool = False) -> str:
    """Return a certificate with extensions: number and content, as they are.

    `equal`: the second gets the number of the first, which no library writes.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Odd")])
    builder = _builder(name, name, key.public_key(), 2)
    numbers = [x509.ObjectIdentifier(number) for number, _ in extensions]
    for number, (_, content) in zip(numbers, extensions, strict=True):
        builder = builder.add_extension(x509.UnrecognizedExtension(number, content), critical=False)
    der = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    if equal:
        first, second = (bytes(map(int, one.dotted_string.split(".")[2:])) for one in numbers)
        start = b"\x06\x03\x2a"  # 1.2 of a number of four parts
        der = der.replace(start + second, start + first)
    return ssl.DER_cert_to_PEM_cert(der)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
    )


def server_context(authority: Authority, folder: Path, *names: str) -> ssl.SSLContext:
    """Return the TLS context of a server with these names or IP addresses in its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    alternatives: list[x509.GeneralName] = []
    for name in names:
        try:
            alternatives.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            alternatives.append(x509.DNSName(name))
    certificate = (
        _builder(subject, authority.certificate.subject, key.public_key(), 2)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    private_key = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / f"server-{names[0].replace(':', '-')}.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@dataclass
class Listener:
    """A running server and the number of connections it accepted."""

    port: int
    connections: int = 0
    heads: list[str] = field(default_factory=list)


@asynccontextmanager
async def listening(
    serve: Serve | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[Listener]:
    """Run a server that calls `serve` for each connection; None: it says nothing."""
    listener = Listener(0)
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            if serve is None:
                await reader.read()
            else:
                await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, host, port, ssl=tls)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        async with server:
            yield listener
            for task in tasks:
                task.cancel()
    finally:
        await asyncio.gather(*tasks, return_exceptions=True)


def http_server(response: bytes, heads: list[str] | None = None) -> Serve:
    """Return a server that sends the same bytes to each request and then closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if heads is not None:
            heads.append(head.decode())
        writer.write(response)
        await writer.drain()

    return serve


class ScriptedResolver:
    """Answers a name with the next list of addresses; the last one is repeated."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.names: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        """Return the next answer. An empty one is a name that does not exist."""
        self.names.append(host)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if not answer:
            raise OSError("no such name")
        return answer


def guard(*exemptions: str, resolve: ScriptedResolver | None = None, proxy: str = "") -> Outbound:
    """Return a guard with exemptions, as the setting SIGMA_OUTBOUND_ALLOW has them."""
    return Outbound(Policy(tuple(map(parse_exemption, exemptions))), resolve=resolve, proxy=proxy)
