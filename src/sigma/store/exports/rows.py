"""Raw rows of an export by their ids. They are decoded and decrypted in another process."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select

from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import in_list, statement
from sigma.store.schema.catalogue_tables import services
from sigma.store.schema.customer_tables import customers
from sigma.store.schema.list_tables import refunded_payments
from sigma.store.schema.tables import answers, invoices, payments

Raw = tuple[Any, ...]

# The columns of the raw rows, in their order.
PAYMENT_COLUMNS = (
    *("id", "invoice_id", "status", "is_outcome_unknown", "amount_minor", "currency", "method"),
    *("failure", "income_minor", "captured_at_us", "created_at_us", "provider", "provider_id"),
    *("number", "title", "metadata", "refunded_minor", "service", "client_id", "client_name"),
)
INVOICE_COLUMNS = (
    *("id", "number", "token", "status", "title", "description", "amount_minor", "currency"),
    *("max_payments", "paid_count", "expires_at_us", "metadata", "created_at_us"),
    *("service", "client_id", "client_name"),
)
ANSWER_COLUMNS = ("payment_id", "id", "values_encrypted")

_client_id = func.coalesce(payments.c.customer_id, invoices.c.customer_id)
_payments = statement(
    select(
        *(payments.c[name] for name in PAYMENT_COLUMNS[:13]),
        invoices.c.number,
        invoices.c.title,
        invoices.c.metadata,
        func.coalesce(refunded_payments.c.refunded_minor, 0).label("refunded_minor"),
        services.c.title.label("service"),
        _client_id.label("client_id"),
        customers.c.name_encrypted.label("client_name"),
    )
    .join(invoices, invoices.c.id == payments.c.invoice_id)
    .outerjoin(refunded_payments, refunded_payments.c.id == payments.c.id)
    .outerjoin(services, services.c.id == payments.c.service_id)
    .outerjoin(customers, customers.c.id == _client_id)
    .where(in_list(payments.c.id, "ids"))
)
_invoices = statement(
    select(
        *(invoices.c[name] for name in INVOICE_COLUMNS[:13]),
        services.c.title.label("service"),
        invoices.c.customer_id.label("client_id"),
        customers.c.name_encrypted.label("client_name"),
    )
    .outerjoin(services, services.c.id == invoices.c.service_id)
    .outerjoin(customers, customers.c.id == invoices.c.customer_id)
    .where(in_list(invoices.c.id, "ids"))
)
_latest = answers.alias("latest")


def _of_latest_answers(*names: str) -> Select[Any]:
    """Select columns of the valid answers of payments: the latest version of each."""
    return select(*(answers.c[name] for name in names)).where(
        in_list(answers.c.payment_id, "ids"),
        answers.c.id
        == select(func.max(_latest.c.id))
        .where(_latest.c.payment_id == answers.c.payment_id)
        .scalar_subquery(),
    )


_answers = statement(_of_latest_answers(*ANSWER_COLUMNS))
_questions = statement(_of_latest_answers("questions").distinct())


async def list_payments(tx: Tx, ids: Sequence[str]) -> list[Raw]:
    """Return payments with PAYMENT_COLUMNS in the order of their ids' list."""
    rows = await tx.fetch_all(_payments, ids=list(ids))
    return _in_order(rows, ids)


async def list_invoices(tx: Tx, ids: Sequence[str]) -> list[Raw]:
    """Return invoices with INVOICE_COLUMNS in the order of their ids' list."""
    rows = await tx.fetch_all(_invoices, ids=list(ids))
    return _in_order(rows, ids)


def _in_order(rows: list[Any], ids: Sequence[str]) -> list[Raw]:
    """Return rows as tuples; the id is their first column."""
    by_id = {row[0]: tuple(row) for row in rows}
    return [by_id[one] for one in ids if one in by_id]


async def list_answers(tx: Tx, payment_ids: Sequence[str]) -> list[Raw]:
    """Return the valid answers of payments with ANSWER_COLUMNS, in any order."""
    rows: list[Any] = await tx.fetch_all(_answers, ids=list(payment_ids))
    return [tuple(row) for row in rows]


async def list_questions(tx: Tx, payment_ids: Sequence[str]) -> set[str]:
    """Return the different sets of questions of payments, each as its JSON."""
    rows = await tx.fetch_all(_questions, ids=list(payment_ids))
    return {row["questions"] for row in rows}
