"""Invoices as rows, and the lists of them.

Whether one has expired is compared in SQL, told or not.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Select, and_, bindparam, func, or_, select

from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Invoice, Item, Status
from sigma.domain.billing.question import Question
from sigma.domain.money import Money
from sigma.store.accounts import shops as shop_rows
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import amount, codec, encode, plain
from sigma.store.engine.statements import Statement, statement
from sigma.store.schema.tables import connections, invoices, payments, shops

_questions = msgspec.json.Decoder(tuple[Question, ...])
_items = msgspec.json.Decoder(list[dict[str, Any]])
_metadata = msgspec.json.Decoder(dict[str, str])


def _to_row(invoice: Invoice) -> dict[str, Any]:
    row = plain(invoice, "amount", "items", "questions", "metadata")
    items = [
        {"name": i.name, "quantity": i.quantity, "minor": i.price.minor} for i in invoice.items
    ]
    return row | {
        "amount_minor": invoice.amount.minor,
        "currency": invoice.amount.currency,
        "items": encode(items) if items else "[]",
        "questions": encode(invoice.questions) if invoice.questions else "[]",
        "metadata": encode(invoice.metadata) if invoice.metadata else "{}",
        "search": fold(f"{invoice.number} {invoice.title} {invoice.description}")[:500],
    }


def fold(text: str) -> str:
    """Text as search compares it. Done here because SQLite's lower() knows no Cyrillic."""
    return " ".join(text.casefold().replace("ё", "е").split())


def from_row(row: Mapping[str, Any] | Row) -> Invoice:
    """An invoice from its columns."""
    currency = row["currency"]
    return Invoice(
        id=row["id"],
        shop_id=row["shop_id"],
        number=row["number"],
        token=row["token"],
        status=Status(row["status"]),
        title=row["title"],
        amount=amount(row),
        created_at=row["created_at"],
        description=row["description"],
        items=tuple(
            Item(i["name"], i["quantity"], Money(i["minor"], currency))
            for i in _items.decode(row["items"])
        ),
        questions=_questions.decode(row["questions"]),
        max_payments=row["max_payments"],
        paid_count=row["paid_count"],
        expires_at=row["expires_at"],
        return_url=row["return_url"],
        metadata=_metadata.decode(row["metadata"]),
        created_by=row["created_by"],
        conversation_id=row["conversation_id"],
        service_id=row["service_id"],
        version=row["version"],
    )


CODEC = codec(invoices, _to_row, from_row)

_lock = statement(select(invoices).where(invoices.c.id == bindparam("id")).with_for_update())
_by_token_lock = statement(
    select(invoices).where(invoices.c.token == bindparam("token")).with_for_update()
)
_holds = (
    select(func.count())
    .select_from(payments)
    .where(payments.c.invoice_id == invoices.c.id, payments.c.status == "authorized")
    .scalar_subquery()
)
_provider = (
    select(connections.c.provider)
    .where(
        connections.c.shop_id == invoices.c.shop_id,
        connections.c.status == "active",
        connections.c.provider != "vk",
    )
    .order_by(connections.c.id)
    .limit(1)
    .scalar_subquery()
)
PUBLIC = statement(
    select(
        invoices,
        *(c.label(f"shop_{c.name}") for c in shops.columns if c.name != "id"),
        _holds.label("holds"),
        _provider.label("provider"),
    )
    .join(shops, shops.c.id == invoices.c.shop_id)
    .where(invoices.c.token == bindparam("token"))
)
_count_holds = statement(
    select(func.count().label("n"))
    .select_from(payments)
    .where(payments.c.invoice_id == bindparam("id"), payments.c.status == "authorized")
)

_unpaid_by = (
    select(invoices.c.id)
    .where(
        invoices.c.shop_id == bindparam("shop_id"),
        invoices.c.id > bindparam("after"),
        invoices.c.created_by == bindparam("created_by"),
        invoices.c.status == "open",
    )
    .limit(bindparam("most"))
    .subquery()
)
_count_unpaid_by = statement(select(func.count().label("n")).select_from(_unpaid_by))


