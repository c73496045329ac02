"""Entries of the audit log, their chain, and what both authenticate.

A chain belongs to one shop, or to the installation. Entries are numbered from 1 without gaps. The
MAC of an entry covers its content, its number and the MAC of the entry before it, so an entry
cannot be changed, removed, inserted or moved. The end of a chain is stored apart with a MAC of its
own (`Chain`), so that the newest entries cannot be cut off.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from sigma.domain.audit.deed import Deed
from sigma.domain.origin import Origin

INSTALLATION: Final = "installation"  # the chain of deeds that belong to no shop
FORMAT: Final = 1  # the first element of what a MAC covers; another order gets another number


@dataclass(frozen=True, slots=True)
class Entry:
    """One deed. `detail` is JSON text without secrets and without personal data of clients.

    `actor`: id of a user or API key, "cli", "system", or "" without a session. `subject`:
    id of what was changed. `mac` is empty until the entry is linked to its chain.
    """

    chain: str
    deed: str
    actor: str
    subject: str
    detail: str
    address: str
    agent: str
    session: str
    request_id: str
    occurred_at_us: int
    number: int = 0
    previous_mac: str = ""
    mac: str = ""

    def authenticated_bytes(self) -> bytes:
        """Return what the MAC of the entry covers: every stored field except the MAC."""
        names = [name for name in Entry.__slots__ if name != "mac"]
        return msgspec.json.encode([FORMAT, "entry", *(getattr(self, name) for name in names)])


@dataclass(frozen=True, slots=True)
class Chain:
    """The end of a chain, and how far its oldest entries were deleted after their time.

    `pruned_mac` is the MAC of the last deleted entry: the first one that is left continues it.
    """

    id: str
    last_number: int = 0
    last_mac: str = ""
    last_at_us: int = 0
    pruned_number: int = 0
    pruned_mac: str = ""
    mac: str = ""

    def authenticated_bytes(self) -> bytes:
        """Return what the MAC of the chain covers."""
        names = [name for name in Chain.__slots__ if name != "mac"]
        return msgspec.json.encode([FORMAT, "chain", *(getattr(self, name) for name in names)])


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries a page shows. Empty: all. Times are UTC microseconds, `until_us` excluded."""

    actor: str = ""
    deed: str = ""
    since_us: int | None = None
    until_us: int | None = None


def new_entry(
    chain: str,
    deed: Deed,
    *,
    actor: str,
    subject: str,
    detail: dict[str, Any],
    origin: Origin,
    now_us: int,
) -> Entry:
    """Return an entry that is not linked yet. `detail` must be serializable as JSON."""
    return Entry(
        chain=chain,
        deed=deed.value,
        actor=actor,
        subject=subject,
        detail=msgspec.json.encode(detail).decode(),
        address=origin.address,
        agent=origin.agent,
        session=origin.session,
        request_id=origin.request_id,
        occurred_at_us=now_us,
    )


def link(chain: Chain, entry: Entry) -> Entry:
    """Return the entry as the next one of its chain, without its MAC.

    Its time is never before that of the entry before it, even if the clocks of two processes
    differ: a period is then a range of numbers.
    """
    return replace(
        entry,
        number=chain.last_number + 1,
        previous_mac=chain.last_mac,
        occurred_at_us=max(entry.occurred_at_us, chain.last_at_us),
    )


def extend(chain: Chain, entry: Entry) -> Chain:
    """Return the chain that ends with a linked entry, without the MAC of the chain."""
    return replace(
        chain,
        last_number=entry.number,
        last_mac=entry.mac,
        last_at_us=entry.occurred_at_us,
        mac="",
    )
