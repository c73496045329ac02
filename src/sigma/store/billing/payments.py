"""Payments, their refunded amounts, and lists of payments."""

from collections.abc import Iterable
from itertools import product
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    bindparam,
    func,
    or_,
    select,
)

from sigma.domain.billing.payment import Attention, Payment, PaymentMethod, Status
from sigma.domain.figures import Attribution, Source
from sigma.domain.money import Money
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import (
    build_codec,
    column_values,
    encode_json,
    field_values,
    money_from_row,
)
from sigma.store.engine.statements import Statement, in_list, statement
from sigma.store.paging import MAX_ID
from sigma.store.schema.tables import invoices, payments, refunds
from sigma.store.search_text import like_pattern

_method_decoder = msgspec.json.Decoder(PaymentMethod)


def _to_row(payment: Payment) -> dict[str, Any]:
    return field_values(payment, "amount", "income", "method", "attribution") | {
        "amount_minor": payment.amount.minor,
        "currency": payment.amount.currency,
        "income_minor": payment.income.minor if payment.income else None,
        "method": encode_json(payment.method) if payment.method else None,
        "method_kind": payment.method.kind if payment.method else "",
        "card_last4": _last4(payment.method.mask) if payment.method else "",
        "service_id": payment.attribution.service_id,
        "issuer": payment.attribution.issuer,
        "source": payment.attribution.source,
    }


def _last4(mask: str) -> str:
    return last if len(last := mask[-4:]) == 4 and last.isascii() and last.isdigit() else ""


def from_row(row: Row) -> Payment:
    """Return the payment of a row."""
    converted = ("amount_minor", "currency", "income_minor", "method", "status", "attention")
    derived = ("method_kind", "card_last4")
    attribution = ("service_id", "issuer", "source")
    flags = ("is_outcome_unknown", "has_email")
    fields = column_values(payments, row, *converted, *derived, *attribution, *flags)
    income = row["income_minor"]
    return Payment(
        amount=money_from_row(row),
        income=None if income is None else Money(income, row["currency"]),
        method=method_from_row(row),
        status=Status(row["status"]),
        attention=Attention(row["attention"]) if row["attention"] else None,
        is_outcome_unknown=bool(row["is_outcome_unknown"]),
        has_email=bool(row["has_email"]),
        attribution=Attribution(row["service_id"], row["issuer"], Source(row["source"])),
        **fields,
    )


def method_from_row(row: Row) -> PaymentMethod | None:
    """Return the payment method of a row with the column `method`."""
    return _method_decoder.decode(row["method"]) if row["method"] else None


CODEC = build_codec(payments, _to_row, from_row)


_list_by_ids = statement(select(payments).where(in_list(payments.c.id, "ids")))
_find_by_token = statement(select(payments).where(payments.c.token == bindparam("token")))
_find_by_form = statement(
    select(payments).where(
        payments.c.invoice_id == bindparam("invoice_id"),
        payments.c.payer_hash == bindparam("payer_hash"),
        payments.c.form_nonce == bindparam("form_nonce"),
    )
)
_find_unfinished = statement(
    select(payments)
    .where(
        payments.c.invoice_id == bindparam("invoice_id"),
        payments.c.payer_hash == bindparam("payer_hash"),
        payments.c.status.in_(["created", "pending"]),
        payments.c.created_at_us > bindparam("created_after_us"),
    )
    .order_by(payments.c.created_at_us.desc())
    .limit(1)
)
_list_unfinished_starts = statement(
    select(payments.c.created_at_us)
    .where(
        payments.c.invoice_id == bindparam("invoice_id"),
        payments.c.status.in_(["created", "pending"]),
        payments.c.created_at_us > bindparam("created_after_us"),
    )
    .order_by(payments.c.created_at_us.desc())
    .limit(bindparam("limit"))
)
_find_going_on = statement(
    select(payments.c.id)
    .where(
        payments.c.shop_id == bindparam("shop_id"),
        payments.c.invoice_id == bindparam("invoice_id"),
        payments.c.status.in_(["created", "pending", "authorized"]),
    )
    .limit(1)
)
_find_any = statement(
    select(payments.c.id).where(payments.c.invoice_id == bindparam("invoice_id")).limit(1)
)
_find_by_provider_id = statement(
    select(payments).where(
        payments.c.connection_id == bindparam("connection_id"),
        payments.c.provider_id == bindparam("provider_id"),
    )
)

# The sum of a payment's successful refunds in minor units, for queries on `payments`.
REFUNDED_MINOR: ColumnElement[int] = (
    select(func.coalesce(func.sum(refunds.c.amount_minor), 0))
    .where(refunds.c.payment_id == payments.c.id, refunds.c.status == "succeeded")
    .scalar_subquery()
)


def _list_statement(
    by_invoice: bool, status: bool, needs_attention: bool, search: bool
) -> Statement:
    query: Select[Any] = (
        select(
            payments,
            invoices.c.number.label("invoice_number"),
            invoices.c.title.label("invoice_title"),
            REFUNDED_MINOR.label("refunded_minor"),
        )
        .join(invoices, invoices.c.id == payments.c.invoice_id)
        .where(payments.c.shop_id == bindparam("shop_id"), payments.c.id < bindparam("before_id"))
    )
    # SQLite does not know which of the indexes has the fewest rows for these conditions.
    if by_invoice:
        query = query.with_hint(payments, "INDEXED BY ix_payments_invoice", "sqlite").where(
            payments.c.invoice_id == bindparam("invoice_id")
        )
    if status:
        query = query.where(payments.c.status == bindparam("status"))
    if needs_attention:
        query = query.where(payments.c.attention.is_not(None))
        if not by_invoice:
            query = query.with_hint(payments, "INDEXED BY ix_payments_attention", "sqlite")
    if search:
        like: BindParameter[str] = bindparam("pattern")
        query = query.where(
            or_(
                invoices.c.search.like(like, escape="\\"),
                payments.c.method.like(like, escape="\\"),
                payments.c.id == bindparam("exact"),
            )
        )
    return statement(query.order_by(payments.c.id.desc()).limit(bindparam("limit")))


