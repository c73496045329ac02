"""Invoices, their lists and search.

An open invoice past its expiry time counts as expired in every list, even if its expiry job has
not run yet: the time is compared in SQL.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Select, and_, bindparam, case, exists, func, or_, select, union_all

from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Invoice, InvoiceItem, Status
from sigma.domain.billing.question import Question
from sigma.domain.figures import Source
from sigma.domain.money import Money
from sigma.store.accounts import shops as shop_rows
from sigma.store.billing.connections import select_active
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, encode_json, field_values, money_from_row
from sigma.store.engine.statements import Statement, statement
from sigma.store.paging import MAX_ID
from sigma.store.schema.tables import connections, invoices, payments, shops
from sigma.store.search_text import like_pattern, normalize_text

_questions_decoder = msgspec.json.Decoder(tuple[Question, ...])
_items_decoder = msgspec.json.Decoder(list[dict[str, Any]])
_metadata_decoder = msgspec.json.Decoder(dict[str, str])


def _to_row(invoice: Invoice) -> dict[str, Any]:
    row = field_values(invoice, "amount", "items", "questions", "metadata")
    items = [
        {"name": i.name, "quantity": i.quantity, "minor": i.price.minor} for i in invoice.items
    ]
    return row | {
        "amount_minor": invoice.amount.minor,
        "currency": invoice.amount.currency,
        "items": encode_json(items) if items else "[]",
        "questions": encode_json(invoice.questions) if invoice.questions else "[]",
        "metadata": encode_json(invoice.metadata) if invoice.metadata else "{}",
        "search": normalize_text(f"{invoice.number} {invoice.title} {invoice.description}")[:500],
    }


def from_row(row: Mapping[str, Any] | Row) -> Invoice:
    """Return the invoice of a row."""
    currency = row["currency"]
    return Invoice(
        id=row["id"],
        shop_id=row["shop_id"],
        number=row["number"],
        token=row["token"],
        status=Status(row["status"]),
        title=row["title"],
        amount=money_from_row(row),
        created_at_us=row["created_at_us"],
        description=row["description"],
        items=tuple(
            InvoiceItem(i["name"], i["quantity"], Money(i["minor"], currency))
            for i in _items_decoder.decode(row["items"])
        ),
        questions=_questions_decoder.decode(row["questions"]),
        max_payments=row["max_payments"],
        paid_count=row["paid_count"],
        expires_at_us=row["expires_at_us"],
        return_url=row["return_url"],
        metadata=_metadata_decoder.decode(row["metadata"]),
        created_by=row["created_by"],
        conversation_id=row["conversation_id"],
        service_id=row["service_id"],
        customer_id=row["customer_id"],
        opened_at_us=row["opened_at_us"],
        source=Source(row["source"]) if row["source"] else None,
        version=row["version"],
    )


CODEC = build_codec(invoices, _to_row, from_row)

_lock = statement(select(invoices).where(invoices.c.id == bindparam("id")).with_for_update())
_hold_count = (
    select(func.count())
    .select_from(payments)
    .where(
        payments.c.shop_id == invoices.c.shop_id,
        payments.c.invoice_id == invoices.c.id,
        payments.c.status == "authorized",
    )
    .scalar_subquery()
)
_active_provider = select_active(invoices.c.shop_id, connections.c.provider).scalar_subquery()
_active_settings = select_active(invoices.c.shop_id, connections.c.settings).scalar_subquery()
_active_id = select_active(invoices.c.shop_id, connections.c.id).scalar_subquery()
_active_secret = select_active(invoices.c.shop_id, connections.c.secret_encrypted).scalar_subquery()
_find_for_payment_page = statement(
    select(
        invoices,
        *(c.label(f"shop_{c.name}") for c in shops.columns if c.name != "id"),
        _hold_count.label("holds"),
        _active_provider.label("provider"),
        _active_settings.label("connection_settings"),
        _active_id.label("connection_id"),
        _active_secret.label("connection_secret"),
    )
    .join(shops, shops.c.id == invoices.c.shop_id)
    .where(invoices.c.token == bindparam("token"))
)
_count_holds = statement(
    select(_hold_count.label("n")).select_from(invoices).where(invoices.c.id == bindparam("id"))
)

_open_by_creator = (
    select(invoices.c.id)
    .where(
        invoices.c.shop_id == bindparam("shop_id"),
        invoices.c.id > bindparam("after_id"),
        invoices.c.created_by == bindparam("created_by"),
        invoices.c.status == "open",
    )
    .limit(bindparam("limit"))
    .subquery()
)
_count_open_by_creator = statement(select(func.count().label("n")).select_from(_open_by_creator))


_issued_after = (
    select(invoices.c.id, invoices.c.created_at_us)
    .where(invoices.c.shop_id == bindparam("shop_id"), invoices.c.id > bindparam("after_id"))
    .order_by(invoices.c.id)
    .limit(bindparam("limit"))
    .subquery()
)
_count_issued_after = statement(
    select(func.count().label("n"), func.min(_issued_after.c.created_at_us).label("first_at_us"))
)


_is_over = and_(
    invoices.c.expires_at_us.is_not(None), invoices.c.expires_at_us <= bindparam("now_us")
)
_is_open = and_(
    invoices.c.status == "open",
    or_(invoices.c.expires_at_us.is_(None), invoices.c.expires_at_us > bindparam("now_us")),
)
_is_held = exists(
    select(payments.c.id).where(
        payments.c.shop_id == invoices.c.shop_id,
        payments.c.invoice_id == invoices.c.id,
        payments.c.status == "authorized",
    )
)
_sum_open = statement(
    select(
        invoices.c.currency,
        func.count().label("n"),
        func.sum(
            case((and_(invoices.c.max_payments == 1, ~_is_held), invoices.c.amount_minor), else_=0)
        ).label("minor"),
    )
    .where(invoices.c.shop_id == bindparam("shop_id"), _is_open)
    .group_by(invoices.c.currency)
)


def _list_statement(status: str | None, search: bool) -> Statement:
    """Filter by effective status at `now_us`: an open invoice past its expiry time is expired."""
    conditions = [
        invoices.c.shop_id == bindparam("shop_id"),
        invoices.c.id < bindparam("before_id"),
    ]
    if search:
        conditions.append(invoices.c.search.like(bindparam("pattern"), escape="\\"))
    query: Select[Any] = select(invoices)
    if status == Status.EXPIRED:
        # Each half has its own index; an OR of both would walk all invoices of the shop.
        expired = (
            select(invoices.c.id)
            .where(*conditions, invoices.c.status == "expired")
            .order_by(invoices.c.id.desc())
            .limit(bindparam("limit"))
            .subquery()
        )
        over = select(invoices.c.id).where(*conditions, invoices.c.status == "open", _is_over)
        either = union_all(select(expired.c.id), over).subquery()
        ids = select(either.c.id).order_by(either.c.id.desc()).limit(bindparam("limit")).subquery()
        query = query.join(ids, ids.c.id == invoices.c.id)
    elif status == Status.OPEN:
        query = query.where(*conditions, _is_open)
    else:
        query = query.where(*conditions, *([invoices.c.status == status] if status else []))
    return statement(query.order_by(invoices.c.id.desc()).limit(bindparam("limit")))


_LISTS = {(s, f): _list_statement(s, f) for s in (None, *map(str, Status)) for f in (False, True)}


async def get(tx: Tx, invoice_id: str) -> Invoice | None:
    """Return the invoice, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=invoice_id)
    return from_row(row) if row else None


