"""Our side of the reconciliation: payments, refunds and ledger sums, in pages and by ids.

An account at an acquirer can have several connections, so payments are searched by a list of them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Table, bindparam, func, select

from sigma.domain.billing.payment import Payment
from sigma.domain.billing.refund import Refund
from sigma.domain.ledger import Account
from sigma.domain.money import Money
from sigma.store.billing import payments as payment_rows
from sigma.store.billing import refunds as refund_rows
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.statements import Statement, in_list, statement
from sigma.store.schema.tables import invoices, ledger, payments, refunds


def _in_period(query: Select[Any], table: Table) -> Select[Any]:
    return query.where(
        table.c.shop_id == bindparam("shop_id"),
        table.c.id >= bindparam("since_id"),
        table.c.id < bindparam("before_id"),
        table.c.provider_id.is_not(None),
    )


def _list_statement(table: Table) -> Statement:
    query = _in_period(select(table), table)
    query = query.where(in_list(table.c.connection_id, "connection_ids"))
    return statement(query.order_by(table.c.id.desc()).limit(bindparam("limit")))


def _by_provider_ids(table: Table) -> Statement:
    # One connection at a time: SQLite would scan a small table for two lists.
    return statement(
        select(table).where(
            table.c.connection_id == bindparam("connection_id"),
            in_list(table.c.provider_id, "provider_ids"),
        )
    )


_list_payments = _list_statement(payments)
_list_refunds = _list_statement(refunds)
_count_payments = statement(_in_period(select(func.count().label("n")), payments))
_count_refunds = statement(_in_period(select(func.count().label("n")), refunds))
_payments_by_provider_ids = _by_provider_ids(payments)
_refunds_by_provider_ids = _by_provider_ids(refunds)
_payments_by_ids = statement(select(payments).where(in_list(payments.c.id, "ids")))
_refunds_by_ids = statement(select(refunds).where(in_list(refunds.c.id, "ids")))
_invoice_ids = statement(
    select(invoices.c.id).where(
        in_list(invoices.c.id, "ids"), invoices.c.shop_id == bindparam("shop_id")
    )
)
# A capture debits `acquirer` and `fees` by the paid amount, a refund credits `acquirer`.
_booked = statement(
    select(
        ledger.c.subject_id,
        ledger.c.currency,
        func.sum(ledger.c.amount_minor).label("minor"),
    )
    .where(
        ledger.c.kind == bindparam("kind"),
        in_list(ledger.c.subject_id, "ids"),
        ledger.c.account.in_([str(Account.ACQUIRER), str(Account.FEES)]),
    )
    .group_by(ledger.c.subject_id, ledger.c.currency)
)


@dataclass(frozen=True, slots=True)
class IdRange:
    """Rows of a shop with ids in [`since_id`, `before_id`), as far as the acquirer knows them."""

    shop_id: str
    since_id: str
    before_id: str


async def list_payments(
    tx: Tx, ids: IdRange, connection_ids: Collection[str], limit: int
) -> list[Payment]:
    """Return payments of these connections, newest first."""
    found = await _list(tx, _list_payments, ids, connection_ids, limit)
    return [payment_rows.from_row(row) for row in found]


async def list_refunds(
    tx: Tx, ids: IdRange, connection_ids: Collection[str], limit: int
) -> list[Refund]:
    """Return refunds of these connections, newest first."""
    found = await _list(tx, _list_refunds, ids, connection_ids, limit)
    return [refund_rows.from_row(row) for row in found]


async def _list(
    tx: Tx, query: Statement, ids: IdRange, connection_ids: Collection[str], limit: int
) -> list[Row]:
    return await tx.fetch_all(
        query,
        shop_id=ids.shop_id,
        connection_ids=list(connection_ids),
        since_id=ids.since_id,
        before_id=ids.before_id,
        limit=limit,
    )


async def count_payments(tx: Tx, ids: IdRange) -> int:
    """Return the number of payments that `list_payments` returns for all connections together."""
    return await _count(tx, _count_payments, ids)


async def count_refunds(tx: Tx, ids: IdRange) -> int:
    """Return the number of refunds that `list_refunds` returns for all connections together."""
    return await _count(tx, _count_refunds, ids)


async def _count(tx: Tx, query: Statement, ids: IdRange) -> int:
    row = await tx.fetch_one(
        query, shop_id=ids.shop_id, since_id=ids.since_id, before_id=ids.before_id
    )
    return int(row["n"]) if row else 0


async def find_payments(
    tx: Tx, connection_ids: Collection[str], provider_ids: Collection[str]
) -> dict[str, Payment]:
    """Return the payments with these ids at the acquirer, by that id."""
    found = await _find(tx, _payments_by_provider_ids, connection_ids, provider_ids)
    return {row["provider_id"]: payment_rows.from_row(row) for row in found}


async def find_refunds(
    tx: Tx, connection_ids: Collection[str], provider_ids: Collection[str]
) -> dict[str, Refund]:
    """Return the refunds with these ids at the acquirer, by that id."""
    found = await _find(tx, _refunds_by_provider_ids, connection_ids, provider_ids)
    return {row["provider_id"]: refund_rows.from_row(row) for row in found}


async def _find(
    tx: Tx, query: Statement, connection_ids: Collection[str], provider_ids: Collection[str]
) -> list[Row]:
    found: list[Row] = []
    for connection_id in connection_ids:
        found += await tx.fetch_all(
            query, connection_id=connection_id, provider_ids=list(provider_ids)
        )
    return found


async def get_payments(tx: Tx, payment_ids: Collection[str]) -> dict[str, Payment]:
    """Return the existing payments of these ids, by id; the caller checks their shop."""
    rows = await tx.fetch_all(_payments_by_ids, ids=list(payment_ids))
    return {row["id"]: payment_rows.from_row(row) for row in rows}


async def get_refunds(tx: Tx, refund_ids: Collection[str]) -> dict[str, Refund]:
    """Return the existing refunds of these ids, by id; the caller checks their shop."""
    rows = await tx.fetch_all(_refunds_by_ids, ids=list(refund_ids))
    return {row["id"]: refund_rows.from_row(row) for row in rows}


async def find_invoice_ids(tx: Tx, shop_id: str, invoice_ids: Collection[str]) -> set[str]:
    """Return those of the ids that are invoices of this shop."""
    rows = await tx.fetch_all(_invoice_ids, ids=list(invoice_ids), shop_id=shop_id)
    return {row["id"] for row in rows}


async def booked_captures(tx: Tx, payment_ids: Collection[str]) -> dict[str, Money]:
    """Return payment id → the amount of its capture in the ledger."""
    rows = await tx.fetch_all(_booked, kind="capture", ids=list(payment_ids))
    return {row["subject_id"]: Money(int(row["minor"]), row["currency"]) for row in rows}


async def booked_refunds(tx: Tx, refund_ids: Collection[str]) -> dict[str, Money]:
    """Return refund id → its amount in the ledger."""
    rows = await tx.fetch_all(_booked, kind="refund", ids=list(refund_ids))
    return {row["subject_id"]: Money(-int(row["minor"]), row["currency"]) for row in rows}
