"""«Требуют действий»: the to-do board and its actions.

They are: remind, resend a receipt, accept or refund an extra or late payment.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.errors import RefusedError
from sigma.services.accounts.users import Session
from sigma.services.authentication.reauthentication import refund_guard
from sigma.services.billing import mails, payment_acceptance
from sigma.services.context import Context
from sigma.services.invoice_cards import todo_board
from sigma.services.invoice_cards.todo_board import MAX_COUNT, Board, Item, Kind
from sigma.texts import Translator
from sigma.texts.failures import Reader, refund_failure_text
from sigma.texts.formats import initials
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.inbox.content_views import attachment_kind_name
from sigma.web.cabinet.inbox.message_text import safe_url
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cabinet.urls import build_url, query_values
from sigma.web.forms import first_value, parse_cursor
from sigma.web.ids import parse_id

SECTION_PREVIEW_LIMIT = 5  # items of each section on the whole board
SECTION_LIMIT = 50  # items on the page of one section
PAYMENT_NOTES = ("lost", "failed", "canceled", "pending", "authorized", "unknown")


@get("/board")
async def board_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the whole board, or the section named by `?only=`."""
    query = query_values(request)
    name, cursor = first_value(query, "only"), parse_cursor(first_value(query, "cursor"))
    only = Kind(name) if name in set(Kind) else None
    board = await todo_board.load(
        ctx,
        session.member,
        only,
        limit=SECTION_LIMIT if only else SECTION_PREVIEW_LIMIT,
        cursor=cursor if only else None,
    )
    translator = translator_for(session)
    return render_cabinet_page(
        request,
        session,
        "cabinet/board/page.html",
        section="inbox" if session.member.can(Permission.ANSWER) else "home",
        board=board,
        only=only,
        chips=_filter_chips(board, only, translator),
        count_texts=count_texts(board.counts),
        more_url=_next_page_url(board, only),
        states={
            item.id: _item_state(item, translator)
            for section in board.sections
            for item in section.items
        },
        can_answer=session.member.can(Permission.ANSWER),
        initials=initials,
        safe_url=safe_url,
        hide_plus=True,
    )


def count_texts(counts: Mapping[Kind, int]) -> dict[Kind, str]:
    """Return the counts that are not zero as texts, "99+" for larger ones."""
    return {
        kind: str(n) if n < MAX_COUNT else f"{MAX_COUNT - 1}+" for kind, n in counts.items() if n
    }


def _filter_chips(
    board: Board, only: Kind | None, translator: Translator
) -> list[tuple[str, str, bool, str]]:
    texts = count_texts(board.counts)
    everything = ("/board", translator.t("board.all"), only is None, "")
    return [
        everything,
        *(
            (
                build_url("/board", only=kind),
                translator.t(f"board.kind.{kind}"),
                kind is only,
                texts.get(kind, ""),
            )
            for kind in board.counts
            if texts.get(kind) or kind is only
        ),
    ]


def _next_page_url(board: Board, only: Kind | None) -> str | None:
    if only is None or not board.sections or board.sections[0].next_cursor is None:
        return None
    return build_url("/board", only=only, cursor=board.sections[0].next_cursor)


def _item_state(item: Item, translator: Translator) -> str:
    """Return the state text of an item, empty when there is none."""
    if item.kind is Kind.UNANSWERED:
        return _preview_text(item.preview, translator)
    if item.kind is Kind.ATTENTION:
        return translator.t(f"payments.event.payment.attention_{item.status}")
    if item.kind is Kind.MAIL:
        is_known = item.status in ("no_address", "no_server", "no_connection")
        note = translator.t(f"payments.mail_{item.status}") if is_known else item.status
        return " ".join(part for part in (item.detail, note) if part)
    if item.kind is Kind.REFUND:
        if item.status == "failed":
            return refund_failure_text(item.detail, Reader.SELLER, translator)
        return translator.t(f"board.refund_{item.status}")
    return translator.t(f"board.payment_{item.status}") if item.status in PAYMENT_NOTES else ""


def _preview_text(preview: str | None, translator: Translator) -> str:
    if preview is None:
        return translator.t("inbox.unreadable")
    kind = preview[1:-1] if preview.startswith("[") and preview.endswith("]") else ""
    return attachment_kind_name(kind, translator) if kind.isalpha() else preview


@post("/board/cards/{card_id:str}/remind")
async def remind(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    card_id: FromPath[str],
) -> Response[Any]:
    """Remind a client of an invoice, or show why this is refused."""
    back = await _board_url(request)
    try:
        sent = await todo_board.remind(ctx, session.member, parse_id(card_id, "crd"))
    except RefusedError as error:
        return _redirect_with_refusal(back, error, translator_for(session))
    return redirect(back, "board.done_reminded" if sent else "board.done_reminded_before")


@post("/board/mails/{payment_id:str}/again")
async def resend_receipt(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Mail the receipt again, or show why this is refused."""
    return await _run_action(request, ctx, session, payment_id, mails.resend, "board.done_mailed")


@post("/board/payments/{payment_id:str}/accept")
async def accept_payment(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Accept a late or extra payment, or show why this is refused."""
    return await _run_action(
        request, ctx, session, payment_id, payment_acceptance.accept, "payments.done_accepted"
    )


@post("/board/payments/{payment_id:str}/refund-all")
async def refund_payment(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Refund all of an extra, late or voided payment, or show why this is refused."""
    action = partial(payment_acceptance.refund_all, guard=refund_guard(ctx, session))
    return await _run_action(request, ctx, session, payment_id, action, "board.done_refund")


async def _run_action(
    request: WebRequest,
    ctx: Context,
    session: Session,
    payment_id: str,
    action: Callable[[Context, Member, str], Awaitable[object]],
    done: str,
) -> Response[Any]:
    """Run an action on a payment; `done` is the text key of its success."""
    back = await _board_url(request)
    try:
        await action(ctx, session.member, parse_id(payment_id, "pay"))
    except RefusedError as error:
        if error.code == "reauthentication_required":
            raise
        return _redirect_with_refusal(back, error, translator_for(session))
    return redirect(back, done)


async def _board_url(request: WebRequest) -> str:
    """Return the URL of the board section that the form was on."""
    only = first_value(await read_form_values(request), "only")
    return build_url("/board", only=only if only in set(Kind) else "")


def _redirect_with_refusal(url: str, error: RefusedError, translator: Translator) -> Response[Any]:
    """Redirect to the board with the reason of the refusal. Re-raises unknown refusals."""
    reasons = {
        "cannot_write": "board.done_blocked",
        "reminders_stopped": "board.done_stopped",
        "invoice_already_paid": "board.done_paid",
        "invoice_has_live_payment": "board.done_paying",
        "mail_no_address": "board.done_no_address",
        "payment_not_acceptable": "board.done_decided",
        "mail_limit": "board.done_mail_limit",
        "quota_messages": "board.done_quota",
        "refund_over_limit": "board.done_refund_limit",
    }
    if error.code not in reasons and not error.code.startswith("invoice_"):
        raise error
    flash_key = reasons.get(error.code, "board.done_not_payable")
    tone = "bad" if error.code == "cannot_write" else "wait"
    params = {name: str(translator.format_value(value)) for name, value in error.params.items()}
    return redirect(url, flash_key, tone=tone, **params)


HANDLERS = [board_page, remind, resend_receipt, accept_payment, refund_payment]
