"""Find what the acquirer has made of a captured payment since: refunds outside Sigma, its fee.

`sync_refunds` is the only entry: acquirer notices, look-ups by a member or a job and the
reconciliation call it. It asks for the payment first and for its refunds second, so the list
explains at least everything in the refunded total.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sigma.domain.billing import payment as payment_domain
from sigma.domain.billing import refund_sync as domain
from sigma.domain.billing.invoice import card_refresh
from sigma.domain.billing.payment import Event as PaymentEvent
from sigma.domain.billing.payment import Payment, PaymentReply, Status
from sigma.domain.billing.refund import Refund
from sigma.domain.billing.refund_sync import ListedRefund
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.money import Money
from sigma.providers.base import ConnectionAccess, Provider, RejectedError, UnknownOutcomeError
from sigma.services.billing.acquirer_calls import open_connection
from sigma.services.context import Context
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.billing import invoices, ledger, payments, refunds


@dataclass(frozen=True, slots=True)
class RefundSync:
    """The result of `sync_refunds`: the payment and all its refunds as stored now."""

    payment: Payment
    refunds: tuple[Refund, ...]


async def sync_refunds(
    ctx: Context, payment_id: str, *, reads_list: bool = False, rejected_id: str = ""
) -> RefundSync:
    """Ask the acquirer for a payment and its refunds, and book what Sigma lacks, also its fee.

    For a payment that is not captured nothing is asked. Idempotent: the acquirer's id of a refund
    is unique, and nothing is booked over the acquirer's refunded total. `reads_list`: read the
    list of refunds even if the total equals ours (a notice names a refund). `rejected_id`: our
    refund that the acquirer has just rejected. When the list is not available, the difference of
    the totals is booked. No transaction is open during a call.

    Raises UnknownOutcomeError when the acquirer did not answer (call again later), RefusedError:
    "not_found", or "acquirer_refused" when it rejected the request.
    """
    async with ctx.db.read() as tx:
        payment = await payments.get(tx, payment_id)
        stored = await refunds.list_for_payment(tx, payment_id)
    if payment is None:
        raise RefusedError("not_found", what="payment")
    if payment.status is not Status.CAPTURED or payment.provider_id is None:
        return RefundSync(payment, stored)
    _, provider, access = await open_connection(ctx, payment.connection_id)
    try:
        reply = await provider.fetch_payment(access, payment.provider_id)
    except RejectedError as rejection:
        raise RefusedError("acquirer_refused", reason=rejection.code) from rejection
    if payment_domain.FLOW[payment.status].get(reply.event) is None:
        return await _flag_contradiction(ctx, payment, reply)
    await record_fee(ctx, payment, reply)
    total = _refunded_total(payment, reply)
    if reads_list or domain.needs_list(stored, total):
        listed, failure = await _read_list(provider, access, payment.provider_id)
        for item in listed:
            await _book_listed(ctx, payment, item, total)
        if total is not None:
            is_complete = failure is None
            await _book_difference(ctx, payment, total, rejected_id, is_list_complete=is_complete)
        if failure is not None:
            raise failure
    return await _result(ctx, payment)


async def record_fee(ctx: Context, snapshot: Payment, reply: PaymentReply) -> None:
    """Record the fee that a reply reports of a captured payment; nothing if it is known.

    Whoever reads a captured payment at the acquirer calls this: look-ups, notices and the
    reconciliation. No transaction is open during the call to the acquirer.
    """
    if not payment_domain.record_fee(snapshot, reply):
        return  # of nearly every payment: the lock is not taken
    async with ctx.db.write() as tx:
        await invoices.lock(tx, snapshot.invoice_id)
        payment = await payments.get(tx, snapshot.id)
        assert payment is not None, "a payment is never deleted"
        if change := payment_domain.record_fee(payment, reply):
            await changes.write(tx, change, ctx.now_us())


def _refunded_total(payment: Payment, reply: PaymentReply) -> Money | None:
    """Return the acquirer's refunded total; None when the reply does not fit the payment."""
    is_same = (
        reply.provider_id == payment.provider_id
        and reply.event is PaymentEvent.CAPTURED
        and reply.amount == payment.amount
    )
    return reply.refunded if is_same else None


async def _read_list(
    provider: Provider, access: ConnectionAccess, provider_id: str
) -> tuple[list[ListedRefund], UnknownOutcomeError | RefusedError | None]:
    """Return the acquirer's refunds of a payment, oldest first, or why there is no list."""
    try:
        listed = await provider.list_refunds(access, provider_id)
    except UnknownOutcomeError as error:
        return [], error
    except RejectedError as rejection:
        return [], RefusedError("acquirer_refused", reason=rejection.code)
    # Acquirers list the newest first.
    return [ListedRefund(item.reply, item.refund_id) for item in reversed(listed)], None


async def _book_listed(
    ctx: Context, snapshot: Payment, item: ListedRefund, total: Money | None
) -> None:
    now_us, new_id = ctx.now_us(), ctx.id_factory(snapshot.shop_id)
    await _write(
        ctx,
        snapshot,
        lambda payment, stored, is_refund_due: domain.settle_listed(
            item, payment, stored, total, now_us, new_id, is_refund_due=is_refund_due
        ),
    )


async def _book_difference(
    ctx: Context, snapshot: Payment, total: Money, rejected_id: str, *, is_list_complete: bool
) -> None:
    now_us, new_id = ctx.now_us(), ctx.id_factory(snapshot.shop_id)
    await _write(
        ctx,
        snapshot,
        lambda payment, stored, is_refund_due: domain.record_difference(
            payment,
            stored,
            total,
            now_us,
            new_id,
            is_list_complete=is_list_complete,
            is_refund_due=is_refund_due,
            rejected_id=rejected_id,
        ),
    )


async def _write(
    ctx: Context,
    snapshot: Payment,
    decide: Callable[[Payment, tuple[Refund, ...], bool], Change],
) -> None:
    """Write one decision under the invoice's lock, with the rows as they are then."""
    async with ctx.db.write() as tx:
        invoice = await invoices.lock(tx, snapshot.invoice_id)
        payment = await payments.get(tx, snapshot.id)
        assert payment is not None, "a payment is never deleted"
        stored = await refunds.list_for_payment(tx, payment.id)
        change = decide(payment, stored, await ledger.is_refund_due(tx, payment.id))
        if change:
            await changes.write(tx, change + card_refresh(invoice), ctx.now_us())


async def _flag_contradiction(ctx: Context, snapshot: Payment, reply: PaymentReply) -> RefundSync:
    """Flag a captured payment that the acquirer reports as canceled or failed."""
    async with ctx.db.read() as tx:
        shop = await shops.get(tx, snapshot.shop_id)
    assert shop is not None, "the shop of a payment is never deleted"
    async with ctx.db.write() as tx:
        invoice = await invoices.lock(tx, snapshot.invoice_id)
        payment = await payments.get(tx, snapshot.id)
        assert payment is not None, "a payment is never deleted"
        now_us, new_id = ctx.now_us(), ctx.id_factory(shop.id)
        change = payment_domain.settle(payment, invoice, shop, reply, now_us, new_id)
        await changes.write(tx, change, now_us)
    return await _result(ctx, snapshot)


async def _result(ctx: Context, snapshot: Payment) -> RefundSync:
    async with ctx.db.read() as tx:
        payment = await payments.get(tx, snapshot.id)
        stored = await refunds.list_for_payment(tx, snapshot.id)
    assert payment is not None, "a payment is never deleted"
    return RefundSync(payment, stored)
