"""One community: its state, checklist with a button for what Sigma can do, key, delivery."""

from typing import Any
from urllib.parse import urlsplit

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.errors import Refused
from sigma.services.accounts.users import Session
from sigma.services.communities import checklist, communities, event_subscription
from sigma.services.communities.access_keys import from_ticket
from sigma.services.communities.communities import Kept
from sigma.services.context import MINUTE, Context
from sigma.services.vk import links
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import Given, cabinet_page, go, posted, refusal, words_of
from sigma.web.cabinet.vk.communities import PLACE
from sigma.web.forms import one

STALE = MINUTE  # an older answer of VK is asked for anew as soon as the page is there


@get("/vk/{community_id:str}")
async def community_page(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    community_id: FromPath[str],
) -> Response[Any]:
    """The whole of it."""
    return await _page(request, ctx, session, community_id)


@post("/vk/{community_id:str}/check")
async def check(
    ctx: NamedDependency[Context], session: NamedDependency[Session], community_id: FromPath[str]
) -> Response[Any]:
    """Really asks VK; the page says what it answered."""
    await communities.check(ctx, session.member, community_id)
    return go(f"/vk/{community_id}#state")


@post("/vk/{community_id:str}/key")
async def key(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    community_id: FromPath[str],
) -> Response[Any]:
    """Another key of the same community, pasted here or on the page of connecting."""
    given = await posted(request)
    try:
        sealed = one(given, "ticket")
        new = from_ticket(ctx, session.member, sealed) if sealed else one(given, "key")
        await communities.mend(ctx, session.member, community_id, new)
    except Refused as refused:
        if refused.code in ("not_found", "no_community"):
            raise
        return await _page(request, ctx, session, community_id, refused)
    return go(f"/vk/{community_id}", "vk.done_mended")


@post("/vk/{community_id:str}/delivery")
async def choose_delivery(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    community_id: FromPath[str],
) -> Response[Any]:
    """How events shall come; the page says what came of it."""
    wanted = one(await posted(request), "wanted")
    try:
        await communities.choose_delivery(ctx, session.member, community_id, wanted)
    except Refused as refused:
        return await _refused(request, ctx, session, community_id, refused)
    return go(f"/vk/{community_id}#delivery", "vk.done_delivery")


@post("/vk/{community_id:str}/disconnect")
async def disconnect(
    ctx: NamedDependency[Context], session: NamedDependency[Session], community_id: FromPath[str]
) -> Response[Any]:
    """Ends the work with it; dialogs stay."""
    kept = await communities.get(ctx, session.member, community_id)
    await communities.disconnect(ctx, session.member, community_id)
    return go("/vk", "vk.done_disconnected", name=kept.community.name)


@post("/vk/{community_id:str}/checklist")
async def refresh(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    community_id: FromPath[str],
) -> Response[Any]:
    """Asks VK about every point again."""
    try:
        await checklist.refresh(ctx, session.member, community_id)
    except Refused as refused:
        if refused.code not in ("vk_refused", "vk_silent"):
            raise
        return await _refused(request, ctx, session, community_id, refused, at="list")
    if request.headers.get("hx-request"):
        return await _page(request, ctx, session, community_id)
    return go(f"/vk/{community_id}#list")


@post("/vk/{community_id:str}/checklist/{name:str}")
async def act(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    community_id: FromPath[str],
    name: FromPath[str],
) -> Response[Any]:
    """The button of one point."""
    given = await posted(request)
    try:
        done = await _act(ctx, session, community_id, name, given)
    except Refused as refused:
        return await _refused(request, ctx, session, community_id, refused, at="list")
    yes = "vk.done_item_said" if name == "services" else "vk.done_item"
    said = yes if done else "vk.done_item_refused"
    return go(f"/vk/{community_id}#item-{name}", said, tone="good" if done else "wait")


async def _act(ctx: Context, session: Session, community_id: str, name: str, given: Given) -> bool:
    member = session.member
    if name in ("messages", "bots"):
        return await checklist.switch_on(ctx, member, community_id)
    if name == "description":
        text = one(given, "description", lines=True)
        return await checklist.describe(ctx, member, community_id, text)
    if name == "goods":
        return await checklist.goods_on(ctx, member, community_id)
    if name == "services":
        await checklist.say(ctx, member, community_id, one(given, "on") == "1")
        return True
    if name == "delivery":
        await communities.renew(ctx, member, community_id)
        kept = await communities.get(ctx, member, community_id)
        return event_subscription.told(kept.community)["state"] == event_subscription.OK
    raise Refused("not_found", what="item")


async def _refused(
    request: WebRequest,
    ctx: Context,
    session: Session,
    community_id: str,
    refused: Refused,
    at: str = "",
) -> Response[Any]:
    if refused.code not in ("validation", "vk_refused", "vk_silent"):
        raise refused
    return await _page(request, ctx, session, community_id, refused, at)


async def _page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    community_id: str,
    refused: Refused | None = None,
    at: str = "",
) -> Response[Any]:
    kept = await communities.get(ctx, session.member, community_id)
    errors = refusal(words_of(session), refused) if refused else {}
    # htmx swaps an answer in only when it is a good one.
    swapped = bool(request.headers.get("hx-request"))
    return cabinet_page(
        request,
        session,
        "cabinet/vk/community.html",
        place=PLACE,
        status=422 if refused and not swapped else 200,
        errors={} if at else errors,
        # What is wrong with this one is said below at length.
        troubles=[one for one in getattr(request.state, "troubles", ()) if one.id != community_id],
        list_error=" ".join(errors.values()) if at else "",
        **_shown(ctx, kept, bool(refused)),
    )


def _shown(ctx: Context, kept: Kept, refused: bool) -> dict[str, Any]:
    community, connection = kept.community, kept.connection
    items = checklist.items(community, connection)
    done, count = checklist.ready(items)
    asked_at = int(community.facts.get("list_at", 0))
    return {
        "c": community,
        "connected": kept.connected,
        "items": items,
        "done": done,
        "count": count,
        "asked_at": asked_at,
        "stale": kept.connected and not refused and ctx.now() - asked_at > STALE,
        "delivery": event_subscription.told(community),
        "host": urlsplit(ctx.settings.base_url).netloc,
        "public": event_subscription.public(ctx.settings.base_url),
        "check": community.facts.get("check", {}),
        "url": links.community_url(connection),
        "tokens_url": links.tokens_url(connection),
        "dialog_url": links.dialog_url(community, connection),
    }


HANDLERS = [community_page, check, key, choose_delivery, disconnect, refresh, act]
