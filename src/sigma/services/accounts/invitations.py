"""Invitations: sent by mail and shown once as a link, accepted once within seven days."""

import asyncio
from dataclasses import dataclass, replace
from typing import NamedTuple

from sigma.domain.accounts.api_key import COMMAND_LINE
from sigma.domain.accounts.invitation import LIFETIME_US, Invitation, InvitationState
from sigma.domain.accounts.member import Member, Permission, Role, User
from sigma.domain.accounts.names import check_name
from sigma.domain.accounts.password import check_password, normalize_password, own_words
from sigma.domain.accounts.shop import Shop
from sigma.domain.accounts.team import (
    MAIL_SERVER_ROLES,
    may_pass_mail_server,
    require_can_assign,
)
from sigma.domain.audit.deed import Deed
from sigma.domain.billing.mail import Mail
from sigma.domain.change import Change, Job
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.limits import INVITATIONS_SHOP
from sigma.domain.origin import NO_ORIGIN, Origin
from sigma.domain.text_cleaning import clean_text
from sigma.services.accounts.devices import device_cookie
from sigma.services.accounts.logins import check_login, verify_password
from sigma.services.accounts.tokens import hash_token
from sigma.services.accounts.users import (
    BY_PASSWORD,
    NewSession,
    Session,
    create_session,
    open_session,
    with_session,
)
from sigma.services.context import Context
from sigma.services.invitation_links import find_inviter, invitation_url, token_of
from sigma.services.platform import audit_log
from sigma.store import changes
from sigma.store.accounts import administrators, invitations, members, shops, users
from sigma.store.engine.interface import ConflictError, Tx


class NewInvitation(NamedTuple):
    """An invitation with its link. `replaces_earlier`: an earlier link of the address has ended."""

    invitation: Invitation
    url: str
    replaces_earlier: bool


@dataclass(frozen=True, slots=True)
class InvitationView:
    """What the page of an invitation shows. `has_account`: the invited address signs in already.

    `has_shop`: the account is in a team. Without one it cannot sign in before it accepts.
    `inviter`: name or login of the person who invites, "" for the command line.
    """

    invitation: Invitation
    shop: Shop
    state: InvitationState
    has_account: bool
    has_shop: bool
    inviter: str


async def invite(ctx: Context, member: Member, login: str, role: Role) -> NewInvitation:
    """Invite an address into the team.

    Earlier invitations of the address are revoked. The mail is sent by a job. Raises RefusedError:
    "forbidden", "validation", "too_many_requests".
    """
    require_can_assign(member, role)
    email = check_login(login)
    if member.actor != COMMAND_LINE:
        await ctx.limiter.require(INVITATIONS_SHOP, member.shop_id)
    async with ctx.db.write() as tx:
        user = await users.find_by_login(tx, email)
        if user and await members.find_role(tx, member.shop_id, user.id):
            raise validation_error(Problem("login", "already_member"))
        invitation, replaces_earlier = await add(
            ctx, tx, member.shop_id, email, role, actor=member.actor, origin=member.origin
        )
    return NewInvitation(invitation, invitation_url(ctx, invitation), replaces_earlier)


async def is_mailed(ctx: Context, shop: Shop, invitation: Invitation) -> bool:
    """Return whether an invitation is mailed: by the installation's server or by the shop's own.

    The shop's own server may not send the link for a higher role than those who edit it can give.
    """
    if ctx.mailer_factory("") is not None:
        return True
    async with ctx.db.read() as tx:
        editors = await members.list_with_roles(tx, shop.id, MAIL_SERVER_ROLES)
    return bool(shop.smtp_url_encrypted) and may_pass_mail_server(invitation, editors)


