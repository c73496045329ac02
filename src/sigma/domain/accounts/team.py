"""Rules of a shop's team: who may give which role, and that a shop always has an owner."""

from collections.abc import Collection

from sigma.domain.accounts.member import Member, Permission, Role
from sigma.domain.errors import RefusedError


def require_can_assign(actor: Member, *roles: Role) -> None:
    """Require that the actor may give or take these roles.

    The role of the owner is given and taken by owners only. Raises RefusedError("forbidden").
    """
    actor.require(Permission.TEAM)
    if Role.OWNER in roles:
        actor.require(Permission.OWNERSHIP)


def assignable_roles(actor: Member) -> tuple[Role, ...]:
    """Return the roles that the actor may give, the highest first; none without the permission."""
    if not actor.can(Permission.TEAM):
        return ()
    return tuple(role for role in Role if role is not Role.OWNER or actor.can(Permission.OWNERSHIP))


def require_remaining_owner(
    owner_ids: Collection[str], user_id: str, new_role: Role | None
) -> None:
    """Require that the shop keeps an owner after the user gets `new_role`; None: leaves.

    `owner_ids` must be read under the lock of the shop: two owners may remove each other at once.
    Raises RefusedError("last_owner").
    """
    if new_role is not Role.OWNER and set(owner_ids) == {user_id}:
        raise RefusedError("last_owner")
