"""Imports of invoices and their rows."""

from typing import Any

from sqlalchemy import bindparam, select

from sigma.domain.invoice_imports.batch import Batch, BatchRow, RowStatus, Status
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.exchange_tables import invoice_import_rows, invoice_imports


def _batch(row: Row) -> Batch:
    fields: dict[str, Any] = column_values(invoice_imports, row, "status")
    return Batch(status=Status(row["status"]), **fields)


def _row(row: Row) -> BatchRow:
    fields: dict[str, Any] = column_values(invoice_import_rows, row, "status")
    return BatchRow(status=RowStatus(row["status"]), **fields)


CODEC = build_codec(invoice_imports, field_values, _batch)
ROW_CODEC = build_codec(invoice_import_rows, field_values, _row)

_lock = statement(
    select(invoice_imports).where(invoice_imports.c.id == bindparam("id")).with_for_update()
)
_list_for_shop = statement(
    select(invoice_imports)
    .where(invoice_imports.c.shop_id == bindparam("shop_id"))
    .order_by(invoice_imports.c.id.desc())
    .limit(bindparam("limit"))
)
_rows = select(invoice_import_rows).where(
    invoice_import_rows.c.batch_id == bindparam("batch_id"),
    invoice_import_rows.c.id > bindparam("after_id"),
)
_list_rows = statement(_rows.order_by(invoice_import_rows.c.id).limit(bindparam("limit")))
_list_with_status = statement(
    _rows.where(invoice_import_rows.c.status == bindparam("status"))
    .order_by(invoice_import_rows.c.id)
    .limit(bindparam("limit"))
)


_list_creating = statement(
    select(invoice_imports.c.id)
    .where(
        invoice_imports.c.shop_id == bindparam("shop_id"), invoice_imports.c.status == "creating"
    )
    .order_by(invoice_imports.c.id)
    .limit(bindparam("limit"))
)
_lock_row = statement(
    select(invoice_import_rows).where(invoice_import_rows.c.id == bindparam("id")).with_for_update()
)


async def get(tx: Tx, batch_id: str) -> Batch | None:
    """Return the batch, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=batch_id)
    return _batch(row) if row else None


async def lock(tx: Tx, batch_id: str) -> Batch | None:
    """Return the batch, locked until the transaction ends, or None."""
    row = await tx.fetch_one(_lock, id=batch_id)
    return _batch(row) if row else None


async def list_for_shop(tx: Tx, shop_id: str, limit: int) -> list[Batch]:
    """Return a shop's batches, the latest first."""
    rows = await tx.fetch_all(_list_for_shop, shop_id=shop_id, limit=limit)
    return [_batch(row) for row in rows]


async def list_creating(tx: Tx, shop_id: str, limit: int) -> list[str]:
    """Return the ids of a shop's batches whose rows still wait, the oldest first."""
    rows = await tx.fetch_all(_list_creating, shop_id=shop_id, limit=limit)
    return [row["id"] for row in rows]


async def lock_row(tx: Tx, row_id: str) -> BatchRow | None:
    """Return a row of a batch, locked until the transaction ends, or None."""
    row = await tx.fetch_one(_lock_row, id=row_id)
    return _row(row) if row else None


async def list_rows(
    tx: Tx, batch_id: str, limit: int, *, status: RowStatus | None = None, after_id: str = ""
) -> list[BatchRow]:
    """Return the rows of a batch after `after_id`, in their order; with `status` only those."""
    values: dict[str, Any] = {"batch_id": batch_id, "after_id": after_id, "limit": limit}
    if status is None:
        rows = await tx.fetch_all(_list_rows, **values)
    else:
        rows = await tx.fetch_all(_list_with_status, **values, status=str(status))
    return [_row(row) for row in rows]