async def add(
    ctx: Context, tx: Tx, shop_id: str, email: str, role: Role, *, actor: str, origin: Origin
) -> tuple[Invitation, bool]:
    """Store an invitation with its mail, and revoke earlier ones of the address.

    Returns the invitation and whether there was an earlier one. No check of rights.
    """
    now_us = ctx.now_us()
    revoked_count = await invitations.revoke_for_login(tx, shop_id, email, now_us)
    invitation_id = ctx.new_id("ivt", shop_id)
    invitation = Invitation(
        id=invitation_id,
        shop_id=shop_id,
        login=email,
        role=role,
        token_hash=hash_token(token_of(ctx, invitation_id, email)),
        created_by=actor,
        created_at_us=now_us,
        expires_at_us=now_us + LIFETIME_US,
    )
    mail = Mail(ctx.new_id("mail", shop_id), shop_id, "invitation", invitation.id, "", now_us)
    job = Job("mail.send", mail.id, shop_id)
    await changes.write(tx, Change((invitation, mail), jobs=(job,)), now_us)
    await audit_log.record_for_chain(
        ctx, tx, shop_id, actor, origin, Deed.INVITATION_CREATED, invitation.id, role=str(role)
    )
    return invitation, revoked_count > 0


async def revoke(ctx: Context, member: Member, invitation_id: str) -> None:
    """Revoke an open invitation; its link stops working at once.

    Raises RefusedError: "forbidden", "not_found".
    """
    member.require(Permission.TEAM)
    async with ctx.db.write() as tx:
        invitation = await invitations.lock(tx, invitation_id)
        if invitation is None or invitation.shop_id != member.shop_id:
            raise RefusedError("not_found", what="invitation")
        require_can_assign(member, invitation.role)
        now_us = ctx.now_us()
        if invitation.state_at(now_us) is InvitationState.OPEN:
            revoked = replace(invitation, revoked_at_us=now_us)
            await changes.write(tx, Change((revoked,)), now_us)
            await audit_log.record(ctx, tx, member, Deed.INVITATION_REVOKED, invitation_id)


async def find(ctx: Context, token: str) -> InvitationView:
    """Return the invitation of a link, in any state. Raises RefusedError("not_found")."""
    async with ctx.db.read() as tx:
        invitation = await _find(tx, token)
        shop = await shops.get(tx, invitation.shop_id)
        user = await users.find_by_login(tx, invitation.login)
        assert shop is not None, "an invitation references its shop"
        state = await _state(ctx, tx, invitation)
        has_shop = bool(user and await members.find_earliest_membership(tx, user.id))
        inviter = await find_inviter(tx, invitation)
    return InvitationView(invitation, shop, state, user is not None, has_shop, inviter)


async def _find(tx: Tx, token: str) -> Invitation:
    is_token = len(token) == 40 and token.isascii() and token.isalnum()
    invitation = await invitations.find_by_token(tx, hash_token(token)) if is_token else None
    if invitation is None:
        raise RefusedError("not_found", what="invitation")
    return invitation


async def _state(ctx: Context, tx: Tx, invitation: Invitation) -> InvitationState:
    """Return the state; an invitation ends with the right of its maker to give the role."""
    state = invitation.state_at(ctx.now_us())
    if state is not InvitationState.OPEN or invitation.created_by == COMMAND_LINE:
        return state
    role = await members.find_role(tx, invitation.shop_id, invitation.created_by)
    if role is None and await _is_first_owner(tx, invitation):
        return state
    try:
        maker_role = role or Role.VIEWER
        require_can_assign(
            Member(invitation.created_by, invitation.shop_id, maker_role), invitation.role
        )
    except RefusedError:
        return InvitationState.REVOKED
    return state


async def _is_first_owner(tx: Tx, invitation: Invitation) -> bool:
    """Return whether an administrator of the installation has made the shop for this person.

    Such a shop has no owner yet. Invitations of an administrator who has left a team are void.
    """
    return (
        invitation.role is Role.OWNER
        and not await members.find_owner_ids(tx, invitation.shop_id)
        and await administrators.is_administrator(tx, invitation.created_by)
    )


