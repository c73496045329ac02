"""Tables of customers: one row per person who pays or writes, joined by VK id, e-mail and phone.

Names, contacts and notes are ciphertext. They are found by keyed hashes, which do not reveal them.
"""

from sqlalchemy import Column, ForeignKey, Index, PrimaryKeyConstraint, Table
from sqlalchemy import UniqueConstraint as Unique

from sigma.store.schema.columns import (
    BigInt,
    Json,
    TextC,
    id_column,
    int_column,
    partial_index,
    shop_id_column,
    text_column,
)
from sigma.store.schema.tables import metadata


def _customer_id_column(name: str = "customer_id") -> Column[str]:
    return Column(name, TextC, ForeignKey("customers.id"), nullable=False)


customers = Table(
    "customers",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("name_encrypted"),
    text_column("name_source"),
    text_column("details_encrypted"),
    text_column("photo_url"),
    # Of a customer that was merged into another one. It is left so that the merge can be undone.
    Column("merged_into_id", TextC),
    int_column("last_activity_at_us"),
    int_column("created_at_us"),
    int_column("version"),
    partial_index(
        "ix_customers_activity", "shop_id last_activity_at_us id", "merged_into_id IS NULL"
    ),
    partial_index("ix_customers_merged", "merged_into_id id", "merged_into_id IS NOT NULL"),
)

# One VK id, e-mail address or phone belongs to one customer of a shop.
customer_identities = Table(
    "customer_identities",
    metadata,
    id_column(),
    shop_id_column(),
    _customer_id_column(),
    text_column("kind"),
    text_column("identity_hash"),
    text_column("value_encrypted"),
    int_column("created_at_us"),
    int_column("version"),
    Unique("shop_id", "kind", "identity_hash", name="uq_customer_identities_hash"),
    Index("ix_customer_identities_customer", "customer_id", "id"),
)

# The search index: keyed hashes of the beginnings of words of the name, and of tags.
customer_tokens = Table(
    "customer_tokens",
    metadata,
    text_column("shop_id"),
    int_column("token_hash"),
    text_column("customer_id"),
    PrimaryKeyConstraint("shop_id", "token_hash", "customer_id"),
    Index("ix_customer_tokens_customer", "customer_id", "token_hash"),
)

# Two customers who may be one person: a payment of one had a contact of the other.
customer_suggestions = Table(
    "customer_suggestions",
    metadata,
    id_column(),
    shop_id_column(),
    _customer_id_column(),  # the smaller id of both
    _customer_id_column("other_id"),
    text_column("reason"),
    int_column("created_at_us"),
    Column("dismissed_at_us", BigInt),
    text_column("dismissed_by"),
    int_column("version"),
    Unique("customer_id", "other_id", name="uq_customer_suggestions_pair"),
    Index("ix_customer_suggestions_other", "other_id", "customer_id"),
    partial_index("ix_customer_suggestions_open", "shop_id id", "dismissed_at_us IS NULL"),
)

# The trace of merges and splits: who, when, and what moved, so that they can be undone.
customer_moves = Table(
    "customer_moves",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("kind"),
    text_column("from_id"),
    text_column("to_id"),
    int_column("moved_at_us"),
    text_column("actor"),
    Column("counts", Json, nullable=False),
    Column("undone_at_us", BigInt),
    text_column("undone_by"),
    int_column("version"),
    Index("ix_customer_moves_from", "from_id", "id"),
    Index("ix_customer_moves_to", "to_id", "id"),
)

# The rows that a move moved: identities, invoices, payments, conversations.
customer_moved_rows = Table(
    "customer_moved_rows",
    metadata,
    Column("move_id", TextC, ForeignKey("customer_moves.id"), nullable=False),
    text_column("row_id"),
    PrimaryKeyConstraint("move_id", "row_id"),
)
