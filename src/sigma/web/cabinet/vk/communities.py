"""The list of VK communities and the steps to connect one."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.checklist import count_done
from sigma.services.accounts.users import Session
from sigma.services.communities import checklist, communities
from sigma.services.communities.access_keys import (
    InspectedKey,
    inspect,
    issue_ticket,
    read_ticket,
)
from sigma.services.context import Context
from sigma.services.vk import links
from sigma.web.cabinet.guards import RECENT_AUTHENTICATION, WebRequest
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.forms import first_value

SECTION = "vk"


@get("/vk")
async def communities_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """List the shop's communities; without any, show the page to connect one."""
    connected = await communities.list_connected(ctx, session.member)
    if not connected:
        return _connect_page(request, ctx, session)
    rows = [
        (row, *count_done(checklist.build_items(row.community, row.connection)))
        for row in connected
    ]
    return render_cabinet_page(request, session, "cabinet/vk/list.html", section=SECTION, rows=rows)


@get("/vk/connect")
async def connect_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show how to create an access key, and the field for it."""
    session.member.require(Permission.SETTINGS)
    return _connect_page(request, ctx, session)


@post("/vk/connect", opt=RECENT_AUTHENTICATION)
async def preview_community(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the community of the pasted access key. Nothing is stored before the confirmation."""
    session.member.require(Permission.SETTINGS)
    key = first_value(await read_form_values(request), "key")
    try:
        key_check = await inspect(ctx, session.member, key)
    except RefusedError as error:
        return _connect_page(request, ctx, session, error)
    return _confirm_page(request, ctx, session, key_check, issue_ticket(ctx, session.member, key))


@post("/vk/connect/confirm")
async def connect_community(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Connect the community of the encrypted access key (`ticket`) in the form.

    The ticket comes from the page before, which demands a recent proof of identity.
    """
    session.member.require(Permission.SETTINGS)
    form_data = await read_form_values(request)
    try:
        key = read_ticket(ctx, session.member, first_value(form_data, "ticket"))
        community = await communities.connect(ctx, session.member, key, origin=session.origin)
    except RefusedError as error:
        return _connect_page(request, ctx, session, error)
    return redirect(f"/vk/{community.id}", "vk.done_connected", name=community.name)


def _connect_page(
    request: WebRequest, ctx: Context, session: Session, error: RefusedError | None = None
) -> Response[Any]:
    """Render the page to connect a community.

    `?club=`: the community's address as pasted; then the link opens its access keys in VK.
    """
    club = first_value({"club": [request.query_params.get("club", "")]}, "club")
    site = ctx.settings.vk_site_url
    tokens = links.typed_access_keys_url(site, club) if club else ""
    errors = refusal_texts(translator_for(session), error) if error else {}
    if club and not tokens:
        errors["club"] = translator_for(session).t("vk.club_unclear")
    return render_cabinet_page(
        request,
        session,
        "cabinet/vk/connect.html",
        section=SECTION,
        status=422 if error else 200,
        errors=errors,
        club=club,
        tokens_url=tokens,
        new_url=links.new_community_url(site),
        mine_url=links.my_communities_url(site),
        first=request.url.path == "/vk",
    )


def _confirm_page(
    request: WebRequest, ctx: Context, session: Session, key_check: InspectedKey, encrypted_key: str
) -> Response[Any]:
    connected = key_check.existing if key_check.is_connected else None
    return render_cabinet_page(
        request,
        session,
        "cabinet/vk/confirm.html",
        section=SECTION,
        key_check=key_check,
        connected_community=connected,
        ticket=encrypted_key,
        tokens_url=links.group_access_keys_url(ctx.settings.vk_site_url, key_check.group.id),
        can_connect=not key_check.group.deactivated
        and not key_check.missing_required
        and connected is None,
    )


HANDLERS = [communities_page, connect_page, preview_community, connect_community]
