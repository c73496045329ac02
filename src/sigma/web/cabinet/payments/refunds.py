"""Refunds from a payment's page: form, confirmation page, request."""

from typing import Any

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.refund import (
    Refund,
    amount_refunded_elsewhere,
    check_reason,
    refunded_by_sigma,
    require_refundable,
)
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.money import Money
from sigma.services.accounts.users import Session
from sigma.services.authentication.reauthentication import refund_guard
from sigma.services.billing import payments, refunds
from sigma.services.billing.payment_details import PaymentDetails, get_details
from sigma.services.context import Context
from sigma.web.cabinet.form_idempotency import form_idempotency, new_nonce, run_form_once
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.payments.payments import details_page
from sigma.web.cabinet.payments.view_models import details_texts
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.forms import FormValues, first_value, parse_money
from sigma.web.ids import parse_id


def _parse_refund(
    form_data: FormValues, details: PaymentDetails, member: Member
) -> tuple[Money, str]:
    """Return amount and reason. Raises RefusedError like `require_refundable`.

    Also "refund_over_limit": the limit of the member's role is checked before the confirmation.
    """
    left = details.refundable
    reason = first_value(form_data, "reason")
    if first_value(form_data, "how") == "whole":
        amount: Money | Problem = left
    else:
        amount = parse_money(first_value(form_data, "amount"), "amount", left.currency)
    if isinstance(amount, Problem):
        raise validation_error(amount, *check_reason(reason))
    require_refundable(
        amount, reason, left, amount_refunded_elsewhere(details.refunds, left.currency)
    )
    member.require_refund(amount, refunded_by_sigma(details.refunds, left.currency))
    return amount, reason


@post("/payments/{payment_id:str}/refund", status_code=200)
async def confirm_refund(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Show the amount and the recipient, and ask for confirmation."""
    session.member.require(Permission.REFUND)
    payment_id = parse_id(payment_id, "pay")
    form_data = await read_form_values(request)
    details = await get_details(ctx, session.member, payment_id)
    try:
        amount, reason = _parse_refund(form_data, details, session.member)
    except RefusedError as error:
        return await _details_page_with_errors(request, ctx, session, payment_id, form_data, error)
    return render_cabinet_page(
        request,
        session,
        "cabinet/payments/refund.html",
        section="payments",
        details=details,
        texts=details_texts(details, session, translator_for(session)),
        amount=amount,
        left_after=details.refundable - amount,
        reason=reason,
        nonce=new_nonce(),
        hide_plus=True,
    )


@post("/payments/{payment_id:str}/refund/sure")
async def request_refund(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Request the refund; a repeated submission of the same form requests nothing more."""
    payment_id = parse_id(payment_id, "pay")
    form_data = await read_form_values(request)
    payment = await payments.get(ctx, session.member, payment_id)
    amount = parse_money(first_value(form_data, "amount"), "amount", payment.amount.currency)
    idempotency = form_idempotency(session.member, f"refund {payment_id}", form_data)

    async def request_once() -> Refund:
        if isinstance(amount, Problem):
            raise validation_error(amount)
        return await refunds.request(
            ctx,
            session.member,
            payment_id,
            amount,
            first_value(form_data, "reason"),
            idempotency=idempotency,
            guard=refund_guard(ctx, session),
        )

    try:
        await run_form_once(ctx, idempotency, request_once)
    except RefusedError as error:
        return await _details_page_with_errors(request, ctx, session, payment_id, form_data, error)
    return redirect(f"/payments/{payment_id}#refunds", "payments.done_refund")


async def _details_page_with_errors(
    request: WebRequest,
    ctx: Context,
    session: Session,
    payment_id: str,
    form_data: FormValues,
    error: RefusedError,
) -> Response[Any]:
    """Render the payment with the refund form as entered and its errors."""
    if error.code in ("forbidden", "not_found", "reauthentication_required"):
        raise error
    translator = translator_for(session)
    errors = refusal_texts(translator, error)
    if error.code in ("refund_too_large", "refund_over_limit"):
        errors = {"amount": translator.refusal_text(error)}
    elif error.code == "idempotency_key_reused":
        errors = {"": translator.t("payments.refund_sent_before")}
    values = {name: first_value(form_data, name) for name in ("amount", "reason")} | {"how": "part"}
    status = 422 if error.problems else error.http_status
    return await details_page(
        request, ctx, session, payment_id, errors=errors, refund_values=values, status=status
    )


HANDLERS = [confirm_refund, request_refund]
