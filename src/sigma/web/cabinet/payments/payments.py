"""The page of one payment and its actions."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.payment_acceptance import can_accept, needs_decision
from sigma.domain.billing.payment_actions import available_actions
from sigma.domain.billing.refund import refunded_by_sigma
from sigma.domain.errors import RefusedError
from sigma.domain.limits import waiting_time
from sigma.services.accounts.users import Session
from sigma.services.authentication.reauthentication import refund_guard
from sigma.services.billing import mails, payment_acceptance, payments
from sigma.services.billing.payment_details import get_details
from sigma.services.context import Context
from sigma.services.invoice_cards import cards
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.payments.view_models import details_texts
from sigma.web.cabinet.responses import redirect, render_cabinet_page, translator_for
from sigma.web.cabinet.urls import next_page_url, query_values
from sigma.web.forms import first_value, parse_cursor
from sigma.web.ids import parse_id
from sigma.web.retry_after import retry_after_headers


@get("/payments/{payment_id:str}")
async def payment_details(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Show a payment with everything known about it."""
    return await details_page(request, ctx, session, parse_id(payment_id, "pay"))


async def details_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    payment_id: str,
    *,
    errors: dict[str, str] | None = None,
    refund_values: dict[str, str] | None = None,
    status: int = 200,
) -> Response[Any]:
    """Render the page of a payment. `errors` and `refund_values` are of the refund form."""
    query = query_values(request)
    details = await get_details(
        ctx,
        session.member,
        payment_id,
        timeline_cursor=parse_cursor(first_value(query, "timeline")),
        notices_cursor=parse_cursor(first_value(query, "notices")),
    )
    here = f"/payments/{payment_id}"
    mail_wait_us = await mails.resend_wait_us(ctx, session.member, payment_id)
    invoice_cards = await cards.list_for_invoice(ctx, session.member, details.invoice.id)
    return render_cabinet_page(
        request,
        session,
        "cabinet/payments/details.html",
        section="payments",
        status=status,
        details=details,
        more_timeline_url=next_page_url(here, details.timeline.next_cursor, name="timeline"),
        more_notices_url=next_page_url(here, details.notices.next_cursor, name="notices"),
        texts=details_texts(details, session, translator_for(session)),
        actions=available_actions(
            details.payment, details.refundable, has_receipt=details.receipt is not None
        ),
        invoice_cards=invoice_cards,
        needs_decision=needs_decision(details.payment, details.refunds),
        can_accept=can_accept(details.payment, details.invoice, details.refunds),
        mail_wait=waiting_time(mail_wait_us) if mail_wait_us else None,
        can_refund=session.member.can(Permission.REFUND),
        can_refund_all=session.member.can_refund(
            details.refundable, refunded_by_sigma(details.refunds, details.refundable.currency)
        ),
        refund_limit=session.member.refund_limit,
        can_capture=session.member.can(Permission.CAPTURE),
        sees_fees=session.member.sees_fees,
        errors=errors or {},
        refund_values=refund_values or {},
        hide_plus=True,
    )


async def details_page_with_refusal(
    request: WebRequest, ctx: Context, session: Session, payment_id: str, error: RefusedError
) -> Response[Any]:
    """Render the payment with the reason of a refusal. Re-raises what has a page of its own."""
    if error.code in ("forbidden", "not_found", "reauthentication_required"):
        raise error
    errors = {"": translator_for(session).refusal_text(error)}
    response = await details_page(
        request, ctx, session, payment_id, errors=errors, status=error.http_status
    )
    response.headers.update(retry_after_headers(error))
    return response


@post("/payments/{payment_id:str}/ask")
async def check_payment(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Ask the acquirer for the payment's state now, before its scheduled job."""
    payment_id = parse_id(payment_id, "pay")
    try:
        payment = await payments.refresh(ctx, session.member, payment_id)
    except RefusedError as error:
        return await details_page_with_refusal(request, ctx, session, payment_id, error)
    if payment.is_outcome_unknown:
        return redirect(f"/payments/{payment_id}", "payments.done_checked_unknown", tone="wait")
    return redirect(f"/payments/{payment_id}", "payments.done_checked")


@post("/payments/{payment_id:str}/capture")
async def capture(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Capture the authorized amount."""
    return await _end_hold(request, ctx, session, payment_id, payments.capture, "captured")


@post("/payments/{payment_id:str}/cancel")
async def cancel(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Release the authorized amount; the page asks for confirmation first."""
    return await _end_hold(request, ctx, session, payment_id, payments.cancel, "canceled")


async def _end_hold(
    request: WebRequest,
    ctx: Context,
    session: Session,
    payment_id: str,
    action: Callable[[Context, Member, str], Awaitable[Payment]],
    result: str,
) -> Response[Any]:
    """Capture or cancel an authorized payment; `result` names the text of the redirect."""
    payment_id = parse_id(payment_id, "pay")
    try:
        payment = await action(ctx, session.member, payment_id)
    except RefusedError as error:
        return await details_page_with_refusal(request, ctx, session, payment_id, error)
    if payment.is_final:
        return redirect(f"/payments/{payment_id}", f"payments.done_{result}")
    return redirect(f"/payments/{payment_id}", "payments.done_requested", tone="wait")


@post("/payments/{payment_id:str}/accept")
async def accept_payment(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Accept a late or extra payment: its money stays with the shop."""
    return await _run_action(
        request, ctx, session, payment_id, payment_acceptance.accept, "", "done_accepted"
    )


@post("/payments/{payment_id:str}/refund-all")
async def refund_all(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Refund all of a late or extra payment with one press."""
    action = partial(payment_acceptance.refund_all, guard=refund_guard(ctx, session))
    return await _run_action(request, ctx, session, payment_id, action, "#refunds", "done_refund")


@post("/payments/{payment_id:str}/mail")
async def resend_receipt(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Mail the receipt again."""
    return await _run_action(
        request, ctx, session, payment_id, mails.resend, "#mails", "done_mailed"
    )


async def _run_action(
    request: WebRequest,
    ctx: Context,
    session: Session,
    payment_id: str,
    action: Callable[[Context, Member, str], Awaitable[object]],
    anchor: str,
    result: str,
) -> Response[Any]:
    """Run an action on a payment; `anchor` and `result` select the place and the text after it."""
    payment_id = parse_id(payment_id, "pay")
    try:
        await action(ctx, session.member, payment_id)
    except RefusedError as error:
        return await details_page_with_refusal(request, ctx, session, payment_id, error)
    return redirect(f"/payments/{payment_id}{anchor}", f"payments.{result}")


HANDLERS = [
    payment_details,
    check_payment,
    capture,
    cancel,
    accept_payment,
    refund_all,
    resend_receipt,
]
