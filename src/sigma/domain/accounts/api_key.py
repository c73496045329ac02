"""API keys of a shop: scopes, expiry, allowed addresses; a key has the rights of its maker."""

import ipaddress
from dataclasses import dataclass

from sigma.domain.accounts.member import ALL_SCOPES, Member, Scope
from sigma.domain.errors import Problem
from sigma.domain.time_units import DAY_US

COMMAND_LINE = "cli"  # the maker of keys that `sigma key create` made: no member of a team
MAX_NETWORKS = 20
MAX_LIFETIME_DAYS = 3650


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key. `prefix` is the start of the secret, shown in the cabinet to identify the key.

    `created_by` is the user id of its maker, or COMMAND_LINE. `allowed_networks` are addresses and
    networks in CIDR form; empty: any address. Times are UTC microseconds; `used_at_us` is 0 when
    the key was never used, `expires_at_us` None when it does not expire.
    """

    id: str
    shop_id: str
    name: str
    prefix: str
    secret_hash: str
    scopes: tuple[Scope, ...]
    created_by: str
    created_at_us: int
    expires_at_us: int | None = None
    allowed_networks: tuple[str, ...] = ()
    used_at_us: int = 0
    revoked_at_us: int | None = None

    def is_expired(self, now_us: int) -> bool:
        """Return whether the key has expired at `now_us`."""
        return self.expires_at_us is not None and self.expires_at_us <= now_us

    def allows_address(self, ip: str) -> bool:
        """Return whether a request may come from this address.

        IPv4 inside IPv6 counts as IPv4. What is not an address is allowed only without a list.
        """
        if not self.allowed_networks:
            return True
        try:
            address = ipaddress.ip_address(ip.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in ipaddress.ip_network(one) for one in self.allowed_networks)


def parse_networks(text: str) -> tuple[str, ...] | Problem:
    """Parse addresses and CIDR networks, separated by commas, spaces or line breaks.

    Returns them in canonical form without repetitions. A network with bits behind its mask is
    refused: it is a typing mistake, and the smaller or the larger network may have been meant.
    """
    networks: dict[str, None] = {}
    for part in text.replace(",", " ").split():
        try:
            networks[str(ipaddress.ip_network(part))] = None
        except ValueError:
            return Problem("networks", "network", {"part": part[:60]})
    if len(networks) > MAX_NETWORKS:
        return Problem("networks", "too_many", {"max": MAX_NETWORKS})
    return tuple(networks)


def check_scopes(maker: Member, scopes: tuple[Scope, ...]) -> list[Problem]:
    """Return the problems of a new key's scopes: none chosen, or one that its maker cannot use."""
    if not scopes:
        return [Problem("scopes", "scopes_required")]
    beyond = [scope for scope in scopes if scope not in usable_scopes(maker)]
    return [Problem("scopes", "scope_beyond", {"scope": str(scope)}) for scope in beyond[:1]]


def usable_scopes(maker: Member) -> tuple[Scope, ...]:
    """Return the scopes that a key of this member could use now."""
    every = Member(
        maker.actor, maker.shop_id, maker.role, maker.refund_limits, frozenset(ALL_SCOPES)
    )
    return tuple(scope for scope in Scope if every.can_use(scope))


def expiry_us(days: int | None, now_us: int) -> int | None:
    """Return when a key with a lifetime of `days` expires, None when it does not."""
    return None if days is None else now_us + days * DAY_US
