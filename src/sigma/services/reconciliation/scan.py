"""One step of a run: a page of the acquirer's list, a batch of our rows, or of confirmations.

A step makes at most CONFIRMATION_BATCH calls, so that a job with a time limit can stop between any
two steps. It writes nothing but fees that the acquirer reports only now; the caller writes its
result in one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sigma.domain.billing.payment import Payment
from sigma.domain.billing.refund import Refund
from sigma.domain.reconciliation import run as domain
from sigma.domain.reconciliation.difference import (
    MISSING_THERE,
    Difference,
    Kind,
    PaymentPair,
    RefundPair,
    State,
    confirmed,
    find_difference,
    sides,
)
from sigma.domain.reconciliation.run import Phase, Progress, Run
from sigma.domain.reconciliation.stream_matcher import StreamMatcher
from sigma.providers.base import UnknownOutcomeError
from sigma.services.billing.refund_sync import record_fee
from sigma.services.context import Context
from sigma.services.ids import min_id
from sigma.services.reconciliation.accounts import Account
from sigma.services.reconciliation.pairs import (
    compare_again,
    load_payment_pairs,
    load_refund_pairs,
)
from sigma.store.reconciliation import differences, rows
from sigma.store.reconciliation.rows import IdRange

OUR_BATCH = 200  # rows
CONFIRMATION_BATCH = 20  # calls to the acquirer

_PREFIXES = {Phase.PAYMENTS: "pay", Phase.REFUNDS: "ref"}


@dataclass
class _Comparison:
    """What one step has compared: counts and suspected differences."""

    compared: int = 0
    suspected: list[Difference] = field(default_factory=list)


async def step(ctx: Context, run: Run, accounts: Sequence[Account]) -> tuple[Run, list[Difference]]:
    """Do the next step of a run. Returns the run and the differences to save.

    Raises UnknownOutcomeError, RejectedError.
    """
    progress = run.progress
    if progress.phase is Phase.CONFIRMATION or not accounts:
        return await _confirm(ctx, run, accounts)
    account = accounts[min(progress.account_number, len(accounts) - 1)]
    if progress.before_id > _floor_id(run):
        return await _read_ours(ctx, run, account)
    if progress.is_list_read:
        now_us = ctx.now_us()
        return domain.step_done(run, domain.next_list(run, len(accounts)), now_us), []
    return await _read_theirs(ctx, run, account)


def _floor_id(run: Run) -> str:
    """Return the id down to which our rows can be read: the position of the acquirer's list."""
    progress = run.progress
    reached_us = run.since_us if progress.is_list_read else progress.reached_us
    prefix = _PREFIXES[progress.phase]
    if reached_us is None:
        return min_id(prefix, run.until_us)
    return min_id(prefix, min(max(reached_us, run.since_us), run.until_us))


async def _read_theirs(ctx: Context, run: Run, account: Account) -> tuple[Run, list[Difference]]:
    progress = run.progress
    since_us, until_us = run.since_us - domain.MAX_LEAD_US, run.until_us + domain.MAX_DELAY_US
    matcher = StreamMatcher(progress.unmatched, progress.matched)
    found = _Comparison()
    if progress.phase is Phase.PAYMENTS:
        page = await account.provider.list_payments(
            account.access, since_us, until_us, progress.cursor
        )
        replies = {reply.provider_id: reply for reply in page.replies}
        for pair in await load_payment_pairs(ctx, run.shop_id, account, replies):
            _compare(ctx, run, account, pair, matcher, found)
            if pair.ours is not None and pair.theirs is not None:
                await record_fee(ctx, pair.ours, pair.theirs)
        times = [reply.created_at_us for reply in page.replies]
        cursor = page.next_cursor
    else:
        refund_page = await account.provider.list_refunds_by_date(
            account.access, since_us, until_us, progress.cursor
        )
        for refund_pair in await load_refund_pairs(ctx, account, refund_page.refunds):
            _compare(ctx, run, account, refund_pair, matcher, found)
        times = [one.reply.created_at_us for one in refund_page.refunds]
        cursor = refund_page.next_cursor
    read = domain.page_read(progress, [at_us for at_us in times if at_us is not None], cursor)
    if read is None:
        raise UnknownOutcomeError("the acquirer's list has no end")
    updated = replace(
        read,
        before_id=progress.before_id or min_id(_PREFIXES[progress.phase], run.until_us),
        unmatched=matcher.unmatched,
        matched=sorted(matcher.matched),
    )
    return await _counted(ctx, run, account, updated, found)


def _is_in_period(run: Run, ours: Payment | Refund) -> bool:
    prefix = ours.id.partition("_")[0]
    return min_id(prefix, run.since_us) <= ours.id < min_id(prefix, run.until_us)


def _compare(
    ctx: Context,
    run: Run,
    account: Account,
    pair: PaymentPair | RefundPair,
    matcher: StreamMatcher,
    found: _Comparison,
) -> None:
    """Compare one pair of the acquirer's list, if it belongs to the period."""
    ours, theirs = pair.ours, pair.theirs
    assert theirs is not None, "the pairs of the acquirer's list have its side"
    if ours is not None:
        if not _is_in_period(run, ours):
            return
        matcher.add_partner(ours.id)
    elif not run.since_us <= (theirs.created_at_us or run.since_us) < run.until_us:
        return
    kind = find_difference(pair, ctx.now_us())
    found.compared += kind is not None or ours is not None
    if kind is not None:
        found.suspected.append(_suspicion(ctx, run, account, pair, kind))


