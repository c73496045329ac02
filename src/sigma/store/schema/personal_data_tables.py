"""Tables of retention periods, and of what was erased: without the data itself."""

from sqlalchemy import Column, ForeignKey, Index, Table

from sigma.store.schema.columns import (
    Json,
    TextC,
    id_column,
    int_column,
    shop_id_column,
    text_column,
)
from sigma.store.schema.tables import metadata

# One row per shop that has changed the periods; `id` is the id of the shop.
retention_settings = Table(
    "retention_settings",
    metadata,
    Column("id", TextC, ForeignKey("shops.id"), primary_key=True),
    Column("body", Json, nullable=False),
    int_column("version"),
)

# The erasure log: when, by whom, why and how much.
erasures = Table(
    "erasures",
    metadata,
    id_column(),
    shop_id_column(),
    int_column("erased_at_us"),
    text_column("actor"),
    text_column("reason"),
    Column("counts", Json, nullable=False),
    Index("ix_erasures_shop", "shop_id", "id"),
)

# Erased VK users as keyed hashes: what they wrote before must not come back from VK's history.
erased_peers = Table(
    "erased_peers",
    metadata,
    Column("peer_hash", TextC, primary_key=True),
    int_column("erased_at_us"),
)
