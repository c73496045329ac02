"""Fees that the acquirer reports only after the capture."""

from sigma.domain.billing import payment as domain
from sigma.domain.billing.payment import Payment, PaymentReply
from sigma.services.context import Context
from sigma.store import changes
from sigma.store.billing import invoices, payments


async def record_fee(ctx: Context, snapshot: Payment, reply: PaymentReply) -> None:
    """Record the fee that a reply reports of a captured payment; nothing if it is known.

    Whoever reads a captured payment at the acquirer calls this: look-ups, notices and the
    reconciliation. No transaction is open during the call to the acquirer.
    """
    if not domain.record_fee(snapshot, reply):
        return  # of nearly every payment: the lock is not taken
    async with ctx.db.write() as tx:
        await invoices.lock(tx, snapshot.invoice_id)
        payment = await payments.get(tx, snapshot.id)
        assert payment is not None, "a payment is never deleted"
        if change := domain.record_fee(payment, reply):
            await changes.write(tx, change, ctx.now_us())
