"""Connections: credentials at an acquirer or of a VK community."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """ACTIVE accepts new payments. OFF does not, but its open payments are still advanced."""

    ACTIVE = "active"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Connection:
    """A shop's credentials at an acquirer or VK; `provider` names which.

    `account` is the shop's id at the acquirer. The secret is encrypted, `settings` are plain:
    base_url, timeout_s, ca_bundle, two_stage. `checked_at_us` (UTC microseconds, 0: never) is the
    time of the last credentials check; `check_detail` is its result for the owner.
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
    version: int = 0

    @property
    def two_stage(self) -> bool:
        """Whether payments are authorized first and captured later by an operator."""
        return bool(self.settings.get("two_stage", False))