async def lock(tx: Tx, invoice_id: str) -> Invoice:
    """Return the invoice, locked until the transaction ends. The invoice must exist.

    It is the only lock for changes to its payments and refunds.
    """
    row = await tx.fetch_one(_lock, id=invoice_id)
    assert row is not None, f"cannot lock an unknown invoice: {invoice_id}"
    return from_row(row)


async def find_for_payment_page(
    tx: Tx, token: str
) -> tuple[Invoice, Shop, int, str | None, dict[str, Any], tuple[str, str]] | None:
    """Return the data of a payment page in one query, or None for an unknown token.

    The tuple holds the invoice, its shop, the number of authorized (held) payments, and the
    provider (None without one), the settings, and the id and encrypted secret of the shop's active
    connection.
    """
    row = await tx.fetch_one(_find_for_payment_page, token=token)
    if row is None:
        return None
    fields = {f"shop_{c.name}": row[f"shop_{c.name}"] for c in shops.columns if c.name != "id"}
    shop = shop_rows.from_row(fields | {"shop_id": row["shop_id"]}, "shop_")
    settings = msgspec.json.decode(row["connection_settings"] or "{}")
    secret = (str(row["connection_id"]), str(row["connection_secret"]))
    return from_row(row), shop, row["holds"], row["provider"], settings, secret


async def count_holds(tx: Tx, invoice_id: str) -> int:
    """Return the number of authorized payments: money is held but not captured yet."""
    row = await tx.fetch_one(_count_holds, id=invoice_id)
    return int(row["n"]) if row else 0


async def sum_open(tx: Tx, shop_id: str, now_us: int) -> dict[str, tuple[int, int]]:
    """Return (number of open invoices, what clients still owe in minor units) by currency.

    Clients owe the amounts of invoices for one payment that no card is held for. A link that
    accepts many payments is an offer, not a debt.
    """
    rows = await tx.fetch_all(_sum_open, shop_id=shop_id, now_us=now_us)
    return {row["currency"]: (int(row["n"]), int(row["minor"])) for row in rows}


async def count_open_by_creator(
    tx: Tx, shop_id: str, created_by: str, after_id: str, limit: int
) -> int:
    """Count open invoices of one creator with ids greater than `after_id`, up to `limit`."""
    row = await tx.fetch_one(
        _count_open_by_creator,
        shop_id=shop_id,
        created_by=created_by,
        after_id=after_id,
        limit=limit,
    )
    return int(row["n"]) if row else 0


async def count_issued_after(
    tx: Tx, shop_id: str, after_id: str, limit: int
) -> tuple[int, int | None]:
    """Count invoices with ids greater than `after_id`, up to `limit`.

    Returns the count and the creation time (UTC microseconds) of the oldest, None without any.
    """
    row = await tx.fetch_one(_count_issued_after, shop_id=shop_id, after_id=after_id, limit=limit)
    assert row is not None, "an aggregate has one row"
    return int(row["n"]), row["first_at_us"]


async def list_for_shop(
    tx: Tx, shop_id: str, *, status: str | None, query: str, before_id: str, limit: int, now_us: int
) -> list[Invoice]:
    """Return invoices with ids smaller than `before_id`, the newest first.

    `status` is the effective one at `now_us`; `query` searches number, title and description.
    """
    values: dict[str, object] = {
        "shop_id": shop_id,
        "before_id": before_id or MAX_ID,
        "limit": limit,
    }
    if status in (Status.OPEN, Status.EXPIRED):
        values["now_us"] = now_us
    if query:
        values["pattern"] = like_pattern(query)
    rows = await tx.fetch_all(_LISTS[status, bool(query)], **values)
    return [from_row(row) for row in rows]
