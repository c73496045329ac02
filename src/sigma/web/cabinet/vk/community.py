"""One VK community: state, checklist with an action for each item, access key, delivery."""

from typing import Any
from urllib.parse import urlsplit

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.errors import RefusedError
from sigma.domain.messaging.checklist import count_done
from sigma.domain.messaging.community import DELIVERY_OK, delivery_status
from sigma.domain.time_units import MINUTE_US
from sigma.services.accounts.users import Session
from sigma.services.communities import checklist, communities, event_subscription
from sigma.services.communities.access_keys import read_ticket
from sigma.services.communities.communities import CommunityWithConnection
from sigma.services.context import Context
from sigma.services.vk import links
from sigma.web.cabinet.guards import RECENT_AUTHENTICATION, WebRequest
from sigma.web.cabinet.responses import (
    FormValues,
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cabinet.vk.communities import SECTION
from sigma.web.forms import first_value

CHECKLIST_MAX_AGE_US = MINUTE_US  # the page reloads an older checklist in the background


@get("/vk/{community_id:str}")
async def community_page(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    community_id: FromPath[str],
) -> Response[Any]:
    """Show the community."""
    return await _page(request, ctx, session, community_id)


@post("/vk/{community_id:str}/check")
async def check_community(
    ctx: NamedDependency[Context], session: NamedDependency[Session], community_id: FromPath[str]
) -> Response[Any]:
    """Check the access key and the delivery with VK; the page then shows the result."""
    await communities.verify(ctx, session.member, community_id)
    return redirect(f"/vk/{community_id}#state")


@post("/vk/{community_id:str}/key", opt=RECENT_AUTHENTICATION)
async def replace_key(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    community_id: FromPath[str],
) -> Response[Any]:
    """Replace the access key: pasted here (`key`) or on the connect page (`ticket`)."""
    form_data = await read_form_values(request)
    try:
        ticket = first_value(form_data, "ticket")
        new = read_ticket(ctx, session.member, ticket) if ticket else first_value(form_data, "key")
        await communities.replace_key(ctx, session.member, community_id, new, origin=session.origin)
    except RefusedError as error:
        if error.code in ("not_found", "no_community"):
            raise
        return await _page(request, ctx, session, community_id, error)
    return redirect(f"/vk/{community_id}", "vk.done_key_replaced")


@post("/vk/{community_id:str}/delivery")
async def choose_delivery(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    community_id: FromPath[str],
) -> Response[Any]:
    """Choose how VK delivers events: auto, callback or long poll."""
    mode = first_value(await read_form_values(request), "delivery")
    try:
        await communities.choose_delivery(ctx, session.member, community_id, mode)
    except RefusedError as error:
        return await _page_with_refusal(request, ctx, session, community_id, error)
    return redirect(f"/vk/{community_id}#delivery", "vk.done_delivery")


@post("/vk/{community_id:str}/disconnect", opt=RECENT_AUTHENTICATION)
async def disconnect_community(
    ctx: NamedDependency[Context], session: NamedDependency[Session], community_id: FromPath[str]
) -> Response[Any]:
    """Disconnect the community; its conversations stay."""
    connected = await communities.get(ctx, session.member, community_id)
    await communities.disconnect(ctx, session.member, community_id, origin=session.origin)
    return redirect("/vk", "vk.done_disconnected", name=connected.community.name)


@post("/vk/{community_id:str}/checklist")
async def refresh_checklist(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    community_id: FromPath[str],
) -> Response[Any]:
    """Read the state of every checklist item from VK."""
    try:
        await checklist.refresh(ctx, session.member, community_id)
    except RefusedError as error:
        if error.code not in ("vk_refused", "vk_silent"):
            raise
        return await _page_with_refusal(
            request, ctx, session, community_id, error, error_section="list"
        )
    if request.headers.get("hx-request"):
        return await _page(request, ctx, session, community_id)
    return redirect(f"/vk/{community_id}#list")


@post("/vk/{community_id:str}/checklist/{name:str}")
async def run_checklist_action(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    community_id: FromPath[str],
    name: FromPath[str],
) -> Response[Any]:
    """Run the action of one checklist item."""
    form_data = await read_form_values(request)
    try:
        is_done = await _run_checklist_action(ctx, session, community_id, name, form_data)
    except RefusedError as error:
        return await _page_with_refusal(
            request, ctx, session, community_id, error, error_section="list"
        )
    success = "vk.done_item_confirmed" if name == "services" else "vk.done_item"
    flash = success if is_done else "vk.done_item_refused"
    return redirect(f"/vk/{community_id}#item-{name}", flash, tone="good" if is_done else "wait")


async def _run_checklist_action(
    ctx: Context, session: Session, community_id: str, name: str, form_data: FormValues
) -> bool:
    member = session.member
    if name in ("messages", "bots"):
        return await checklist.enable_messages(ctx, member, community_id)
    if name == "description":
        text = first_value(form_data, "description", multiline=True)
        return await checklist.set_description(ctx, member, community_id, text)
    if name == "market":
        return await checklist.enable_market(ctx, member, community_id)
    if name == "services":
        await checklist.confirm_services(
            ctx, member, community_id, first_value(form_data, "on") == "1"
        )
        return True
    if name == "delivery":
        await communities.set_up_delivery(ctx, member, community_id)
        connected = await communities.get(ctx, member, community_id)
        return delivery_status(connected.community)["state"] == DELIVERY_OK
    raise RefusedError("not_found", what="item")


async def _page_with_refusal(
    request: WebRequest,
    ctx: Context,
    session: Session,
    community_id: str,
    error: RefusedError,
    error_section: str = "",
) -> Response[Any]:
    if error.code not in ("validation", "vk_refused", "vk_silent"):
        raise error
    return await _page(request, ctx, session, community_id, error, error_section)


async def _page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    community_id: str,
    error: RefusedError | None = None,
    error_section: str = "",
) -> Response[Any]:
    connected = await communities.get(ctx, session.member, community_id)
    errors = refusal_texts(translator_for(session), error) if error else {}
    # htmx swaps in responses with status 2xx only.
    swapped = bool(request.headers.get("hx-request"))
    return render_cabinet_page(
        request,
        session,
        "cabinet/vk/community.html",
        section=SECTION,
        status=422 if error and not swapped else 200,
        errors={} if error_section else errors,
        # The page itself explains the error of this community.
        broken_communities=[
            c for c in getattr(request.state, "broken_communities", ()) if c.id != community_id
        ],
        list_error=" ".join(errors.values()) if error_section else "",
        **_page_context(ctx, connected, bool(error)),
    )


def _page_context(
    ctx: Context, connected: CommunityWithConnection, has_error: bool
) -> dict[str, Any]:
    community, connection = connected.community, connected.connection
    items = checklist.build_items(community, connection)
    done_count, count = count_done(items)
    checked_at_us = int(community.facts.get("refreshed_at_us", 0))
    return {
        "community": community,
        "connected": connected.is_connected,
        "items": items,
        "done_count": done_count,
        "count": count,
        "checked_at_us": checked_at_us,
        "is_stale": connected.is_connected
        and not has_error
        and ctx.now_us() - checked_at_us > CHECKLIST_MAX_AGE_US,
        "delivery": delivery_status(community),
        "host": urlsplit(ctx.settings.base_url).netloc,
        "is_public_url": event_subscription.is_public_url(ctx.settings.base_url),
        "check": community.facts.get("check", {}),
        "url": links.community_url(connection),
        "tokens_url": links.access_keys_url(connection),
        "conversation_url": links.chat_url(community, connection),
    }


HANDLERS = [
    community_page,
    check_community,
    replace_key,
    choose_delivery,
    disconnect_community,
    refresh_checklist,
    run_checklist_action,
]