async def accept_as_new(
    ctx: Context,
    token: str,
    *,
    name: str,
    password: str,
    locale: str,
    origin: Origin = NO_ORIGIN,
) -> NewSession:
    """Accept an invitation with a new account, and sign the person in.

    `origin`: where the request comes from, for the list of sessions.

    Raises RefusedError: "not_found", "validation", "invitation_used", "invitation_expired", and
    "invitation_other_person" when the address has an account by now.
    """
    view = await find(ctx, token)
    _require_open(view.state)
    if view.has_account:
        raise RefusedError("invitation_other_person", login=view.invitation.login)
    name, password = clean_text(name), normalize_password(password)
    problems = check_name("name", name)
    words = own_words(view.invitation.login, name, view.shop.name)
    # In a thread: a long password takes a tenth of a second.
    if problem := await asyncio.to_thread(check_password, password, words):
        problems.append(problem)
    if problems:
        raise validation_error(*problems)
    password_hash = await ctx.passwords.hash(password)
    now_us, login = ctx.now_us(), view.invitation.login
    user = User(ctx.new_id("usr", view.shop.id), login, password_hash, name, locale, now_us)
    try:
        async with ctx.db.write() as tx:
            invitation = await _lock_open(ctx, tx, view.invitation)
            await users.save(tx, user)
            await _join(ctx, tx, invitation, user, origin)
            secret = await create_session(ctx, tx, user.id, view.shop.id, BY_PASSWORD, origin)
            member = Member(
                user.id, view.shop.id, invitation.role, origin=with_session(origin, secret)
            )
            await audit_log.record(
                ctx, tx, member, Deed.SIGNED_IN, user.id, known_device=False, proofs="password"
            )
    except ConflictError as error:  # the address got its account by another invitation meanwhile
        raise RefusedError("invitation_other_person", login=login) from error
    return NewSession(secret, user, view.shop, device_cookie(ctx, "", login, password_hash))


async def accept_by_password(
    ctx: Context, token: str, password: str, origin: Origin, *, earlier_secret: str = ""
) -> NewSession:
    """Accept an invitation with an account that is in no team (any more), and sign the person in.

    The session is pending when the person has a second factor. `earlier_secret`: the
    secret of an earlier session of this browser, which ends. Raises RefusedError: "not_found",
    "unauthorized", "too_many_requests", "invitation_used", "invitation_expired", and
    "invitation_other_person" for another account: that one signs in first.
    """
    view = await find(ctx, token)
    _require_open(view.state)
    login = view.invitation.login
    if not view.has_account or view.has_shop:
        raise RefusedError("invitation_other_person", login=login)
    user, _ = await verify_password(ctx, login, password, origin)
    async with ctx.db.write() as tx:
        invitation = await _lock_open(ctx, tx, view.invitation)
        await _join(ctx, tx, invitation, user, origin)
    return await open_session(ctx, user, BY_PASSWORD, origin, earlier_secret=earlier_secret)


async def accept(ctx: Context, session: Session, token: str) -> Shop:
    """Accept an invitation as the signed-in person. Returns the shop; the session keeps its own.

    Raises RefusedError: "not_found", "invitation_used", "invitation_expired",
    "invitation_other_person" when another address was invited, "already_member".
    """
    view = await find(ctx, token)
    _require_open(view.state)
    if view.invitation.login != session.user.login:
        raise RefusedError("invitation_other_person", login=view.invitation.login)
    async with ctx.db.write() as tx:
        invitation = await _lock_open(ctx, tx, view.invitation)
        await _join(ctx, tx, invitation, session.user, session.member.origin)
    return view.shop


def _require_open(state: InvitationState) -> None:
    if state is not InvitationState.OPEN:
        is_expired = state is InvitationState.EXPIRED
        raise RefusedError("invitation_expired" if is_expired else "invitation_used")


async def _lock_open(ctx: Context, tx: Tx, snapshot: Invitation) -> Invitation:
    """Lock the team and the invitation; return it. Raises RefusedError unless it is open."""
    await shops.lock(tx, snapshot.shop_id)
    invitation = await invitations.lock(tx, snapshot.id)
    if invitation is None:  # deleted long after it expired
        raise RefusedError("not_found", what="invitation")
    _require_open(await _state(ctx, tx, invitation))
    return invitation


async def _join(ctx: Context, tx: Tx, invitation: Invitation, user: User, origin: Origin) -> None:
    """Add the member and close the invitation, which is locked."""
    if await members.find_role(tx, invitation.shop_id, user.id):
        raise RefusedError("already_member")
    now_us = ctx.now_us()
    await members.add(tx, invitation.shop_id, user.id, invitation.role, now_us)
    await changes.write(tx, Change((replace(invitation, accepted_at_us=now_us),)), now_us)
    shop_id, role = invitation.shop_id, str(invitation.role)
    await audit_log.record_for_chain(
        ctx, tx, shop_id, user.id, origin, Deed.MEMBER_ADDED, user.id, role=role
    )
