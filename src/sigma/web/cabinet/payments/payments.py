"""Операции: the list, one payment with everything that is known of it, and what can be done."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.billing.payment import Status
from sigma.domain.errors import Refused
from sigma.services.accounts.users import Session
from sigma.services.billing import invoices, mails, payments
from sigma.services.context import Context
from sigma.services.invoice_cards import cards
from sigma.texts import Words
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.invoices.invoices import address, asked
from sigma.web.cabinet.payments.view_models import summary, view
from sigma.web.cabinet.responses import cabinet_page, go, words_of
from sigma.web.forms import Filter, one, read_filter, read_id

SHOWN = (Status.CAPTURED, Status.AUTHORIZED, Status.PENDING, Status.FAILED, Status.CANCELED)


@get("/payments")
async def payment_list(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The shop's payments, newest first; of one invoice when the address names it."""
    given = asked(request)
    chosen = read_filter(given, set(SHOWN))
    of = one(given, "invoice")
    invoice = await invoices.get(ctx, session.member, read_id(of, "inv")) if of else None
    found = await payments.listing(
        ctx,
        session.member,
        invoice_id=invoice.id if invoice else None,
        status=chosen.status or None,
        attention=chosen.attention,
        query=chosen.query,
        limit=chosen.limit,
        cursor=chosen.cursor,
    )
    here = {"q": chosen.query, "invoice": invoice.id if invoice else ""}
    return cabinet_page(
        request,
        session,
        "cabinet/payments/list.html",
        place="payments",
        rows=found.data,
        chosen=chosen,
        invoice=invoice,
        filters=_filters(chosen, here, words_of(session)),
        more_url=_next(chosen, here, found.next_cursor),
        hide_plus=not found.data and not chosen.narrowed,
    )


def _filters(chosen: Filter, here: dict[str, str], words: Words) -> list[tuple[str, str, bool]]:
    everything = not chosen.status and not chosen.attention
    looks = address("/payments", attention="yes", **here)
    return [
        (address("/payments", **here), words.t("payments.filter_all"), everything),
        (looks, words.t("payments.filter_attention"), chosen.attention),
        *(
            (
                address("/payments", status=s, **here),
                words.t(f"common.payment_status.{s}"),
                chosen.status == s,
            )
            for s in SHOWN
        ),
    ]


def _next(chosen: Filter, here: dict[str, str], cursor: str | None) -> str | None:
    if cursor is None:
        return None
    attention = "yes" if chosen.attention else ""
    return address("/payments", status=chosen.status, attention=attention, **here, cursor=cursor)


@get("/payments/{payment_id:str}")
async def payment_details(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Everything about one payment."""
    return await details_page(request, ctx, session, read_id(payment_id, "pay"))


async def details_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    payment_id: str,
    *,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> Response[Any]:
    """The page of a payment; `errors` and `typed` belong to its refund form."""
    details = await payments.details(ctx, session.member, payment_id)
    places = await cards.places(ctx, session.member, details.invoice.id)
    return cabinet_page(
        request,
        session,
        "cabinet/payments/details.html",
        place="payments",
        status=status,
        d=details,
        view=view(details, session, words_of(session)),
        summary=summary(details),
        in_dialogs=places,
        may_refund=session.member.may(Permission.REFUND),
        may_capture=session.member.may(Permission.CAPTURE),
        errors=errors or {},
        typed=typed or {},
        hide_plus=True,
    )


async def not_now(
    request: WebRequest, ctx: Context, session: Session, payment_id: str, refused: Refused
) -> Response[Any]:
    """The payment as it is, with why the wish was not granted."""
    if refused.code in ("forbidden", "not_found"):
        raise refused
    errors = {"": words_of(session).refusal(refused)}
    return await details_page(
        request, ctx, session, payment_id, errors=errors, status=refused.status
    )


@post("/payments/{payment_id:str}/ask")
async def ask_again(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Asks the bank now, without waiting for the clock."""
    payment_id = read_id(payment_id, "pay")
    try:
        payment = await payments.ask_again(ctx, session.member, payment_id)
    except Refused as refused:
        return await not_now(request, ctx, session, payment_id, refused)
    if payment.unknown:
        return go(f"/payments/{payment_id}", "payments.done_asked_unknown", tone="wait")
    return go(f"/payments/{payment_id}", "payments.done_asked")


@post("/payments/{payment_id:str}/capture")
async def capture(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Takes the held money."""
    payment_id = read_id(payment_id, "pay")
    try:
        payment = await payments.capture(ctx, session.member, payment_id)
    except Refused as refused:
        return await not_now(request, ctx, session, payment_id, refused)
    return _decided(payment_id, "captured", known=payment.final)


@post("/payments/{payment_id:str}/cancel")
async def cancel(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Lets the held money go; the page has asked whether to."""
    payment_id = read_id(payment_id, "pay")
    try:
        payment = await payments.cancel(ctx, session.member, payment_id)
    except Refused as refused:
        return await not_now(request, ctx, session, payment_id, refused)
    return _decided(payment_id, "canceled", known=payment.final)


def _decided(payment_id: str, what: str, *, known: bool) -> Response[Any]:
    if known:
        return go(f"/payments/{payment_id}", f"payments.done_{what}")
    return go(f"/payments/{payment_id}", "payments.done_decided", tone="wait")


@post("/payments/{payment_id:str}/mail")
async def mail_again(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Mails the receipt once more."""
    payment_id = read_id(payment_id, "pay")
    try:
        await mails.resend(ctx, session.member, payment_id)
    except Refused as refused:
        return await not_now(request, ctx, session, payment_id, refused)
    return go(f"/payments/{payment_id}#mails", "payments.done_mailed")


HANDLERS = [payment_list, payment_details, ask_again, capture, cancel, mail_again]
