"""Indexes and tables of the lists of payments and invoices: filters, search, saved views.

A list is sorted by (created_at_us, id), so the indexes of its filters end with these columns: a far
page is as near as the first. Totals of reports are maintained like the sums of refunded payments.
"""

from typing import Any

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, text

from sigma.domain.figures import FIGURE_NAMES
from sigma.store.schema.columns import (
    Json,
    id_column,
    int_column,
    shop_id_column,
    text_column,
)
from sigma.store.schema.tables import invoices, metadata, payments


def _index(name: str, table: Table, columns: str, condition: str = "") -> None:
    """Add an index on `columns` (separated by spaces) of the rows that match `condition` (SQL)."""
    where = text(condition) if condition else None
    options: dict[str, Any] = (
        {"postgresql_where": where, "sqlite_where": where} if condition else {}
    )
    Index(name, *(table.c[column] for column in columns.split()), **options)


# These cover the filters: their conditions are checked without reading rows of the table.
_index(
    "ix_payments_list",
    payments,
    "shop_id created_at_us id status method_kind connection_id service_id issuer currency"
    " amount_minor",
)
_index(
    "ix_invoices_list",
    invoices,
    "shop_id created_at_us id status expires_at_us service_id created_by currency amount_minor",
)
_index("ix_invoices_list_status", invoices, "shop_id status created_at_us id")
_index("ix_payments_amount", payments, "shop_id amount_minor created_at_us id")
_index("ix_invoices_amount", invoices, "shop_id amount_minor created_at_us id")
_index("ix_payments_service", payments, "shop_id service_id created_at_us id", "service_id <> ''")
_index(
    "ix_invoices_service", invoices, "shop_id service_id created_at_us id", "service_id IS NOT NULL"
)
_index("ix_payments_member", payments, "shop_id issuer created_at_us id")
_index("ix_invoices_member", invoices, "shop_id created_by created_at_us id")
_index("ix_payments_last4", payments, "shop_id card_last4 created_at_us id", "card_last4 <> ''")

# The words of invoices, payments and answers as keyed hashes, see services/platform/search_tokens.
# The shop and the kind of the list are part of what is hashed. `created_at_us` is of the subject.
list_tokens = Table(
    "list_tokens",
    metadata,
    int_column("token_hash"),
    int_column("created_at_us"),
    text_column("subject_id"),
    PrimaryKeyConstraint("token_hash", "created_at_us", "subject_id"),
    Index("ix_list_tokens_subject", "subject_id", "token_hash"),
    sqlite_with_rowid=False,
)

# One row for each payment with successful refunds.
refunded_payments = Table(
    "refunded_payments",
    metadata,
    id_column(),  # of the payment
    shop_id_column(),
    int_column("created_at_us"),  # of the payment
    text_column("state"),
    text_column("currency"),
    int_column("refunded_minor"),
    Index("ix_refunded_payments_state", "shop_id", "state", "created_at_us", "id"),
    Index(
        "ix_refunded_payments_shop",
        "shop_id",
        "created_at_us",
        "id",
        "currency",
        "refunded_minor",
    ),
)

# A filter with a name. `user_id` is empty for one that the whole shop sees.
saved_views = Table(
    "saved_views",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("kind"),
    text_column("user_id"),
    text_column("name"),
    Column("filter_values", Json, nullable=False),
    text_column("created_by"),
    int_column("created_at_us"),
    int_column("version"),
    Index("ix_saved_views_list", "shop_id", "kind", "user_id", "id"),
)

# Totals of reports, maintained with the payments, refunds and invoices that they count.
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
