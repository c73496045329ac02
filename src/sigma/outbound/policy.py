"""Which connections are allowed: public and encrypted ones, and the installation's exceptions."""

import ipaddress
from dataclasses import dataclass

from sigma.outbound.addresses import (
    IPAddress,
    IPNetwork,
    is_public_address,
    is_public_host,
    normalize_host,
    parse_address,
)

SMTP_PORTS = frozenset({25, 465, 587, 2525})
HTTPS_PORT = 443
FIRST_FREE_PORT = 1024  # ports below belong to other protocols


class DeniedError(OSError):
    """A connection that the policy does not allow. The text is for the administrator's log only."""


@dataclass(frozen=True, slots=True)
class Exemption:
    """An address that may be connected to although it is not public, also without TLS.

    Either `name`: a normalized host name, with every address that it resolves to. Or `network`:
    addresses that are written in a URL, or that a public name resolves to. `port` None: all ports.
    """

    name: str = ""
    network: IPNetwork | None = None
    port: int | None = None

    def covers(self, host: str, address: IPAddress | None, port: int) -> bool:
        """Return whether this exemption is for a host that resolved to `address`."""
        if self.port not in (None, port):
            return False
        if self.network is None:
            return host == self.name
        return address is not None and address in self.network


def parse_exemption(text: str) -> Exemption:
    """Parse "10.1.0.0/16", "127.0.0.1:8001", "[fd00::1]:443", "bank.internal".

    Raises ValueError.
    """
    try:
        return Exemption(network=ipaddress.ip_network(text))
    except ValueError:
        pass
    host, colon, port_text = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, None
    elif port_text.isascii() and port_text.isdigit() and 0 < int(port_text) < 65536:
        port = int(port_text)
    else:
        raise ValueError(text)
    host = normalize_host(host)
    if (address := parse_address(host)) is not None:
        return Exemption(network=ipaddress.ip_network(address), port=port)
    return Exemption(name=host, port=port)


def parse_host_pattern(text: str) -> str:
    """Return a host name, or "*." and a domain, in its one spelling. Raises ValueError."""
    wildcard = "*." if text.startswith("*.") else ""
    host = normalize_host(text.removeprefix("*."))
    if parse_address(host) is not None:
        raise ValueError(text)
    if wildcard and "." not in host:
        raise ValueError(text)
    return wildcard + host


def matches_pattern(host: str, pattern: str) -> bool:
    """Return whether a normalized host is the one of the pattern, or a subdomain for "*."."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return host == pattern


@dataclass(frozen=True, slots=True)
class Policy:
    """The rule for every outgoing connection.

    `hosts`: patterns of the only public hosts that may be called; empty: every public host.
    `must_encrypt`: exempt hosts on other machines need encryption too.
    """

    exemptions: tuple[Exemption, ...] = ()
    hosts: tuple[str, ...] = ()
    must_encrypt: bool = False

    def is_exempt(self, host: str, port: int, address: IPAddress | None = None) -> bool:
        """Return whether the installation has named this host, or this resolved address."""
        literal = parse_address(host)
        return any(one.covers(host, address or literal, port) for one in self.exemptions)

    def check_host(self, host: str, port: int, scheme: str, *, is_encrypted: bool) -> None:
        """Check what is known before the host is resolved. Raises DeniedError.

        A private name, or a name that is called without encryption, must itself be exempt: an
        exempt network that it resolves into is not enough.
        """
        if self.is_exempt(host, port):
            literal = parse_address(host)
            is_local = host == "localhost" or (literal is not None and literal.is_loopback)
            self._check_encryption(is_local=is_local, is_encrypted=is_encrypted)
            return
        self.check_public(host, port, scheme, is_encrypted=is_encrypted)

    def check_address(
        self, host: str, address: IPAddress, port: int, scheme: str, *, is_encrypted: bool
    ) -> None:
        """Check one address that a host resolved to. Raises DeniedError."""
        if self.is_exempt(host, port, address):
            self._check_encryption(is_local=address.is_loopback, is_encrypted=is_encrypted)
            return
        self.check_public(host, port, scheme, is_encrypted=is_encrypted)
        if not is_public_address(address):
            raise DeniedError(f"{address} is not a public address")

    def check_public(self, host: str, port: int, scheme: str, *, is_encrypted: bool) -> None:
        """Check a host that has no exemption. Raises DeniedError."""
        if not is_public_host(host):
            raise DeniedError("not a public host")
        if not is_encrypted:
            raise DeniedError("not encrypted")
        if not is_public_port(scheme, port):
            raise DeniedError(f"port {port} is not for {scheme}")
        if self.hosts and not any(matches_pattern(host, pattern) for pattern in self.hosts):
            raise DeniedError("not a host of SIGMA_OUTBOUND_HOSTS")

    def _check_encryption(self, *, is_local: bool, is_encrypted: bool) -> None:
        """Check a host that is exempt. Raises DeniedError."""
        if self.must_encrypt and not is_encrypted and not is_local:
            raise DeniedError("not encrypted")


def is_public_port(scheme: str, port: int) -> bool:
    """Return whether a public server may be called at this port, by the URL's scheme."""
    if scheme.startswith("smtp"):
        return port in SMTP_PORTS
    return port == HTTPS_PORT or port >= FIRST_FREE_PORT
