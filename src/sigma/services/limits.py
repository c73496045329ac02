"""Rate limits: how often an address, an account or a payment may do something.

The limits are in `sigma.domain.limits`, the counters in the database, so that all processes agree.
One attempt costs one small write; above a limit nothing is written. The package `limits` is not
used: its storages need three calls for what one statement returns, and it has no growing delays.
All methods raise StoreError. Never call them inside a transaction of the same task: on SQLite the
write would wait for that transaction.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

from sigma.domain.limits import GrowingDelay, Limit, too_many_requests
from sigma.domain.time_units import SECOND_US
from sigma.store import rate_counters
from sigma.store.encryption import Cipher, HashPurpose
from sigma.store.engine.interface import Database

MAX_RACES = 10  # tries of a compare-and-set before the attempt is refused


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a limit is used after an attempt; `is_exceeded`: the attempt is refused."""

    limit: Limit
    remaining: int
    wait_us: int  # until the window ends
    is_exceeded: bool


class RateLimiter:
    """Counts attempts by limit and subject, and refuses those above the limit."""

    def __init__(self, db: Database, cipher: Cipher, now_us: Callable[[], int]) -> None:
        self._db = db
        self._cipher = cipher
        self._now_us = now_us

    def _key(self, limit: Limit | GrowingDelay, subject: str) -> str:
        """Return the key of a counter: addresses and logins are not stored in plain text."""
        return self._cipher.keyed_hash(HashPurpose.RATE_COUNTER, limit.name, subject)

    async def count(self, limit: Limit, subject: str) -> Usage:
        """Count one attempt, unless it is above the limit."""
        key, now_us = self._key(limit, subject), self._now_us()
        until_us = now_us + limit.window_s * SECOND_US
        counter = await rate_counters.add(
            self._db, key, amount=limit.amount, now_us=now_us, until_us=until_us
        )
        if counter is not None:
            remaining = max(limit.amount - counter.count, 0)
            return Usage(limit, remaining, counter.expires_at_us - now_us, is_exceeded=False)
        full = await rate_counters.get(self._db, key, now_us)
        wait_us = full.expires_at_us - now_us if full else SECOND_US
        return Usage(limit, 0, wait_us, is_exceeded=True)

    async def start_at(self, limit: Limit, subject: str, count: int, opened_at_us: int) -> None:
        """Let a limit begin with attempts that were made before it held.

        `opened_at_us`: when the first of these `count` attempts was made.
        """
        until_us = opened_at_us + limit.window_s * SECOND_US
        await rate_counters.put(
            self._db,
            self._key(limit, subject),
            count=count,
            now_us=self._now_us(),
            until_us=until_us,
        )

    async def is_allowed(self, limit: Limit, subject: str) -> bool:
        """Count one attempt. Returns False when it is above the limit."""
        return not (await self.count(limit, subject)).is_exceeded

    async def require(self, limit: Limit, subject: str) -> None:
        """Count one attempt. Raises RefusedError("too_many_requests") above the limit."""
        usage = await self.count(limit, subject)
        if usage.is_exceeded:
            raise too_many_requests(usage.wait_us)

    async def wait_us(self, limit: Limit, subject: str) -> int:
        """Return how long the next attempt must wait; 0: it is allowed now. Counts nothing."""
        now_us = self._now_us()
        counter = await rate_counters.get(self._db, self._key(limit, subject), now_us)
        if counter is None or counter.count < limit.amount:
            return 0
        return counter.expires_at_us - now_us

    async def require_after_delay(self, delay: GrowingDelay, subject: str) -> None:
        """Count one attempt as a failure; `undo` or `clear` it when it succeeds.

        It is counted before it is tried, so that concurrent attempts get no free ones. Raises
        RefusedError("too_many_requests") while the delay after the last failure lasts.
        """
        key = self._key(delay, subject)
        for _ in range(MAX_RACES):
            now_us = self._now_us()
            counter = await rate_counters.get(self._db, key, now_us)
            failures, last_at_us = (counter.count, counter.last_at_us) if counter else (0, 0)
            wait_us = last_at_us + delay.wait_us(failures) - now_us
            if failures >= delay.free and wait_us > 0:
                raise too_many_requests(wait_us)
            counted = await rate_counters.add_if_unchanged(
                self._db,
                key,
                expected_count=failures,
                now_us=now_us,
                until_us=now_us + delay.forget_s * SECOND_US,
            )
            if counted is not None:
                return
        raise too_many_requests(SECOND_US)

    async def undo(self, limit: Limit | GrowingDelay, subject: str) -> None:
        """Uncount one attempt that must not count, for example a successful sign-in."""
        await rate_counters.subtract(self._db, self._key(limit, subject))

    async def clear(self, limit: Limit | GrowingDelay, subject: str) -> None:
        """Forget the attempts of a subject."""
        await rate_counters.remove(self._db, self._key(limit, subject))


def client_network(ip: str) -> str:
    """Return the subject that an address counts as: an IPv4 address, or a /64 network of IPv6.

    A provider gives each client at least a /64. An IPv4 address inside IPv6 (mapped, 6to4, NAT64)
    counts as IPv4. Everything that is not an address counts as one client, "unknown".
    """
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or _nat64_address(address)
        if inner is None:
            network = ipaddress.ip_network((address, 64), strict=False)
            return str(network.network_address)
        address = inner
    return str(address)


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _nat64_address(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
