"""«Кто кого ждёт»: the board, and the two things that are done on it: remind, mail again."""

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import Refused
from sigma.services.accounts.users import Session
from sigma.services.billing import mails
from sigma.services.context import Context
from sigma.services.invoice_cards import todo_board
from sigma.services.invoice_cards.todo_board import COUNTED, Board, Group, Line
from sigma.texts import Words
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.inbox.view_models import initials, kind_name, safe_url
from sigma.web.cabinet.invoices.invoices import address, asked
from sigma.web.cabinet.payments.view_models import refund_reason
from sigma.web.cabinet.responses import cabinet_page, go, posted, words_of
from sigma.web.forms import one, read_cursor, read_id

FIRST = 5  # lines of each part on the whole board
MOST = 50  # lines of one part
NOTES = ("lost", "failed", "canceled", "pending", "authorized", "unknown")


@get("/board")
async def board_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The whole board, or the part that the address names."""
    given = asked(request)
    name, cursor = one(given, "only"), read_cursor(one(given, "cursor"))
    only = Group(name) if name in set(Group) else None
    found = await todo_board.view(
        ctx,
        session.member,
        only,
        limit=MOST if only else FIRST,
        cursor=cursor if only else None,
    )
    words = words_of(session)
    return cabinet_page(
        request,
        session,
        "cabinet/board/page.html",
        place="inbox" if session.member.may(Permission.ANSWER) else "home",
        found=found,
        only=only,
        chips=_chips(found, only, words),
        counted=shown(found.counts),
        more_url=_more(found, only),
        states={line.id: _state(line, words) for part in found.parts for line in part.lines},
        may_answer=session.member.may(Permission.ANSWER),
        initials=initials,
        safe_url=safe_url,
        hide_plus=True,
    )


def shown(counts: Mapping[Group, int]) -> dict[Group, str]:
    """Counts as they are written; nobody counts further than "99+"."""
    return {g: str(n) if n < COUNTED else f"{COUNTED - 1}+" for g, n in counts.items() if n}


def _chips(found: Board, only: Group | None, words: Words) -> list[tuple[str, str, bool, str]]:
    counted = shown(found.counts)
    everything = ("/board", words.t("board.all"), only is None, "")
    return [
        everything,
        *(
            (
                address("/board", only=group),
                words.t(f"board.group.{group}"),
                group is only,
                counted.get(group, ""),
            )
            for group in found.counts
            if counted.get(group) or group is only
        ),
    ]


def _more(found: Board, only: Group | None) -> str | None:
    if only is None or not found.parts or found.parts[0].next_cursor is None:
        return None
    return address("/board", only=only, cursor=found.parts[0].next_cursor)


def _state(line: Line, words: Words) -> str:
    """What else there is to know about a line, in words."""
    if line.group is Group.UNANSWERED:
        return _said(line.said, words)
    if line.group is Group.MAIL:
        known = {"no_address": "payments.mail_no_address", "no_server": "payments.mail_no_server"}
        said = words.t(known[line.note]) if line.note in known else line.note
        return " ".join(part for part in (line.reason, said) if part)
    if line.group is Group.REFUND:
        if line.note == "failed":
            return refund_reason(line.reason, words)
        return words.t(f"board.refund_{line.note}")
    return words.t(f"board.try_{line.note}") if line.note in NOTES else ""


def _said(said: str | None, words: Words) -> str:
    if said is None:
        return words.t("inbox.sealed")
    kind = said[1:-1] if said.startswith("[") and said.endswith("]") else ""
    return kind_name(kind, words) if kind.isalpha() else said


@post("/board/cards/{card_id:str}/remind")
async def remind(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    card_id: FromPath[str],
) -> Response[Any]:
    """Reminds a client of an invoice; says why when it cannot be done."""
    back = await _back(request)
    try:
        sent = await todo_board.remind(ctx, session.member, read_id(card_id, "crd"))
    except Refused as refused:
        return _refused(back, refused)
    return go(back, "board.done_reminded" if sent else "board.done_before")


@post("/board/mails/{payment_id:str}/again")
async def mail_again(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Mails the receipt once more."""
    back = await _back(request)
    try:
        await mails.resend(ctx, session.member, read_id(payment_id, "pay"))
    except Refused as refused:
        return _refused(back, refused)
    return go(back, "board.done_mailed")


async def _back(request: WebRequest) -> str:
    """The part of the board that the form stood on."""
    only = one(await posted(request), "only")
    return address("/board", only=only if only in set(Group) else "")


def _refused(back: str, refused: Refused) -> Response[Any]:
    """The board again, with why the wish was not granted."""
    reasons = {
        "cannot_write": "board.done_closed",
        "invoice_already_paid": "board.done_paid",
        "invoice_has_live_payment": "board.done_paying",
        "mail_no_address": "board.done_no_address",
    }
    if refused.code not in reasons and not refused.code.startswith("invoice_"):
        raise refused
    done = reasons.get(refused.code, "board.done_not_payable")
    return go(back, done, tone="bad" if refused.code == "cannot_write" else "wait")


HANDLERS = [board_page, remind, mail_again]
