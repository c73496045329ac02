"""The tables of the dialogs: communities, conversations, messages, services, cards, orders.

What clients write is ciphertext; the names of their public profiles are not, for search.
"""

from sqlalchemy import Column, ForeignKey, Index, PrimaryKeyConstraint, Table, text
from sqlalchemy import UniqueConstraint as Unique

from sigma.store.columns import BigInt, Blob, Flag, Json, TextC, flag_, id_, int_, shop_, text_
from sigma.store.tables import metadata

__all__ = ["metadata"]

communities = Table(
    "communities",
    metadata,
    Column("id", TextC, ForeignKey("connections.id"), primary_key=True),
    shop_(),
    int_("group_id"),
    text_("name"),
    text_("screen_name"),
    text_("photo_url"),
    Column("rights", Json, nullable=False),
    text_("wanted"),
    text_("delivery"),
    text_("hook_secret_sealed"),
    text_("confirmation"),
    Column("server_id", BigInt),
    text_("poll_ts"),
    int_("poll_until"),
    int_("heard_at"),
    int_("caught_up_at"),
    text_("trouble"),
    int_("trouble_at"),
    int_("checked_at"),
    Column("facts", Json, nullable=False),
    text_("market"),
    int_("created_at"),
    int_("version"),
    Unique("shop_id", "group_id", name="uq_communities_group"),
    Index("ix_communities_delivery", "delivery", "poll_until"),
)

conversations = Table(
    "conversations",
    metadata,
    id_(),
    shop_(),
    Column("connection_id", TextC, ForeignKey("connections.id"), nullable=False),
    int_("peer_id"),
    text_("name"),
    text_("photo_url"),
    text_("search"),
    int_("last_at"),
    int_("last_in_at"),
    flag_("last_out"),
    text_("preview_sealed"),
    int_("last_cmid"),
    int_("last_place"),
    int_("unread"),
    flag_("unanswered"),
    text_("closed"),
    Column("service_id", TextC),
    text_("ref"),
    text_("buttons"),
    text_("answering_by"),
    int_("answering_until"),
    flag_("by_hand"),
    int_("changed_at"),
    int_("created_at"),
    int_("version"),
    Unique("connection_id", "peer_id", name="uq_conversations_peer"),
    Index("ix_conversations_last", "shop_id", "last_at", "id"),
    Index("ix_conversations_changed", "shop_id", "changed_at"),
    Index(
        "ix_conversations_unread",
        "shop_id",
        "last_at",
        "id",
        postgresql_where=text("unread > 0"),
        sqlite_where=text("unread > 0"),
    ),
    Index(
        "ix_conversations_unanswered",
        "shop_id",
        "last_at",
        "id",
        postgresql_where=text("unanswered = 1"),
        sqlite_where=text("unanswered = 1"),
    ),
)

messages = Table(
    "messages",
    metadata,
    id_(),
    shop_(),
    Column("conversation_id", TextC, ForeignKey("conversations.id"), nullable=False),
    Column("out", Flag, nullable=False),
    text_("author"),
    text_("body_sealed"),
    int_("at"),
    int_("place"),
    text_("status"),
    Column("cmid", BigInt),
    Column("vk_id", BigInt),
    Column("key", TextC),
    int_("random_id"),
    Column("tried_at", BigInt),
    text_("failure"),
    Column("edited_at", BigInt),
    int_("version"),
    Unique("conversation_id", "cmid", name="uq_messages_cmid"),
    Unique("shop_id", "key", name="uq_messages_key"),
    Index("ix_messages_place", "conversation_id", "place", "id"),
    Index(
        "ix_messages_open",
        "conversation_id",
        "id",
        postgresql_where=text("status IN ('queued', 'failed')"),
        sqlite_where=text("status IN ('queued', 'failed')"),
    ),
)

# Beginnings of words as keyed hashes: who reads the table learns no word.
conversation_words = Table(
    "conversation_words",
    metadata,
    text_("shop_id"),
    int_("word"),
    text_("conversation_id"),
    PrimaryKeyConstraint("shop_id", "word", "conversation_id"),
)

services = Table(
    "services",
    metadata,
    id_(),
    shop_(),
    text_("title"),
    text_("description"),
    text_("price"),
    Column("amount_minor", BigInt),
    text_("currency"),
    Column("photo_id", TextC),
    flag_("visible"),
    int_("position"),
    Column("template", Json, nullable=False),
    Column("vk_connection_id", TextC),
    Column("vk_item_id", BigInt),
    Column("vk_seen", Json, nullable=False),
    int_("created_at"),
    Column("deleted_at", BigInt),
    int_("version"),
    Unique("vk_connection_id", "vk_item_id", name="uq_services_item"),
    Index("ix_services_shop", "shop_id", "position", "id"),
)

photos = Table(
    "photos",
    metadata,
    id_(),
    shop_(),
    text_("media_type"),
    int_("width"),
    int_("height"),
    Column("data", Blob, nullable=False),
    int_("created_at"),
    int_("version"),
)

cards = Table(
    "cards",
    metadata,
    id_(),
    shop_(),
    Column("invoice_id", TextC, ForeignKey("invoices.id"), nullable=False),
    Column("conversation_id", TextC, ForeignKey("conversations.id"), nullable=False),
    Column("message_id", TextC),
    text_("face"),
    Column("opened_at", BigInt),
    text_("payer"),
    int_("created_at"),
    text_("created_by"),
    int_("version"),
    Unique("invoice_id", "conversation_id", name="uq_cards_invoice"),
    Index("ix_cards_conversation", "conversation_id", "id"),
    Index("ix_cards_face", "shop_id", "face", "id"),
)

orders = Table(
    "orders",
    metadata,
    id_(),
    shop_(),
    Column("connection_id", TextC, ForeignKey("connections.id"), nullable=False),
    Column("conversation_id", TextC, ForeignKey("conversations.id"), nullable=False),
    int_("vk_order_id"),
    int_("vk_user_id"),
    text_("display_id"),
    int_("amount_minor"),
    text_("currency"),
    text_("body_sealed"),
    Column("invoice_id", TextC),
    text_("told"),
    int_("created_at"),
    int_("version"),
    Unique("connection_id", "vk_user_id", "vk_order_id", name="uq_orders_order"),
    Index("ix_orders_conversation", "conversation_id", "id"),
    Index("ix_orders_invoice", "invoice_id"),
)

# What a shop lets Sigma answer by itself. One row a shop: its id is the shop's.
auto_answers = Table(
    "auto_answers",
    metadata,
    Column("id", TextC, ForeignKey("shops.id"), primary_key=True),
    Column("body", Json, nullable=False),
    int_("version"),
)
