"""Tables of exports and imports: files of lists, and invoices from a table.

The files of exports are in the database too: every machine can send them.
"""

from sqlalchemy import Column, ForeignKey, Index, Table

from sigma.store.schema.columns import (
    BigInt,
    Json,
    TextC,
    flag_column,
    id_column,
    int_column,
    partial_index,
    shop_id_column,
    text_column,
)
from sigma.store.schema.tables import metadata

exports = Table(
    "exports",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("kind"),
    text_column("file_format"),
    text_column("filter_encrypted"),
    Column("columns", Json, nullable=False),
    flag_column("has_answers"),
    text_column("locale"),
    text_column("created_by"),
    int_column("created_at_us"),
    text_column("status"),
    Column("progress", Json, nullable=False),
    int_column("total"),
    int_column("done_count"),
    int_column("size_bytes"),
    text_column("failure"),
    Column("finished_at_us", BigInt),
    Column("expires_at_us", BigInt),
    int_column("version"),
    Index("ix_exports_shop", "shop_id", "id"),
    partial_index("ix_exports_unfinished", "shop_id id", "status IN ('counting', 'writing')"),
    partial_index("ix_exports_stored", "shop_id id", "status IN ('counting', 'writing', 'done')"),
)

export_parts = Table(
    "export_parts",
    metadata,
    id_column(),
    Column("export_id", TextC, ForeignKey("exports.id"), nullable=False),
    text_column("body_encrypted"),
    int_column("version"),
    Index("ix_export_parts_export", "export_id", "id"),
)

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
    partial_index("ix_invoice_imports_creating", "shop_id id", "status = 'creating'"),
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
