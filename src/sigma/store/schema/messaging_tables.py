"""Tables of communities, VK events, conversations, messages, invoice cards and VK orders.

Message texts are ciphertext. Names of public VK profiles are plain text, for search.
"""

from sqlalchemy import Column, ForeignKey, Index, PrimaryKeyConstraint, Table
from sqlalchemy import UniqueConstraint as Unique

from sigma.store.schema.columns import (
    BigInt,
    Flag,
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

communities = Table(
    "communities",
    metadata,
    Column("id", TextC, ForeignKey("connections.id"), primary_key=True),
    shop_id_column(),
    int_column("group_id"),
    text_column("name"),
    text_column("screen_name"),
    text_column("photo_url"),
    Column("key_scopes", Json, nullable=False),
    text_column("preferred_delivery"),
    text_column("event_delivery"),
    text_column("callback_secret_encrypted"),
    text_column("confirmation_code"),
    text_column("long_poll_ts"),
    int_column("poll_lease_until_us"),
    text_column("poll_leased_by"),
    int_column("last_contact_at_us"),
    int_column("caught_up_until_us"),
    text_column("error_code"),
    int_column("error_since_us"),
    int_column("checked_at_us"),
    Column("facts", Json, nullable=False),
    text_column("market_access"),
    int_column("created_at_us"),
    int_column("version"),
    Unique("shop_id", "group_id", name="uq_communities_group"),
    Index("ix_communities_delivery", "event_delivery", "poll_lease_until_us"),
)

vk_events = Table(
    "vk_events",
    metadata,
    id_column(),
    shop_id_column(),
    Column("connection_id", TextC, ForeignKey("connections.id"), nullable=False),
    text_column("conversation_key"),
    text_column("type"),
    text_column("digest"),
    text_column("body_encrypted"),
    int_column("received_at_us"),
    Column("processed_at_us", BigInt),
    int_column("version"),
    Unique("connection_id", "digest", name="uq_vk_events_digest"),
    Index("ix_vk_events_conversation", "connection_id", "conversation_key"),
    partial_index(
        "ix_vk_events_unprocessed", "connection_id conversation_key id", "processed_at_us IS NULL"
    ),
    partial_index("ix_vk_events_processed", "processed_at_us id", "processed_at_us IS NOT NULL"),
)

conversations = Table(
    "conversations",
    metadata,
    id_column(),
    shop_id_column(),
    Column("connection_id", TextC, ForeignKey("connections.id"), nullable=False),
    int_column("peer_id"),
    text_column("name"),
    text_column("photo_url"),
    text_column("search"),
    int_column("last_at_us"),
    int_column("last_incoming_at_us"),
    flag_column("is_last_outgoing"),
    text_column("preview_encrypted"),
    int_column("last_cmid"),
    int_column("last_position"),
    int_column("unread_count"),
    flag_column("is_unanswered"),
    int_column("waiting_since_us"),
    text_column("blocked_reason"),
    Column("service_id", TextC),
    text_column("vk_ref"),
    text_column("supported_buttons"),
    text_column("typing_user_id"),
    int_column("typing_until_us"),
    flag_column("handled_by_operator"),
    int_column("changed_at_us"),
    Column("customer_id", TextC),
    int_column("created_at_us"),
    int_column("version"),
    Unique("connection_id", "peer_id", name="uq_conversations_peer"),
    Index("ix_conversations_latest", "shop_id", "last_at_us", "id"),
    Index("ix_conversations_changed", "shop_id", "changed_at_us"),
    partial_index("ix_conversations_customer", "customer_id id", "customer_id IS NOT NULL"),
    partial_index("ix_conversations_unread", "shop_id last_at_us id", "unread_count > 0"),
    partial_index("ix_conversations_unanswered", "shop_id last_at_us id", "is_unanswered = 1"),
    partial_index("ix_conversations_waiting", "shop_id waiting_since_us id", "is_unanswered = 1"),
)

messages = Table(
    "messages",
    metadata,
    id_column(),
    shop_id_column(),
    Column("conversation_id", TextC, ForeignKey("conversations.id"), nullable=False),
    Column("is_outgoing", Flag, nullable=False),
    text_column("author"),
    text_column("body_encrypted"),
    int_column("written_at_us"),
    int_column("position"),
    text_column("status"),
    Column("cmid", BigInt),
    Column("vk_id", BigInt),
    Column("idempotency_key", TextC),
    int_column("random_id"),
    Column("first_attempt_at_us", BigInt),
    text_column("failure"),
    Column("edited_at_us", BigInt),
    flag_column("is_incomplete"),
    int_column("version"),
    Unique("conversation_id", "cmid", name="uq_messages_cmid"),
    Unique("shop_id", "idempotency_key", name="uq_messages_key"),
    Index("ix_messages_position", "conversation_id", "position", "id"),
    partial_index(
        "ix_messages_undelivered", "conversation_id random_id", "status IN ('queued', 'failed')"
    ),
    partial_index("ix_messages_queued", "shop_id conversation_id position id", "status = 'queued'"),
    partial_index("ix_messages_stored", "shop_id written_at_us id", "body_encrypted <> ''"),
)

# The search index. Word stems are keyed hashes: the table does not reveal the words.
search_tokens = Table(
    "search_tokens",
    metadata,
    text_column("shop_id"),
    int_column("token_hash"),
    text_column("conversation_id"),
    PrimaryKeyConstraint("shop_id", "token_hash", "conversation_id"),
    Index("ix_search_tokens_conversation", "conversation_id", "token_hash"),
)

cards = Table(
    "cards",
    metadata,
    id_column(),
    shop_id_column(),
    Column("invoice_id", TextC, ForeignKey("invoices.id"), nullable=False),
    Column("conversation_id", TextC, ForeignKey("conversations.id"), nullable=False),
    Column("message_id", TextC),
    text_column("state"),
    text_column("message_fingerprint"),
    Column("opened_at_us", BigInt),
    text_column("payer_hash"),
    int_column("created_at_us"),
    text_column("created_by"),
    int_column("version"),
    Unique("invoice_id", "conversation_id", name="uq_cards_invoice"),
    Index("ix_cards_conversation", "conversation_id", "id"),
    partial_index(
        "ix_cards_unknown_content",
        "shop_id invoice_id",
        "message_fingerprint = '' AND message_id IS NOT NULL",
    ),
    partial_index("ix_cards_unopened", "shop_id id", "state = 'issued' AND opened_at_us IS NULL"),
    partial_index(
        "ix_cards_opened",
        "shop_id opened_at_us id",
        "state IN ('issued', 'opened') AND opened_at_us IS NOT NULL",
    ),
)

vk_orders = Table(
    "vk_orders",
    metadata,
    id_column(),
    shop_id_column(),
    Column("connection_id", TextC, ForeignKey("connections.id"), nullable=False),
    Column("conversation_id", TextC, ForeignKey("conversations.id"), nullable=False),
    int_column("vk_order_id"),
    int_column("vk_user_id"),
    text_column("display_id"),
    int_column("amount_minor"),
    text_column("currency"),
    int_column("status"),
    text_column("body_encrypted"),
    Column("invoice_id", TextC),
    text_column("vk_payment_status"),
    int_column("created_at_us"),
    int_column("version"),
    Unique("connection_id", "vk_user_id", "vk_order_id", name="uq_vk_orders_order"),
    Index("ix_vk_orders_conversation", "conversation_id", "id"),
    Index("ix_vk_orders_invoice", "invoice_id"),
    partial_index("ix_vk_orders_open", "connection_id created_at_us", "status < 4"),
    Index("ix_vk_orders_status", "connection_id", "vk_payment_status"),
)

# Auto-reply settings, one row per shop; `id` is the id of the shop.
auto_reply_settings = Table(
    "auto_reply_settings",
    metadata,
    Column("id", TextC, ForeignKey("shops.id"), primary_key=True),
    Column("body", Json, nullable=False),
    int_column("version"),
)
