"""Refunds: decided under the invoice's lock, sent to the acquirer with a stored operation key and
polled until the outcome is known.
"""

from collections.abc import Awaitable, Callable

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.audit.deed import Deed
from sigma.domain.audit.values import money_detail
from sigma.domain.billing import refund as domain
from sigma.domain.billing.invoice import card_refresh
from sigma.domain.billing.refund import Event, Refund, RefundReply, Status
from sigma.domain.billing.refund_sync import is_refunded_elsewhere
from sigma.domain.errors import RefusedError
from sigma.domain.idempotency import Idempotency
from sigma.domain.money import Money
from sigma.domain.time_units import HOUR_US
from sigma.providers.base import RefundRequest, RejectedError, UnknownOutcomeError
from sigma.services.billing.acquirer_calls import (
    SHOP_REJECTION_CODES,
    find_lost,
    is_stale_rejection,
    open_connection,
)
from sigma.services.billing.payments import get as get_payment
from sigma.services.billing.refund_sync import sync_refunds
from sigma.services.circuit_breakers import CircuitOpenError
from sigma.services.context import Context
from sigma.services.platform import audit_log
from sigma.store import changes
from sigma.store.billing import invoices, ledger, payments, refunds
from sigma.store.engine.interface import Tx

# Refuses a refund by raising RefusedError. It runs last in the transaction, which has written the
# refund and holds the lock of the shop's audit log: so it sees all earlier refunds of the shop.
RefundGuard = Callable[[Tx, Refund], Awaitable[None]]


async def request(
    ctx: Context,
    member: Member,
    payment_id: str,
    amount: Money,
    reason: str,
    *,
    idempotency: Idempotency[Refund] | None = None,
    guard: RefundGuard | None = None,
) -> Refund:
    """Create a refund; the job refund.advance sends it. `guard` may refuse it.

    Raises RefusedError, for example when `amount` is more than can still be refunded, or
    "refund_over_limit" when it is more than the member's role may refund.
    """
    member.require(Permission.REFUND)
    snapshot = await get_payment(ctx, member, payment_id)
    async with ctx.db.write() as tx:
        await invoices.lock(tx, snapshot.invoice_id)
        payment = await payments.get(tx, payment_id)
        assert payment is not None, "a payment is never deleted"
        earlier = await refunds.list_for_payment(tx, payment_id)
        member.require_refund(amount, domain.refunded_by_sigma(earlier, amount.currency))
        now_us, new_id = ctx.now_us(), ctx.id_factory(snapshot.shop_id)
        refund, change = domain.request(
            payment,
            earlier,
            amount,
            reason,
            operation_key=new_id("op"),
            now_us=now_us,
            new_id=new_id,
            actor=member.actor,
        )
        await changes.write(tx, change.with_response(idempotency, refund, now_us), now_us)
        detail = {"payment": payment_id, **money_detail(refund.amount)}
        await audit_log.record(ctx, tx, member, Deed.REFUND_REQUESTED, refund.id, **detail)
        if guard is not None:
            await guard(tx, refund)
    return refund


async def advance(ctx: Context, refund_id: str) -> Refund:
    """Send a refund to the acquirer, or query it there, and write the result.

    Raises UnknownOutcomeError when no reply arrived (the refund is then marked unknown, unless no
    call was made: CircuitOpenError), and RefusedError: "not_found", or "acquirer_refused" when a
    rejection leaves the outcome open.
    """
    async with ctx.db.read() as tx:
        refund = await refunds.get(tx, refund_id)
    if refund is None:
        raise RefusedError("not_found", what="refund")
    if refund.status is not Status.PENDING:
        return refund
    try:
        reply = await _call_acquirer(ctx, refund)
    except CircuitOpenError:
        raise  # the acquirer was not called
    except UnknownOutcomeError:
        await _mark_unknown(ctx, refund)
        raise
    except RejectedError as rejection:
        reply = await _resolve_rejection(ctx, refund, rejection)
    return await _settle(ctx, refund, reply)


