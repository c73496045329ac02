"""Everything a service needs, handed in: database, seals, acquirers, mail, VK, clock, ids. There
are no globals.
"""

import base64
import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from sigma.channels.email import Mailer
from sigma.channels.vk.client import Clients
from sigma.domain.change import NewId
from sigma.providers.base import Provider
from sigma.store.encryption import Sealer
from sigma.store.engine.interface import Busy, Conflict, Database, Stale

T = TypeVar("T")

Conflicts = (Stale, Conflict, Busy)  # somebody else was there first: nothing was written

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no letters that look like digits


def clock() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1000


class Ids:
    """Ids that sort by time, even within one microsecond, and carry their shop: prefix_ + time 11
    + shop 4 + random 8.
    """

    def __init__(self, now: Callable[[], int], rng: random.Random | None = None) -> None:
        self._now = now
        self._rng = rng or secrets.SystemRandom()
        self._last = 0

    def new(self, prefix: str, shop_id: str = "") -> str:
        """A fresh id such as "inv_…" of a shop (a new shop gets a tag of its own)."""
        self._last = max(self._now(), self._last + 1)
        tag = shop_id[15:19] if shop_id else _base32(self._rng.getrandbits(20), 4)
        return f"{prefix}_{_base32(self._last, 11)}{tag}{_base32(self._rng.getrandbits(40), 8)}"

    def token(self) -> str:
        """A public token: 128 random bits, says nothing."""
        raw = self._rng.getrandbits(128).to_bytes(16, "big")
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def id_at(prefix: str, at: int) -> str:
    """Ids of this prefix made since a moment (UTC microseconds) sort after this text."""
    return f"{prefix}_{_base32(at, 11)}"


def _base32(number: int, width: int) -> str:
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(5 * (width - 1), -1, -5))


class Settings(Protocol):
    """The settings that services read; sigma.settings.Settings has them and more."""

    @property
    def base_url(self) -> str: ...
    @property
    def mail_from(self) -> str: ...
    @property
    def session_days(self) -> int: ...
    @property
    def vk_api_url(self) -> str: ...
    @property
    def vk_site_url(self) -> str: ...


class Mailers(Protocol):
    """Gives a mail channel for an SMTP URL; an empty URL means the server's own."""

    def __call__(self, smtp_url: str) -> Mailer | None: ...


@dataclass(frozen=True)
class Context:
    """Handed to every service.

    `in_flight` holds the idempotency keys being answered by this process.
    """

    db: Database
    settings: Settings
    sealer: Sealer
    ids: Ids
    providers: Mapping[str, Provider]
    mailers: Mailers
    vk: Clients
    now: Callable[[], int] = clock
    in_flight: set[tuple[str, str]] = field(default_factory=set)
    asked: dict[str, int] = field(default_factory=dict)  # payment → when a page last asked the bank
    tries: dict[str, tuple[int, int]] = field(default_factory=dict)  # sign-in: who → (count, until)
    buyers: dict[str, tuple[int, int]] = field(default_factory=dict)  # public page: the same

    def new_id(self, prefix: str, shop_id: str = "") -> str:
        """A fresh id of a shop."""
        return self.ids.new(prefix, shop_id)

    def ids_of(self, shop_id: str) -> NewId:
        """The maker of one shop's ids, as the domain wants it."""
        return lambda prefix: self.ids.new(prefix, shop_id)

    def new_token(self) -> str:
        """A fresh public token."""
        return self.ids.token()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; `next_cursor` goes into the next call, None at the end."""

    data: list[T]
    next_cursor: str | None = None


def page(found: list[T], limit: int, key: Callable[[T], str]) -> Page[T]:
    """Cuts a list that was read one row longer than asked."""
    more = len(found) > limit
    data = found[:limit]
    return Page(data, key(data[-1]) if more else None)
