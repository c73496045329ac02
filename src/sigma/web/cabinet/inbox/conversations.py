"""Диалоги: the list with its searches, and one dialog beside it."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.conversations import conversation_page, inbox
from sigma.services.conversations.conversation_page import Dialog
from sigma.services.conversations.inbox import ONLY, Listing
from sigma.texts import Words
from sigma.web.cabinet.form_idempotency import fresh_nonce
from sigma.web.cabinet.guards import NO_STORE, WebRequest
from sigma.web.cabinet.inbox import view_models as shown
from sigma.web.cabinet.invoices.invoices import address, asked
from sigma.web.cabinet.responses import cabinet_page, waiting, words_of
from sigma.web.forms import MAX_QUERY, one, read_cursor, read_id, read_limit
from sigma.web.rendering import page


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the list is narrowed to; lives in the address, of a dialog's page too."""

    only: str = ""
    query: str = ""
    cursor: str | None = None
    limit: int = 25

    def url(self, path: str = "/inbox", **other: str | None) -> str:
        """An address with the same choice, or with what differs."""
        here: dict[str, str | None] = {"only": self.only, "q": self.query}
        return address(path, **(here | other))


@dataclass(frozen=True, slots=True)
class Draft:
    """What stands in the field: what was typed and refused, and the key of that wish."""

    text: str = ""
    key: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    errors: dict[str, str] = field(default_factory=dict)
    phrase: str = ""


def read_chosen(request: WebRequest) -> Chosen:
    """The choice of an address; words that are none are left out."""
    given = asked(request)
    only = one(given, "only")
    return Chosen(
        only if only in ONLY else "",
        one(given, "q")[:MAX_QUERY],
        read_cursor(one(given, "cursor")),
        read_limit(one(given, "limit")),
    )


@get("/inbox")
async def inbox_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The shop's dialogs, the latest first."""
    chosen = read_chosen(request)
    listed = await _listed(ctx, session, chosen)
    return answer(request, session, _list(listed, chosen, words_of(session)))


@get("/inbox/{conversation_id:str}")
async def dialog_page(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    conversation_id: FromPath[str],
) -> Response[Any]:
    """One dialog. Opening it reads it; a page that only looks for news does not."""
    conversation_id = read_id(conversation_id, "dlg")
    before = one(asked(request), "before")
    if before.isdecimal() and len(before) < 19:
        return await _earlier(request, ctx, session, conversation_id, int(before))
    return await show(request, ctx, session, conversation_id)


async def show(
    request: WebRequest,
    ctx: Context,
    session: Session,
    conversation_id: str,
    draft: Draft | None = None,
    status: int = 200,
) -> Response[Any]:
    """The page of a dialog, with what was typed and refused. For htmx only what may have changed.

    `draft` None: an empty field.
    """
    chosen, words = read_chosen(request), words_of(session)
    dialog = await conversation_page.view(ctx, session.member, conversation_id)
    if not partly(request) and dialog.conversation.unread:
        last = dialog.conversation.last_cmid
        if await inbox.read(ctx, session.member, conversation_id, last):
            request.state.unread = await inbox.unread(ctx, session.member)
    listed = await _listed(ctx, session, chosen)
    context = _list(listed, chosen, words) | _dialog(dialog, words) | {"draft": draft or Draft()}
    return answer(request, session, context, status)


async def _listed(ctx: Context, session: Session, chosen: Chosen) -> Listing:
    return await inbox.listing(
        ctx,
        session.member,
        only=chosen.only,
        query=chosen.query,
        limit=chosen.limit,
        cursor=chosen.cursor,
    )


def partly(request: WebRequest) -> bool:
    """Whether a script asks for what may have changed, and not for the whole page."""
    return request.headers.get("hx-request") == "true"


def _list(listed: Listing, chosen: Chosen, words: Words) -> dict[str, Any]:
    counts = {"unread": listed.unread, "unanswered": listed.unanswered}
    chips = [(chosen.url(only=""), words.t("inbox.only_all"), not chosen.only, 0)]
    chips += [
        (chosen.url(only=only), words.t(f"inbox.only_{only}"), chosen.only == only, counts[only])
        for only in ONLY
    ]
    more = chosen.url(cursor=listed.next_cursor) if listed.next_cursor else None
    return {
        "listed": listed,
        "previews": {r.conversation.id: shown.preview(r, words) for r in listed.rows},
        "chosen": chosen,
        "chips": chips,
        "more_url": more,
        "initials": shown.initials,
        "safe_url": shown.safe_url,
        "since": listed.at,
    }


def _dialog(dialog: Dialog, words: Words) -> dict[str, Any]:
    closed = dialog.conversation.closed
    troubled = bool(dialog.community.trouble)
    return {
        "dialog": dialog,
        "bubbles": shown.bubbles(dialog.talk, words, dialog.at, troubled=troubled),
        "closed": shown.refusal(closed, words) if closed else "",
        "since": dialog.at,
    }


def answer(
    request: WebRequest, session: Session, context: dict[str, Any], status: int = 200
) -> Response[Any]:
    """The whole page in the cabinet's frame, or for htmx the parts of it."""
    context = {"dialog": None, "nonce": fresh_nonce()} | context
    if not partly(request):
        return cabinet_page(
            request, session, "cabinet/inbox/page.html", place="inbox", status=status, **context
        )
    ctx: Context = request.app.state.ctx
    return page(
        request,
        "cabinet/inbox/parts_now.html",
        words_of(session),
        status=status,
        headers=NO_STORE,
        session=session,
        csrf=session.csrf,
        now=ctx.now(),
        unread=waiting(request),
        may_settings=session.member.may(Permission.SETTINGS),
        **context,
    )


async def _earlier(
    request: WebRequest, ctx: Context, session: Session, conversation_id: str, before: int
) -> Response[Any]:
    """Older messages: for htmx their bubbles, else a page of them with the way back."""
    words = words_of(session)
    talk = await conversation_page.talk(ctx, session.member, conversation_id, before)
    context: dict[str, Any] = {
        "talk": talk,
        "bubbles": shown.bubbles(talk, words, ctx.now(), troubled=False),
        "chosen": read_chosen(request),
        "conversation": talk.conversation,
    }
    if partly(request):
        return page(
            request,
            "cabinet/inbox/earlier.html",
            words,
            headers=NO_STORE,
            csrf=session.csrf,
            now=ctx.now(),
            **context,
        )
    return cabinet_page(
        request, session, "cabinet/inbox/earlier_page.html", place="inbox", **context
    )


HANDLERS = [inbox_page, dialog_page]
