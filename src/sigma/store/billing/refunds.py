"""Refunds as rows."""

from typing import Any

from sqlalchemy import bindparam, select

from sigma.domain.billing.refund import Refund, Status
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import amount, codec, columns, plain
from sigma.store.engine.statements import statement
from sigma.store.schema.tables import refunds


def _to_row(refund: Refund) -> dict[str, Any]:
    return plain(refund, "amount") | {
        "amount_minor": refund.amount.minor,
        "currency": refund.amount.currency,
    }


def _from_row(row: Row) -> Refund:
    fields = columns(refunds, row, "amount_minor", "currency", "status", "unknown")
    return Refund(
        amount=amount(row), status=Status(row["status"]), unknown=bool(row["unknown"]), **fields
    )


CODEC = codec(refunds, _to_row, _from_row)

_of_payment = statement(
    select(refunds).where(refunds.c.payment_id == bindparam("payment_id")).order_by(refunds.c.id)
)


async def get(tx: Tx, refund_id: str) -> Refund | None:
    """The refund, or None."""
    row = await tx.fetch_one(CODEC.by_id, id=refund_id)
    return _from_row(row) if row else None


async def of_payment(tx: Tx, payment_id: str) -> tuple[Refund, ...]:
    """All refunds of a payment, oldest first."""
    return tuple(_from_row(r) for r in await tx.fetch_all(_of_payment, payment_id=payment_id))
