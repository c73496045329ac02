"""Money back: decided under the invoice's lock, asked of the acquirer with a stored key, polled
until it is known.
"""

from collections.abc import Callable

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing import refund as domain
from sigma.domain.billing.invoice import shown_anew
from sigma.domain.billing.refund import Event, Refund, Reply, Status
from sigma.domain.errors import Refused
from sigma.domain.money import Money
from sigma.providers.base import RefundOrder, Rejected, Unknown
from sigma.services.billing.payments import OF_THE_SHOP, ON_ITS_WAY, reach
from sigma.services.billing.payments import get as get_payment
from sigma.services.context import HOUR, Context
from sigma.store import changes
from sigma.store.billing import invoices, ledger, payments, refunds
from sigma.store.idempotency import Answered

Remember = Callable[[Refund], Answered]


async def request(
    ctx: Context,
    member: Member,
    payment_id: str,
    amount: Money,
    reason: str,
    *,
    remember: Remember | None = None,
) -> Refund:
    """Promises money back; the job sends it. Raises Refused when it is more than is left."""
    member.must(Permission.REFUND)
    seen = await get_payment(ctx, member, payment_id)
    async with ctx.db.write() as tx:
        await invoices.lock(tx, seen.invoice_id)
        payment = await payments.get(tx, payment_id)
        assert payment is not None, "a payment is never deleted"
        earlier = await refunds.of_payment(tx, payment_id)
        now, new_id = ctx.now(), ctx.ids_of(seen.shop_id)
        refund, change = domain.request(
            payment,
            earlier,
            amount,
            reason,
            operation_key=new_id("op"),
            now=now,
            new_id=new_id,
            actor=member.actor,
        )
        await changes.write(tx, change, now, remember(refund) if remember else None)
    return refund


async def advance(ctx: Context, refund_id: str) -> Refund:
    """Asks the acquirer what became of a refund and writes it.

    Raises Unknown, Refused("acquirer_refused").
    """
    async with ctx.db.read() as tx:
        refund = await refunds.get(tx, refund_id)
    if refund is None:
        raise Refused("not_found", what="refund")
    if refund.status is not Status.PENDING:
        return refund
    try:
        reply = await _ask(ctx, refund)
    except Unknown:
        await _mark_unknown(ctx, refund)
        raise
    except Rejected as no:
        reply = await _plain_no(ctx, refund, no)
    return await _settle(ctx, refund, reply)


async def _plain_no(ctx: Context, refund: Refund, no: Rejected) -> Reply:
    """A plain no ends a refund only when nothing began. It says nothing of an earlier, lost call,
    so the acquirer's list must say it, once no call can be on its way any more: a refund that is
    wrongly given up would be given twice.
    """
    if refund.provider_id is not None or no.code in OF_THE_SHOP:
        raise Refused("acquirer_refused", reason=no.code) from no
    try:
        found = await _find(ctx, refund)
    except Rejected:
        found = None
    if found is None and refund.unknown and ctx.now() - refund.created_at < ON_ITS_WAY:
        raise Refused("acquirer_refused", reason=no.code) from no
    return found or Reply(provider_id="", event=Event.FAILED, failure=f"rejected_{no.code}")


async def _ask(ctx: Context, refund: Refund) -> Reply:
    """One question to the acquirer, with no transaction open."""
    _, provider, access = await reach(ctx, refund.connection_id)
    if refund.provider_id is not None:
        return await provider.fetch_refund(access, refund.provider_id)
    if ctx.now() - refund.created_at >= provider.capabilities.key_lifetime_us - HOUR:
        # Too old to be repeated: a repeat might give the money back twice.
        found = await _find(ctx, refund)
        return found or Reply(provider_id="", event=Event.FAILED, failure="never_started")
    order = RefundOrder(
        refund_id=refund.id,
        operation_key=refund.operation_key,
        provider_payment_id=await _paid_id(ctx, refund),
        amount=refund.amount,
        description=refund.reason,
    )
    return await provider.start_refund(access, order)


async def _find(ctx: Context, refund: Refund) -> Reply | None:
    """Looks a refund up in the acquirer's list by the id that we sent along."""
    _, provider, access = await reach(ctx, refund.connection_id)
    for found in await provider.list_refunds(access, await _paid_id(ctx, refund)):
        if found.our_id == refund.id:
            return found.reply
    return None


async def _paid_id(ctx: Context, refund: Refund) -> str:
    """The acquirer's id of the payment that is given back."""
    async with ctx.db.read() as tx:
        payment = await payments.get(tx, refund.payment_id)
    assert payment is not None and payment.provider_id is not None, "only a paid one is given back"
    return payment.provider_id


async def _settle(ctx: Context, asked: Refund, reply: Reply) -> Refund:
    async with ctx.db.write() as tx:
        invoice = await invoices.lock(tx, asked.invoice_id)
        refund = await refunds.get(tx, asked.id)
        payment = await payments.get(tx, asked.payment_id)
        assert refund is not None and payment is not None, "neither is ever deleted"
        if not reply.provider_id and (refund.provider_id or refund.unknown > asked.unknown):
            return refund  # a no to a repeat of what another call had begun, or lost, meanwhile
        earlier = await refunds.of_payment(tx, payment.id)
        now = ctx.now()
        owed = await ledger.owed(tx, payment.id)
        change = domain.settle(
            refund, payment, earlier, reply, now, ctx.ids_of(refund.shop_id), owed=owed
        )
        if change:
            change += shown_anew(invoice)
        await changes.write(tx, change, now)
    return next((s for s in change.saved if isinstance(s, Refund)), refund)


async def _mark_unknown(ctx: Context, asked: Refund) -> None:
    async with ctx.db.write() as tx:
        await invoices.lock(tx, asked.invoice_id)
        refund = await refunds.get(tx, asked.id)
        assert refund is not None, "a refund is never deleted"
        if refund.status is Status.PENDING:
            now = ctx.now()
            change = domain.not_known(refund, now, ctx.ids_of(refund.shop_id))
            await changes.write(tx, change, now)


async def get(ctx: Context, member: Member, refund_id: str) -> Refund:
    """The refund as it is known here. Raises Refused("not_found")."""
    member.must(Permission.READ)
    async with ctx.db.read() as tx:
        refund = await refunds.get(tx, refund_id)
    if refund is None or refund.shop_id != member.shop_id:
        raise Refused("not_found", what="refund")
    return refund


async def of_payment(ctx: Context, member: Member, payment_id: str) -> tuple[Refund, ...]:
    """All refunds of a payment, oldest first."""
    await get_payment(ctx, member, payment_id)
    async with ctx.db.read() as tx:
        return await refunds.of_payment(tx, payment_id)
