"""Users, and the roles and permissions of members in a shop."""

from dataclasses import dataclass
from enum import StrEnum

from sigma.domain.errors import RefusedError


class Role(StrEnum):
    """A member's role in a shop. PERMISSIONS_BY_ROLE lists what each role can do."""

    OWNER = "owner"
    ADMIN = "admin"
    OPERATOR = "operator"
    VIEWER = "viewer"


class Permission(StrEnum):
    """An action that is checked before a service runs."""

    READ = "read"  # see invoices and payments
    READ_ANSWERS = "read_answers"  # see personal data unmasked
    ISSUE = "issue"  # issue and void invoices
    ANSWER = "answer"  # read and write in conversations
    CATALOGUE = "catalogue"  # edit services and the public page
    CAPTURE = "capture"  # capture or cancel authorized payments
    REFUND = "refund"
    RECONCILE = "reconcile"  # compare with the acquirer and repair differences
    SETTINGS = "settings"  # edit shop, connections, mail, API keys
    JOBS = "jobs"  # see and requeue failed jobs


PERMISSIONS_BY_ROLE: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: frozenset(Permission),
    Role.OPERATOR: frozenset(
        {Permission.READ, Permission.READ_ANSWERS, Permission.ISSUE, Permission.ANSWER}
    ),
    Role.VIEWER: frozenset({Permission.READ}),
}


@dataclass(frozen=True, slots=True)
class User:
    """A person who signs in to the cabinet. `login` is an e-mail address in lower case."""

    id: str
    login: str
    password_hash: str
    name: str
    locale: str
    created_at_us: int
    password_changed_at_us: int = 0  # 0: never since the account was created
    version: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """The acting user or API key in one shop; every service checks it first.

    `actor` is the id of the user or API key, as stored in timeline events.
    """

    actor: str
    shop_id: str
    role: Role

    def can(self, permission: Permission) -> bool:
        """Return whether the role has the permission."""
        return permission in PERMISSIONS_BY_ROLE[self.role]

    def require(self, permission: Permission) -> None:
        """Raise RefusedError("forbidden") when the role does not have the permission."""
        if not self.can(permission):
            raise RefusedError("forbidden", permission=str(permission))
