"""Outgoing and incoming TLS: version 1.2 at least, and only suites with forward secrecy."""

import asyncio
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from sigma.outbound.tls import build_context, build_server_context
from tests.outbound.servers import Authority, listening, make_authority, server_context

Weaken = Callable[[ssl.SSLContext], ssl.SSLContext]
CBC_SUITE = "ECDHE-ECDSA-AES128-SHA256"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


async def handshake(port: int, client: ssl.SSLContext) -> str:
    """Return the version of TLS that both sides agree on. Raises ssl.SSLError, OSError."""
    _, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=client, server_hostname="bank.example"
    )
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    writer.close()
    return tls.version() or ""


def old_version(context: ssl.SSLContext) -> ssl.SSLContext:
    """Let a context use TLS 1.1 only, against the defaults of the system."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def cbc_only(context: ssl.SSLContext) -> ssl.SSLContext:
    """Let a context use TLS 1.2 with one suite without authenticated encryption."""
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CBC_SUITE)
    return context


@pytest.mark.parametrize("weaken", [old_version, cbc_only])
async def test_weak_server_is_not_connected_to(
    authority: Authority, tmp_path: Path, weaken: Weaken
) -> None:
    server = weaken(server_context(authority, tmp_path, "bank.example"))
    async with listening(tls=server) as listener:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await handshake(listener.port, build_context(authority.pem))
        weak_client = weaken(ssl.create_default_context(cadata=authority.pem))
        assert await handshake(listener.port, weak_client), "another client connects"


@pytest.mark.parametrize("weaken", [old_version, cbc_only])
async def test_weak_client_is_not_served(
    authority: Authority, tmp_path: Path, weaken: Weaken
) -> None:
    server_context(authority, tmp_path, "bank.example")
    server = build_server_context(str(tmp_path / "server-bank.example.pem"))
    async with listening(tls=server) as listener:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await handshake(listener.port, weaken(ssl.create_default_context(cadata=authority.pem)))
        assert await handshake(listener.port, build_context(authority.pem)) == "TLSv1.3"


@pytest.mark.parametrize("certificates", [True, False])
def test_every_context_has_the_same_minimum_and_suites(
    authority: Authority, *, certificates: bool
) -> None:
    context = build_context(authority.pem if certificates else None)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    names = {one["name"] for one in context.get_ciphers()}
    assert all("GCM" in name or "CHACHA20" in name for name in names)
    assert all(name.startswith(("ECDHE-", "TLS_")) for name in names)
    ordered = [one["name"] for one in context.get_ciphers() if one["protocol"] == "TLSv1.2"]
    assert "AES256" in ordered[0], "the strongest first"
