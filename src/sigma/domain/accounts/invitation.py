"""Invitations into a shop's team: single use, seven days, for one e-mail address."""

from dataclasses import dataclass
from enum import StrEnum

from sigma.domain.accounts.member import Role
from sigma.domain.time_units import DAY_US

LIFETIME_US = 7 * DAY_US


class InvitationState(StrEnum):
    """What can be done with an invitation: only an OPEN one can be accepted."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation of `login` (an e-mail in lower case) as `role`. Times are UTC microseconds.

    `token_hash`: SHA-256 of the token in the link; the token itself is not stored.
    `created_by` is a user id, or "cli".
    """

    id: str
    shop_id: str
    login: str
    role: Role
    token_hash: str
    created_by: str
    created_at_us: int
    expires_at_us: int
    accepted_at_us: int | None = None
    revoked_at_us: int | None = None
    version: int = 0

    def state_at(self, now_us: int) -> InvitationState:
        """Return the state at a moment in UTC microseconds."""
        if self.accepted_at_us is not None:
            return InvitationState.ACCEPTED
        if self.revoked_at_us is not None:
            return InvitationState.REVOKED
        return InvitationState.EXPIRED if self.expires_at_us <= now_us else InvitationState.OPEN
