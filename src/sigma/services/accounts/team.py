"""The team of a shop: members, roles, ownership, refund limits.

Every change of a team goes through one function of this module or of `invitations`.
"""

from dataclasses import asdict, dataclass, replace

from sigma.domain.accounts.api_key import COMMAND_LINE
from sigma.domain.accounts.invitation import Invitation
from sigma.domain.accounts.member import Member, Permission, RefundLimits, Role
from sigma.domain.accounts.shop import Shop
from sigma.domain.accounts.team import (
    require_can_assign,
    require_can_set_limits,
    require_remaining_owner,
)
from sigma.domain.audit.changed_fields import changed_fields
from sigma.domain.audit.deed import Deed
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.money import MAX_MINOR
from sigma.services.accounts import api_keys
from sigma.services.context import Context
from sigma.services.paging import MAX_LIMIT, Page, make_page
from sigma.services.platform import audit_log
from sigma.store import changes
from sigma.store.accounts import invitations, members, sessions, shops, users
from sigma.store.accounts.members import TeamMember
from sigma.store.engine.interface import Tx
from sigma.store.notifications import addresses, preferences

# More than INVITATIONS_SHOP allows in seven days: what is not listed cannot be revoked.
MAX_OPEN_INVITATIONS = 1000


@dataclass(frozen=True, slots=True)
class Team:
    """The members of a shop, a page of them, and its open invitations."""

    members: Page[TeamMember]
    invitations: list[Invitation]
    refund_limits: RefundLimits


async def get(ctx: Context, member: Member, *, cursor: str = "") -> Team:
    """Return the team of the member's shop. Raises RefusedError("forbidden")."""
    member.require(Permission.TEAM)
    async with ctx.db.read() as tx:
        rows = await members.list_team(tx, member.shop_id, limit=MAX_LIMIT + 1, after_id=cursor)
        open_ones = await invitations.list_open(
            tx, member.shop_id, ctx.now_us(), MAX_OPEN_INVITATIONS
        )
        shop = await shops.get(tx, member.shop_id)
    assert shop is not None, "the shop of a member exists"
    page = make_page(rows, MAX_LIMIT, lambda one: one.user_id)
    return Team(page, open_ones, shop.refund_limits)


async def find(ctx: Context, member: Member, user_id: str) -> TeamMember:
    """Return a member of the team. Raises RefusedError: "forbidden", "not_found"."""
    member.require(Permission.TEAM)
    async with ctx.db.read() as tx:
        return await _get_member(tx, member.shop_id, user_id)


async def change_role(ctx: Context, member: Member, user_id: str, role: Role) -> None:
    """Give another role to a member; sessions and API keys have its rights at once.

    Raises RefusedError: "forbidden" when the actor may not give or take one of the roles,
    "not_found", "last_owner".
    """
    require_can_assign(member, role)
    async with ctx.db.write() as tx:
        acting = await lock_team(tx, member)
        current = await _get_member(tx, member.shop_id, user_id)
        require_can_assign(acting, current.role, role)
        owner_ids = await members.find_owner_ids(tx, member.shop_id)
        require_remaining_owner(owner_ids, user_id, role)
        await members.set_role(tx, member.shop_id, user_id, role)
        changed = changed_fields({"role": current.role}, {"role": role})
        await audit_log.record(ctx, tx, acting, Deed.ROLE_CHANGED, user_id, changes=changed)


async def hand_over_ownership(ctx: Context, member: Member, user_id: str) -> None:
    """Make another member an owner; the acting owner becomes an admin.

    Raises RefusedError: "forbidden", "not_found".
    """
    member.require(Permission.OWNERSHIP)
    async with ctx.db.write() as tx:
        acting = await lock_team(tx, member)
        acting.require(Permission.OWNERSHIP)
        await _get_member(tx, member.shop_id, user_id)
        if user_id == member.actor:
            raise RefusedError("not_found", what="member")
        await members.set_role(tx, member.shop_id, user_id, Role.OWNER)
        await members.set_role(tx, member.shop_id, member.actor, Role.ADMIN)
        await audit_log.record(ctx, tx, acting, Deed.OWNERSHIP_HANDED_OVER, user_id)


