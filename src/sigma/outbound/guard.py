"""Connect to the addresses that the policy allows, and to no other.

A host is resolved once per connection, each address is checked, and the connection is made to
exactly a checked address: a name server that answers differently the next time changes nothing.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from dataclasses import replace

import aiohappyeyeballs
import structlog

from sigma.outbound.addresses import normalize_host, parse_address
from sigma.outbound.policy import DeniedError, Exemption, Policy
from sigma.outbound.resolver import Resolve, SystemResolver
from sigma.outbound.tls import TlsContexts
from sigma.outbound.urls import DEFAULT_PORTS, InvalidUrlError, Url, parse_url

CONNECT_TIMEOUT_S = 5.0
NEXT_ADDRESS_DELAY_S = 0.25  # RFC 8305: the next address is tried when one does not answer
MAX_ADDRESSES = 8

log = structlog.get_logger()


class Outbound:
    """The guard of one process. Immutable except for its cache of TLS contexts."""

    def __init__(
        self, policy: Policy | None = None, *, resolve: Resolve | None = None, proxy: str = ""
    ) -> None:
        """`proxy`: URL of an HTTP proxy for https requests to hosts that are not exempt."""
        self.policy = policy or Policy()
        self.proxy = parse_url(proxy, "http") if proxy else None
        self._resolve = resolve or SystemResolver()
        self._tls = TlsContexts()

    def with_exemptions(self, exemptions: Iterable[Exemption]) -> "Outbound":
        """Return a guard that also allows these; it shares the TLS contexts."""
        other = Outbound(
            replace(self.policy, exemptions=(*self.policy.exemptions, *exemptions)),
            resolve=self._resolve,
            proxy=self.proxy.origin if self.proxy else "",
        )
        other._tls = self._tls
        return other

    def exempting(self, *urls: str) -> "Outbound":
        """Return a guard that also allows the host and port of URLs from the settings.

        The administrator named them, so they may be private. Empty and invalid URLs are ignored.
        """
        found = []
        for text in urls:
            try:
                url = parse_url(text, *DEFAULT_PORTS)
            except InvalidUrlError:
                continue
            if (address := parse_address(url.host)) is not None:
                found.append(Exemption(network=ipaddress.ip_network(address), port=url.port))
            else:
                found.append(Exemption(name=url.host, port=url.port))
        return self.with_exemptions(found)

    async def tls_context(self, ca_certificates: str | None = None) -> ssl.SSLContext:
        """Return a TLS context, see `TlsContexts.get`."""
        return await self._tls.get(ca_certificates)

    def check_url(self, url: Url) -> None:
        """Check the text of a URL; a name is resolved and checked when it is connected to.

        Raises DeniedError.
        """
        self.policy.check_host(url.host, url.port, url.scheme, is_encrypted=url.scheme == "https")

    async def connect(
        self,
        host: str,
        port: int,
        scheme: str,
        *,
        is_encrypted: bool,
        timeout_s: float | None = None,
    ) -> socket.socket:
        """Return a connected, non-blocking socket to a checked address of the host.

        `scheme` decides about the port (https, http, smtps, smtp); `is_encrypted` says whether TLS
        follows. Raises DeniedError, TimeoutError or OSError; none of their texts is for users.
        """
        try:
            host = normalize_host(host)
        except ValueError:
            raise DeniedError("not a host") from None
        if not 0 < port < 65536:
            raise DeniedError("not a port")
        self.policy.check_host(host, port, scheme, is_encrypted=is_encrypted)
        async with asyncio.timeout(timeout_s or CONNECT_TIMEOUT_S):
            literal = parse_address(host)
            texts = [str(literal)] if literal is not None else await self._resolve(host)
            denied: DeniedError | None = None
            entries = []
            for text in texts:
                try:
                    address = ipaddress.ip_address(text)
                    self.policy.check_address(
                        host, address, port, scheme, is_encrypted=is_encrypted
                    )
                except ValueError:
                    denied = DeniedError("an address with a zone, or none at all")
                except DeniedError as error:
                    denied = error
                else:
                    entries.append(_address_info(address, port))
            if not entries:
                raise denied or OSError("the name has no address")
            return await aiohappyeyeballs.start_connection(
                entries[:MAX_ADDRESSES], happy_eyeballs_delay=NEXT_ADDRESS_DELAY_S
            )

    async def connect_to_proxy(self, timeout_s: float | None) -> socket.socket:
        """Return a socket that is connected to the installation's proxy. Raises OSError."""
        assert self.proxy is not None
        proxy = self.proxy
        allowed = self.exempting(proxy.origin)
        # What goes through it is TLS from end to end: the proxy sees names of hosts only.
        return await allowed.connect(
            proxy.host, proxy.port, "http", is_encrypted=True, timeout_s=timeout_s
        )


def _address_info(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    # The protocol is explicit: without it asyncio does not set TCP_NODELAY.
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (str(address), port)


def log_failure(host: str, port: int, error: BaseException, detail: str = "") -> None:
    """Log why a connection or a request failed; only the administrator reads the log.

    `detail` must not quote a request: it may contain secrets and personal data.
    """
    log.info(
        "outbound.failed", host=host, port=port, error=type(error).__name__, detail=detail[:200]
    )
