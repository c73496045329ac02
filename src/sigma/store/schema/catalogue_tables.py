"""Tables of services and their photos."""

from sqlalchemy import Column, Index, Table
from sqlalchemy import UniqueConstraint as Unique

from sigma.store.schema.columns import (
    BigInt,
    Blob,
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

services = Table(
    "services",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("title"),
    text_column("description"),
    text_column("price_kind"),
    Column("amount_minor", BigInt),
    Column("max_amount_minor", BigInt),
    text_column("currency"),
    text_column("price_unit"),
    text_column("category"),
    text_column("external_id"),
    Column("photo_id", TextC),
    flag_column("is_visible"),
    int_column("position"),
    Column("invoice_template", Json, nullable=False),
    Column("vk_connection_id", TextC),
    Column("vk_item_id", BigInt),
    Column("vk_synced_state", Json, nullable=False),
    int_column("created_at_us"),
    Column("deleted_at_us", BigInt),
    int_column("version"),
    Unique("vk_connection_id", "vk_item_id", name="uq_services_market_item"),
    partial_index("ix_services_shop", "shop_id position id", "deleted_at_us IS NULL"),
    partial_index("ix_services_photo", "photo_id", "photo_id IS NOT NULL"),
)

photos = Table(
    "photos",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("media_type"),
    int_column("width"),
    int_column("height"),
    Column("data", Blob, nullable=False),
    int_column("created_at_us"),
    int_column("version"),
    # Finds old photos without reading the pictures.
    Index("ix_photos_created", "created_at_us", "id"),
    Index("ix_photos_shop", "shop_id"),  # for the quota of storage
)
