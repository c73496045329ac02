"""Payments: `advance` (the only way to "paid"), capture, cancel, lists and details."""

from dataclasses import dataclass, replace

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.audit.deed import Deed
from sigma.domain.audit.values import money_detail
from sigma.domain.billing import payment as domain
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Event, Payment, PaymentReply, Status
from sigma.domain.billing.payment_actions import request_action
from sigma.domain.errors import RefusedError
from sigma.domain.limits import ACQUIRER_QUERY_MANUAL
from sigma.domain.money import Money
from sigma.domain.time_units import HOUR_US
from sigma.providers.base import (
    ConnectionAccess,
    IdempotencyKeyConflictError,
    PaymentRequest,
    Provider,
    RejectedError,
    UnknownOutcomeError,
)
from sigma.services.billing.acquirer_calls import (
    SHOP_REJECTION_CODES,
    find_lost,
    is_stale_rejection,
    open_connection,
)
from sigma.services.billing.refund_sync import sync_refunds
from sigma.services.circuit_breakers import CircuitOpenError
from sigma.services.context import Context
from sigma.services.paging import Page, make_page
from sigma.services.platform import audit_log
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.billing import (
    invoices,
    payments,
)
from sigma.store.engine.interface import Tx


async def advance(ctx: Context, payment_id: str) -> Payment:
    """Query the acquirer for a payment and write what the reply changes: the only way to "paid".

    Called for the client's return, for an acquirer notice and by the job payment.advance. For a
    captured payment it finds the refunds that were made outside Sigma, see `sync_refunds`.
    Raises UnknownOutcomeError when no reply arrived (the payment is then marked unknown, unless no
    call was made: CircuitOpenError), and RefusedError: "not_found", or "acquirer_refused" when a
    rejection leaves the outcome open.
    """
    async with ctx.db.read() as tx:
        payment = await payments.get(tx, payment_id)
    if payment is None:
        raise RefusedError("not_found", what="payment")
    if payment.status is Status.CAPTURED:
        return (await sync_refunds(ctx, payment_id)).payment
    if payment.is_final and payment.provider_id is None:
        return payment  # one that was started may have been paid after all: query it
    try:
        reply = await _call_acquirer(ctx, payment)
    except CircuitOpenError:
        raise  # the acquirer was not called
    except UnknownOutcomeError:
        await _mark_unknown(ctx, payment)
        raise
    except RejectedError as rejection:
        reply = await _resolve_rejection(ctx, payment, rejection)
    return await _settle(ctx, payment, reply)


async def advance_by_job(ctx: Context, payment_id: str) -> Payment:
    """Job payment.advance: like `advance`.

    For a captured payment a rejection (wrong credentials) is not an error: only refunds made
    outside Sigma could be found, and the next look-up finds them too.
    """
    try:
        return await advance(ctx, payment_id)
    except RefusedError:
        async with ctx.db.read() as tx:
            payment = await payments.get(tx, payment_id)
        if payment is None or payment.status is not Status.CAPTURED:
            raise
        return payment


async def _call_acquirer(ctx: Context, payment: Payment) -> PaymentReply:
    """Make one call to the acquirer, with no transaction open."""
    connection, provider, access = await open_connection(ctx, payment.connection_id)
    if payment.provider_id is None:
        return await _start(ctx, payment, provider, access, two_stage=connection.two_stage)
    if payment.requested_action and payment.status is Status.AUTHORIZED:
        if payment.requested_action == "capture":
            return await provider.capture(
                access, payment.provider_id, payment.amount, payment.requested_action_key
            )
        return await provider.cancel(access, payment.provider_id, payment.requested_action_key)
    return await provider.fetch_payment(access, payment.provider_id)


