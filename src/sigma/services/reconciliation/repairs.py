"""Repair differences: carry out the one action of each. Every repair is idempotent."""

from dataclasses import dataclass
from enum import StrEnum

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.audit.deed import Deed
from sigma.domain.billing import refund as refund_domain
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import REFUND_REASONS, Payment
from sigma.domain.change import Change, SearchTokens
from sigma.domain.errors import RefusedError
from sigma.domain.ledger import capture_entry
from sigma.domain.reconciliation import missing_payment
from sigma.domain.reconciliation.difference import (
    CLOSING_ACTIONS,
    Action,
    Claim,
    Difference,
    Kind,
    State,
    attempted,
    closed,
)
from sigma.domain.reconciliation.run import MAX_STORED
from sigma.providers.base import RejectedError, UnknownOutcomeError
from sigma.services.billing import payments as payment_services
from sigma.services.billing import refunds as refund_services
from sigma.services.billing.refund_sync import sync_refunds
from sigma.services.context import Context
from sigma.services.platform import audit_log
from sigma.services.platform.search_tokens import payment_tokens
from sigma.services.reconciliation.accounts import Account, open_accounts
from sigma.services.reconciliation.pairs import compare_again, reload_payment_pair
from sigma.services.reconciliation.runs import get_details
from sigma.store import changes
from sigma.store.billing import connections, invoices, ledger, payments, refunds
from sigma.store.engine.interface import ConflictError
from sigma.store.reconciliation import differences, rows


class Outcome(StrEnum):
    """How a repair ended."""

    REPAIRED = "repaired"
    CLOSED = "closed"
    STILL_DIFFERS = "still_differs"  # the action is now to ask the acquirer
    NO_ANSWER = "no_answer"  # the acquirer did not answer: nothing has changed


@dataclass(frozen=True, slots=True)
class Repair:
    """The difference after its repair."""

    difference: Difference
    outcome: Outcome


