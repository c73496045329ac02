"""Which IP addresses and host names are public."""

import ipaddress

import idna

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Names that never lead to the public internet. Source: RFC 6761, RFC 6762, RFC 8375, RFC 9476,
# and top-level domains that ICANN does not delegate because private networks use them.
_PRIVATE_DOMAINS = (
    *("local", "localhost", "localdomain", "internal", "intranet", "private", "lan", "home"),
    *("corp", "home.arpa", "onion", "alt", "invalid", "test"),
)
# The only IPv6 block that is assigned to the public internet (IANA), without its special parts:
# Teredo and other protocol assignments, documentation, and 6to4, which embeds IPv4 addresses.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
# Networks without IPv4 reach it by these addresses: the last four bytes are the IPv4 address.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Public by the tables of older Python versions, but not meant for ordinary servers.
_SPECIAL_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in ("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "240.0.0.0/4")
)


def is_public_address(address: IPAddress) -> bool:
    """Return whether an address belongs to an ordinary server of the public internet.

    No: loopback, private, link-local, carrier NAT, multicast, reserved and documentation
    addresses, and IPv6 addresses that embed an IPv4 address (mapped, compatible, 6to4, Teredo;
    NAT64 when the embedded address is not public).
    """
    if isinstance(address, ipaddress.IPv4Address):
        if address.is_multicast or any(address in network for network in _SPECIAL_V4):
            return False
        return address.is_global
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return is_public_address(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    if address not in _PUBLIC_V6 or any(address in network for network in _SPECIAL_V6):
        return False
    return address.is_global


def parse_address(text: str) -> IPAddress | None:
    """Return the IP address that a host is, without brackets, or None when it is a name."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def normalize_host(text: str) -> str:
    """Return a host in its one spelling: lower case, IDNA, no dot at the end, IPv6 compressed.

    Raises ValueError for everything else, also for IP addresses in unusual spellings (127.1,
    0x7f.0.0.1, 2130706433, 017700000001) and with a zone (fe80::1%eth0): programs read them
    differently, so what was checked would not be what is connected to.
    """
    host = text.strip("[]") if text.startswith("[") and text.endswith("]") else text
    if not host or len(host) > 253 or "%" in host:
        raise ValueError("host")
    if (address := parse_address(host)) is not None:
        return str(address)
    if not host.isascii():
        host = idna.encode(host, uts46=True).decode("ascii")  # raises a ValueError
    host = host.lower().removesuffix(".")
    if (address := parse_address(host)) is not None:  # written with full-width digits
        return str(address)
    labels = host.split(".")
    if not all(_is_label(label) for label in labels) or _is_number(labels[-1]):
        raise ValueError("host")
    return host


def _is_label(label: str) -> bool:
    is_word = label.replace("-", "").replace("_", "").isalnum() and label.isascii()
    return is_word and len(label) <= 63 and label[0] != "-" != label[-1]


def _is_number(label: str) -> bool:
    """Return whether a last label makes the whole host an IPv4 address for C libraries."""
    return label.isdigit() or label.startswith("0x")


def is_public_host(host: str) -> bool:
    """Return whether a normalized host can be public: a public address, or a name of two labels
    outside the private domains. What a name resolves to is checked at each connection.
    """
    if (address := parse_address(host)) is not None:
        return is_public_address(address)
    return "." in host and not any(
        host == domain or host.endswith(f".{domain}") for domain in _PRIVATE_DOMAINS
    )