async def _start(
    ctx: Context, payment: Payment, provider: Provider, access: ConnectionAccess, *, two_stage: bool
) -> PaymentReply:
    """Start the payment at the acquirer, or find it there when the call must not be repeated.

    It must not be repeated when the idempotency key is near the end of its lifetime, or when the
    acquirer knows the key with other parameters (language or settings have changed since).
    """
    age = ctx.now_us() - payment.created_at_us
    if age >= provider.capabilities.key_lifetime_us - HOUR_US:
        return await _find_at_acquirer(payment, provider, access) or PaymentReply(
            "", Event.FAILED, failure="never_started"
        )
    async with ctx.db.read() as tx:
        invoice = await invoices.get(tx, payment.invoice_id)
    assert invoice is not None, "a payment has an invoice"
    request = PaymentRequest(
        payment_id=payment.id,
        operation_key=payment.operation_key,
        amount=payment.amount,
        description=f"№ {invoice.number}. {invoice.title}",
        return_url=f"{ctx.settings.base_url}/i/{invoice.token}/wait/{payment.token}",
        locale=payment.locale,
        two_stage=two_stage,
        metadata={"invoice": invoice.id},
    )
    try:
        return await provider.start_payment(access, request)
    except IdempotencyKeyConflictError:
        if found := await _find_at_acquirer(payment, provider, access):
            return found
        raise


async def _find_at_acquirer(
    payment: Payment, provider: Provider, access: ConnectionAccess
) -> PaymentReply | None:
    """Find a payment in the acquirer's list by our id in its metadata; None if it is not there."""
    since, until, cursor = (
        payment.created_at_us - HOUR_US,
        payment.created_at_us + 26 * HOUR_US,
        None,
    )
    while True:
        listed = await provider.list_payments(access, since, until, cursor)
        for reply in listed.replies:
            if reply.payment_id == payment.id:
                return reply
        if (cursor := listed.next_cursor) is None:
            return None


async def _resolve_rejection(
    ctx: Context, payment: Payment, rejection: RejectedError
) -> PaymentReply:
    """Turn a rejection into a reply. Raises RefusedError("acquirer_refused").

    If an earlier call may have been lost (`is_outcome_unknown`), the rejection proves nothing:
    search the acquirer's list first, and fail the payment only when no call can still be under
    way.
    """
    reply = PaymentReply(provider_id="", event=Event.FAILED, failure=f"rejected_{rejection.code}")
    if payment.provider_id is not None or (
        payment.is_outcome_unknown and rejection.code in SHOP_REJECTION_CODES
    ):
        raise RefusedError("acquirer_refused", reason=rejection.code) from rejection
    if not payment.is_outcome_unknown:
        return reply
    _, provider, access = await open_connection(ctx, payment.connection_id)
    found = await find_lost(
        ctx, payment, rejection, lambda: _find_at_acquirer(payment, provider, access)
    )
    return found or reply


async def _settle(ctx: Context, snapshot: Payment, reply: PaymentReply) -> Payment:
    """Write what a reply changes, under the invoice's lock. Returns the payment as it is then."""
    async with ctx.db.read() as tx:
        shop = await shops.get(tx, snapshot.shop_id)
    assert shop is not None, "the shop of a payment is never deleted"
    async with ctx.db.write() as tx:
        invoice, payment = await _lock(tx, snapshot)
        if is_stale_rejection(reply, payment, snapshot):
            return payment
        now_us = ctx.now_us()
        change = domain.settle(payment, invoice, shop, reply, now_us, ctx.id_factory(shop.id))
        await changes.write(tx, change, now_us)
    return next((s for s in change.rows if isinstance(s, Payment)), payment)


async def _lock(tx: Tx, snapshot: Payment) -> tuple[Invoice, Payment]:
    """Lock the invoice, then read the payment again."""
    invoice = await invoices.lock(tx, snapshot.invoice_id)
    payment = await payments.get(tx, snapshot.id)
    assert payment is not None, "a payment is never deleted"
    return invoice, payment


