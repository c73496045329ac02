"""Totals of reports, maintained with the payments, refunds and invoices that they count."""

from sqlalchemy import PrimaryKeyConstraint, Table

from sigma.domain.figures import FIGURE_NAMES
from sigma.store.schema.columns import int_column, text_column
from sigma.store.schema.tables import metadata

# One row holds the figures of one span of UTC time: a quarter of an hour, or a day. `dimension`
# is "all", "service", "issuer" or "source", `key` the value in it.
figure_totals = Table(
    "figure_totals",
    metadata,
    text_column("shop_id"),
    text_column("dimension"),
    int_column("span_us"),
    int_column("starts_at_us"),
    text_column("key"),
    text_column("currency"),
    *(int_column(name) for name in FIGURE_NAMES),
    # All that one report reads lies together in SQLite.
    PrimaryKeyConstraint("shop_id", "dimension", "span_us", "starts_at_us", "key", "currency"),
    sqlite_with_rowid=False,
)
