"""The list of payments: a page, and the totals of everything that the filter finds."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.payment import Payment
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.lists.filters import PaymentFilter
from sigma.domain.lists.totals import Totals
from sigma.domain.money import Money
from sigma.services.context import Context
from sigma.services.lists.clients import ClientLabel, list_labels, record_views
from sigma.services.lists.selection import select_payments
from sigma.store.accounts import shops
from sigma.store.engine.interface import Tx
from sigma.store.lists import reading, rows
from sigma.store.lists.reading import ListedIds

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A payment in a list, with its invoice's number and title, the refunded sum, the client."""

    payment: Payment
    invoice_number: int
    invoice_title: str
    refunded: Money
    client: ClientLabel


@dataclass(frozen=True, slots=True)
class PaymentPage:
    """A page of the list. `is_short`: the filter finds little, so the search stopped on the way.

    `next_cursor` continues it; None at the end.
    """

    data: list[PaymentRow]
    next_cursor: str | None
    is_short: bool = False


async def list_page(
    ctx: Context,
    member: Member,
    wanted: PaymentFilter,
    *,
    limit: int = PAGE_SIZE,
    cursor: str | None = None,
) -> PaymentPage:
    """Return a page of the shop's payments. Raises RefusedError: "forbidden", "validation"."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        selection = await select_payments(ctx, tx, member, await shop_of(tx, member), wanted)
        found = await reading.list_ids(tx, selection, cursor=cursor, limit=limit)
        if found is None:
            raise validation_error(Problem("cursor", "cursor"))
        data = await list_rows(ctx, tx, member, found.ids)
    await record_views(ctx, member, [row.client for row in data])
    return PaymentPage(data, found.next_cursor, found.is_short)


async def list_ids(
    ctx: Context, member: Member, wanted: PaymentFilter, *, limit: int, cursor: str | None
) -> ListedIds:
    """Return the ids of a page. Raises RefusedError: "forbidden", "validation"."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        selection = await select_payments(ctx, tx, member, await shop_of(tx, member), wanted)
        found = await reading.list_ids(tx, selection, cursor=cursor, limit=limit)
    if found is None:
        raise validation_error(Problem("cursor", "cursor"))
    return found


async def list_rows(ctx: Context, tx: Tx, member: Member, ids: tuple[str, ...]) -> list[PaymentRow]:
    """Return the payments with these ids in their order, as far as they belong to the shop."""
    found = [row for row in await rows.list_payments(tx, ids) if row[0].shop_id == member.shop_id]
    subjects = {payment.id: (payment.id, customer_id) for payment, *_, customer_id in found}
    clients = await list_labels(ctx, tx, member, subjects)
    return [
        PaymentRow(
            payment,
            number,
            title,
            Money(refunded_minor, payment.amount.currency),
            clients[payment.id],
        )
        for payment, number, title, refunded_minor, _ in found
    ]


async def totals(ctx: Context, member: Member, wanted: PaymentFilter) -> Totals:
    """Return count and sums of what the filter finds. Raises RefusedError("forbidden")."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        selection = await select_payments(ctx, tx, member, await shop_of(tx, member), wanted)
        return await reading.totals(tx, selection)


async def shop_of(tx: Tx, member: Member) -> Shop:
    """Return the shop of a member, whose time zone the periods are in."""
    shop = await shops.get(tx, member.shop_id)
    if shop is None:
        raise RefusedError("not_found", what="shop")
    return shop


async def digest(ctx: Context, member: Member, wanted: PaymentFilter) -> str:
    """Return the `page_digest` of the first page of the list as it is now."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        selection = await select_payments(ctx, tx, member, await shop_of(tx, member), wanted)
        found = await reading.list_ids(tx, selection, limit=PAGE_SIZE)
        listed = await rows.list_payments(tx, found.ids if found else ())
    return digest_of(f"{one.id} {one.version} {minor}" for one, _, _, minor, _ in listed)


def page_digest(data: Sequence[PaymentRow]) -> str:
    """Return a text that differs for pages with other rows, or with rows in another state."""
    return digest_of(f"{row.payment.id} {row.payment.version} {row.refunded.minor}" for row in data)


def digest_of(states: Iterable[str]) -> str:
    """Return 16 hexadecimal digits that stand for the states of rows; never an empty text."""
    return hashlib.sha256("\n".join(states).encode()).hexdigest()[:16]