async def _mark_unknown(ctx: Context, snapshot: Payment) -> None:
    async with ctx.db.write() as tx:
        _, payment = await _lock(tx, snapshot)
        if not payment.is_final:
            now_us = ctx.now_us()
            change = domain.mark_unknown(payment, now_us, ctx.id_factory(payment.shop_id))
            await changes.write(tx, change, now_us)


async def capture(ctx: Context, member: Member, payment_id: str) -> Payment:
    """Capture an authorized payment; stored before the acquirer is called. Raises RefusedError."""
    return await _request_action(ctx, member, payment_id, "capture")


async def cancel(ctx: Context, member: Member, payment_id: str) -> Payment:
    """Cancel an authorized payment; stored before the acquirer is called. Raises RefusedError."""
    return await _request_action(ctx, member, payment_id, "cancel")


async def _request_action(ctx: Context, member: Member, payment_id: str, action: str) -> Payment:
    member.require(Permission.CAPTURE)
    snapshot = await get(ctx, member, payment_id)
    async with ctx.db.write() as tx:
        _, payment = await _lock(tx, snapshot)
        now_us, new_id = ctx.now_us(), ctx.id_factory(snapshot.shop_id)
        change = request_action(payment, action, new_id("op"), now_us, new_id, member.actor)
        await changes.write(tx, change, now_us)
        if change:
            deed = Deed.PAYMENT_CAPTURED if action == "capture" else Deed.PAYMENT_CANCELED
            await audit_log.record(
                ctx, tx, member, deed, payment_id, **money_detail(payment.amount)
            )
    return await try_advance(ctx, payment_id)


async def refresh(ctx: Context, member: Member, payment_id: str) -> Payment:
    """Query the acquirer now, on a member's request. Raises RefusedError, "too_many_requests".

    For a captured payment the acquirer's list of refunds is read too. When no reply arrived the
    returned payment is marked unknown; of a captured one only the returned copy, not the row.
    """
    payment = await get(ctx, member, payment_id)
    await ctx.limiter.require(ACQUIRER_QUERY_MANUAL, member.shop_id)
    if payment.status is Status.CAPTURED:
        try:
            return (await sync_refunds(ctx, payment_id, reads_list=True)).payment
        except UnknownOutcomeError:
            return replace(payment, is_outcome_unknown=True)
    return await try_advance(ctx, payment_id)


async def get(ctx: Context, member: Member, payment_id: str) -> Payment:
    """Return the stored payment; no call to the acquirer. Raises RefusedError("not_found")."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        payment = await payments.get(tx, payment_id)
    if payment is None or payment.shop_id != member.shop_id:
        raise RefusedError("not_found", what="payment")
    return payment


async def try_advance(ctx: Context, payment_id: str) -> Payment:
    """Like `advance`, but return the payment, marked unknown, when the acquirer's reply is lost.

    An acquirer that does not respond is not called: the payment is returned as it is stored.
    The job payment.advance then queries the acquirer again. Raises RefusedError.
    """
    try:
        return await advance(ctx, payment_id)
    except UnknownOutcomeError:
        async with ctx.db.read() as tx:
            payment = await payments.get(tx, payment_id)
        assert payment is not None, "a payment is never deleted"
        return payment


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A payment in a list, with its invoice's number and title and the refunded sum."""

    payment: Payment
    invoice_number: int
    invoice_title: str
    refunded: Money


async def list_page(
    ctx: Context,
    member: Member,
    *,
    invoice_id: str | None = None,
    status: str | None = None,
    attention: bool | None = None,
    query: str | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> Page[PaymentRow]:
    """Return a page of the shop's payments, newest first."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        payment_rows = await payments.list_for_shop(
            tx,
            member.shop_id,
            invoice_id=invoice_id,
            status=status,
            needs_attention=bool(attention),
            query=query or "",
            before_id=cursor or "",
            limit=limit + 1,
        )
    rows = [
        PaymentRow(payment, number, title, Money(refunded_minor, payment.amount.currency))
        for payment, number, title, refunded_minor in payment_rows
    ]
    return make_page(rows, limit, lambda row: row.payment.id)
