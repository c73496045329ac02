"""Payments as the API returns them: with the client's answers and the refunded sum."""

from collections.abc import Sequence
from dataclasses import dataclass

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing import answers as domain
from sigma.domain.billing.answers import Answer
from sigma.domain.billing.payment import Payment, Status
from sigma.domain.billing.question import AnswerValue
from sigma.domain.billing.refund import Refund, refunded_amount
from sigma.domain.money import Money
from sigma.services.answer_codec import read_values
from sigma.services.billing import payments as payment_services
from sigma.services.context import Context
from sigma.services.platform import audit_log
from sigma.store.billing import answers as answer_rows
from sigma.store.billing import payments, refunds
from sigma.store.engine.interface import Tx


@dataclass(frozen=True, slots=True)
class PaymentWithAnswers:
    """A payment with its answers by question key; empty without permission to read answers.

    `is_receipt_hidden`: the receipt shows answers that the member may not read.
    `are_answers_unreadable`: they are encrypted with a key that SIGMA_SECRET_KEY does not contain.
    """

    payment: Payment
    answers: dict[str, AnswerValue]
    refunded: Money
    refunds: tuple[Refund, ...]  # oldest first
    is_receipt_hidden: bool
    are_answers_unreadable: bool = False


async def get(ctx: Context, member: Member, payment_id: str) -> PaymentWithAnswers:
    """Return one payment. Raises RefusedError("not_found")."""
    found = await payment_services.get(ctx, member, payment_id)
    async with ctx.db.read() as tx:
        refund_rows = await refunds.list_for_payment(tx, found.id)
    refunded = refunded_amount(refund_rows, found.amount.currency)
    (view,) = await _with_answers(ctx, member, [(found, refunded, refund_rows)])
    return view


async def list_by_ids(
    ctx: Context, member: Member, payment_ids: Sequence[str]
) -> list[PaymentWithAnswers]:
    """Return the shop's payments with these ids, in their order."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        found = {one.id: one for one in await payments.list_by_ids(tx, payment_ids)}
        own = [found[one] for one in payment_ids if one in found]
        own = [payment for payment in own if payment.shop_id == member.shop_id]
        captured_ids = [payment.id for payment in own if payment.status is Status.CAPTURED]
        refund_rows = await refunds.list_for_payments(tx, captured_ids)
    rows = []
    for payment in own:
        payment_refunds = refund_rows.get(payment.id, ())
        refunded = refunded_amount(payment_refunds, payment.amount.currency)
        rows.append((payment, refunded, payment_refunds))
    return await _with_answers(ctx, member, rows)


async def _with_answers(
    ctx: Context, member: Member, rows: list[tuple[Payment, Money, tuple[Refund, ...]]]
) -> list[PaymentWithAnswers]:
    """Add the answers to (payment, refunded sum, refunds), read by one statement."""
    async with ctx.db.read() as tx:
        latest = await answer_rows.list_latest(tx, [payment.id for payment, _, _ in rows])
    can_read = member.can(Permission.READ_ANSWERS)
    views = []
    for payment, refunded, payment_refunds in rows:
        values: dict[str, AnswerValue] = {}
        is_hidden = is_unreadable = False
        stored = latest.get(payment.id)
        if stored and can_read:
            readable = read_values(ctx.cipher, stored)
            values, is_unreadable = readable or {}, readable is None
        elif stored:
            is_hidden = any(question.show_on_receipt for question in stored.questions)
        views.append(
            PaymentWithAnswers(payment, values, refunded, payment_refunds, is_hidden, is_unreadable)
        )
    if any(view.answers for view in views):
        # A program reads many payments: one entry an hour says that it did.
        await audit_log.record_answers_viewed(ctx, member)
    return views


async def receipt_answers(ctx: Context, tx: Tx, payment_id: str) -> tuple[Answer, ...]:
    """Return the decrypted answers that the receipt of a payment shows.

    Those that cannot be decrypted are left out: the receipt still proves the payment.
    """
    rows = await answer_rows.list_for_payment(tx, payment_id)
    if not rows or not any(question.show_on_receipt for question in rows[-1].questions):
        return ()
    return domain.receipt_answers(rows[-1].questions, read_values(ctx.cipher, rows[-1]) or {})
