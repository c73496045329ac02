"""The team: members and roles, invitations, hand-over of the shop, refund limits."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import (
    LIMITED_ROLES,
    PERMISSIONS_BY_ROLE,
    REFUND_CURRENCY,
    Member,
    Permission,
    RefundLimits,
    Role,
)
from sigma.domain.accounts.team import assignable_roles
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.money import Money
from sigma.services.accounts import invitations, team
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.web.cabinet.guards import RECENT_AUTHENTICATION, WebRequest, session_cookie
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cabinet.urls import next_page_url, query_values
from sigma.web.forms import FormValues, first_value, parse_cursor, parse_money
from sigma.web.ids import parse_id

PAGE = "/settings/team"


@get(PAGE)
async def team_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the team and the forms that change it."""
    return await _team_page(request, ctx, session)


@post(f"{PAGE}/invitations", opt=RECENT_AUTHENTICATION)
async def invite(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Invite an address. No redirect: the link is in this response only and is not stored."""
    form_data = await read_form_values(request)
    login, role = first_value(form_data, "login"), first_value(form_data, "role")
    try:
        session.member.require(Permission.TEAM)
        if role not in set(Role):
            raise validation_error(Problem("role", "choose"))
        new = await invitations.invite(ctx, session.member, login, Role(role))
    except RefusedError as error:
        if error.code != "validation":
            raise
        errors = refusal_texts(translator_for(session), error)
        values = {"login": login, "role": role}
        return await _team_page(request, ctx, session, 422, errors=errors, values=values)
    is_mailed = await invitations.is_mailed(ctx, session.shop, new.invitation)
    return await _team_page(
        request,
        ctx,
        session,
        201,
        invited=new.invitation,
        invited_url=new.url,
        is_mailed=is_mailed,
        replaces_earlier=new.replaces_earlier,
    )


@post(f"{PAGE}/invitations/{{invitation_id:str}}/revoke")
async def revoke_invitation(
    ctx: NamedDependency[Context], session: NamedDependency[Session], invitation_id: FromPath[str]
) -> Response[Any]:
    """Revoke an invitation; its link stops working at once."""
    await invitations.revoke(ctx, session.member, parse_id(invitation_id, "ivt"))
    return redirect(PAGE, "team.done_invitation_revoked")


@post(f"{PAGE}/members/{{user_id:str}}/role", opt=RECENT_AUTHENTICATION)
async def change_role(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    user_id: FromPath[str],
) -> Response[Any]:
    """Change the role of a member."""
    session.member.require(Permission.TEAM)
    role = first_value(await read_form_values(request), "role")
    if role not in set(Role):
        raise validation_error(Problem("role", "choose"))
    await team.change_role(ctx, session.member, parse_id(user_id, "usr"), Role(role))
    can_see_team = Permission.TEAM in PERMISSIONS_BY_ROLE[Role(role)]
    is_self = user_id == session.user.id
    return redirect(PAGE if can_see_team or not is_self else "/", "team.done_role")


@post(f"{PAGE}/members/{{user_id:str}}/remove", opt=RECENT_AUTHENTICATION)
async def remove_member(
    ctx: NamedDependency[Context], session: NamedDependency[Session], user_id: FromPath[str]
) -> Response[Any]:
    """Remove a member; sessions and API keys end at once."""
    await team.remove(ctx, session.member, parse_id(user_id, "usr"))
    return redirect(PAGE, "team.done_removed")


@post(f"{PAGE}/members/{{user_id:str}}/hand-over", opt=RECENT_AUTHENTICATION)
async def hand_over(
    ctx: NamedDependency[Context], session: NamedDependency[Session], user_id: FromPath[str]
) -> Response[Any]:
    """Make another member the owner; the acting owner becomes an admin."""
    await team.hand_over_ownership(ctx, session.member, parse_id(user_id, "usr"))
    return redirect(PAGE, "team.done_handed_over")


@post("/settings/leave")
async def leave_team(
    ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Leave the team of the current shop; this session ends."""
    await team.leave(ctx, session.member)
    response = redirect("/sign-in?note=left")
    response.set_cookie(session_cookie(ctx, ""))
    return response


@post(f"{PAGE}/limits", opt=RECENT_AUTHENTICATION)
async def save_limits(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Save the refund limits of the roles."""
    session.member.require(Permission.TEAM)
    form_data = await read_form_values(request)
    values = {f"limit_{role}": first_value(form_data, f"limit_{role}") for role in LIMITED_ROLES}
    try:
        limits = _parse_limits(form_data, session.member)
        await team.set_refund_limits(ctx, session.member, limits)
    except RefusedError as error:
        if error.code != "validation":
            raise
        errors = refusal_texts(translator_for(session), error)
        return await _team_page(request, ctx, session, 422, errors=errors, values=values)
    return redirect(f"{PAGE}#limits", "team.done_limits")


def _parse_limits(form_data: FormValues, member: Member) -> RefundLimits:
    """Return the limits of a form. The limit of admins is not in the form of an admin."""
    kopecks: dict[str, int | None] = {}
    problems = []
    for role in LIMITED_ROLES:
        name = f"limit_{role}"
        if role is Role.ADMIN and not member.can(Permission.OWNERSHIP):
            kopecks[str(role)] = member.refund_limits.admin
            continue
        text = first_value(form_data, name)
        amount = parse_money(text, name, REFUND_CURRENCY) if text else None
        if isinstance(amount, Problem):
            problems.append(amount)
        else:
            kopecks[str(role)] = None if amount is None else amount.minor
    if problems:
        raise validation_error(*problems)
    return RefundLimits(**kopecks)


async def _team_page(
    request: WebRequest, ctx: Context, session: Session, status: int = 200, **context: Any
) -> Response[Any]:
    cursor = parse_cursor(first_value(query_values(request), "cursor")) or ""
    found = await team.get(ctx, session.member, cursor=cursor)
    limits = {
        f"limit_{role}": _limit_text(found.refund_limits.for_role(role)) for role in LIMITED_ROLES
    }
    assignable = assignable_roles(session.member)
    values = {"login": "", "role": str(Role.OPERATOR)} | limits | context.pop("values", {})
    return render_cabinet_page(
        request,
        session,
        "cabinet/team/team.html",
        section="settings",
        status=status,
        team=found,
        next_url=next_page_url(PAGE, found.members.next_cursor),
        assignable=assignable,
        can_give_ownership=session.member.can(Permission.OWNERSHIP),
        roles=list(Role),
        permissions=list(Permission),
        right=_right_text,
        limited_roles=LIMITED_ROLES,
        values=values,
        **({"invited": None, "invited_url": "", "is_mailed": False} | context),
    )


def _right_text(role: Role, permission: Permission) -> str:
    """Return "yes", "no" or "limited" for a cell of the table of rights."""
    if permission not in PERMISSIONS_BY_ROLE[role]:
        return "no"
    is_limited = permission is Permission.REFUND and role is not Role.OWNER
    return "limited" if is_limited else "yes"


def _limit_text(minor: int | None) -> str:
    text = "" if minor is None else Money(minor, REFUND_CURRENCY).to_decimal_text()
    return text.removesuffix(".00")


HANDLERS = [
    team_page,
    invite,
    revoke_invitation,
    change_role,
    remove_member,
    hand_over,
    leave_team,
    save_limits,
]
