"""The rows of a page by their ids: payments with their invoices, invoices with their clients."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from sigma.domain.billing.answers import Answers
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment, PaymentMethod, Status
from sigma.domain.customers.customer import Customer
from sigma.store.billing import answers as answer_rows
from sigma.store.billing import invoices as invoice_rows
from sigma.store.billing import payments as payment_rows
from sigma.store.customers import customers as customer_rows
from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import in_list, statement
from sigma.store.schema.customer_tables import customers
from sigma.store.schema.list_tables import refunded_payments
from sigma.store.schema.tables import invoices, payments

_payments = statement(
    select(
        payments,
        invoices.c.number.label("invoice_number"),
        invoices.c.title.label("invoice_title"),
        func.coalesce(payments.c.customer_id, invoices.c.customer_id).label("client_id"),
        func.coalesce(refunded_payments.c.refunded_minor, 0).label("refunded_minor"),
    )
    .join(invoices, invoices.c.id == payments.c.invoice_id)
    .outerjoin(refunded_payments, refunded_payments.c.id == payments.c.id)
    .where(in_list(payments.c.id, "ids"))
)
_invoices = statement(select(invoices).where(in_list(invoices.c.id, "ids")))
_latest_payments = statement(
    select(payments.c.invoice_id, func.max(payments.c.id).label("id"))
    .where(in_list(payments.c.invoice_id, "ids"))
    .group_by(payments.c.invoice_id)
)
_payers = statement(
    select(payments.c.id, payments.c.customer_id, payments.c.status, payments.c.method).where(
        in_list(payments.c.id, "ids")
    )
)
_customers = statement(select(customers).where(in_list(customers.c.id, "ids")))


async def list_payments(
    tx: Tx, ids: Sequence[str]
) -> list[tuple[Payment, int, str, int, str | None]]:
    """Return payments in the order of their ids' list.

    A row is (payment, invoice number, invoice title, refunded minor units, customer id).
    """
    if not ids:
        return []
    by_id = {row["id"]: row for row in await tx.fetch_all(_payments, ids=list(ids))}
    return [
        (
            payment_rows.from_row(row),
            row["invoice_number"],
            row["invoice_title"],
            int(row["refunded_minor"]),
            row["client_id"],
        )
        for one in ids
        if (row := by_id.get(one)) is not None
    ]


async def list_invoices(tx: Tx, ids: Sequence[str]) -> list[Invoice]:
    """Return invoices in the order of their ids' list."""
    if not ids:
        return []
    by_id = {row["id"]: row for row in await tx.fetch_all(_invoices, ids=list(ids))}
    return [invoice_rows.from_row(by_id[one]) for one in ids if one in by_id]


@dataclass(frozen=True, slots=True)
class LatestPayer:
    """Who made the latest payment of an invoice. `method`: None unless the payment succeeded."""

    payment_id: str
    customer_id: str | None
    method: PaymentMethod | None


async def latest_payers(tx: Tx, invoice_ids: Sequence[str]) -> dict[str, LatestPayer]:
    """Return the payer of the latest payment by invoice id, where there is any."""
    if not invoice_ids:
        return {}
    latest = await tx.fetch_all(_latest_payments, ids=list(invoice_ids))
    invoice_of = {row["id"]: row["invoice_id"] for row in latest}
    return {
        invoice_of[row["id"]]: LatestPayer(
            row["id"],
            row["customer_id"],
            payment_rows.method_from_row(row) if row["status"] == Status.CAPTURED else None,
        )
        for row in await tx.fetch_all(_payers, ids=list(invoice_of))
    }


async def latest_answers(tx: Tx, payment_ids: Sequence[str]) -> dict[str, Answers]:
    """Return the valid answers by payment id, where there are any."""
    return await answer_rows.list_latest(tx, payment_ids) if payment_ids else {}


async def customers_by_id(tx: Tx, ids: Sequence[str]) -> dict[str, Customer]:
    """Return customers by id."""
    if not ids:
        return {}
    rows = await tx.fetch_all(_customers, ids=sorted(set(ids)))
    return {row["id"]: customer_rows.from_row(row) for row in rows}
