"""Decide about a late or extra payment: accept it, or refund all of it."""

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.audit.deed import Deed
from sigma.domain.audit.values import money_detail
from sigma.domain.billing import payment_acceptance as domain
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.refund import Refund, Status, refunded_by_sigma
from sigma.services.billing import payments as payment_services
from sigma.services.billing.refunds import RefundGuard
from sigma.services.context import Context
from sigma.services.platform import audit_log
from sigma.store import changes
from sigma.store.billing import invoices, ledger, payments, refunds


async def accept(ctx: Context, member: Member, payment_id: str) -> Payment:
    """Accept a late or extra payment; accepting it twice changes nothing.

    Raises RefusedError: "not_found", "forbidden", "payment_not_acceptable".
    """
    member.require(Permission.REFUND)
    snapshot = await payment_services.get(ctx, member, payment_id)
    async with ctx.db.write() as tx:
        invoice = await invoices.lock(tx, snapshot.invoice_id)
        payment = await payments.get(tx, payment_id)
        assert payment is not None, "a payment is never deleted"
        if await ledger.is_accepted(tx, payment_id):
            return payment  # a second click
        earlier = await refunds.list_for_payment(tx, payment_id)
        now_us, new_id = ctx.now_us(), ctx.id_factory(payment.shop_id)
        change = domain.accept(payment, invoice, earlier, now_us, new_id, member.actor)
        await changes.write(tx, change, now_us)
        detail = money_detail(payment.amount)
        await audit_log.record(ctx, tx, member, Deed.PAYMENT_ACCEPTED, payment_id, **detail)
    return await payment_services.get(ctx, member, payment_id)


async def refund_all(
    ctx: Context, member: Member, payment_id: str, *, guard: RefundGuard | None = None
) -> Refund:
    """Refund all of a late or extra payment; a second click returns the first refund.

    `guard` may refuse it.

    Raises RefusedError: "not_found", "forbidden", "refund_over_limit", "payment_not_acceptable"
    when the payment was accepted meanwhile, or a part of it is refunded already.
    """
    member.require(Permission.REFUND)
    snapshot = await payment_services.get(ctx, member, payment_id)
    async with ctx.db.write() as tx:
        await invoices.lock(tx, snapshot.invoice_id)
        payment = await payments.get(tx, payment_id)
        assert payment is not None, "a payment is never deleted"
        earlier = await refunds.list_for_payment(tx, payment_id)
        for refund in earlier:
            if refund.amount == payment.amount and refund.status is not Status.FAILED:
                return refund  # a second click
        member.require_refund(payment.amount, refunded_by_sigma(earlier, payment.amount.currency))
        now_us, new_id = ctx.now_us(), ctx.id_factory(payment.shop_id)
        refund, change = domain.refund_all(
            payment,
            earlier,
            operation_key=new_id("op"),
            now_us=now_us,
            new_id=new_id,
            actor=member.actor,
        )
        await changes.write(tx, change, now_us)
        detail = {"payment": payment_id, **money_detail(refund.amount)}
        await audit_log.record(ctx, tx, member, Deed.REFUND_REQUESTED, refund.id, **detail)
        if guard is not None:
            await guard(tx, refund)
    return refund
