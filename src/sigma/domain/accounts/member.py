"""Users, and the roles and permissions of members in a shop."""

from dataclasses import dataclass
from enum import StrEnum

from sigma.domain.errors import RefusedError
from sigma.domain.origin import NO_ORIGIN, Origin


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
    AUDIT = "audit"  # see and export the audit log
    PERSONAL_DATA = "personal_data"  # export and erase everything about a client


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
    version: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """The acting user or API key in one shop; every service checks it first.

    `actor` is the id of the user or API key, as stored in timeline events. `origin`: where the
    request came from, for the audit log; empty outside of requests.
    """

    actor: str
    shop_id: str
    role: Role
    origin: Origin = NO_ORIGIN

    def can(self, permission: Permission) -> bool:
        """Return whether the role has the permission."""
        return permission in PERMISSIONS_BY_ROLE[self.role]

    def require(self, permission: Permission) -> None:
        """Raise RefusedError("forbidden") when the role does not have the permission."""
        if not self.can(permission):
            raise RefusedError("forbidden", permission=str(permission))
