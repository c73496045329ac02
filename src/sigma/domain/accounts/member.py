"""Users, and what a member of a shop may do: roles, permissions, refund limits, scopes of API keys.

docs/roles.md is generated from the tables of this module: `python scripts/roles.py`.
"""

from dataclasses import dataclass
from enum import StrEnum

from sigma.domain.errors import RefusedError
from sigma.domain.money import Money
from sigma.domain.origin import NO_ORIGIN, Origin


class Role(StrEnum):
    """A member's role in a shop. PERMISSIONS_BY_ROLE lists what each role can do."""

    OWNER = "owner"
    ADMIN = "admin"
    OPERATOR = "operator"
    ACCOUNTANT = "accountant"
    VIEWER = "viewer"


class Permission(StrEnum):
    """An action that is checked before a service runs."""

    READ = "read"  # see invoices and payments
    READ_ANSWERS = "read_answers"  # see personal data unmasked
    ISSUE = "issue"  # issue and void invoices
    ANSWER = "answer"  # read and write in conversations
    CUSTOMERS = "customers"  # edit, merge and split the cards of clients; needs READ_ANSWERS
    CATALOGUE = "catalogue"  # edit services and the public page
    CAPTURE = "capture"  # capture or cancel authorized payments
    REFUND = "refund"  # up to the limit of the role, see RefundLimits
    REPORTS = "reports"  # see turnover, fees and the month's statement
    RECONCILE = "reconcile"  # compare with the acquirer and repair differences
    SETTINGS = "settings"  # edit shop, connections, mail, communities
    KEYS = "keys"  # create and revoke API keys
    TEAM = "team"  # invite and remove members, change roles and refund limits
    OWNERSHIP = "ownership"  # give and take the role of the owner
    JOBS = "jobs"  # see and requeue failed jobs
    AUDIT = "audit"  # see and export the audit log
    PERSONAL_DATA = "personal_data"  # export and erase everything about a client


PERMISSIONS_BY_ROLE: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: frozenset(Permission) - {Permission.OWNERSHIP},
    Role.OPERATOR: frozenset(
        {
            Permission.READ,
            Permission.READ_ANSWERS,
            Permission.ISSUE,
            Permission.ANSWER,
            Permission.CUSTOMERS,
            Permission.REFUND,
        }
    ),
    Role.ACCOUNTANT: frozenset(
        {Permission.READ, Permission.REPORTS, Permission.REFUND, Permission.RECONCILE}
    ),
    Role.VIEWER: frozenset({Permission.READ, Permission.REPORTS}),
}

REFUND_CURRENCY = "RUB"  # of all refund limits


@dataclass(frozen=True, slots=True)
class RefundLimits:
    """How much of one payment a role may refund in total, in kopecks. The shop sets it.

    None: no limit. 0: nothing, as if the role had no Permission.REFUND. An owner has no limit.
    """

    admin: int | None = None
    operator: int | None = 0
    accountant: int | None = 0

    def for_role(self, role: Role) -> int | None:
        """Return the limit of a role in kopecks, None without a limit."""
        limits = {
            Role.OWNER: None,
            Role.ADMIN: self.admin,
            Role.OPERATOR: self.operator,
            Role.ACCOUNTANT: self.accountant,
        }
        return limits.get(role, 0)


LIMITED_ROLES = (Role.ADMIN, Role.OPERATOR, Role.ACCOUNTANT)


class Scope(StrEnum):
    """What an API key may do: a resource and an action. PERMISSIONS_BY_SCOPE has its rights."""

    INVOICES_READ = "invoices:read"
    INVOICES_WRITE = "invoices:write"
    PAYMENTS_READ = "payments:read"
    ANSWERS_READ = "answers:read"
    REFUNDS_READ = "refunds:read"
    REFUNDS_WRITE = "refunds:write"
    SERVICES_READ = "services:read"


