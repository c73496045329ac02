"""VKontakte in the cabinet: connecting a community step by step, and the list of them."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import Refused
from sigma.services.accounts.users import Session
from sigma.services.communities import checklist, communities
from sigma.services.communities.access_keys import Found, from_ticket, ticket
from sigma.services.context import Context
from sigma.services.vk import links
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import cabinet_page, go, posted, refusal, words_of
from sigma.web.forms import one

PLACE = "vk"
MAX_KEY = 1100


@get("/vk")
async def list_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The shop's communities, or the way to the first one."""
    found = await communities.listing(ctx, session.member)
    if not found:
        return _key_page(request, ctx, session)
    rows = [
        (one, *checklist.ready(checklist.items(one.community, one.connection))) for one in found
    ]
    return cabinet_page(request, session, "cabinet/vk/list.html", place=PLACE, rows=rows)


@get("/vk/connect")
async def connect_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """How to make a key, and the field for it."""
    session.member.must(Permission.SETTINGS)
    return _key_page(request, ctx, session)


@post("/vk/connect")
async def look(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Shows whose key was pasted; nothing is stored before the person says yes."""
    session.member.must(Permission.SETTINGS)
    key = one(await posted(request), "key")
    try:
        found = await communities.look(ctx, session.member, key)
    except Refused as refused:
        return _key_page(request, ctx, session, refused)
    return _confirm_page(request, ctx, session, found, ticket(ctx, session.member, key))


@post("/vk/connect/confirm")
async def confirm(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Connects the community that was shown."""
    session.member.must(Permission.SETTINGS)
    given = await posted(request)
    try:
        key = from_ticket(ctx, session.member, one(given, "ticket"))
        made = await communities.connect(ctx, session.member, key)
    except Refused as refused:
        return _key_page(request, ctx, session, refused)
    return go(f"/vk/{made.id}", "vk.done_connected", name=made.name)


def _key_page(
    request: WebRequest, ctx: Context, session: Session, refused: Refused | None = None
) -> Response[Any]:
    """`?club=` is the community's address as a person copied it: links then lead right there."""
    club = one({"club": [request.query_params.get("club", "")]}, "club")
    site = ctx.settings.vk_site_url
    tokens = links.typed_tokens_url(site, club) if club else ""
    errors = refusal(words_of(session), refused) if refused else {}
    if club and not tokens:
        errors["club"] = words_of(session).t("vk.club_unclear")
    return cabinet_page(
        request,
        session,
        "cabinet/vk/connect.html",
        place=PLACE,
        status=422 if refused else 200,
        errors=errors,
        club=club,
        tokens_url=tokens,
        new_url=links.new_community_url(site),
        mine_url=links.my_communities_url(site),
        first=request.url.path == "/vk",
    )


def _confirm_page(
    request: WebRequest, ctx: Context, session: Session, found: Found, sealed: str
) -> Response[Any]:
    known = found.known if found.connected else None
    return cabinet_page(
        request,
        session,
        "cabinet/vk/confirm.html",
        place=PLACE,
        found=found,
        known=known,
        ticket=sealed,
        tokens_url=links.group_tokens_url(ctx.settings.vk_site_url, found.group.id),
        can=not found.group.deactivated and not found.missing and known is None,
    )


HANDLERS = [list_page, connect_page, look, confirm]
