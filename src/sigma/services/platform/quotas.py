"""Quotas of shops: checked where an invoice, a message or a photo is stored.

Receipts and updates of invoice cards are sent without counting: who has paid must get them.
The quotas of a shop are read at most once in ten seconds by each process: an invoice must not cost
one query more. A changed quota holds at once in the process that changes it.
"""

from sigma.domain.accounts.quota import Quotas
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.limits import Limit, too_many_requests
from sigma.domain.time_units import SECOND_US
from sigma.services.context import Context
from sigma.services.ids import min_id
from sigma.store.accounts import shops
from sigma.store.billing import invoices
from sigma.store.catalogue import photos
from sigma.store.engine.interface import Tx

TTL_US = 10 * SECOND_US
MAX_CACHED = 10_000  # shops
DAY_S = 86_400


async def get(ctx: Context, shop_id: str) -> Quotas:
    """Return the quotas of a shop, not older than ten seconds."""
    cached = ctx.quotas.get(shop_id)
    if cached is not None and abs(ctx.now_us() - cached[0]) < TTL_US:
        return cached[1]
    async with ctx.db.read() as tx:
        shop = await shops.get(tx, shop_id)
    quotas = shop.quotas if shop else Quotas()
    if len(ctx.quotas) >= MAX_CACHED:
        ctx.quotas.clear()
    ctx.quotas[shop_id] = (ctx.now_us(), quotas)
    return quotas


async def count_issued(ctx: Context, shop_id: str, quotas: Quotas) -> None:
    """Count the invoices of the last day towards a quota that was just set.

    Without a quota invoices are not counted. Call it outside a transaction.
    """
    amount = quotas.invoices_per_day
    if not amount:
        return
    after_id = min_id("inv", ctx.now_us() - DAY_S * SECOND_US)
    async with ctx.db.read() as tx:
        count, first_at_us = await invoices.count_issued_after(tx, shop_id, after_id, amount)
    if first_at_us is not None:
        await ctx.limiter.start_at(_daily_limit("invoices", amount), shop_id, count, first_at_us)


async def require_invoice(ctx: Context, shop_id: str) -> None:
    """Count an invoice of a shop. Raises RefusedError("quota_invoices")."""
    await _require_daily(ctx, shop_id, "invoices", (await get(ctx, shop_id)).invoices_per_day)


async def require_message(ctx: Context, shop_id: str) -> None:
    """Count an outgoing message of a shop. Raises RefusedError("quota_messages")."""
    await _require_daily(ctx, shop_id, "messages", (await get(ctx, shop_id)).messages_per_day)


async def allows_auto_reply(ctx: Context, shop_id: str, *, needs_invoice: bool) -> bool:
    """Count an automatic reply, and its invoice. Returns False above a quota: no reply is sent."""
    try:
        await require_message(ctx, shop_id)
        if needs_invoice:
            await require_invoice(ctx, shop_id)
    except RefusedError:
        return False
    return True


async def _require_daily(ctx: Context, shop_id: str, what: str, amount: int | None) -> None:
    if amount is None:
        return
    code = f"quota_{what}"
    if amount == 0:
        raise too_many_requests(DAY_S * SECOND_US, code)
    usage = await ctx.limiter.count(_daily_limit(what, amount), shop_id)
    if usage.is_exceeded:
        raise too_many_requests(usage.wait_us, code)


def _daily_limit(what: str, amount: int) -> Limit:
    return Limit(f"quota_{what}", amount, DAY_S, per="shop", reason="")


async def require_storage(tx: Tx, shop_id: str, added_bytes: int) -> None:
    """Require that a shop may store so many bytes more, in the transaction that stores them.

    Locks the shop: photos that are uploaded at once count together. Raises
    RefusedError("validation") about the field "photo".
    """
    quota = (await shops.lock(tx, shop_id)).quotas.storage_bytes
    if quota is None:
        return
    stored = await photos.sum_bytes(tx, shop_id)
    if stored + added_bytes > quota:
        problem = Problem("photo", "photo_quota", {"megabytes": quota // 1_000_000})
        raise validation_error(problem)
