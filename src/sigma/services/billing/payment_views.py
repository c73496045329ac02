"""What a shop's program is told of payments: the answers and what was given back beside each."""

from dataclasses import dataclass

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.question import Value
from sigma.domain.billing.refund import refunded
from sigma.domain.money import Money
from sigma.services.billing import payments as payment_services
from sigma.services.context import Context, Page
from sigma.store.billing import payments, refunds
from sigma.store.engine.interface import Tx


@dataclass(frozen=True, slots=True)
class Told:
    """A payment with its client's answers (none for those who may not read them)."""

    payment: Payment
    answers: dict[str, Value]
    refunded: Money


async def payment(ctx: Context, member: Member, payment_id: str) -> Told:
    """One payment. Raises Refused("not_found")."""
    found = await payment_services.get(ctx, member, payment_id)
    async with ctx.db.read() as tx:
        back = await refunds.of_payment(tx, found.id)
        answers = await _answers(ctx, tx, member, found.id)
    return Told(found, answers, refunded(back, found.amount.currency))


async def listing(
    ctx: Context,
    member: Member,
    *,
    invoice_id: str | None,
    status: str | None,
    limit: int,
    cursor: str | None,
) -> Page[Told]:
    """Payments, newest first."""
    found = await payment_services.listing(
        ctx, member, invoice_id=invoice_id, status=status, limit=limit, cursor=cursor
    )
    async with ctx.db.read() as tx:
        data = [
            Told(row.payment, await _answers(ctx, tx, member, row.payment.id), row.refunded)
            for row in found.data
        ]
    return Page(data, found.next_cursor)


async def _answers(ctx: Context, tx: Tx, member: Member, payment_id: str) -> dict[str, Value]:
    if not member.may(Permission.READ_ANSWERS):
        return {}
    kept = await payments.answers_of(tx, payment_id)
    answers: dict[str, Value] = ctx.sealer.open(kept[-1].sealed) if kept else {}
    return answers
