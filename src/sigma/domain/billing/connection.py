"""Connections: credentials at an acquirer or of a VK community."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sigma.domain.errors import Problem
from sigma.domain.money import Money


class Status(StrEnum):
    """ACTIVE accepts new payments. OFF does not, but its open payments are still advanced."""

    ACTIVE = "active"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Connection:
    """A shop's credentials at an acquirer or VK; `provider` names which.

    `account` is the shop's id at the acquirer. The secret is encrypted, `settings` are plain:
    base_url, timeout_s, ca_certificates (PEM), two_stage. `checked_at_us` (UTC microseconds, 0:
    never) is the time of the last credentials check; `check_detail` is its result for the owner.
    `notice_token` is the secret part of the URL for an acquirer's notices; empty for VK.
    """

    id: str
    shop_id: str
    provider: str
    title: str
    account: str
    secret_encrypted: str
    created_at_us: int
    settings: dict[str, Any] = field(default_factory=dict)
    status: Status = Status.ACTIVE
    checked_at_us: int = 0
    has_passed_check: bool = False
    check_detail: str = ""
    notice_token: str = field(default="", repr=False)
    version: int = 0

    @property
    def two_stage(self) -> bool:
        """Whether payments are authorized first and captured later by an operator."""
        return bool(self.settings.get("two_stage", False))


@dataclass(frozen=True, slots=True)
class AmountLimits:
    """The smallest and the largest amount of one payment, both included, in one currency."""

    smallest: Money
    largest: Money


def is_amount_accepted(amount: Money, limits: Mapping[str, AmountLimits]) -> bool:
    """Return whether an acquirer with these limits takes an amount. See `check_limits`."""
    return not check_limits(amount, limits, "")


def check_limits(amount: Money, limits: Mapping[str, AmountLimits], acquirer: str) -> list[Problem]:
    """Return why an acquirer does not take an amount, as problems of the field "amount".

    `limits`: by currency; empty means that the acquirer names none. `acquirer`: its key, such as
    "yookassa"; the texts have its name.
    """
    if not limits or amount.minor <= 0:
        return []
    if amount.currency not in limits:
        accepted = ", ".join(sorted(limits))
        names = {"currency": amount.currency, "accepted": accepted, "acquirer": acquirer}
        return [Problem("amount", "currency_not_accepted", names)]
    smallest, largest = limits[amount.currency].smallest, limits[amount.currency].largest
    if smallest <= amount <= largest:
        return []
    params = {"smallest": smallest, "largest": largest, "acquirer": acquirer}
    return [Problem("amount", "amount_not_accepted", params)]
