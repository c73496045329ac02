"""Who may do what in a shop: roles and one table of permissions."""

from dataclasses import dataclass
from enum import StrEnum

from sigma.domain.errors import Refused


class Role(StrEnum):
    """A member's place in a shop."""

    OWNER = "owner"
    ADMIN = "admin"
    OPERATOR = "operator"
    VIEWER = "viewer"


class Permission(StrEnum):
    """A thing that a member may be allowed to do."""

    READ = "read"  # see invoices and payments
    READ_ANSWERS = "read_answers"  # see personal data unmasked
    ISSUE = "issue"  # issue, void
    ANSWER = "answer"  # read the dialogs and write in them
    CATALOGUE = "catalogue"  # services and their public page
    CAPTURE = "capture"  # take or release held money
    REFUND = "refund"
    SETTINGS = "settings"  # shop, connections, mail, keys
    JOBS = "jobs"  # see and repeat failed jobs


MAY: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: frozenset(Permission),
    Role.OPERATOR: frozenset(
        {Permission.READ, Permission.READ_ANSWERS, Permission.ISSUE, Permission.ANSWER}
    ),
    Role.VIEWER: frozenset({Permission.READ}),
}


@dataclass(frozen=True, slots=True)
class User:
    """A person who signs in. `login` is an e-mail in lower case."""

    id: str
    login: str
    password_hash: str
    name: str
    locale: str
    created_at: int
    version: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """Who acts, in which shop.

    `actor` is what the timeline remembers: a user's or an API key's id.
    """

    actor: str
    shop_id: str
    role: Role

    def may(self, permission: Permission) -> bool:
        """Whether the role allows it."""
        return permission in MAY[self.role]

    def must(self, permission: Permission) -> None:
        """Raises Refused("forbidden") when the role does not allow it."""
        if not self.may(permission):
            raise Refused("forbidden", permission=str(permission))
