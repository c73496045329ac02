"""Giving money back from a payment's page: the form, the question "sure?", and the wish itself."""

from typing import Any

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.billing.refund import Refund
from sigma.domain.errors import Problem, Refused, invalid
from sigma.domain.money import Money
from sigma.services.accounts.users import Session
from sigma.services.billing import payments, refunds
from sigma.services.billing.payments import Details
from sigma.services.context import Context
from sigma.services.platform.idempotency import Remember
from sigma.web.cabinet.form_idempotency import fresh_nonce, once
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.payments.payments import details_page
from sigma.web.cabinet.payments.view_models import view
from sigma.web.cabinet.responses import cabinet_page, go, posted, refusal, words_of
from sigma.web.forms import Given, one, read_id, read_money

MAX_REASON = 250


def _wish(given: Given, details: Details) -> tuple[Money, str]:
    """How much and why. Raises Refused("validation") naming the fields."""
    left = details.left
    whole = one(given, "how") == "whole"
    amount = left if whole else read_money(one(given, "amount"), "amount", left.currency)
    reason = one(given, "reason")
    problems = [amount] if isinstance(amount, Problem) else []
    if len(reason) > MAX_REASON:
        problems.append(Problem("reason", "too_long", {"max": MAX_REASON}))
    if isinstance(amount, Problem) or problems:
        raise invalid(*problems)
    if not amount:
        raise invalid(Problem("amount", "money_positive"))
    if amount > left:
        raise Refused("refund_too_large", left=left)
    return amount, reason


@post("/payments/{payment_id:str}/refund", status_code=200)
async def ask_refund(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Shows exactly how much goes back to whom, and asks."""
    session.member.must(Permission.REFUND)
    payment_id = read_id(payment_id, "pay")
    given = await posted(request)
    details = await payments.details(ctx, session.member, payment_id)
    try:
        amount, reason = _wish(given, details)
    except Refused as refused:
        return await _wrong(request, ctx, session, payment_id, given, refused)
    return cabinet_page(
        request,
        session,
        "cabinet/payments/refund.html",
        place="payments",
        d=details,
        view=view(details, session, words_of(session)),
        amount=amount,
        left_after=details.left - amount,
        reason=reason,
        nonce=fresh_nonce(),
        hide_plus=True,
    )


@post("/payments/{payment_id:str}/refund/sure")
async def make_refund(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    payment_id: FromPath[str],
) -> Response[Any]:
    """Promises the money back, once for one form however often it is sent."""
    payment_id = read_id(payment_id, "pay")
    given = await posted(request)
    payment = await payments.get(ctx, session.member, payment_id)
    amount = read_money(one(given, "amount"), "amount", payment.amount.currency)

    async def act(remember: Remember) -> Refund:
        if isinstance(amount, Problem):
            raise invalid(amount)
        return await refunds.request(
            ctx,
            session.member,
            payment_id,
            amount,
            one(given, "reason"),
            remember=lambda made: remember(201, made.id),
        )

    try:
        await once(ctx, session.member, f"refund {payment_id}", given, act)
    except Refused as refused:
        return await _wrong(request, ctx, session, payment_id, given, refused)
    return go(f"/payments/{payment_id}#refunds", "payments.done_refund")


async def _wrong(
    request: WebRequest,
    ctx: Context,
    session: Session,
    payment_id: str,
    given: Given,
    refused: Refused,
) -> Response[Any]:
    """The payment's page with the refund form as typed and what is wrong with it."""
    if refused.code in ("forbidden", "not_found"):
        raise refused
    words = words_of(session)
    errors = refusal(words, refused)
    if refused.code == "refund_too_large":
        errors = {"amount": words.refusal(refused)}
    elif refused.code == "idempotency_key_reused":
        errors = {"": words.t("payments.refund_sent_before")}
    typed = {name: one(given, name) for name in ("amount", "reason")} | {"how": "part"}
    status = 422 if refused.problems else refused.status
    return await details_page(
        request, ctx, session, payment_id, errors=errors, typed=typed, status=status
    )


HANDLERS = [ask_refund, make_refund]
