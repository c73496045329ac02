"""The list of conversations with filters and search, and one conversation beside it."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.services.accounts.users import Session
from sigma.services.catalogue.image_processing import MAX_BYTES
from sigma.services.context import Context
from sigma.services.conversations import conversation_page, inbox, message_codec
from sigma.services.conversations.conversation_page import (
    MAX_RELATED,
    RELATED_LIMIT,
    ConversationPage,
)
from sigma.services.conversations.inbox import STATUS_FILTERS, ConversationList
from sigma.texts import Translator
from sigma.texts.formats import initials
from sigma.web.cabinet.form_idempotency import new_nonce
from sigma.web.cabinet.guards import NO_STORE_HEADERS, WebRequest
from sigma.web.cabinet.inbox import view_models
from sigma.web.cabinet.inbox.message_text import safe_url
from sigma.web.cabinet.inbox.order_views import order_views
from sigma.web.cabinet.responses import render_cabinet_page, translator_for, unread_text
from sigma.web.cabinet.urls import build_url, query_values
from sigma.web.forms import first_value, parse_cursor, parse_limit, search_text
from sigma.web.ids import parse_id
from sigma.web.prices import price_text
from sigma.web.rendering import render_page


@dataclass(frozen=True, slots=True)
class InboxFilter:
    """The filter of the list; part of the URL, also on a conversation's page."""

    status: str = ""
    query: str = ""
    cursor: str | None = None
    limit: int = 25

    def url(self, path: str = "/inbox", **other: str | None) -> str:
        """Return a URL with this filter; `other` replaces its parameters."""
        query: dict[str, str | None] = {"only": self.status, "q": self.query}
        return build_url(path, **(query | other))


@dataclass(frozen=True, slots=True)
class ReplyDraft:
    """The message field: the text of a refused message, its idempotency key, its errors."""

    text: str = ""
    key: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    errors: dict[str, str] = field(default_factory=dict)
    phrase: str = ""


def parse_inbox_filter(request: WebRequest) -> InboxFilter:
    """Parse the filter from the URL; invalid values are ignored."""
    query = query_values(request)
    only = first_value(query, "only")
    return InboxFilter(
        only if only in STATUS_FILTERS else "",
        search_text(query),
        parse_cursor(first_value(query, "cursor")),
        parse_limit(first_value(query, "limit")),
    )


@get("/inbox")
async def inbox_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """List the shop's conversations, latest first."""
    inbox_filter = parse_inbox_filter(request)
    listing = await _list_conversations(ctx, session, inbox_filter)
    return render_inbox(
        request, session, _list_context(listing, inbox_filter, translator_for(session))
    )


@get("/inbox/{conversation_id:str}")
async def conversation_details(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    conversation_id: FromPath[str],
) -> Response[Any]:
    """Show a conversation. Opening it marks it read; an htmx update does not.

    `?before=`: the messages before this position. `?related=all`: more invoices, payments and VK
    orders than the latest.
    """
    conversation_id = parse_id(conversation_id, "cnv")
    before = first_value(query_values(request), "before")
    if before.isdecimal() and len(before) < 19:
        return await _older_messages(request, ctx, session, conversation_id, int(before))
    return await render_conversation(request, ctx, session, conversation_id)


async def render_conversation(
    request: WebRequest,
    ctx: Context,
    session: Session,
    conversation_id: str,
    draft: ReplyDraft | None = None,
    status: int = 200,
) -> Response[Any]:
    """Render a conversation; for htmx only the parts that can change.

    `draft`: a refused message; None: an empty field.
    """
    inbox_filter, translator = parse_inbox_filter(request), translator_for(session)
    shows_all = first_value(query_values(request), "related") == "all"
    view = await conversation_page.load_page(
        ctx,
        session.member,
        conversation_id,
        related_limit=MAX_RELATED if shows_all else RELATED_LIMIT,
    )
    if not is_partial(request) and view.conversation.unread_count:
        last = view.conversation.last_cmid
        if await inbox.mark_read(ctx, session.member, conversation_id, last):
            request.state.unread_count = await inbox.count_unread(ctx, session.member)
    listing = await _list_conversations(ctx, session, inbox_filter)
    context = (
        _list_context(listing, inbox_filter, translator)
        | _conversation_context(view, translator)
        | {
            "draft": draft or ReplyDraft(),
            "draft_key": message_codec.draft_key(ctx.cipher, session.user.id),
        }
    )
    return render_inbox(request, session, context, status)


