"""Requests for a new password by mail."""

from dataclasses import dataclass

from sigma.domain.time_units import HOUR_US

RESET_TTL_US = HOUR_US  # how long the link works


@dataclass(frozen=True, slots=True)
class PasswordReset:
    """A request for a new password; also stored for an address without an account.

    `content_encrypted` holds the address and, for the mail, the token of the link.
    """

    id: str
    content_encrypted: str
    token_hash: str
    created_at_us: int
    expires_at_us: int
    version: int = 0

    def is_void(self, password_changed_at_us: int) -> bool:
        """Return whether the password was changed since: then the link does not work any more."""
        return self.created_at_us <= password_changed_at_us
