"""Refunds."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, case, func, select

from sigma.domain.billing.payment import REFUND_REASONS
from sigma.domain.billing.refund import Origin, Refund, Status
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values, money_from_row
from sigma.store.engine.statements import in_list, statement
from sigma.store.schema.tables import payments, refunds


def _to_row(refund: Refund) -> dict[str, Any]:
    return field_values(refund, "amount") | {
        "amount_minor": refund.amount.minor,
        "currency": refund.amount.currency,
    }


def from_row(row: Row) -> Refund:
    """Return the refund of a row."""
    fields = column_values(
        refunds, row, "amount_minor", "currency", "status", "is_outcome_unknown", "origin"
    )
    return Refund(
        amount=money_from_row(row),
        status=Status(row["status"]),
        origin=Origin(row["origin"]),
        is_outcome_unknown=bool(row["is_outcome_unknown"]),
        **fields,
    )


CODEC = build_codec(refunds, _to_row, from_row)

_list_for_payment = statement(
    select(refunds).where(refunds.c.payment_id == bindparam("payment_id")).order_by(refunds.c.id)
)
_list_for_payments = statement(select(refunds).where(in_list(refunds.c.payment_id, "payment_ids")))
_sum_requested = statement(
    select(func.sum(refunds.c.amount_minor).label("minor")).where(
        refunds.c.shop_id == bindparam("shop_id"),
        refunds.c.created_by == bindparam("created_by"),
        refunds.c.id >= bindparam("since_id"),
        refunds.c.currency == bindparam("currency"),
        refunds.c.status != "failed",
    )
)
_is_due = payments.c.attention.in_([str(reason) for reason in REFUND_REASONS])
_sum_pending = statement(
    select(
        refunds.c.currency,
        func.sum(refunds.c.amount_minor).label("minor"),
        func.sum(case((_is_due, refunds.c.amount_minor), else_=0)).label("due_minor"),
    )
    .join(payments, payments.c.id == refunds.c.payment_id)
    .where(
        refunds.c.shop_id == bindparam("shop_id"),
        refunds.c.status.in_(["pending", "failed"]),  # the condition of the index
        refunds.c.status == "pending",
    )
    .group_by(refunds.c.currency)
)


async def get(tx: Tx, refund_id: str) -> Refund | None:
    """Return the refund, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=refund_id)
    return from_row(row) if row else None


async def list_for_payment(tx: Tx, payment_id: str) -> tuple[Refund, ...]:
    """Return all refunds of a payment, the oldest first."""
    return tuple(from_row(r) for r in await tx.fetch_all(_list_for_payment, payment_id=payment_id))


async def list_for_payments(tx: Tx, payment_ids: Sequence[str]) -> dict[str, tuple[Refund, ...]]:
    """Return the refunds of payments by payment id, the oldest first, where there are any."""
    if not payment_ids:
        return {}
    by_payment: dict[str, tuple[Refund, ...]] = {}
    rows = await tx.fetch_all(_list_for_payments, payment_ids=list(payment_ids))
    for refund in sorted(map(from_row, rows), key=lambda refund: refund.id):
        by_payment[refund.payment_id] = (*by_payment.get(refund.payment_id, ()), refund)
    return by_payment


async def sum_requested(tx: Tx, shop_id: str, created_by: str, since_id: str, currency: str) -> int:
    """Return the sum of the refunds that a member requested since an id, in minor units.

    Failed ones do not count.
    """
    values = {"shop_id": shop_id, "created_by": created_by, "since_id": since_id}
    row = await tx.fetch_one(_sum_requested, **values, currency=currency)
    return int(row["minor"] or 0) if row else 0


async def sum_pending(tx: Tx, shop_id: str) -> dict[str, tuple[int, int]]:
    """Return the sum of the refunds under way by currency, in minor units.

    The second number is the part of it that refunds extra, late and voided payments.
    """
    rows = await tx.fetch_all(_sum_pending, shop_id=shop_id)
    return {row["currency"]: (int(row["minor"]), int(row["due_minor"])) for row in rows}
