"""Payments as the API returns them: with the client's answers and the refunded sum."""

from dataclasses import dataclass

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.question import AnswerValue
from sigma.domain.billing.refund import refunded_amount
from sigma.domain.money import Money
from sigma.services.billing import payments as payment_services
from sigma.services.context import Context
from sigma.services.paging import Page
from sigma.store.billing import answers as answer_rows
from sigma.store.billing import refunds
from sigma.store.engine.interface import Tx


@dataclass(frozen=True, slots=True)
class PaymentWithAnswers:
    """A payment with its answers by question key; empty without permission to read answers."""

    payment: Payment
    answers: dict[str, AnswerValue]
    refunded: Money


async def get(ctx: Context, member: Member, payment_id: str) -> PaymentWithAnswers:
    """Return one payment. Raises RefusedError("not_found")."""
    found = await payment_services.get(ctx, member, payment_id)
    async with ctx.db.read() as tx:
        refund_rows = await refunds.list_for_payment(tx, found.id)
        answers = await _decrypt_answers(ctx, tx, member, [found.id])
    refunded = refunded_amount(refund_rows, found.amount.currency)
    return PaymentWithAnswers(found, answers.get(found.id, {}), refunded)


async def list_page(
    ctx: Context,
    member: Member,
    *,
    invoice_id: str | None,
    status: str | None,
    limit: int,
    cursor: str | None,
) -> Page[PaymentWithAnswers]:
    """Return a page of the shop's payments, newest first."""
    page = await payment_services.list_page(
        ctx, member, invoice_id=invoice_id, status=status, limit=limit, cursor=cursor
    )
    async with ctx.db.read() as tx:
        payment_ids = [row.payment.id for row in page.data]
        answers = await _decrypt_answers(ctx, tx, member, payment_ids)
    data = [
        PaymentWithAnswers(row.payment, answers.get(row.payment.id, {}), row.refunded)
        for row in page.data
    ]
    return Page(data, page.next_cursor)


async def _decrypt_answers(
    ctx: Context, tx: Tx, member: Member, payment_ids: list[str]
) -> dict[str, dict[str, AnswerValue]]:
    """Return the answers by payment id, read by one statement."""
    if not payment_ids or not member.can(Permission.READ_ANSWERS):
        return {}
    latest = await answer_rows.list_latest(tx, payment_ids)
    return {
        payment_id: ctx.cipher.decrypt(answers.values_encrypted)
        for payment_id, answers in latest.items()
    }
