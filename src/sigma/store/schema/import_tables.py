"""Tables of imports of invoices: a batch and its rows."""

from sqlalchemy import Column, ForeignKey, Index, Table

from sigma.store.schema.columns import (
    BigInt,
    TextC,
    id_column,
    int_column,
    shop_id_column,
    text_column,
)
from sigma.store.schema.tables import metadata

invoice_imports = Table(
    "invoice_imports",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("file_name"),
    Column("service_id", TextC),
    text_column("created_by"),
    int_column("created_at_us"),
    int_column("total"),
    text_column("status"),
    int_column("created_count"),
    int_column("refused_count"),
    int_column("voided_count"),
    int_column("not_voided_count"),
    Column("finished_at_us", BigInt),
    int_column("version"),
    Index("ix_invoice_imports_shop", "shop_id", "id"),
)

invoice_import_rows = Table(
    "invoice_import_rows",
    metadata,
    id_column(),
    Column("batch_id", TextC, ForeignKey("invoice_imports.id"), nullable=False),
    int_column("number"),
    text_column("content_encrypted"),
    text_column("status"),
    text_column("invoice_id"),
    text_column("problem"),
    int_column("version"),
    Index("ix_invoice_import_rows_batch", "batch_id", "id"),
    Index("ix_invoice_import_rows_status", "batch_id", "status", "id"),
)