async def get(ctx: Context, member: Member, difference_id: str) -> Difference:
    """Return a difference. Raises RefusedError("not_found")."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        difference = await differences.get(tx, difference_id)
    if difference is None or difference.shop_id != member.shop_id:
        raise RefusedError("not_found", what="reconciliation")
    return difference


async def repair(ctx: Context, member: Member, difference_id: str) -> Repair:
    """Carry out the action of a difference, then compare both sides again.

    A difference that is already repaired or closed is returned unchanged. Raises RefusedError:
    "not_found", or "acquirer_refused" when the acquirer rejected the request.
    """
    member.require(Permission.RECONCILE)
    difference = await get(ctx, member, difference_id)
    action = difference.action
    if action is None:
        is_closed = difference.state is State.CLOSED
        return Repair(difference, Outcome.CLOSED if is_closed else Outcome.REPAIRED)
    if action in CLOSING_ACTIONS:
        await _save(ctx, member, closed(difference, member.actor, ctx.now_us()), action)
        return Repair(await get(ctx, member, difference_id), Outcome.CLOSED)
    try:
        account = await _account(ctx, difference)
        await _act(ctx, member, account, difference, action)
        kind, _ = await compare_again(ctx, account, difference)
    except UnknownOutcomeError:
        return Repair(difference, Outcome.NO_ANSWER)
    except RejectedError as rejection:
        raise RefusedError("acquirer_refused", reason=rejection.code) from rejection
    agrees = kind is None
    updated = attempted(difference, agrees=agrees, actor=member.actor, now_us=ctx.now_us())
    await _save(ctx, member, updated, action)
    outcome = Outcome.REPAIRED if agrees else Outcome.STILL_DIFFERS
    return Repair(await get(ctx, member, difference_id), outcome)


async def close_foreign(ctx: Context, member: Member, run_id: str) -> int:
    """Close all foreign payments of a run as not ours; return how many."""
    member.require(Permission.RECONCILE)
    details = await get_details(ctx, member, run_id, limit=MAX_STORED)
    now_us = ctx.now_us()
    updated = tuple(
        closed(one, member.actor, now_us)
        for one in details.open_differences
        if one.kind is Kind.PAYMENT_FOREIGN
    )
    if updated:
        async with ctx.db.write() as tx:
            await changes.write(tx, Change(updated), now_us)
            detail = {"kind": str(Kind.PAYMENT_FOREIGN), "count": len(updated)}
            await audit_log.record(ctx, tx, member, Deed.DIFFERENCE_CLOSED, run_id, **detail)
    return len(updated)


async def _save(ctx: Context, member: Member, difference: Difference, action: Action) -> None:
    is_closed = action in CLOSING_ACTIONS
    deed = Deed.DIFFERENCE_CLOSED if is_closed else Deed.DIFFERENCE_REPAIRED
    detail = {"kind": str(difference.kind), "action": str(action), "state": str(difference.state)}
    async with ctx.db.write() as tx:
        await changes.write(tx, Change((difference,)), ctx.now_us())
        await audit_log.record(ctx, tx, member, deed, difference.id, **detail)


async def _account(ctx: Context, difference: Difference) -> Account:
    for account in await open_accounts(ctx, difference.shop_id):
        if difference.connection_id in account.connection_ids:
            return account
    raise RefusedError("no_connection")


async def _act(
    ctx: Context, member: Member, account: Account, difference: Difference, action: Action
) -> None:
    if action is Action.BOOK_ENTRY:
        await _book_entry(ctx, difference)
    elif action is Action.BOOK_REFUND:
        await sync_refunds(ctx, difference.payment_id, reads_list=True)
    elif action is Action.CHECK and difference.refund_id:
        await refund_services.advance(ctx, difference.refund_id)
        await sync_refunds(ctx, difference.payment_id, reads_list=True)
    else:
        payment_id = await _record_payment(ctx, member, account, difference)
        if payment_id:
            await payment_services.advance(ctx, payment_id)
            await sync_refunds(ctx, payment_id, reads_list=True)


async def _record_payment(
    ctx: Context, member: Member, account: Account, difference: Difference
) -> str:
    """Give Sigma a payment with the acquirer's id, unless it has one; return our payment id.

    Empty: nothing here belongs to the acquirer's payment any more.
    """
    pair = await reload_payment_pair(ctx, difference.shop_id, account, difference.provider_id)
    if pair.ours is not None:
        return pair.ours.id
    if pair.theirs is None or pair.claim is Claim.NOTHING:
        return ""
    now_us, new_id = ctx.now_us(), ctx.id_factory(difference.shop_id)
    async with ctx.db.write() as tx:
        invoice = await invoices.lock(tx, pair.claimed_invoice_id)
        if pair.claim is Claim.UNSTARTED and pair.claimed_payment_id:
            payment = await payments.get(tx, pair.claimed_payment_id)
            assert payment is not None, "a payment is never deleted"
            change = missing_payment.link(
                payment, pair.theirs.provider_id, now_us, new_id, member.actor
            )
        else:
            connection = await connections.get(tx, account.connection.id)
            assert connection is not None, "a connection with payments is never deleted"
            change = missing_payment.recreate(
                pair.theirs,
                invoice,
                connection,
                is_duplicate=pair.claim is Claim.OTHER,
                token=ctx.new_token(),
                now_us=now_us,
                new_id=new_id,
                actor=member.actor,
            )
            change += Change(search_tokens=_tokens_of(ctx, change, invoice))
        await changes.write(tx, change, now_us)
    async with ctx.db.read() as tx:
        found = await rows.find_payments(tx, account.connection_ids, [difference.provider_id])
    return found[difference.provider_id].id if found else ""


def _tokens_of(ctx: Context, change: Change, invoice: Invoice) -> tuple[SearchTokens, ...]:
    """Return what a list finds the new payments of a change by: their answers are unknown."""
    found = [row for row in change.rows if isinstance(row, Payment)]
    return tuple(payment_tokens(ctx.cipher, one, invoice, {}, ()) for one in found)


async def _book_entry(ctx: Context, difference: Difference) -> None:
    """Write the ledger entry of a captured payment or a succeeded refund that has none."""
    async with ctx.db.read() as tx:
        payment = await payments.get(tx, difference.payment_id)
        refund = await refunds.get(tx, difference.refund_id) if difference.refund_id else None
        is_refund_due = await ledger.is_refund_due(tx, difference.payment_id)
        has_fee = await ledger.has_fee(tx, difference.payment_id)
    assert payment is not None, "a payment is never deleted"
    now_us = ctx.now_us()
    if refund is None:
        entry = capture_entry(
            payment_id=payment.id,
            shop_id=payment.shop_id,
            booked_at_us=payment.captured_at_us or now_us,
            amount=payment.amount,
            income=None if has_fee else payment.income,
            is_refund_due=payment.attention in REFUND_REASONS,
        )
    else:
        entry = refund_domain.ledger_entry(refund, now_us, is_refund_due=is_refund_due)
    try:
        await changes.commit(ctx.db, Change(entries=(entry,)), now_us)
    except ConflictError:
        return  # it is booked already