async def _read_ours(ctx: Context, run: Run, account: Account) -> tuple[Run, list[Difference]]:
    """Read a batch of our rows; those whose partner can no longer come are suspected."""
    progress, floor_id = run.progress, _floor_id(run)
    is_payments = progress.phase is Phase.PAYMENTS
    list_rows = rows.list_payments if is_payments else rows.list_refunds
    async with ctx.db.read() as tx:
        ids = IdRange(run.shop_id, floor_id, progress.before_id)
        batch: Sequence[Payment | Refund] = await list_rows(
            tx, ids, account.connection_ids, OUR_BATCH
        )
    matcher = StreamMatcher(progress.unmatched, progress.matched)
    for row in batch:
        matcher.add_ours(row.id, row.created_at_us)
    is_floor_reached = len(batch) < OUR_BATCH
    before_id = floor_id if is_floor_reached else batch[-1].id
    is_end = progress.is_list_read
    missing = matcher.pop_missing(None if is_end else progress.reached_us)
    found = _Comparison(compared=len(missing))
    found.suspected = await _missing_there(ctx, run, account, missing)
    updated = replace(
        progress,
        before_id=before_id,
        unmatched=matcher.unmatched,
        matched=sorted(matcher.matched),
    )
    return await _counted(ctx, run, account, updated, found)


async def _missing_there(
    ctx: Context, run: Run, account: Account, our_ids: Sequence[str]
) -> list[Difference]:
    if not our_ids:
        return []
    pairs: list[PaymentPair | RefundPair] = []
    async with ctx.db.read() as tx:
        if run.progress.phase is Phase.PAYMENTS:
            kind = Kind.PAYMENT_MISSING_THERE
            payments = await rows.get_payments(tx, our_ids)
            pairs += [PaymentPair(payments[our_id], None) for our_id in our_ids]
        else:
            kind = Kind.REFUND_MISSING_THERE
            refunds = await rows.get_refunds(tx, our_ids)
            pairs += [RefundPair(refunds[our_id], None) for our_id in our_ids]
    return [_suspicion(ctx, run, account, pair, kind) for pair in pairs]


def _suspicion(
    ctx: Context, run: Run, account: Account, pair: PaymentPair | RefundPair, kind: Kind
) -> Difference:
    ours, theirs = pair.ours, pair.theirs
    now_us = ctx.now_us()
    our_side, their_side = sides(pair)
    created_at_us = ours.created_at_us if ours else theirs.created_at_us if theirs else None
    provider_id = theirs.provider_id if theirs else ours.provider_id if ours else None
    if isinstance(pair, RefundPair):
        payment_id = pair.ours.payment_id if pair.ours else pair.payment_id
        refund_id, invoice_id = (ours.id, ours.invoice_id) if ours else ("", "")
    else:
        payment_id, refund_id = (ours.id if ours else pair.claimed_payment_id), ""
        invoice_id = ours.invoice_id if ours else pair.claimed_invoice_id
    return Difference(
        id=ctx.new_id("dif", run.shop_id),
        shop_id=run.shop_id,
        run_id=run.id,
        connection_id=ours.connection_id if ours else account.connection.id,
        kind=kind,
        provider_id=provider_id or "",
        payment_id=payment_id,
        refund_id=refund_id,
        invoice_id=invoice_id,
        ours=our_side,
        theirs=their_side,
        created_at_us=created_at_us or now_us,
        found_at_us=now_us,
    )


async def _counted(
    ctx: Context, run: Run, account: Account, progress: Progress, found: _Comparison
) -> tuple[Run, list[Difference]]:
    """Add what a step has compared to the run. A person's earlier decision closes a difference."""
    ids = [one.provider_id for one in found.suspected]
    if ids:
        async with ctx.db.read() as tx:
            closed = await differences.list_closed(tx, account.connection_ids, ids)
    else:
        closed = []
    fingerprints = {one.fingerprint for one in closed}
    fresh = [one for one in found.suspected if one.fingerprint not in fingerprints]
    closed_count = len(found.suspected) - len(fresh)
    stored = fresh[: max(domain.MAX_STORED - run.suspected_count, 0)]
    compared = found.compared - closed_count
    is_payments = progress.phase is Phase.PAYMENTS
    counted = replace(
        run,
        payment_count=run.payment_count + compared * is_payments,
        refund_count=run.refund_count + compared * (not is_payments),
        suspected_count=run.suspected_count + len(stored),
        difference_count=run.difference_count + len(fresh) - len(stored),
        closed_count=run.closed_count + closed_count,
    )
    return domain.step_done(counted, progress, ctx.now_us()), stored


async def _confirm(
    ctx: Context, run: Run, accounts: Sequence[Account]
) -> tuple[Run, list[Difference]]:
    """Read both sides of a batch of suspected differences again; without one, finish the run.

    The two lists were read at different moments: a payment may have been captured in between.
    """
    now_us = ctx.now_us()
    async with ctx.db.read() as tx:
        suspected = await differences.list_for_run(
            tx, run.id, State.SUSPECTED, limit=CONFIRMATION_BATCH
        )
    if not suspected:
        return domain.finished(run, now_us), []
    by_connection = {id_: account for account in accounts for id_ in account.connection_ids}
    checked: list[Difference] = []
    not_missing = {True: 0, False: 0}  # is a refund → count
    for difference in suspected:
        account = by_connection[difference.connection_id]
        kind, now_sides = await compare_again(ctx, account, difference)
        checked.append(confirmed(difference, kind, now_sides))
        if checked[-1].state is State.DISMISSED and difference.kind in MISSING_THERE:
            not_missing[difference.is_refund] += 1  # it was counted with its partner
    counted = replace(
        run,
        payment_count=run.payment_count - not_missing[False],
        refund_count=run.refund_count - not_missing[True],
        difference_count=run.difference_count + sum(one.state is State.OPEN for one in checked),
    )
    return domain.step_done(counted, run.progress, now_us), checked