async def remove(ctx: Context, member: Member, user_id: str) -> None:
    """Remove a member: the person's sessions in the shop and API keys end at once.

    Conversations belong to the whole team: those that the person was handling stay in the list of
    all operators. Raises RefusedError: "forbidden", "not_found", "last_owner".
    """
    member.require(Permission.TEAM)
    async with ctx.db.write() as tx:
        acting = await lock_team(tx, member)
        current = await _get_member(tx, member.shop_id, user_id)
        require_can_assign(acting, current.role)
        await _remove(ctx, tx, acting, user_id)


async def leave(ctx: Context, member: Member) -> None:
    """Leave the shop. Raises RefusedError: "not_found" for an API key, "last_owner"."""
    async with ctx.db.write() as tx:
        acting = await lock_team(tx, member)
        await _get_member(tx, member.shop_id, member.actor)
        await _remove(ctx, tx, acting, member.actor)


async def is_only_owner(ctx: Context, member: Member) -> bool:
    """Return whether the shop would have no owner without this member."""
    if member.role is not Role.OWNER:
        return False
    async with ctx.db.read() as tx:
        return await members.find_owner_ids(tx, member.shop_id) == {member.actor}


async def _remove(ctx: Context, tx: Tx, acting: Member, user_id: str) -> None:
    shop_id = acting.shop_id
    require_remaining_owner(await members.find_owner_ids(tx, shop_id), user_id, None)
    await members.remove(tx, shop_id, user_id, ctx.now_us())
    # An invitation that was open when the person was added in another way leads back into the team.
    user = await users.get(tx, user_id)
    assert user is not None, "a member has an account"
    await invitations.revoke_for_login(tx, shop_id, user.login, ctx.now_us())
    await sessions.delete_of_member(tx, user_id, shop_id)
    await preferences.remove(tx, shop_id, user_id)
    await addresses.remove_all(tx, shop_id, user_id)
    await api_keys.revoke_made_by(
        ctx, tx, user_id, actor=acting.actor, origin=acting.origin, shop_id=shop_id
    )
    await audit_log.record(ctx, tx, acting, Deed.MEMBER_REMOVED, user_id)


async def set_refund_limits(ctx: Context, member: Member, limits: RefundLimits) -> Shop:
    """Store how much of one payment each role may refund. Raises RefusedError.

    "forbidden", also for an admin who changes the limit of admins or gives another role a higher
    one; "validation".
    """
    member.require(Permission.TEAM)
    problems = [
        Problem(name, "money_too_large")
        for name in RefundLimits.__dataclass_fields__
        if not 0 <= (getattr(limits, name) or 0) <= MAX_MINOR
    ]
    if problems:
        raise validation_error(*problems)
    async with ctx.db.write() as tx:
        acting = await lock_team(tx, member)
        shop = await shops.lock(tx, member.shop_id)
        require_can_set_limits(acting, shop.refund_limits, limits)
        saved = replace(shop, refund_limits=limits)
        await changes.write(tx, Change((saved,)), ctx.now_us())
        changed = changed_fields(asdict(shop.refund_limits), asdict(limits))
        await audit_log.record(
            ctx, tx, acting, Deed.REFUND_LIMITS_CHANGED, member.shop_id, changes=changed
        )
    return saved


async def lock_team(tx: Tx, member: Member) -> Member:
    """Lock the team of a shop; return the acting member with the role of this moment.

    Another owner may have taken the role since the session was read. Raises
    RefusedError("forbidden") for somebody who has left the team.
    """
    await shops.lock(tx, member.shop_id)
    if member.actor == COMMAND_LINE:
        return member
    role = await members.find_role(tx, member.shop_id, member.actor)
    if role is None:
        raise RefusedError("forbidden")
    return replace(member, role=role)


async def _get_member(tx: Tx, shop_id: str, user_id: str) -> TeamMember:
    found = await members.find_team_member(tx, shop_id, user_id)
    if found is None:
        raise RefusedError("not_found", what="member")
    return found
