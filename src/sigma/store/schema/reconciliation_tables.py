"""Tables of reconciliation runs and of the differences that they found."""

from sqlalchemy import Column, ForeignKey, Index, Table

from sigma.store.schema.columns import (
    BigInt,
    Json,
    TextC,
    flag_column,
    id_column,
    int_column,
    shop_id_column,
    text_column,
)
from sigma.store.schema.tables import metadata, refunds

reconciliation_runs = Table(
    "reconciliation_runs",
    metadata,
    id_column(),
    shop_id_column(),
    int_column("since_us"),
    int_column("until_us"),
    int_column("created_at_us"),
    text_column("created_by"),
    int_column("expected_count"),
    text_column("status"),
    Column("progress", Json, nullable=False),
    int_column("payment_count"),
    int_column("refund_count"),
    int_column("suspected_count"),
    int_column("difference_count"),
    int_column("closed_count"),
    text_column("failure"),
    int_column("failed_call_count"),
    int_column("resume_at_us"),
    int_column("updated_at_us"),
    Column("finished_at_us", BigInt),
    int_column("version"),
    Index("ix_reconciliation_runs_shop", "shop_id", "id"),
)

differences = Table(
    "differences",
    metadata,
    id_column(),
    shop_id_column(),
    Column("run_id", TextC, ForeignKey("reconciliation_runs.id"), nullable=False),
    Column("connection_id", TextC, ForeignKey("connections.id"), nullable=False),
    text_column("kind"),
    text_column("provider_id"),
    text_column("payment_id"),
    text_column("refund_id"),
    text_column("invoice_id"),
    text_column("our_status"),
    Column("our_amount_minor", BigInt),
    text_column("our_currency"),
    text_column("their_status"),
    Column("their_amount_minor", BigInt),
    text_column("their_currency"),
    int_column("created_at_us"),
    int_column("found_at_us"),
    text_column("state"),
    flag_column("is_tried"),
    Column("closed_at_us", BigInt),
    text_column("closed_by"),
    int_column("version"),
    Index("ix_differences_run", "run_id", "state", "id"),
    Index("ix_differences_object", "connection_id", "provider_id"),
)

# The reconciliation reads a shop's refunds by the time in their ids.
Index("ix_refunds_shop", refunds.c.shop_id, refunds.c.id)