def _status_is(status: str) -> Any:
    """What a person means by a status at `now`: an open invoice past its time is expired."""
    over = and_(invoices.c.expires_at.is_not(None), invoices.c.expires_at <= bindparam("now"))
    if status == Status.OPEN:
        return and_(invoices.c.status == "open", or_(invoices.c.expires_at.is_(None), ~over))
    if status == Status.EXPIRED:
        return or_(invoices.c.status == "expired", and_(invoices.c.status == "open", over))
    return invoices.c.status == status


def _list(status: str | None, search: bool) -> Statement:
    query: Select[Any] = select(invoices).where(
        invoices.c.shop_id == bindparam("shop_id"), invoices.c.id < bindparam("before")
    )
    if status:
        query = query.where(_status_is(status))
    if search:
        query = query.where(invoices.c.search.like(bindparam("pattern"), escape="\\"))
    return statement(query.order_by(invoices.c.id.desc()).limit(bindparam("limit")))


_LISTS = {(s, f): _list(s, f) for s in (None, *map(str, Status)) for f in (False, True)}

LAST = "~"  # sorts after every id


def pattern(text: str) -> str:
    """A LIKE pattern (escape character "\\") that finds a folded text anywhere."""
    folded = fold(text)
    for special in ("\\", "%", "_"):
        folded = folded.replace(special, "\\" + special)
    return f"%{folded}%"


async def get(tx: Tx, invoice_id: str) -> Invoice | None:
    """The invoice, or None."""
    row = await tx.fetch_one(CODEC.by_id, id=invoice_id)
    return from_row(row) if row else None


async def lock(tx: Tx, invoice_id: str) -> Invoice:
    """The invoice, locked until the transaction ends: the only lock of a money story."""
    row = await tx.fetch_one(_lock, id=invoice_id)
    assert row is not None, "whoever locks an invoice has seen it"
    return from_row(row)


async def lock_by_token(tx: Tx, token: str) -> Invoice | None:
    """The invoice behind a public link, locked until the transaction ends."""
    row = await tx.fetch_one(_by_token_lock, token=token)
    return from_row(row) if row else None


async def public(tx: Tx, token: str) -> tuple[Invoice, Shop, int, str | None] | None:
    """What a payment page needs in one read: invoice, shop, holds at the bank, the active
    acquirer's name.
    """
    row = await tx.fetch_one(PUBLIC, token=token)
    if row is None:
        return None
    fields = {f"shop_{c.name}": row[f"shop_{c.name}"] for c in shops.columns if c.name != "id"}
    shop = shop_rows.from_row(fields | {"shop_id": row["shop_id"]}, "shop_")
    return from_row(row), shop, row["holds"], row["provider"]


async def holds(tx: Tx, invoice_id: str) -> int:
    """How many payments of an invoice are held at the bank and not captured yet."""
    row = await tx.fetch_one(_count_holds, id=invoice_id)
    return int(row["n"]) if row else 0


async def unpaid_by(tx: Tx, shop_id: str, created_by: str, after: str, most: int) -> int:
    """How many open invoices with later ids one maker has made, counted up to `most`."""
    row = await tx.fetch_one(
        _count_unpaid_by, shop_id=shop_id, created_by=created_by, after=after, most=most
    )
    return int(row["n"]) if row else 0


async def listing(
    tx: Tx, shop_id: str, *, status: str | None, query: str, before: str, limit: int, now: int
) -> list[Invoice]:
    """Newest first, those with ids under `before`. `status` as a person means it at `now`."""
    values: dict[str, object] = {"shop_id": shop_id, "before": before or LAST, "limit": limit}
    if status in (Status.OPEN, Status.EXPIRED):
        values["now"] = now
    if query:
        values["pattern"] = pattern(query)
    rows = await tx.fetch_all(_LISTS[status, bool(query)], **values)
    return [from_row(row) for row in rows]
