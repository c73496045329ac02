"""Keep the search index of lists in step with answers that were deleted."""

from collections.abc import Collection

from sigma.domain.change import Change
from sigma.services.answer_codec import read_values
from sigma.services.context import Context
from sigma.services.platform.search_tokens import payment_tokens
from sigma.store import changes
from sigma.store.billing import answers as answer_rows
from sigma.store.engine.interface import Tx
from sigma.store.lists import tokens
from sigma.store.personal_data import clients


async def reindex_payments(ctx: Context, tx: Tx, payment_ids: Collection[str], now_us: int) -> None:
    """Index payments by their invoices' texts and by the answers that are still stored.

    Call it after the answers are deleted, in the same transaction. A question whose answer was
    deleted no longer counts as answered.
    """
    if not payment_ids:
        return
    payments = await clients.list_payments(tx, ids=payment_ids)
    invoices = await clients.list_invoices(tx, ids={one.invoice_id for one in payments})
    invoice_by_id = {invoice.id: invoice for invoice in invoices}
    latest = await answer_rows.list_latest(tx, payment_ids)
    found = []
    for payment in payments:
        stored = latest.get(payment.id)
        values = (read_values(ctx.cipher, stored) or {}) if stored else {}
        answered = tuple(q for q in stored.questions if q.key in values) if stored else ()
        invoice = invoice_by_id[payment.invoice_id]
        found.append(payment_tokens(ctx.cipher, payment, invoice, values, answered))
    await tokens.remove(tx, payment_ids)
    await changes.write(tx, Change(search_tokens=tuple(found)), now_us)