async def _resolve_rejection(ctx: Context, refund: Refund, rejection: RejectedError) -> RefundReply:
    """Turn a rejection into a reply. Raises RefusedError("acquirer_refused").

    A rejection proves nothing about an earlier call that may have been lost: search the
    acquirer's list first, and fail the refund only when no call can still be under way. A refund
    that is failed by mistake would be made twice.
    """
    if refund.provider_id is not None or rejection.code in SHOP_REJECTION_CODES:
        raise RefusedError("acquirer_refused", reason=rejection.code) from rejection
    found = await find_lost(ctx, refund, rejection, lambda: _find_at_acquirer(ctx, refund))
    if found:
        return found
    # The usual reason: the money was already given back in the acquirer's cabinet.
    synced = await sync_refunds(ctx, refund.payment_id, reads_list=True, rejected_id=refund.id)
    is_elsewhere = is_refunded_elsewhere(refund, synced.payment, synced.refunds)
    failure = domain.ALREADY_REFUNDED if is_elsewhere else f"rejected_{rejection.code}"
    return RefundReply(provider_id="", event=Event.FAILED, failure=failure)


async def _call_acquirer(ctx: Context, refund: Refund) -> RefundReply:
    """Make one call to the acquirer, with no transaction open."""
    _, provider, access = await open_connection(ctx, refund.connection_id)
    if refund.provider_id is not None:
        return await provider.fetch_refund(access, refund.provider_id)
    if ctx.now_us() - refund.created_at_us >= provider.capabilities.key_lifetime_us - HOUR_US:
        # The idempotency key is near the end of its lifetime: a repeat might refund twice.
        found = await _find_at_acquirer(ctx, refund)
        return found or RefundReply(provider_id="", event=Event.FAILED, failure="never_started")
    refund_request = RefundRequest(
        refund_id=refund.id,
        operation_key=refund.operation_key,
        provider_payment_id=await _provider_payment_id(ctx, refund),
        amount=refund.amount,
        description=refund.reason,
    )
    return await provider.start_refund(access, refund_request)


async def _find_at_acquirer(ctx: Context, refund: Refund) -> RefundReply | None:
    """Find a refund in the acquirer's list by our id in its metadata; None if it is not there."""
    _, provider, access = await open_connection(ctx, refund.connection_id)
    for listed in await provider.list_refunds(access, await _provider_payment_id(ctx, refund)):
        if listed.refund_id == refund.id:
            return listed.reply
    return None


async def _provider_payment_id(ctx: Context, refund: Refund) -> str:
    """Return the acquirer's id of the refunded payment."""
    async with ctx.db.read() as tx:
        payment = await payments.get(tx, refund.payment_id)
    assert payment is not None and payment.provider_id is not None, (
        "only a captured payment is refunded"
    )
    return payment.provider_id


async def _settle(ctx: Context, snapshot: Refund, reply: RefundReply) -> Refund:
    async with ctx.db.write() as tx:
        invoice = await invoices.lock(tx, snapshot.invoice_id)
        refund = await refunds.get(tx, snapshot.id)
        payment = await payments.get(tx, snapshot.payment_id)
        assert refund is not None and payment is not None, "refunds and payments are never deleted"
        if is_stale_rejection(reply, refund, snapshot):
            return refund
        earlier = await refunds.list_for_payment(tx, payment.id)
        now_us = ctx.now_us()
        is_refund_due = await ledger.is_refund_due(tx, payment.id)
        change = domain.settle(
            refund,
            payment,
            earlier,
            reply,
            now_us,
            ctx.id_factory(refund.shop_id),
            is_refund_due=is_refund_due,
        )
        if change:
            change += card_refresh(invoice)
        await changes.write(tx, change, now_us)
    return next((saved for saved in change.rows if isinstance(saved, Refund)), refund)


async def _mark_unknown(ctx: Context, snapshot: Refund) -> None:
    async with ctx.db.write() as tx:
        await invoices.lock(tx, snapshot.invoice_id)
        refund = await refunds.get(tx, snapshot.id)
        assert refund is not None, "a refund is never deleted"
        if refund.status is Status.PENDING:
            now_us = ctx.now_us()
            change = domain.mark_unknown(refund, now_us, ctx.id_factory(refund.shop_id))
            await changes.write(tx, change, now_us)


async def get(ctx: Context, member: Member, refund_id: str) -> Refund:
    """Return the stored refund; no call to the acquirer. Raises RefusedError("not_found")."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        refund = await refunds.get(tx, refund_id)
    if refund is None or refund.shop_id != member.shop_id:
        raise RefusedError("not_found", what="refund")
    return refund


async def list_for_payment(ctx: Context, member: Member, payment_id: str) -> tuple[Refund, ...]:
    """Return all refunds of a payment, oldest first. Raises RefusedError("not_found")."""
    await get_payment(ctx, member, payment_id)
    async with ctx.db.read() as tx:
        return await refunds.list_for_payment(tx, payment_id)
