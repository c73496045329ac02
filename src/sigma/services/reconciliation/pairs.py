"""Load both sides of payments and refunds: of a page of the acquirer's list, or of one object."""

from collections.abc import Mapping, Sequence

from sigma.domain.billing.payment import Payment, PaymentReply
from sigma.domain.billing.refund import RefundReply
from sigma.domain.reconciliation.difference import (
    Claim,
    Difference,
    Kind,
    PaymentPair,
    RefundPair,
    Side,
    find_difference,
    sides,
)
from sigma.providers.base import AcquirerRefund, RejectedError
from sigma.services.context import Context
from sigma.services.reconciliation.accounts import Account
from sigma.store.engine.interface import Tx
from sigma.store.reconciliation import rows


async def load_payment_pairs(
    ctx: Context, shop_id: str, account: Account, replies: Mapping[str, PaymentReply | None]
) -> list[PaymentPair]:
    """Return the pairs of these acquirer ids. `replies`: acquirer's id → its payment, or None."""
    async with ctx.db.read() as tx:
        ours = await rows.find_payments(tx, account.connection_ids, replies)
        booked = await rows.booked_captures(tx, [payment.id for payment in ours.values()])
        unknown = [r for id_, r in replies.items() if r is not None and id_ not in ours]
        claims = await _load_claims(tx, shop_id, account, unknown)
    return [
        PaymentPair(payment, reply, booked=booked.get(payment.id))
        if (payment := ours.get(provider_id)) is not None
        else claims.get(provider_id) or PaymentPair(None, reply)
        for provider_id, reply in replies.items()
    ]


async def _load_claims(
    tx: Tx, shop_id: str, account: Account, replies: Sequence[PaymentReply]
) -> dict[str, PaymentPair]:
    """Return the pairs of payments without a row here, by the acquirer's id."""
    if not replies:
        return {}
    named = await rows.get_payments(tx, [r.payment_id for r in replies if r.payment_id])
    invoice_ids = await rows.find_invoice_ids(
        tx, shop_id, [r.invoice_id for r in replies if r.invoice_id]
    )
    return {
        reply.provider_id: _claim(shop_id, account, reply, named.get(reply.payment_id), invoice_ids)
        for reply in replies
    }


def _claim(
    shop_id: str,
    account: Account,
    reply: PaymentReply,
    named: Payment | None,
    invoice_ids: set[str],
) -> PaymentPair:
    if named is not None:
        is_of_account = named.connection_id in account.connection_ids
        if named.shop_id != shop_id or not is_of_account:
            return PaymentPair(None, reply)
        claim = Claim.OTHER if named.provider_id else Claim.UNSTARTED
        return PaymentPair(None, reply, claim, named.id, named.invoice_id)
    if reply.invoice_id in invoice_ids:
        return PaymentPair(None, reply, Claim.UNSTARTED, "", reply.invoice_id)
    return PaymentPair(None, reply)


async def load_refund_pairs(
    ctx: Context, account: Account, listed: Sequence[AcquirerRefund]
) -> list[RefundPair]:
    """Return the pairs of a page of refunds."""
    ids = [one.reply.provider_id for one in listed]
    async with ctx.db.read() as tx:
        ours = await rows.find_refunds(tx, account.connection_ids, ids)
        booked = await rows.booked_refunds(tx, [refund.id for refund in ours.values()])
        payment_ids = {one.payment_provider_id for one in listed}
        payments = await rows.find_payments(tx, account.connection_ids, payment_ids)
    return [
        RefundPair(
            refund,
            one.reply,
            payment.id if payment else "",
            booked.get(refund.id) if refund else None,
        )
        for one in listed
        for refund in [ours.get(one.reply.provider_id)]
        for payment in [payments.get(one.payment_provider_id)]
    ]


async def reload_payment_pair(
    ctx: Context, shop_id: str, account: Account, provider_id: str
) -> PaymentPair:
    """Fetch one payment from the acquirer and read our side. Raises like `Provider`."""
    reply: PaymentReply | None
    try:
        reply = await account.provider.fetch_payment(account.access, provider_id)
    except RejectedError as rejection:
        if rejection.code != "not_found":
            raise
        reply = None
    (pair,) = await load_payment_pairs(ctx, shop_id, account, {provider_id: reply})
    return pair


async def _reload_refund_pair(ctx: Context, account: Account, difference: Difference) -> RefundPair:
    provider_id = difference.provider_id
    reply: RefundReply | None
    try:
        reply = await account.provider.fetch_refund(account.access, provider_id)
    except RejectedError as rejection:
        if rejection.code != "not_found":
            raise
        reply = None
    async with ctx.db.read() as tx:
        ours = (await rows.find_refunds(tx, account.connection_ids, [provider_id])).get(provider_id)
        booked = await rows.booked_refunds(tx, [ours.id]) if ours else {}
    return RefundPair(ours, reply, difference.payment_id, booked.get(ours.id) if ours else None)


async def compare_again(
    ctx: Context, account: Account, difference: Difference
) -> tuple[Kind | None, tuple[Side, Side]]:
    """Read both sides of a difference now. Returns what differs, None: nothing, and both sides.

    Raises UnknownOutcomeError, RejectedError.
    """
    pair: PaymentPair | RefundPair
    if difference.is_refund:
        pair = await _reload_refund_pair(ctx, account, difference)
    else:
        pair = await reload_payment_pair(ctx, difference.shop_id, account, difference.provider_id)
    return find_difference(pair, ctx.now_us()), sides(pair)
