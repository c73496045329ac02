"""Rules of a shop's team: who may give which role, and that a shop always has an owner."""

from collections.abc import Collection, Mapping

from sigma.domain.accounts.invitation import Invitation
from sigma.domain.accounts.member import (
    LIMITED_ROLES,
    PERMISSIONS_BY_ROLE,
    Member,
    Permission,
    RefundLimits,
    Role,
    User,
)
from sigma.domain.errors import RefusedError


def require_can_assign(actor: Member, *roles: Role) -> None:
    """Require that the actor may give or take these roles.

    The role of the owner is given and taken by owners only. Raises RefusedError("forbidden").
    """
    actor.require(Permission.TEAM)
    if Role.OWNER in roles:
        actor.require(Permission.OWNERSHIP)


# Who may change the mail server of a shop.
MAIL_SERVER_ROLES = tuple(role for role in Role if Permission.SETTINGS in PERMISSIONS_BY_ROLE[role])


def assignable_roles(actor: Member) -> tuple[Role, ...]:
    """Return the roles that the actor may give, the highest first; none without the permission."""
    if not actor.can(Permission.TEAM):
        return ()
    return tuple(role for role in Role if role is not Role.OWNER or actor.can(Permission.OWNERSHIP))


def require_can_set_limits(actor: Member, before: RefundLimits, after: RefundLimits) -> None:
    """Require that the actor may change the refund limits of the roles in this way.

    Who is not an owner may neither change the limit of admins nor give another role more than it:
    an admin could take that role, or invite somebody who does the refunds. Raises
    RefusedError("forbidden").
    """
    actor.require(Permission.TEAM)
    if actor.can(Permission.OWNERSHIP):
        return
    own = before.for_role(actor.role)
    for role in LIMITED_ROLES:
        old, new = before.for_role(role), after.for_role(role)
        is_beyond = own is not None and (new is None or new > own)
        if new != old and (role is actor.role or is_beyond):
            raise RefusedError("forbidden", permission=str(Permission.OWNERSHIP))


def may_pass_mail_server(secret_of: User | Invitation, editors: Mapping[str, Role]) -> bool:
    """Return whether a secret link may pass the shop's own mail server.

    Who may change the server (`editors`: user id → role) can read what passes it. So they must be
    able to do what the link opens: for a new password only the person may edit the server, for an
    invitation each editor must be able to give its role.
    """
    if isinstance(secret_of, User):
        return set(editors) == {secret_of.id}
    return secret_of.role is not Role.OWNER or set(editors.values()) == {Role.OWNER}


def require_remaining_owner(
    owner_ids: Collection[str], user_id: str, new_role: Role | None
) -> None:
    """Require that the shop keeps an owner after the user gets `new_role`; None: leaves.

    `owner_ids` must be read under the lock of the shop: two owners may remove each other at once.
    Raises RefusedError("last_owner").
    """
    if new_role is not Role.OWNER and set(owner_ids) == {user_id}:
        raise RefusedError("last_owner")