_LISTS = {
    (i, s, a, q): _list_statement(i, s, a, q) for i, s, a, q in product((False, True), repeat=4)
}

_list_captured = statement(
    select(payments, REFUNDED_MINOR.label("refunded_minor"))
    .where(payments.c.invoice_id == bindparam("invoice_id"), payments.c.status == "captured")
    .order_by(payments.c.id.desc())
    .limit(bindparam("limit"))
)
_sum_authorized = statement(
    select(payments.c.currency, func.sum(payments.c.amount_minor).label("minor"))
    .where(payments.c.shop_id == bindparam("shop_id"), payments.c.status == "authorized")
    .group_by(payments.c.currency)
)


async def get(tx: Tx, payment_id: str) -> Payment | None:
    """Return the payment, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=payment_id)
    return from_row(row) if row else None


async def list_by_ids(tx: Tx, payment_ids: Iterable[str]) -> list[Payment]:
    """Return the payments with these ids, in no order."""
    return [from_row(r) for r in await tx.fetch_all(_list_by_ids, ids=list(payment_ids))]


async def find_by_token(tx: Tx, token: str) -> Payment | None:
    """Return the payment of a public link, or None."""
    row = await tx.fetch_one(_find_by_token, token=token)
    return from_row(row) if row else None


async def find_by_form(tx: Tx, invoice_id: str, payer_hash: str, form_nonce: str) -> Payment | None:
    """Return the payment that a submitted form has already created, or None.

    `payer_hash` is the hash of the browser's secret, `form_nonce` is unique per rendered form.
    """
    row = await tx.fetch_one(
        _find_by_form, invoice_id=invoice_id, payer_hash=payer_hash, form_nonce=form_nonce
    )
    return from_row(row) if row else None


async def find_unfinished(
    tx: Tx, invoice_id: str, payer_hash: str, created_after_us: int
) -> Payment | None:
    """Return the latest unfinished payment of a browser created after a time, or None."""
    row = await tx.fetch_one(
        _find_unfinished,
        invoice_id=invoice_id,
        payer_hash=payer_hash,
        created_after_us=created_after_us,
    )
    return from_row(row) if row else None


async def list_unfinished_starts(
    tx: Tx, invoice_id: str, created_after_us: int, limit: int
) -> list[int]:
    """Return when the latest `limit` unfinished payments of an invoice were created, newest first.

    Only those created after a time (UTC microseconds).
    """
    rows = await tx.fetch_all(
        _list_unfinished_starts,
        invoice_id=invoice_id,
        created_after_us=created_after_us,
        limit=limit,
    )
    return [int(row["created_at_us"]) for row in rows]


async def is_going_on(tx: Tx, shop_id: str, invoice_id: str) -> bool:
    """Return whether a payment of an invoice is not final: its client may have paid already."""
    values = {"shop_id": shop_id, "invoice_id": invoice_id}
    return await tx.fetch_one(_find_going_on, **values) is not None


async def exists_for_invoice(tx: Tx, invoice_id: str) -> bool:
    """Return whether any payment of the invoice was started."""
    return await tx.fetch_one(_find_any, invoice_id=invoice_id) is not None


async def find_by_provider_id(tx: Tx, connection_id: str, provider_id: str) -> Payment | None:
    """Return the payment with this id at the acquirer, or None."""
    row = await tx.fetch_one(
        _find_by_provider_id, connection_id=connection_id, provider_id=provider_id
    )
    return from_row(row) if row else None


async def list_for_shop(
    tx: Tx,
    shop_id: str,
    *,
    invoice_id: str | None = None,
    status: str | None = None,
    needs_attention: bool = False,
    query: str = "",
    before_id: str = "",
    limit: int = 25,
) -> list[tuple[Payment, int, str, int]]:
    """Return payments with ids smaller than `before_id`, the newest first.

    A row is (payment, invoice number, invoice title, refunded amount in minor units).
    `needs_attention`: only payments that need attention. `query` searches the invoice, the payment
    method and the payment id.
    """
    values: dict[str, object] = {
        "shop_id": shop_id,
        "before_id": before_id or MAX_ID,
        "limit": limit,
    }
    if invoice_id:
        values["invoice_id"] = invoice_id
    if status:
        values["status"] = status
    if query:
        values |= {"pattern": like_pattern(query), "exact": query.strip()}
    stmt = _LISTS[bool(invoice_id), bool(status), needs_attention, bool(query)]
    rows = await tx.fetch_all(stmt, **values)
    return [
        (from_row(r), r["invoice_number"], r["invoice_title"], int(r["refunded_minor"]))
        for r in rows
    ]


async def list_captured(tx: Tx, invoice_id: str, limit: int) -> list[tuple[Payment, int]]:
    """Return the latest `limit` captured payments of an invoice, the oldest first.

    Each with its refunded amount in minor units.
    """
    rows = await tx.fetch_all(_list_captured, invoice_id=invoice_id, limit=limit)
    return [(from_row(r), int(r["refunded_minor"])) for r in reversed(rows)]


async def sum_authorized(tx: Tx, shop_id: str) -> dict[str, int]:
    """Return the sum that is held on cards and not captured yet by currency, in minor units."""
    rows = await tx.fetch_all(_sum_authorized, shop_id=shop_id)
    return {row["currency"]: int(row["minor"]) for row in rows}