async def _list_conversations(
    ctx: Context, session: Session, inbox_filter: InboxFilter
) -> ConversationList:
    return await inbox.list_conversations(
        ctx,
        session.member,
        status_filter=inbox_filter.status,
        query=inbox_filter.query,
        limit=inbox_filter.limit,
        cursor=inbox_filter.cursor,
    )


def is_partial(request: WebRequest) -> bool:
    """Whether htmx requests the parts that can change instead of the whole page."""
    return request.headers.get("hx-request") == "true"


def _list_context(
    listing: ConversationList, inbox_filter: InboxFilter, translator: Translator
) -> dict[str, Any]:
    counts = {"unread": listing.unread_count, "unanswered": listing.unanswered_count}
    chips = [
        (inbox_filter.url(only=""), translator.t("inbox.only_all"), not inbox_filter.status, 0)
    ]
    chips += [
        (
            inbox_filter.url(only=only),
            translator.t(f"inbox.only_{only}"),
            inbox_filter.status == only,
            counts[only],
        )
        for only in STATUS_FILTERS
    ]
    more = inbox_filter.url(cursor=listing.next_cursor) if listing.next_cursor else None
    return {
        "listing": listing,
        "previews": {
            r.conversation.id: view_models.preview_text(r, translator) for r in listing.rows
        },
        "inbox_filter": inbox_filter,
        "chips": chips,
        "more_url": more,
        "initials": initials,
        "safe_url": safe_url,
        "since_us": listing.read_at_us,
    }


def _conversation_context(view: ConversationPage, translator: Translator) -> dict[str, Any]:
    blocked_reason = view.conversation.blocked_reason
    key_is_broken = bool(view.community.error_code)
    return {
        "page": view,
        "bubbles": view_models.message_bubbles(
            view.message_page, translator, view.read_at_us, key_is_broken=key_is_broken
        ),
        "orders": order_views(view, translator),
        "blocked_text": view_models.failure_text(blocked_reason, translator)
        if blocked_reason
        else "",
        "since_us": view.read_at_us,
        "service_price": price_text(view.service, translator) if view.service else "",
    }


def render_inbox(
    request: WebRequest, session: Session, context: dict[str, Any], status: int = 200
) -> Response[Any]:
    """Render the whole page in the cabinet's layout, or for htmx its changing parts."""
    defaults = {"page": None, "nonce": new_nonce(), "photo_mb": MAX_BYTES // 1024**2}
    context = defaults | context
    if not is_partial(request):
        return render_cabinet_page(
            request, session, "cabinet/inbox/page.html", section="inbox", status=status, **context
        )
    ctx: Context = request.app.state.ctx
    return render_page(
        request,
        "cabinet/inbox/updates.html",
        translator_for(session),
        status=status,
        headers=NO_STORE_HEADERS,
        session=session,
        csrf=session.csrf,
        now_us=ctx.now_us(),
        unread_text=unread_text(request),
        can_change_settings=session.member.can(Permission.SETTINGS),
        can_issue=session.member.can(Permission.ISSUE),
        can_see_client_data=session.member.can(Permission.PERSONAL_DATA),
        **context,
    )


async def _older_messages(
    request: WebRequest, ctx: Context, session: Session, conversation_id: str, before_position: int
) -> Response[Any]:
    """Render older messages: for htmx the messages only, else a page with a link back."""
    translator = translator_for(session)
    message_page = await conversation_page.load_messages(
        ctx, session.member, conversation_id, before_position
    )
    context: dict[str, Any] = {
        "message_page": message_page,
        "bubbles": view_models.message_bubbles(
            message_page, translator, ctx.now_us(), key_is_broken=False
        ),
        "inbox_filter": parse_inbox_filter(request),
        "conversation": message_page.conversation,
    }
    if is_partial(request):
        return render_page(
            request,
            "cabinet/inbox/earlier.html",
            translator,
            headers=NO_STORE_HEADERS,
            csrf=session.csrf,
            now_us=ctx.now_us(),
            **context,
        )
    return render_cabinet_page(
        request, session, "cabinet/inbox/earlier_page.html", section="inbox", **context
    )


HANDLERS = [inbox_page, conversation_details]
