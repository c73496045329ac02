"""API keys of a shop."""

from dataclasses import dataclass

from sigma.domain.accounts.member import Role


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key. `prefix` is the start of the secret, shown in the cabinet to identify the key.

    `created_by` is the id of the user who made it, "cli" for the command line.

    Times are UTC microseconds; `used_at_us` is 0 when the key was never used.
    """

    id: str
    shop_id: str
    name: str
    prefix: str
    secret_hash: str
    role: Role
    created_at_us: int
    used_at_us: int = 0
    revoked_at_us: int | None = None
    created_by: str = ""
