"""Receipts."""

import msgspec
from sqlalchemy import bindparam, select

from sigma.domain.billing.receipt import Receipt
from sigma.store.engine.interface import Tx
from sigma.store.engine.row_codec import build_codec, column_values, encode_json, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.tables import receipts

CODEC = build_codec(
    receipts,
    lambda r: field_values(r, "body") | {"body": encode_json(r.body)},
    lambda row: Receipt(
        body=msgspec.json.decode(row["body"]), **column_values(receipts, row, "body")
    ),
)

_find_for_payment = statement(
    select(receipts).where(receipts.c.payment_id == bindparam("payment_id"))
)


async def find_for_payment(tx: Tx, payment_id: str) -> Receipt | None:
    """Return the receipt of a payment, or None."""
    row = await tx.fetch_one(_find_for_payment, payment_id=payment_id)
    return CODEC.from_row(row) if row else None
