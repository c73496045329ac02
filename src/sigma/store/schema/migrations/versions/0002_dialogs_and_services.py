"""Communities, dialogs, services, and what ties invoices and payments to them.

Works on both databases: column types come from `sigma.store.schema.columns`, and tables are changed in
`op.batch_alter_table`, for SQLite can only copy them.
"""

import sqlalchemy as sa
from alembic import op

from sigma.store.schema.columns import BigInt, Flag, TextC

revision = "0002_dialogs_and_services"
down_revision = "0001_first_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "conversation_words",
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("word", BigInt, nullable=False),
        sa.Column("conversation_id", TextC, nullable=False),
        sa.PrimaryKeyConstraint(
            "shop_id", "word", "conversation_id", name=op.f("pk_conversation_words")
        ),
    )
    op.create_table(
        "auto_answers",
        sa.Column("id", TextC, nullable=False),
        sa.Column("body", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["id"], ["shops.id"], name=op.f("fk_auto_answers_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_auto_answers")),
    )
    op.create_table(
        "photos",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("media_type", TextC, nullable=False),
        sa.Column("width", BigInt, nullable=False),
        sa.Column("height", BigInt, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_photos_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photos")),
    )
    op.create_table(
        "services",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("title", TextC, nullable=False),
        sa.Column("description", TextC, nullable=False),
        sa.Column("price", TextC, nullable=False),
        sa.Column("amount_minor", BigInt, nullable=True),
        sa.Column("currency", TextC, nullable=False),
        sa.Column("photo_id", TextC, nullable=True),
        sa.Column("visible", Flag, nullable=False),
        sa.Column("position", BigInt, nullable=False),
        sa.Column("template", TextC, nullable=False),
        sa.Column("vk_connection_id", TextC, nullable=True),
        sa.Column("vk_item_id", BigInt, nullable=True),
        sa.Column("vk_seen", TextC, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("deleted_at", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_services_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_services")),
        sa.UniqueConstraint("vk_connection_id", "vk_item_id", name="uq_services_item"),
    )
    op.create_table(
        "communities",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("group_id", BigInt, nullable=False),
        sa.Column("name", TextC, nullable=False),
        sa.Column("screen_name", TextC, nullable=False),
        sa.Column("photo_url", TextC, nullable=False),
        sa.Column("rights", TextC, nullable=False),
        sa.Column("wanted", TextC, nullable=False),
        sa.Column("delivery", TextC, nullable=False),
        sa.Column("hook_secret_sealed", TextC, nullable=False),
        sa.Column("confirmation", TextC, nullable=False),
        sa.Column("server_id", BigInt, nullable=True),
        sa.Column("poll_ts", TextC, nullable=False),
        sa.Column("poll_until", BigInt, nullable=False),
        sa.Column("heard_at", BigInt, nullable=False),
        sa.Column("caught_up_at", BigInt, nullable=False),
        sa.Column("trouble", TextC, nullable=False),
        sa.Column("trouble_at", BigInt, nullable=False),
        sa.Column("checked_at", BigInt, nullable=False),
        sa.Column("facts", TextC, nullable=False),
        sa.Column("market", TextC, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["id"], ["connections.id"], name=op.f("fk_communities_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_communities_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_communities")),
        sa.UniqueConstraint("shop_id", "group_id", name="uq_communities_group"),
    )
    op.create_table(
        "conversations",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("connection_id", TextC, nullable=False),
        sa.Column("peer_id", BigInt, nullable=False),
        sa.Column("name", TextC, nullable=False),
        sa.Column("photo_url", TextC, nullable=False),
        sa.Column("search", TextC, nullable=False),
        sa.Column("last_at", BigInt, nullable=False),
        sa.Column("last_in_at", BigInt, nullable=False),
        sa.Column("last_out", Flag, nullable=False),
        sa.Column("preview_sealed", TextC, nullable=False),
        sa.Column("last_cmid", BigInt, nullable=False),
        sa.Column("last_place", BigInt, nullable=False),
        sa.Column("unread", BigInt, nullable=False),
        sa.Column("unanswered", Flag, nullable=False),
        sa.Column("waiting_since", BigInt, nullable=False),
        sa.Column("closed", TextC, nullable=False),
        sa.Column("service_id", TextC, nullable=True),
        sa.Column("ref", TextC, nullable=False),
        sa.Column("buttons", TextC, nullable=False),
        sa.Column("answering_by", TextC, nullable=False),
        sa.Column("answering_until", BigInt, nullable=False),
        sa.Column("by_hand", Flag, nullable=False),
        sa.Column("changed_at", BigInt, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_conversations_connection_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_conversations_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        sa.UniqueConstraint("connection_id", "peer_id", name="uq_conversations_peer"),
    )
    op.create_table(
        "cards",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("invoice_id", TextC, nullable=False),
        sa.Column("conversation_id", TextC, nullable=False),
        sa.Column("message_id", TextC, nullable=True),
        sa.Column("face", TextC, nullable=False),
        sa.Column("shown", TextC, nullable=False),
        sa.Column("opened_at", BigInt, nullable=True),
        sa.Column("payer", TextC, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("created_by", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_cards_conversation_id")
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_cards_invoice_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_cards_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cards")),
        sa.UniqueConstraint("invoice_id", "conversation_id", name="uq_cards_invoice"),
    )
    op.create_table(
        "messages",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("conversation_id", TextC, nullable=False),
        sa.Column("out", Flag, nullable=False),
        sa.Column("author", TextC, nullable=False),
        sa.Column("body_sealed", TextC, nullable=False),
        sa.Column("at", BigInt, nullable=False),
        sa.Column("place", BigInt, nullable=False),
        sa.Column("status", TextC, nullable=False),
        sa.Column("cmid", BigInt, nullable=True),
        sa.Column("vk_id", BigInt, nullable=True),
        sa.Column("key", TextC, nullable=True),
        sa.Column("random_id", BigInt, nullable=False),
        sa.Column("tried_at", BigInt, nullable=True),
        sa.Column("failure", TextC, nullable=False),
        sa.Column("edited_at", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_messages_conversation_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_messages_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("conversation_id", "cmid", name="uq_messages_cmid"),
        sa.UniqueConstraint("shop_id", "key", name="uq_messages_key"),
    )
    op.create_table(
        "orders",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("connection_id", TextC, nullable=False),
        sa.Column("conversation_id", TextC, nullable=False),
        sa.Column("vk_order_id", BigInt, nullable=False),
        sa.Column("vk_user_id", BigInt, nullable=False),
        sa.Column("display_id", TextC, nullable=False),
        sa.Column("amount_minor", BigInt, nullable=False),
        sa.Column("currency", TextC, nullable=False),
        sa.Column("body_sealed", TextC, nullable=False),
        sa.Column("invoice_id", TextC, nullable=True),
        sa.Column("told", TextC, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_orders_connection_id")
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_orders_conversation_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_orders_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("connection_id", "vk_user_id", "vk_order_id", name="uq_orders_order"),
    )
    with op.batch_alter_table("invoices", schema=None) as batch_op:
        batch_op.add_column(sa.Column("conversation_id", TextC, nullable=True))
        batch_op.add_column(sa.Column("service_id", TextC, nullable=True))

    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("conversation_id", TextC, nullable=True))

    with op.batch_alter_table("shops", schema=None) as batch_op:
        batch_op.add_column(sa.Column("slug", TextC, nullable=True))
        batch_op.create_unique_constraint("uq_shops_slug", ["slug"])

    op.create_index("ix_cards_conversation", "cards", ["conversation_id", "id"], unique=False)
    op.create_index(
        "ix_cards_opened",
        "cards",
        ["shop_id", "opened_at", "id"],
        unique=False,
        postgresql_where=sa.text("face IN ('issued', 'opened') AND opened_at IS NOT NULL"),
        sqlite_where=sa.text("face IN ('issued', 'opened') AND opened_at IS NOT NULL"),
    )
    op.create_index(
        "ix_cards_unopened",
        "cards",
        ["shop_id", "id"],
        unique=False,
        postgresql_where=sa.text("face = 'issued' AND opened_at IS NULL"),
        sqlite_where=sa.text("face = 'issued' AND opened_at IS NULL"),
    )
    op.create_index(
        "ix_conversations_waiting",
        "conversations",
        ["shop_id", "waiting_since", "id"],
        unique=False,
        postgresql_where=sa.text("unanswered = 1"),
        sqlite_where=sa.text("unanswered = 1"),
    )
    op.create_index(
        "ix_mails_failed",
        "mails",
        ["shop_id", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'failed'"),
        sqlite_where=sa.text("status = 'failed'"),
    )
    op.create_index(
        "ix_refunds_unfinished",
        "refunds",
        ["shop_id", "id"],
        unique=False,
        postgresql_where=sa.text("status IN ('pending', 'failed')"),
        sqlite_where=sa.text("status IN ('pending', 'failed')"),
    )
    op.create_index(
        "ix_communities_delivery", "communities", ["delivery", "poll_until"], unique=False
    )
    op.create_index(
        "ix_conversations_changed", "conversations", ["shop_id", "changed_at"], unique=False
    )
    op.create_index(
        "ix_conversations_last", "conversations", ["shop_id", "last_at", "id"], unique=False
    )
    op.create_index(
        "ix_conversations_unanswered",
        "conversations",
        ["shop_id", "last_at", "id"],
        unique=False,
        postgresql_where=sa.text("unanswered = 1"),
        sqlite_where=sa.text("unanswered = 1"),
    )
    op.create_index(
        "ix_conversations_unread",
        "conversations",
        ["shop_id", "last_at", "id"],
        unique=False,
        postgresql_where=sa.text("unread > 0"),
        sqlite_where=sa.text("unread > 0"),
    )
    op.create_index(
        "ix_invoices_conversation",
        "invoices",
        ["conversation_id", "id"],
        unique=False,
        postgresql_where=sa.text("conversation_id IS NOT NULL"),
        sqlite_where=sa.text("conversation_id IS NOT NULL"),
    )
    op.create_index(
        "ix_messages_open",
        "messages",
        ["conversation_id", "id"],
        unique=False,
        postgresql_where=sa.text("status IN ('queued', 'failed')"),
        sqlite_where=sa.text("status IN ('queued', 'failed')"),
    )
    op.create_index(
        "ix_messages_place", "messages", ["conversation_id", "place", "id"], unique=False
    )
    op.create_index("ix_orders_conversation", "orders", ["conversation_id", "id"], unique=False)
    op.create_index("ix_orders_invoice", "orders", ["invoice_id"], unique=False)
    op.create_index("ix_services_shop", "services", ["shop_id", "position", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_services_shop", table_name="services")
    op.drop_index("ix_orders_invoice", table_name="orders")
    op.drop_index("ix_orders_conversation", table_name="orders")
    op.drop_index("ix_messages_place", table_name="messages")
    op.drop_index(
        "ix_messages_open",
        table_name="messages",
        postgresql_where=sa.text("status IN ('queued', 'failed')"),
        sqlite_where=sa.text("status IN ('queued', 'failed')"),
    )
    op.drop_index(
        "ix_invoices_conversation",
        table_name="invoices",
        postgresql_where=sa.text("conversation_id IS NOT NULL"),
        sqlite_where=sa.text("conversation_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_conversations_unread",
        table_name="conversations",
        postgresql_where=sa.text("unread > 0"),
        sqlite_where=sa.text("unread > 0"),
    )
    op.drop_index(
        "ix_conversations_unanswered",
        table_name="conversations",
        postgresql_where=sa.text("unanswered = 1"),
        sqlite_where=sa.text("unanswered = 1"),
    )
    op.drop_index("ix_conversations_last", table_name="conversations")
    op.drop_index("ix_conversations_changed", table_name="conversations")
    op.drop_index("ix_communities_delivery", table_name="communities")
    op.drop_index(
        "ix_cards_opened",
        table_name="cards",
        postgresql_where=sa.text("face IN ('issued', 'opened') AND opened_at IS NOT NULL"),
        sqlite_where=sa.text("face IN ('issued', 'opened') AND opened_at IS NOT NULL"),
    )
    op.drop_index(
        "ix_cards_unopened",
        table_name="cards",
        postgresql_where=sa.text("face = 'issued' AND opened_at IS NULL"),
        sqlite_where=sa.text("face = 'issued' AND opened_at IS NULL"),
    )
    op.drop_index(
        "ix_conversations_waiting",
        table_name="conversations",
        postgresql_where=sa.text("unanswered = 1"),
        sqlite_where=sa.text("unanswered = 1"),
    )
    op.drop_index(
        "ix_mails_failed",
        table_name="mails",
        postgresql_where=sa.text("status = 'failed'"),
        sqlite_where=sa.text("status = 'failed'"),
    )
    op.drop_index(
        "ix_refunds_unfinished",
        table_name="refunds",
        postgresql_where=sa.text("status IN ('pending', 'failed')"),
        sqlite_where=sa.text("status IN ('pending', 'failed')"),
    )
    op.drop_index("ix_cards_conversation", table_name="cards")
    with op.batch_alter_table("shops", schema=None) as batch_op:
        batch_op.drop_constraint("uq_shops_slug", type_="unique")
        batch_op.drop_column("slug")

    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_column("conversation_id")

    with op.batch_alter_table("invoices", schema=None) as batch_op:
        batch_op.drop_column("service_id")
        batch_op.drop_column("conversation_id")

    op.drop_table("orders")
    op.drop_table("messages")
    op.drop_table("cards")
    op.drop_table("conversations")
    op.drop_table("communities")
    op.drop_table("services")
    op.drop_table("photos")
    op.drop_table("auto_answers")
    op.drop_table("conversation_words")
