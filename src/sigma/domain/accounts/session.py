"""Sessions of the cabinet: how somebody has signed in, where, and how long it lasts."""

from dataclasses import dataclass
from enum import StrEnum

from sigma.domain.time_units import HOUR_US, MINUTE_US

# A session is "recently authenticated" for this long after a sign-in or a confirmation.
RECENT_AUTHENTICATION_US = 10 * MINUTE_US
# Time for the second step of a sign-in.
PENDING_US = 10 * MINUTE_US
# The last use is stored at most this often: not every request writes.
USE_INTERVAL_US = 5 * MINUTE_US


class Proof(StrEnum):
    """What a person has shown to be who they are."""

    PASSWORD = "password"  # noqa: S105 - the name of a proof
    PASSKEY = "passkey"
    TOTP = "totp"
    RECOVERY_CODE = "recovery_code"


Proofs = frozenset[Proof]


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A cabinet session as stored. Times are UTC microseconds.

    `secret_hash` is the hash of the session cookie. `csrf_token` is the secret
    of its forms, see `form_token`.
    `expires_at_us` is the absolute end; a session also ends when it is not used. `used_at_us` and
    `authenticated_at_us` 0: when it was created. `is_pending`: the second step is still missing,
    the session opens nothing.
    """

    secret_hash: str
    user_id: str
    shop_id: str
    csrf_token: str
    created_at_us: int
    expires_at_us: int
    id: str = ""
    used_at_us: int = 0
    authenticated_at_us: int = 0
    proofs: Proofs = frozenset({Proof.PASSWORD})
    address: str = ""
    device_name: str = ""
    is_pending: bool = False


def idle_limit_us(idle_hours: int) -> int:
    """Return how long an unused session stays open. It covers the interval of stored uses."""
    return idle_hours * HOUR_US + USE_INTERVAL_US


def is_recent(authenticated_at_us: int, now_us: int) -> bool:
    """Return whether a proof of this time still opens what needs a recent one.

    A proof from the future is none: the clock was wrong then. Clocks of two processes may differ.
    """
    return abs(now_us - authenticated_at_us) < RECENT_AUTHENTICATION_US
