"""The list of invoices: a page, and the totals of everything that the filter finds."""

from collections.abc import Sequence
from dataclasses import dataclass

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import PaymentMethod
from sigma.domain.errors import Problem, validation_error
from sigma.domain.lists.filters import InvoiceFilter
from sigma.domain.lists.totals import Totals
from sigma.services.context import Context
from sigma.services.lists.clients import ClientLabel, list_labels, record_views
from sigma.services.lists.payments import PAGE_SIZE, digest_of, shop_of
from sigma.services.lists.selection import select_invoices
from sigma.store.engine.interface import Tx
from sigma.store.lists import reading, rows


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """An invoice in a list, with the client of its latest payment, and how they paid.

    Before the first payment the client is whom it was issued to. A link that several people may pay
    has neither client nor method.
    """

    invoice: Invoice
    client: ClientLabel
    method: PaymentMethod | None = None


@dataclass(frozen=True, slots=True)
class InvoicePage:
    """A page of the list. `is_short` and `next_cursor`: see PaymentPage."""

    data: list[InvoiceRow]
    next_cursor: str | None
    is_short: bool = False


async def list_page(
    ctx: Context,
    member: Member,
    wanted: InvoiceFilter,
    *,
    limit: int = PAGE_SIZE,
    cursor: str | None = None,
) -> InvoicePage:
    """Return a page of the shop's invoices. Raises RefusedError: "forbidden", "validation"."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        selection = await select_invoices(ctx, tx, member, await shop_of(tx, member), wanted)
        found = await reading.list_ids(tx, selection, cursor=cursor, limit=limit)
        if found is None:
            raise validation_error(Problem("cursor", "cursor"))
        data = await list_rows(ctx, tx, member, found.ids)
    await record_views(ctx, member, [row.client for row in data])
    return InvoicePage(data, found.next_cursor, found.is_short)


async def list_rows(ctx: Context, tx: Tx, member: Member, ids: tuple[str, ...]) -> list[InvoiceRow]:
    """Return the invoices with these ids in their order, as far as they belong to the shop."""
    found = [one for one in await rows.list_invoices(tx, ids) if one.shop_id == member.shop_id]
    single = [invoice.id for invoice in found if not invoice.is_shared_link]
    payers = await rows.latest_payers(tx, single)
    subjects = {}
    for invoice in found:
        payer = payers.get(invoice.id)
        subjects[invoice.id] = (
            payer.payment_id if payer else None,
            (payer.customer_id if payer else None) or invoice.customer_id,
        )
    clients = await list_labels(ctx, tx, member, subjects)
    return [
        InvoiceRow(invoice, clients[invoice.id], payer.method if payer else None)
        for invoice in found
        for payer in [payers.get(invoice.id)]
    ]


async def totals(ctx: Context, member: Member, wanted: InvoiceFilter) -> Totals:
    """Return count and sums of what the filter finds. Raises RefusedError("forbidden")."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        selection = await select_invoices(ctx, tx, member, await shop_of(tx, member), wanted)
        return await reading.totals(tx, selection)


async def digest(ctx: Context, member: Member, wanted: InvoiceFilter) -> str:
    """Return the `page_digest` of the first page of the list as it is now."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        selection = await select_invoices(ctx, tx, member, await shop_of(tx, member), wanted)
        found = await reading.list_ids(tx, selection, limit=PAGE_SIZE)
        listed = await rows.list_invoices(tx, found.ids if found else ())
    now_us = ctx.now_us()
    return digest_of(_state(one, now_us) for one in listed)


def page_digest(data: Sequence[InvoiceRow], now_us: int) -> str:
    """Return a text that differs for pages with other rows, or with rows in another state."""
    return digest_of(_state(row.invoice, now_us) for row in data)


def _state(invoice: Invoice, now_us: int) -> str:
    return f"{invoice.id} {invoice.version} {invoice.status_at(now_us)}"
