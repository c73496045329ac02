"""The rows that a statement lists: captured payments and succeeded refunds of a period."""

from typing import Any

from sqlalchemy import bindparam, select, tuple_

from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.statements import statement
from sigma.store.schema.tables import invoices, payments, refunds

_list_payments = statement(
    select(
        payments.c.id,
        payments.c.captured_at_us.label("at_us"),
        payments.c.provider_id,
        payments.c.amount_minor,
        payments.c.income_minor,
        payments.c.currency,
        payments.c.attention,
        invoices.c.number,
        invoices.c.title,
    )
    .join(invoices, invoices.c.id == payments.c.invoice_id)
    .where(
        payments.c.shop_id == bindparam("shop_id"),
        tuple_(payments.c.captured_at_us, payments.c.id)
        > tuple_(bindparam("after_us"), bindparam("after_id")),
        payments.c.captured_at_us < bindparam("until_us"),
        payments.c.status == "captured",
    )
    .order_by(payments.c.captured_at_us, payments.c.id)
    .limit(bindparam("limit"))
)
_list_refunds = statement(
    select(
        refunds.c.id,
        refunds.c.finished_at_us.label("at_us"),
        refunds.c.provider_id,
        refunds.c.payment_id,
        refunds.c.amount_minor,
        refunds.c.currency,
        refunds.c.origin,
        payments.c.captured_at_us,
        invoices.c.number,
        invoices.c.title,
    )
    .join(payments, payments.c.id == refunds.c.payment_id)
    .join(invoices, invoices.c.id == payments.c.invoice_id)
    .where(
        refunds.c.shop_id == bindparam("shop_id"),
        tuple_(refunds.c.finished_at_us, refunds.c.id)
        > tuple_(bindparam("after_us"), bindparam("after_id")),
        refunds.c.finished_at_us < bindparam("until_us"),
        refunds.c.status == "succeeded",
    )
    .order_by(refunds.c.finished_at_us, refunds.c.id)
    .limit(bindparam("limit"))
)


async def list_payments(tx: Tx, **values: Any) -> list[Row]:
    """Return payments captured after (`after_us`, `after_id`) and before `until_us`, in order.

    At most `limit` of `shop_id`, with the number and title of their invoices.
    """
    return await tx.fetch_all(_list_payments, **values)


async def list_refunds(tx: Tx, **values: Any) -> list[Row]:
    """Return refunds that succeeded after (`after_us`, `after_id`) and before `until_us`, in order.

    At most `limit` of `shop_id`, with the invoices and capture times of their payments.
    """
    return await tx.fetch_all(_list_refunds, **values)