# A key can do what one of its scopes and the role of its maker both allow.
PERMISSIONS_BY_SCOPE: dict[Scope, frozenset[Permission]] = {
    Scope.INVOICES_READ: frozenset({Permission.READ}),
    Scope.INVOICES_WRITE: frozenset({Permission.READ, Permission.ISSUE}),
    Scope.PAYMENTS_READ: frozenset({Permission.READ}),
    Scope.ANSWERS_READ: frozenset({Permission.READ_ANSWERS}),
    Scope.REFUNDS_READ: frozenset({Permission.READ}),
    Scope.REFUNDS_WRITE: frozenset({Permission.READ, Permission.REFUND}),
    Scope.SERVICES_READ: frozenset({Permission.READ}),
}
ALL_SCOPES = tuple(Scope)


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

    @property
    def display_name(self) -> str:
        """The name, or the part of the login before "@"."""
        return self.name or self.login.partition("@")[0]


@dataclass(frozen=True, slots=True)
class Member:
    """The acting user or API key in one shop; every service checks it first.

    `actor` is the id of the user or API key, as stored in timeline events. `role` is that of the
    user, or of the user who made the key, at this moment. `scopes` is None for a person. `origin`:
    where the request came from, for the audit log; empty outside of requests.
    """

    actor: str
    shop_id: str
    role: Role
    refund_limits: RefundLimits = RefundLimits()
    scopes: frozenset[Scope] | None = None
    origin: Origin = NO_ORIGIN

    @property
    def refund_limit(self) -> Money | None:
        """How much of one payment the member may refund in total; None without a limit."""
        minor = self.refund_limits.for_role(self.role)
        return None if minor is None else Money(minor, REFUND_CURRENCY)

    @property
    def sees_fees(self) -> bool:
        """Whether the member sees what the acquirer withholds of a payment.

        A key does with its maker's role: no scope is about fees alone.
        """
        return Permission.REPORTS in PERMISSIONS_BY_ROLE[self.role]

    def can(self, permission: Permission) -> bool:
        """Return whether the role, and a scope of a key, have the permission."""
        if permission not in PERMISSIONS_BY_ROLE[self.role]:
            return False
        if permission is Permission.REFUND and self.refund_limits.for_role(self.role) == 0:
            return False
        return self.scopes is None or any(
            permission in PERMISSIONS_BY_SCOPE[scope] for scope in self.scopes
        )

    def require(self, permission: Permission) -> None:
        """Raise RefusedError("forbidden") when the member does not have the permission."""
        if not self.can(permission):
            raise RefusedError("forbidden", permission=str(permission))

    def can_use(self, scope: Scope) -> bool:
        """Return whether a key has the scope, and its maker all rights of it; True for a person."""
        if self.scopes is None:
            return True
        return scope in self.scopes and all(map(self.can, PERMISSIONS_BY_SCOPE[scope]))

    def require_scope(self, scope: Scope) -> None:
        """Raise RefusedError("missing_scope") when the key cannot use the scope."""
        if not self.can_use(scope):
            raise RefusedError("missing_scope", scope=str(scope))

    def can_refund(self, amount: Money, refunded: Money) -> bool:
        """Return whether the member may refund `amount` of a payment with `refunded` before it.

        Several small refunds of one payment count together. Under a limit only refunds in its
        currency are possible.
        """
        limit = self.refund_limit
        if limit is None or not self.can(Permission.REFUND):
            return self.can(Permission.REFUND)
        is_same_currency = amount.currency == limit.currency
        return is_same_currency and refunded.minor + amount.minor <= limit.minor

    def require_refund(self, amount: Money, refunded: Money) -> None:
        """Require `can_refund`. Raises RefusedError: "forbidden", "refund_over_limit"."""
        self.require(Permission.REFUND)
        if not self.can_refund(amount, refunded):
            raise RefusedError("refund_over_limit", limit=self.refund_limit)
