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


@dataclass(frozen=True, slots=True)
class Policy:
    """The rule for every outgoing connection."""

    exemptions: tuple[Exemption, ...] = ()

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
            return
        self.check_public(host, port, scheme, is_encrypted=is_encrypted)

    def check_address(
        self, host: str, address: IPAddress, port: int, scheme: str, *, is_encrypted: bool
    ) -> None:
        """Check one address that a host resolved to. Raises DeniedError."""
        if self.is_exempt(host, port, address):
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


def is_public_port(scheme: str, port: int) -> bool:
    """Return whether a public server may be called at this port, by the URL's scheme."""
    if scheme.startswith("smtp"):
        return port in SMTP_PORTS
    return port == HTTPS_PORT or port >= FIRST_FREE_PORT
