"""A shop's credentials at an acquirer. The secret is sealed; settings are plain."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Active takes new payments; off does not, but its open payments are still followed."""

    ACTIVE = "active"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Connection:
    """`account` is the shop's id at the acquirer.

    Settings: base_url, timeout_s, ca_bundle, two_stage.
    """

    id: str
    shop_id: str
    provider: str
    title: str
    account: str
    secret_sealed: str
    created_at: int
    settings: dict[str, Any] = field(default_factory=dict)
    status: Status = Status.ACTIVE
    checked_at: int = 0
    check_ok: bool = False
    check_detail: str = ""
    version: int = 0

    @property
    def two_stage(self) -> bool:
        """Whether money is first held and taken later by a person's decision."""
        return bool(self.settings.get("two_stage", False))


@dataclass(frozen=True, slots=True)
class Notice:
    """Something an acquirer told us: a hint, stored before it is handled. `digest` makes the same
    words one row.
    """

    id: str
    shop_id: str
    connection_id: str
    event: str
    object_id: str
    our_id: str  # the payment's id the notice claims to be about; unproven
    digest: str
    body_sealed: str
    received_at: int
    handled_at: int | None = None
    version: int = 0
