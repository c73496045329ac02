"""first tables.

Works on both databases: column types come from `sigma.store.schema.columns`. Tables are changed in
`op.batch_alter_table`, because SQLite must copy a table to change it.
"""

import sqlalchemy as sa
from alembic import op

from sigma.store.schema.columns import BigInt, Flag, TextC

revision = "0001_first_tables"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_chains",
        sa.Column("id", TextC, nullable=False),
        sa.Column("last_number", BigInt, nullable=False),
        sa.Column("last_mac", TextC, nullable=False),
        sa.Column("last_at_us", BigInt, nullable=False),
        sa.Column("pruned_number", BigInt, nullable=False),
        sa.Column("pruned_mac", TextC, nullable=False),
        sa.Column("mac", TextC, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_chains")),
    )
    op.create_table(
        "audit_entries",
        sa.Column("chain", TextC, nullable=False),
        sa.Column("number", BigInt, nullable=False),
        sa.Column("deed", TextC, nullable=False),
        sa.Column("actor", TextC, nullable=False),
        sa.Column("subject", TextC, nullable=False),
        sa.Column("detail", TextC, nullable=False),
        sa.Column("address", TextC, nullable=False),
        sa.Column("agent", TextC, nullable=False),
        sa.Column("session", TextC, nullable=False),
        sa.Column("request_id", TextC, nullable=False),
        sa.Column("occurred_at_us", BigInt, nullable=False),
        sa.Column("previous_mac", TextC, nullable=False),
        sa.Column("mac", TextC, nullable=False),
        sa.PrimaryKeyConstraint("chain", "number", name=op.f("pk_audit_entries")),
    )
    op.create_table(
        "counters",
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("name", TextC, nullable=False),
        sa.Column("value", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "name", name=op.f("pk_counters")),
    )
    op.create_table(
        "customer_tokens",
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("token_hash", BigInt, nullable=False),
        sa.Column("customer_id", TextC, nullable=False),
        sa.PrimaryKeyConstraint(
            "shop_id", "token_hash", "customer_id", name=op.f("pk_customer_tokens")
        ),
    )
    op.create_table(
        "erased_peers",
        sa.Column("peer_hash", TextC, nullable=False),
        sa.Column("erased_at_us", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("peer_hash", name=op.f("pk_erased_peers")),
    )
    op.create_table(
        "figure_totals",
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("dimension", TextC, nullable=False),
        sa.Column("span_us", BigInt, nullable=False),
        sa.Column("starts_at_us", BigInt, nullable=False),
        sa.Column("key", TextC, nullable=False),
        sa.Column("currency", TextC, nullable=False),
        sa.Column("payment_count", BigInt, nullable=False),
        sa.Column("gross_minor", BigInt, nullable=False),
        sa.Column("fee_minor", BigInt, nullable=False),
        sa.Column("unknown_fee_count", BigInt, nullable=False),
        sa.Column("unknown_fee_gross_minor", BigInt, nullable=False),
        sa.Column("refund_count", BigInt, nullable=False),
        sa.Column("refund_minor", BigInt, nullable=False),
        sa.Column("chargeback_minor", BigInt, nullable=False),
        sa.Column("opened_count", BigInt, nullable=False),
        sa.Column("paid_count", BigInt, nullable=False),
        sa.PrimaryKeyConstraint(
            "shop_id",
            "dimension",
            "span_us",
            "starts_at_us",
            "key",
            "currency",
            name=op.f("pk_figure_totals"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "former_members",
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("user_id", TextC, nullable=False),
        sa.Column("left_at_us", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "user_id", name=op.f("pk_former_members")),
    )
    op.create_table(
        "idempotency_records",
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("key", TextC, nullable=False),
        sa.Column("fingerprint", TextC, nullable=False),
        sa.Column("status", BigInt, nullable=False),
        sa.Column("body", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "key", name="pk_idempotency_records"),
    )
    op.create_table(
        "installation_keys",
        sa.Column("id", TextC, nullable=False),
        sa.Column("purpose", TextC, nullable=False),
        sa.Column("key_encrypted", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation_keys")),
    )
    op.create_table(
        "jobs",
        sa.Column("kind", TextC, nullable=False),
        sa.Column("subject_id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("connection_id", TextC, nullable=False),
        sa.Column("lane", TextC, nullable=False),
        sa.Column("due_at_us", BigInt, nullable=False),
        sa.Column("lease_until_us", BigInt, nullable=False),
        sa.Column("leased_by", TextC, nullable=False),
        sa.Column("attempts", BigInt, nullable=False),
        sa.Column("generation", BigInt, nullable=False),
        sa.Column("state", TextC, nullable=False),
        sa.Column("last_error", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject_id", name=op.f("pk_jobs")),
    )
    op.create_table(
        "key_rotations",
        sa.Column("id", TextC, nullable=False),
        sa.Column("column_name", TextC, nullable=False),
        sa.Column("after_id", TextC, nullable=False),
        sa.Column("pass_changed_count", BigInt, nullable=False),
        sa.Column("rotated_count", BigInt, nullable=False),
        sa.Column("unreadable_count", BigInt, nullable=False),
        sa.Column("started_at_us", BigInt, nullable=False),
        sa.Column("finished_at_us", BigInt, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_rotations")),
    )
    op.create_table(
        "ledger",
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("kind", TextC, nullable=False),
        sa.Column("subject_id", TextC, nullable=False),
        sa.Column("line_number", BigInt, nullable=False),
        sa.Column("account", TextC, nullable=False),
        sa.Column("amount_minor", BigInt, nullable=False),
        sa.Column("currency", TextC, nullable=False),
        sa.Column("booked_at_us", BigInt, nullable=False),
        sa.Column("origin", TextC, nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject_id", "line_number", name=op.f("pk_ledger")),
    )
    op.create_table(
        "list_tokens",
        sa.Column("token_hash", BigInt, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("subject_id", TextC, nullable=False),
        sa.PrimaryKeyConstraint(
            "token_hash", "created_at_us", "subject_id", name=op.f("pk_list_tokens")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "password_resets",
        sa.Column("id", TextC, nullable=False),
        sa.Column("content_encrypted", TextC, nullable=False),
        sa.Column("token_hash", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("expires_at_us", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_resets")),
        sa.UniqueConstraint("token_hash", name="uq_password_resets_token"),
    )
    op.create_table(
        "rate_counters",
        sa.Column("key", TextC, nullable=False),
        sa.Column("count", BigInt, nullable=False),
        sa.Column("last_at_us", BigInt, nullable=False),
        sa.Column("expires_at_us", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_counters")),
    )
    op.create_table(
        "search_tokens",
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("token_hash", BigInt, nullable=False),
        sa.Column("conversation_id", TextC, nullable=False),
        sa.PrimaryKeyConstraint(
            "shop_id", "token_hash", "conversation_id", name=op.f("pk_search_tokens")
        ),
    )
    op.create_table(
        "sessions",
        sa.Column("secret_hash", TextC, nullable=False),
        sa.Column("user_id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("csrf_token", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("expires_at_us", BigInt, nullable=False),
        sa.Column("id", TextC, nullable=False),
        sa.Column("used_at_us", BigInt, nullable=False),
        sa.Column("authenticated_at_us", BigInt, nullable=False),
        sa.Column("proofs", TextC, nullable=False),
        sa.Column("address", TextC, nullable=False),
        sa.Column("device_name", TextC, nullable=False),
        sa.Column("is_pending", Flag, nullable=False),
        sa.PrimaryKeyConstraint("secret_hash", name=op.f("pk_sessions")),
    )
    op.create_table(
        "shops",
        sa.Column("id", TextC, nullable=False),
        sa.Column("name", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("seller", TextC, nullable=False),
        sa.Column("tz", TextC, nullable=False),
        sa.Column("locale", TextC, nullable=False),
        sa.Column("accent", TextC, nullable=False),
        sa.Column("return_url", TextC, nullable=False),
        sa.Column("consent_text", TextC, nullable=False),
        sa.Column("consent_version", BigInt, nullable=False),
        sa.Column("mail_from_name", TextC, nullable=False),
        sa.Column("mail_reply_to", TextC, nullable=False),
        sa.Column("smtp_url_encrypted", TextC, nullable=False),
        sa.Column("slug", TextC, nullable=True),
        sa.Column("refund_limits", TextC, nullable=False),
        sa.Column("quotas", TextC, nullable=False),
        sa.Column("search", TextC, nullable=False),
        sa.Column("second_factor_rule", TextC, nullable=False),
        sa.Column("refund_confirmation_minor", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shops")),
        sa.UniqueConstraint("slug", name="uq_shops_slug"),
    )
    op.create_table(
        "timeline_events",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("subject_id", TextC, nullable=False),
        sa.Column("kind", TextC, nullable=False),
        sa.Column("occurred_at_us", BigInt, nullable=False),
        sa.Column("actor", TextC, nullable=False),
        sa.Column("detail", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timeline_events")),
    )
    op.create_table(
        "users",
        sa.Column("id", TextC, nullable=False),
        sa.Column("login", TextC, nullable=False),
        sa.Column("password_hash", TextC, nullable=False),
        sa.Column("name", TextC, nullable=False),
        sa.Column("locale", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("password_changed_at_us", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("login", name="uq_users_login"),
    )
    op.create_table(
        "workers",
        sa.Column("id", TextC, nullable=False),
        sa.Column("alive_until_us", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_table(
        "write_probes",
        sa.Column("id", TextC, nullable=False),
        sa.Column("written_at_us", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_write_probes")),
    )
    op.create_table(
        "administrators",
        sa.Column("user_id", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_administrators_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_administrators")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("name", TextC, nullable=False),
        sa.Column("prefix", TextC, nullable=False),
        sa.Column("secret_hash", TextC, nullable=False),
        sa.Column("scopes", TextC, nullable=False),
        sa.Column("allowed_networks", TextC, nullable=False),
        sa.Column("created_by", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("expires_at_us", BigInt, nullable=True),
        sa.Column("used_at_us", BigInt, nullable=False),
        sa.Column("revoked_at_us", BigInt, nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_api_keys_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("secret_hash", name="uq_api_keys_secret"),
    )
    op.create_table(
        "authenticator_apps",
        sa.Column("id", TextC, nullable=False),
        sa.Column("user_id", TextC, nullable=False),
        sa.Column("secret_encrypted", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("last_step", BigInt, nullable=False),
        sa.Column("drift_s", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_authenticator_apps_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authenticator_apps")),
        sa.UniqueConstraint("user_id", name="uq_authenticator_apps_user"),
    )
    op.create_table(
        "auto_reply_settings",
        sa.Column("id", TextC, nullable=False),
        sa.Column("body", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["id"], ["shops.id"], name=op.f("fk_auto_reply_settings_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_auto_reply_settings")),
    )
    op.create_table(
        "connections",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("provider", TextC, nullable=False),
        sa.Column("title", TextC, nullable=False),
        sa.Column("account", TextC, nullable=False),
        sa.Column("secret_encrypted", TextC, nullable=False),
        sa.Column("settings", TextC, nullable=False),
        sa.Column("status", TextC, nullable=False),
        sa.Column("notice_token", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("checked_at_us", BigInt, nullable=False),
        sa.Column("has_passed_check", Flag, nullable=False),
        sa.Column("check_detail", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_connections_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
    )
    op.create_table(
        "customer_moves",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("kind", TextC, nullable=False),
        sa.Column("from_id", TextC, nullable=False),
        sa.Column("to_id", TextC, nullable=False),
        sa.Column("moved_at_us", BigInt, nullable=False),
        sa.Column("actor", TextC, nullable=False),
        sa.Column("counts", TextC, nullable=False),
        sa.Column("undone_at_us", BigInt, nullable=True),
        sa.Column("undone_by", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_customer_moves_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_moves")),
    )
    op.create_table(
        "customers",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("name_encrypted", TextC, nullable=False),
        sa.Column("name_source", TextC, nullable=False),
        sa.Column("details_encrypted", TextC, nullable=False),
        sa.Column("photo_url", TextC, nullable=False),
        sa.Column("merged_into_id", TextC, nullable=True),
        sa.Column("last_activity_at_us", BigInt, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_customers_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
    )
    op.create_table(
        "erasures",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("erased_at_us", BigInt, nullable=False),
        sa.Column("actor", TextC, nullable=False),
        sa.Column("reason", TextC, nullable=False),
        sa.Column("counts", TextC, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_erasures_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_table(
        "exports",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("kind", TextC, nullable=False),
        sa.Column("file_format", TextC, nullable=False),
        sa.Column("filter_encrypted", TextC, nullable=False),
        sa.Column("columns", TextC, nullable=False),
        sa.Column("has_answers", Flag, nullable=False),
        sa.Column("locale", TextC, nullable=False),
        sa.Column("created_by", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("status", TextC, nullable=False),
        sa.Column("progress", TextC, nullable=False),
        sa.Column("total", BigInt, nullable=False),
        sa.Column("done_count", BigInt, nullable=False),
        sa.Column("size_bytes", BigInt, nullable=False),
        sa.Column("failure", TextC, nullable=False),
        sa.Column("finished_at_us", BigInt, nullable=True),
        sa.Column("expires_at_us", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_exports_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exports")),
    )
    op.create_table(
        "invitations",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("login", TextC, nullable=False),
        sa.Column("role", TextC, nullable=False),
        sa.Column("token_hash", TextC, nullable=False),
        sa.Column("created_by", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("expires_at_us", BigInt, nullable=False),
        sa.Column("accepted_at_us", BigInt, nullable=True),
        sa.Column("revoked_at_us", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_invitations_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name="uq_invitations_token"),
    )
    op.create_table(
        "invoice_imports",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("file_name", TextC, nullable=False),
        sa.Column("service_id", TextC, nullable=True),
        sa.Column("created_by", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("total", BigInt, nullable=False),
        sa.Column("status", TextC, nullable=False),
        sa.Column("created_count", BigInt, nullable=False),
        sa.Column("refused_count", BigInt, nullable=False),
        sa.Column("voided_count", BigInt, nullable=False),
        sa.Column("not_voided_count", BigInt, nullable=False),
        sa.Column("finished_at_us", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_invoice_imports_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_imports")),
    )
    op.create_table(
        "invoices",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("number", BigInt, nullable=False),
        sa.Column("token", TextC, nullable=False),
        sa.Column("status", TextC, nullable=False),
        sa.Column("title", TextC, nullable=False),
        sa.Column("description", TextC, nullable=False),
        sa.Column("amount_minor", BigInt, nullable=False),
        sa.Column("currency", TextC, nullable=False),
        sa.Column("items", TextC, nullable=False),
        sa.Column("questions", TextC, nullable=False),
        sa.Column("max_payments", BigInt, nullable=True),
        sa.Column("paid_count", BigInt, nullable=False),
        sa.Column("expires_at_us", BigInt, nullable=True),
        sa.Column("return_url", TextC, nullable=False),
        sa.Column("metadata", TextC, nullable=False),
        sa.Column("search", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("created_by", TextC, nullable=False),
        sa.Column("conversation_id", TextC, nullable=True),
        sa.Column("service_id", TextC, nullable=True),
        sa.Column("customer_id", TextC, nullable=True),
        sa.Column("opened_at_us", BigInt, nullable=True),
        sa.Column("source", TextC, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_invoices_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("shop_id", "number", name="uq_invoices_number"),
        sa.UniqueConstraint("token", name="uq_invoices_token"),
    )
    op.create_table(
        "mails",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("kind", TextC, nullable=False),
        sa.Column("subject_key", TextC, nullable=False),
        sa.Column("number", BigInt, nullable=False),
        sa.Column("payment_id", TextC, nullable=False),
        sa.Column("status", TextC, nullable=False),
        sa.Column("recipient_masked", TextC, nullable=False),
        sa.Column("server_reply", TextC, nullable=False),
        sa.Column("attempts", BigInt, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("sent_at_us", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_mails_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
        sa.UniqueConstraint("kind", "subject_key", "number", name="uq_mails_number"),
    )
    op.create_table(
        "members",
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("user_id", TextC, nullable=False),
        sa.Column("role", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_members_user_id")),
        sa.PrimaryKeyConstraint("shop_id", "user_id", name=op.f("pk_members")),
    )
    op.create_table(
        "notification_addresses",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("user_id", TextC, nullable=False),
        sa.Column("way", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("address_encrypted", TextC, nullable=False),
        sa.Column("address_hash", TextC, nullable=False),
        sa.Column("name", TextC, nullable=False),
        sa.Column("connection_id", TextC, nullable=False),
        sa.Column("code_hash", TextC, nullable=False),
        sa.Column("code_encrypted", TextC, nullable=False),
        sa.Column("code_expires_at_us", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("fk_notification_addresses_shop_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notification_addresses_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_addresses")),
    )
    op.create_table(
        "notification_deliveries",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("user_id", TextC, nullable=False),
        sa.Column("way", TextC, nullable=False),
        sa.Column("topic", TextC, nullable=False),
        sa.Column("random_id", BigInt, nullable=False),
        sa.Column("started_at_us", BigInt, nullable=False),
        sa.Column("status", TextC, nullable=False),
        sa.Column("attempts", BigInt, nullable=False),
        sa.Column("finished_at_us", BigInt, nullable=True),
        sa.Column("reply", TextC, nullable=False),
        sa.Column("reached", TextC, nullable=False),
        sa.Column("due_at_us", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("fk_notification_deliveries_shop_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_deliveries")),
    )
    op.create_table(
        "notification_settings",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("user_id", TextC, nullable=False),
        sa.Column("choices", TextC, nullable=False),
        sa.Column("quiet_from_min", BigInt, nullable=False),
        sa.Column("quiet_until_min", BigInt, nullable=False),
        sa.Column("quiet_tz", TextC, nullable=False),
        sa.Column("digest_minutes", BigInt, nullable=False),
        sa.Column("has_sound", Flag, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("fk_notification_settings_shop_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notification_settings_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_settings")),
        sa.UniqueConstraint("shop_id", "user_id", name="uq_notification_settings_member"),
    )
    op.create_table(
        "notifications",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("user_id", TextC, nullable=False),
        sa.Column("way", TextC, nullable=False),
        sa.Column("topic", TextC, nullable=False),
        sa.Column("kind", TextC, nullable=False),
        sa.Column("event_id", TextC, nullable=False),
        sa.Column("subject_id", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("amount_minor", BigInt, nullable=True),
        sa.Column("currency", TextC, nullable=False),
        sa.Column("invoice_number", TextC, nullable=False),
        sa.Column("detail", TextC, nullable=False),
        sa.Column("status", TextC, nullable=False),
        sa.Column("delivery_id", TextC, nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_notifications_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("event_id", "user_id", "way", name="uq_notifications_event"),
    )
    op.create_table(
        "passkeys",
        sa.Column("id", TextC, nullable=False),
        sa.Column("user_id", TextC, nullable=False),
        sa.Column("credential_id", TextC, nullable=False),
        sa.Column("public_key", TextC, nullable=False),
        sa.Column("name", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("sign_count", BigInt, nullable=False),
        sa.Column("transports", TextC, nullable=False),
        sa.Column("is_backed_up", Flag, nullable=False),
        sa.Column("used_at_us", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_passkeys_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name="uq_passkeys_credential"),
    )
    op.create_table(
        "photos",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("media_type", TextC, nullable=False),
        sa.Column("width", BigInt, nullable=False),
        sa.Column("height", BigInt, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_photos_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photos")),
    )
    op.create_table(
        "reconciliation_runs",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("since_us", BigInt, nullable=False),
        sa.Column("until_us", BigInt, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("created_by", TextC, nullable=False),
        sa.Column("expected_count", BigInt, nullable=False),
        sa.Column("status", TextC, nullable=False),
        sa.Column("progress", TextC, nullable=False),
        sa.Column("payment_count", BigInt, nullable=False),
        sa.Column("refund_count", BigInt, nullable=False),
        sa.Column("suspected_count", BigInt, nullable=False),
        sa.Column("difference_count", BigInt, nullable=False),
        sa.Column("closed_count", BigInt, nullable=False),
        sa.Column("failure", TextC, nullable=False),
        sa.Column("failed_call_count", BigInt, nullable=False),
        sa.Column("resume_at_us", BigInt, nullable=False),
        sa.Column("updated_at_us", BigInt, nullable=False),
        sa.Column("finished_at_us", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("fk_reconciliation_runs_shop_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_runs")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("id", TextC, nullable=False),
        sa.Column("user_id", TextC, nullable=False),
        sa.Column("prefix", TextC, nullable=False),
        sa.Column("code_hash", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("used_at_us", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("user_id", "prefix", name="uq_recovery_codes_prefix"),
    )
    op.create_table(
        "refunded_payments",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("state", TextC, nullable=False),
        sa.Column("currency", TextC, nullable=False),
        sa.Column("refunded_minor", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("fk_refunded_payments_shop_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunded_payments")),
    )
    op.create_table(
        "reminder_settings",
        sa.Column("id", TextC, nullable=False),
        sa.Column("body", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["id"], ["shops.id"], name=op.f("fk_reminder_settings_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder_settings")),
    )
    op.create_table(
        "reminder_stops",
        sa.Column("client_hash", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("stopped_at_us", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_reminder_stops_shop_id")),
        sa.PrimaryKeyConstraint("client_hash", name=op.f("pk_reminder_stops")),
    )
    op.create_table(
        "retention_settings",
        sa.Column("id", TextC, nullable=False),
        sa.Column("body", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["id"], ["shops.id"], name=op.f("fk_retention_settings_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_settings")),
    )
    op.create_table(
        "saved_views",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("kind", TextC, nullable=False),
        sa.Column("user_id", TextC, nullable=False),
        sa.Column("name", TextC, nullable=False),
        sa.Column("filter_values", TextC, nullable=False),
        sa.Column("created_by", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_saved_views_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
    )
    op.create_table(
        "security_notices",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("user_id", TextC, nullable=False),
        sa.Column("kind", TextC, nullable=False),
        sa.Column("occurred_at_us", BigInt, nullable=False),
        sa.Column("detail_encrypted", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("fk_security_notices_shop_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_notices")),
    )
    op.create_table(
        "services",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("title", TextC, nullable=False),
        sa.Column("description", TextC, nullable=False),
        sa.Column("price_kind", TextC, nullable=False),
        sa.Column("amount_minor", BigInt, nullable=True),
        sa.Column("max_amount_minor", BigInt, nullable=True),
        sa.Column("currency", TextC, nullable=False),
        sa.Column("price_unit", TextC, nullable=False),
        sa.Column("category", TextC, nullable=False),
        sa.Column("external_id", TextC, nullable=False),
        sa.Column("photo_id", TextC, nullable=True),
        sa.Column("is_visible", Flag, nullable=False),
        sa.Column("position", BigInt, nullable=False),
        sa.Column("invoice_template", TextC, nullable=False),
        sa.Column("vk_connection_id", TextC, nullable=True),
        sa.Column("vk_item_id", BigInt, nullable=True),
        sa.Column("vk_synced_state", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("deleted_at_us", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_services_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_services")),
        sa.UniqueConstraint("vk_connection_id", "vk_item_id", name="uq_services_market_item"),
    )
    op.create_table(
        "telegram_bots",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("token_encrypted", TextC, nullable=False),
        sa.Column("api_url", TextC, nullable=False),
        sa.Column("username", TextC, nullable=False),
        sa.Column("update_offset", BigInt, nullable=False),
        sa.Column("polled_until_us", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_telegram_bots_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_telegram_bots")),
        sa.UniqueConstraint("shop_id", name="uq_telegram_bots_shop"),
    )
    op.create_table(
        "acquirer_notices",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("connection_id", TextC, nullable=False),
        sa.Column("event", TextC, nullable=False),
        sa.Column("object_id", TextC, nullable=False),
        sa.Column("claimed_id", TextC, nullable=False),
        sa.Column("digest", TextC, nullable=False),
        sa.Column("body_encrypted", TextC, nullable=False),
        sa.Column("received_at_us", BigInt, nullable=False),
        sa.Column("processed_at_us", BigInt, nullable=True),
        sa.Column("delete_at_us", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_acquirer_notices_connection_id")
        ),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("fk_acquirer_notices_shop_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acquirer_notices")),
        sa.UniqueConstraint("connection_id", "digest", name="uq_acquirer_notices_digest"),
    )
    op.create_table(
        "communities",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("group_id", BigInt, nullable=False),
        sa.Column("name", TextC, nullable=False),
        sa.Column("screen_name", TextC, nullable=False),
        sa.Column("photo_url", TextC, nullable=False),
        sa.Column("key_scopes", TextC, nullable=False),
        sa.Column("preferred_delivery", TextC, nullable=False),
        sa.Column("event_delivery", TextC, nullable=False),
        sa.Column("callback_secret_encrypted", TextC, nullable=False),
        sa.Column("confirmation_code", TextC, nullable=False),
        sa.Column("long_poll_ts", TextC, nullable=False),
        sa.Column("poll_lease_until_us", BigInt, nullable=False),
        sa.Column("poll_leased_by", TextC, nullable=False),
        sa.Column("last_contact_at_us", BigInt, nullable=False),
        sa.Column("caught_up_until_us", BigInt, nullable=False),
        sa.Column("error_code", TextC, nullable=False),
        sa.Column("error_since_us", BigInt, nullable=False),
        sa.Column("checked_at_us", BigInt, nullable=False),
        sa.Column("facts", TextC, nullable=False),
        sa.Column("market_access", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
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
        sa.Column("last_at_us", BigInt, nullable=False),
        sa.Column("last_incoming_at_us", BigInt, nullable=False),
        sa.Column("is_last_outgoing", Flag, nullable=False),
        sa.Column("preview_encrypted", TextC, nullable=False),
        sa.Column("last_cmid", BigInt, nullable=False),
        sa.Column("last_position", BigInt, nullable=False),
        sa.Column("unread_count", BigInt, nullable=False),
        sa.Column("is_unanswered", Flag, nullable=False),
        sa.Column("waiting_since_us", BigInt, nullable=False),
        sa.Column("blocked_reason", TextC, nullable=False),
        sa.Column("service_id", TextC, nullable=True),
        sa.Column("vk_ref", TextC, nullable=False),
        sa.Column("supported_buttons", TextC, nullable=False),
        sa.Column("typing_user_id", TextC, nullable=False),
        sa.Column("typing_until_us", BigInt, nullable=False),
        sa.Column("handled_by_operator", Flag, nullable=False),
        sa.Column("changed_at_us", BigInt, nullable=False),
        sa.Column("customer_id", TextC, nullable=True),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_conversations_connection_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_conversations_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        sa.UniqueConstraint("connection_id", "peer_id", name="uq_conversations_peer"),
    )
    op.create_table(
        "customer_identities",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("customer_id", TextC, nullable=False),
        sa.Column("kind", TextC, nullable=False),
        sa.Column("identity_hash", TextC, nullable=False),
        sa.Column("value_encrypted", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_customer_identities_customer_id")
        ),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("fk_customer_identities_shop_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_identities")),
        sa.UniqueConstraint("shop_id", "kind", "identity_hash", name="uq_customer_identities_hash"),
    )
    op.create_table(
        "customer_moved_rows",
        sa.Column("move_id", TextC, nullable=False),
        sa.Column("row_id", TextC, nullable=False),
        sa.ForeignKeyConstraint(
            ["move_id"], ["customer_moves.id"], name=op.f("fk_customer_moved_rows_move_id")
        ),
        sa.PrimaryKeyConstraint("move_id", "row_id", name=op.f("pk_customer_moved_rows")),
    )
    op.create_table(
        "customer_suggestions",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("customer_id", TextC, nullable=False),
        sa.Column("other_id", TextC, nullable=False),
        sa.Column("reason", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("dismissed_at_us", BigInt, nullable=True),
        sa.Column("dismissed_by", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_customer_suggestions_customer_id")
        ),
        sa.ForeignKeyConstraint(
            ["other_id"], ["customers.id"], name=op.f("fk_customer_suggestions_other_id")
        ),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("fk_customer_suggestions_shop_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_suggestions")),
        sa.UniqueConstraint("customer_id", "other_id", name="uq_customer_suggestions_pair"),
    )
    op.create_table(
        "differences",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("run_id", TextC, nullable=False),
        sa.Column("connection_id", TextC, nullable=False),
        sa.Column("kind", TextC, nullable=False),
        sa.Column("provider_id", TextC, nullable=False),
        sa.Column("payment_id", TextC, nullable=False),
        sa.Column("refund_id", TextC, nullable=False),
        sa.Column("invoice_id", TextC, nullable=False),
        sa.Column("our_status", TextC, nullable=False),
        sa.Column("our_amount_minor", BigInt, nullable=True),
        sa.Column("our_currency", TextC, nullable=False),
        sa.Column("their_status", TextC, nullable=False),
        sa.Column("their_amount_minor", BigInt, nullable=True),
        sa.Column("their_currency", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("found_at_us", BigInt, nullable=False),
        sa.Column("state", TextC, nullable=False),
        sa.Column("is_tried", Flag, nullable=False),
        sa.Column("closed_at_us", BigInt, nullable=True),
        sa.Column("closed_by", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_differences_connection_id")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["reconciliation_runs.id"], name=op.f("fk_differences_run_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_differences_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_differences")),
    )
    op.create_table(
        "export_parts",
        sa.Column("id", TextC, nullable=False),
        sa.Column("export_id", TextC, nullable=False),
        sa.Column("body_encrypted", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["export_id"], ["exports.id"], name=op.f("fk_export_parts_export_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_export_parts")),
    )
    op.create_table(
        "invoice_import_rows",
        sa.Column("id", TextC, nullable=False),
        sa.Column("batch_id", TextC, nullable=False),
        sa.Column("number", BigInt, nullable=False),
        sa.Column("content_encrypted", TextC, nullable=False),
        sa.Column("status", TextC, nullable=False),
        sa.Column("invoice_id", TextC, nullable=False),
        sa.Column("problem", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["invoice_imports.id"], name=op.f("fk_invoice_import_rows_batch_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_import_rows")),
    )
    op.create_table(
        "invoice_recipients",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("invoice_id", TextC, nullable=False),
        sa.Column("email_encrypted", TextC, nullable=False),
        sa.Column("email_hash", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("created_by", TextC, nullable=False),
        sa.Column("sent_at_us", BigInt, nullable=False),
        sa.Column("opened_at_us", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_invoice_recipients_invoice_id")
        ),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("fk_invoice_recipients_shop_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_recipients")),
    )
    op.create_table(
        "mail_contents",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("body_encrypted", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["id"], ["mails.id"], name=op.f("fk_mail_contents_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_mail_contents_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_contents")),
    )
    op.create_table(
        "payments",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("invoice_id", TextC, nullable=False),
        sa.Column("connection_id", TextC, nullable=False),
        sa.Column("provider", TextC, nullable=False),
        sa.Column("operation_key", TextC, nullable=False),
        sa.Column("provider_id", TextC, nullable=True),
        sa.Column("token", TextC, nullable=False),
        sa.Column("status", TextC, nullable=False),
        sa.Column("is_outcome_unknown", Flag, nullable=False),
        sa.Column("amount_minor", BigInt, nullable=False),
        sa.Column("currency", TextC, nullable=False),
        sa.Column("confirmation_url", TextC, nullable=False),
        sa.Column("payer_hash", TextC, nullable=False),
        sa.Column("form_nonce", TextC, nullable=False),
        sa.Column("has_email", Flag, nullable=False),
        sa.Column("locale", TextC, nullable=False),
        sa.Column("requested_action", TextC, nullable=False),
        sa.Column("requested_action_key", TextC, nullable=False),
        sa.Column("method", TextC, nullable=True),
        sa.Column("failure", TextC, nullable=False),
        sa.Column("attention", TextC, nullable=True),
        sa.Column("income_minor", BigInt, nullable=True),
        sa.Column("captured_at_us", BigInt, nullable=True),
        sa.Column("conversation_id", TextC, nullable=True),
        sa.Column("lost_call_at_us", BigInt, nullable=True),
        sa.Column("customer_id", TextC, nullable=True),
        sa.Column("service_id", TextC, nullable=False),
        sa.Column("issuer", TextC, nullable=False),
        sa.Column("source", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("method_kind", TextC, nullable=False),
        sa.Column("card_last4", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_payments_connection_id")
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_payments_invoice_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_payments_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("connection_id", "provider_id", name="uq_payments_provider_id"),
        sa.UniqueConstraint("operation_key", name="uq_payments_operation_key"),
        sa.UniqueConstraint("payer_hash", "invoice_id", "form_nonce", name="uq_payments_form"),
        sa.UniqueConstraint("token", name="uq_payments_token"),
    )
    op.create_table(
        "reminders",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("invoice_id", TextC, nullable=False),
        sa.Column("target_id", TextC, nullable=False),
        sa.Column("kind", TextC, nullable=False),
        sa.Column("message_id", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_reminders_invoice_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_reminders_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminders")),
        sa.UniqueConstraint("invoice_id", "target_id", "kind", name="uq_reminders_kind"),
    )
    op.create_table(
        "silenced_invoices",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("silenced_at_us", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["id"], ["invoices.id"], name=op.f("fk_silenced_invoices_id")),
        sa.ForeignKeyConstraint(
            ["shop_id"], ["shops.id"], name=op.f("fk_silenced_invoices_shop_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silenced_invoices")),
    )
    op.create_table(
        "vk_events",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("connection_id", TextC, nullable=False),
        sa.Column("conversation_key", TextC, nullable=False),
        sa.Column("type", TextC, nullable=False),
        sa.Column("digest", TextC, nullable=False),
        sa.Column("body_encrypted", TextC, nullable=False),
        sa.Column("received_at_us", BigInt, nullable=False),
        sa.Column("processed_at_us", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_vk_events_connection_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_vk_events_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vk_events")),
        sa.UniqueConstraint("connection_id", "digest", name="uq_vk_events_digest"),
    )
    op.create_table(
        "answers",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("invoice_id", TextC, nullable=False),
        sa.Column("payment_id", TextC, nullable=False),
        sa.Column("payer_hash", TextC, nullable=False),
        sa.Column("questions", TextC, nullable=False),
        sa.Column("values_encrypted", TextC, nullable=False),
        sa.Column("email_hash", TextC, nullable=False),
        sa.Column("phone_hash", TextC, nullable=False),
        sa.Column("shred_at_us", BigInt, nullable=True),
        sa.Column("erased_at_us", BigInt, nullable=True),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_answers_payment_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_answers_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answers")),
    )
    op.create_table(
        "cards",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("invoice_id", TextC, nullable=False),
        sa.Column("conversation_id", TextC, nullable=False),
        sa.Column("message_id", TextC, nullable=True),
        sa.Column("state", TextC, nullable=False),
        sa.Column("message_fingerprint", TextC, nullable=False),
        sa.Column("opened_at_us", BigInt, nullable=True),
        sa.Column("payer_hash", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
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
        "consents",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("invoice_id", TextC, nullable=False),
        sa.Column("payment_id", TextC, nullable=False),
        sa.Column("purpose", TextC, nullable=False),
        sa.Column("text", TextC, nullable=False),
        sa.Column("text_version", TextC, nullable=False),
        sa.Column("text_sha256", TextC, nullable=False),
        sa.Column("given_at_us", BigInt, nullable=False),
        sa.Column("evidence_encrypted", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_consents_payment_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_consents_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_table(
        "messages",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("conversation_id", TextC, nullable=False),
        sa.Column("is_outgoing", Flag, nullable=False),
        sa.Column("author", TextC, nullable=False),
        sa.Column("body_encrypted", TextC, nullable=False),
        sa.Column("written_at_us", BigInt, nullable=False),
        sa.Column("position", BigInt, nullable=False),
        sa.Column("status", TextC, nullable=False),
        sa.Column("cmid", BigInt, nullable=True),
        sa.Column("vk_id", BigInt, nullable=True),
        sa.Column("idempotency_key", TextC, nullable=True),
        sa.Column("random_id", BigInt, nullable=False),
        sa.Column("first_attempt_at_us", BigInt, nullable=True),
        sa.Column("failure", TextC, nullable=False),
        sa.Column("edited_at_us", BigInt, nullable=True),
        sa.Column("is_incomplete", Flag, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_messages_conversation_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_messages_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("conversation_id", "cmid", name="uq_messages_cmid"),
        sa.UniqueConstraint("shop_id", "idempotency_key", name="uq_messages_key"),
    )
    op.create_table(
        "receipts",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("payment_id", TextC, nullable=False),
        sa.Column("token", TextC, nullable=False),
        sa.Column("body", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_receipts_payment_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_receipts_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipts")),
        sa.UniqueConstraint("payment_id", name="uq_receipts_payment"),
        sa.UniqueConstraint("token", name="uq_receipts_token"),
    )
    op.create_table(
        "refunds",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("payment_id", TextC, nullable=False),
        sa.Column("invoice_id", TextC, nullable=False),
        sa.Column("connection_id", TextC, nullable=False),
        sa.Column("operation_key", TextC, nullable=False),
        sa.Column("provider_id", TextC, nullable=True),
        sa.Column("amount_minor", BigInt, nullable=False),
        sa.Column("currency", TextC, nullable=False),
        sa.Column("status", TextC, nullable=False),
        sa.Column("reason", TextC, nullable=False),
        sa.Column("is_outcome_unknown", Flag, nullable=False),
        sa.Column("failure", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("created_by", TextC, nullable=False),
        sa.Column("finished_at_us", BigInt, nullable=True),
        sa.Column("origin", TextC, nullable=False),
        sa.Column("lost_call_at_us", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_refunds_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("connection_id", "provider_id", name="uq_refunds_provider_id"),
        sa.UniqueConstraint("operation_key", name="uq_refunds_operation_key"),
    )
    op.create_table(
        "vk_orders",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("connection_id", TextC, nullable=False),
        sa.Column("conversation_id", TextC, nullable=False),
        sa.Column("vk_order_id", BigInt, nullable=False),
        sa.Column("vk_user_id", BigInt, nullable=False),
        sa.Column("display_id", TextC, nullable=False),
        sa.Column("amount_minor", BigInt, nullable=False),
        sa.Column("currency", TextC, nullable=False),
        sa.Column("status", BigInt, nullable=False),
        sa.Column("body_encrypted", TextC, nullable=False),
        sa.Column("invoice_id", TextC, nullable=True),
        sa.Column("vk_payment_status", TextC, nullable=False),
        sa.Column("created_at_us", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_vk_orders_connection_id")
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_vk_orders_conversation_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_vk_orders_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vk_orders")),
        sa.UniqueConstraint(
            "connection_id", "vk_user_id", "vk_order_id", name="uq_vk_orders_order"
        ),
    )
    op.create_index(
        "ix_acquirer_notices_delete",
        "acquirer_notices",
        ["delete_at_us"],
        unique=False,
        postgresql_where=sa.text("delete_at_us IS NOT NULL"),
        sqlite_where=sa.text("delete_at_us IS NOT NULL"),
    )
    op.create_index(
        "ix_acquirer_notices_object",
        "acquirer_notices",
        ["connection_id", "object_id", "id"],
        unique=False,
    )
    op.create_index("ix_acquirer_notices_shop", "acquirer_notices", ["shop_id", "id"], unique=False)
    op.create_index(
        "ix_answers_email",
        "answers",
        ["shop_id", "email_hash", "id"],
        unique=False,
        postgresql_where=sa.text("email_hash <> ''"),
        sqlite_where=sa.text("email_hash <> ''"),
    )
    op.create_index("ix_answers_payer", "answers", ["invoice_id", "payer_hash", "id"], unique=False)
    op.create_index("ix_answers_payment", "answers", ["payment_id", "id"], unique=False)
    op.create_index(
        "ix_answers_phone",
        "answers",
        ["shop_id", "phone_hash", "id"],
        unique=False,
        postgresql_where=sa.text("phone_hash <> ''"),
        sqlite_where=sa.text("phone_hash <> ''"),
    )
    op.create_index(
        "ix_answers_shred",
        "answers",
        ["shop_id", "shred_at_us", "id"],
        unique=False,
        postgresql_where=sa.text("shred_at_us IS NOT NULL"),
        sqlite_where=sa.text("shred_at_us IS NOT NULL"),
    )
    op.create_index(
        "ix_answers_stored",
        "answers",
        ["shop_id", "created_at_us", "id"],
        unique=False,
        postgresql_where=sa.text("values_encrypted <> ''"),
        sqlite_where=sa.text("values_encrypted <> ''"),
    )
    op.create_index("ix_api_keys_maker", "api_keys", ["created_by", "id"], unique=False)
    op.create_index("ix_api_keys_shop", "api_keys", ["shop_id", "id"], unique=False)
    op.create_index(
        "ix_audit_entries_actor", "audit_entries", ["chain", "actor", "number"], unique=False
    )
    op.create_index(
        "ix_audit_entries_actor_deed",
        "audit_entries",
        ["chain", "actor", "deed", "number"],
        unique=False,
    )
    op.create_index(
        "ix_audit_entries_deed", "audit_entries", ["chain", "deed", "number"], unique=False
    )
    op.create_index(
        "ix_audit_entries_time",
        "audit_entries",
        ["chain", "occurred_at_us", "number"],
        unique=False,
    )
    op.create_index("ix_cards_conversation", "cards", ["conversation_id", "id"], unique=False)
    op.create_index(
        "ix_cards_opened",
        "cards",
        ["shop_id", "opened_at_us", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('issued', 'opened') AND opened_at_us IS NOT NULL"),
        sqlite_where=sa.text("state IN ('issued', 'opened') AND opened_at_us IS NOT NULL"),
    )
    op.create_index(
        "ix_cards_unknown_content",
        "cards",
        ["shop_id", "invoice_id"],
        unique=False,
        postgresql_where=sa.text("message_fingerprint = '' AND message_id IS NOT NULL"),
        sqlite_where=sa.text("message_fingerprint = '' AND message_id IS NOT NULL"),
    )
    op.create_index(
        "ix_cards_unopened",
        "cards",
        ["shop_id", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'issued' AND opened_at_us IS NULL"),
        sqlite_where=sa.text("state = 'issued' AND opened_at_us IS NULL"),
    )
    op.create_index(
        "ix_communities_delivery",
        "communities",
        ["event_delivery", "poll_lease_until_us"],
        unique=False,
    )
    op.create_index("ix_connections_shop", "connections", ["shop_id", "status", "id"], unique=False)
    op.create_index("ix_consents_payment", "consents", ["payment_id", "id"], unique=False)
    op.create_index(
        "ix_consents_stored",
        "consents",
        ["shop_id", "given_at_us", "id"],
        unique=False,
        postgresql_where=sa.text("evidence_encrypted <> ''"),
        sqlite_where=sa.text("evidence_encrypted <> ''"),
    )
    op.create_index(
        "ix_conversations_changed", "conversations", ["shop_id", "changed_at_us"], unique=False
    )
    op.create_index(
        "ix_conversations_customer",
        "conversations",
        ["customer_id", "id"],
        unique=False,
        postgresql_where=sa.text("customer_id IS NOT NULL"),
        sqlite_where=sa.text("customer_id IS NOT NULL"),
    )
    op.create_index(
        "ix_conversations_latest", "conversations", ["shop_id", "last_at_us", "id"], unique=False
    )
    op.create_index(
        "ix_conversations_unanswered",
        "conversations",
        ["shop_id", "last_at_us", "id"],
        unique=False,
        postgresql_where=sa.text("is_unanswered = 1"),
        sqlite_where=sa.text("is_unanswered = 1"),
    )
    op.create_index(
        "ix_conversations_unread",
        "conversations",
        ["shop_id", "last_at_us", "id"],
        unique=False,
        postgresql_where=sa.text("unread_count > 0"),
        sqlite_where=sa.text("unread_count > 0"),
    )
    op.create_index(
        "ix_conversations_waiting",
        "conversations",
        ["shop_id", "waiting_since_us", "id"],
        unique=False,
        postgresql_where=sa.text("is_unanswered = 1"),
        sqlite_where=sa.text("is_unanswered = 1"),
    )
    op.create_index(
        "ix_customer_identities_customer",
        "customer_identities",
        ["customer_id", "id"],
        unique=False,
    )
    op.create_index("ix_customer_moves_from", "customer_moves", ["from_id", "id"], unique=False)
    op.create_index("ix_customer_moves_to", "customer_moves", ["to_id", "id"], unique=False)
    op.create_index(
        "ix_customer_suggestions_open",
        "customer_suggestions",
        ["shop_id", "id"],
        unique=False,
        postgresql_where=sa.text("dismissed_at_us IS NULL"),
        sqlite_where=sa.text("dismissed_at_us IS NULL"),
    )
    op.create_index(
        "ix_customer_suggestions_other",
        "customer_suggestions",
        ["other_id", "customer_id"],
        unique=False,
    )
    op.create_index(
        "ix_customer_tokens_customer",
        "customer_tokens",
        ["customer_id", "token_hash"],
        unique=False,
    )
    op.create_index(
        "ix_customers_activity",
        "customers",
        ["shop_id", "last_activity_at_us", "id"],
        unique=False,
        postgresql_where=sa.text("merged_into_id IS NULL"),
        sqlite_where=sa.text("merged_into_id IS NULL"),
    )
    op.create_index(
        "ix_customers_merged",
        "customers",
        ["merged_into_id", "id"],
        unique=False,
        postgresql_where=sa.text("merged_into_id IS NOT NULL"),
        sqlite_where=sa.text("merged_into_id IS NOT NULL"),
    )
    op.create_index(
        "ix_differences_object", "differences", ["connection_id", "provider_id"], unique=False
    )
    op.create_index("ix_differences_run", "differences", ["run_id", "state", "id"], unique=False)
    op.create_index("ix_erasures_shop", "erasures", ["shop_id", "id"], unique=False)
    op.create_index("ix_export_parts_export", "export_parts", ["export_id", "id"], unique=False)
    op.create_index("ix_exports_shop", "exports", ["shop_id", "id"], unique=False)
    op.create_index(
        "ix_exports_stored",
        "exports",
        ["shop_id", "id"],
        unique=False,
        postgresql_where=sa.text("status IN ('counting', 'writing', 'done')"),
        sqlite_where=sa.text("status IN ('counting', 'writing', 'done')"),
    )
    op.create_index(
        "ix_exports_unfinished",
        "exports",
        ["shop_id", "id"],
        unique=False,
        postgresql_where=sa.text("status IN ('counting', 'writing')"),
        sqlite_where=sa.text("status IN ('counting', 'writing')"),
    )
    op.create_index(
        "ix_idempotency_records_created", "idempotency_records", ["created_at_us"], unique=False
    )
    op.create_index("ix_invitations_expires", "invitations", ["expires_at_us"], unique=False)
    op.create_index(
        "ix_invitations_open",
        "invitations",
        ["shop_id", "id"],
        unique=False,
        postgresql_where=sa.text("accepted_at_us IS NULL AND revoked_at_us IS NULL"),
        sqlite_where=sa.text("accepted_at_us IS NULL AND revoked_at_us IS NULL"),
    )
    op.create_index(
        "ix_invoice_import_rows_batch", "invoice_import_rows", ["batch_id", "id"], unique=False
    )
    op.create_index(
        "ix_invoice_import_rows_status",
        "invoice_import_rows",
        ["batch_id", "status", "id"],
        unique=False,
    )
    op.create_index(
        "ix_invoice_imports_creating",
        "invoice_imports",
        ["shop_id", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'creating'"),
        sqlite_where=sa.text("status = 'creating'"),
    )
    op.create_index("ix_invoice_imports_shop", "invoice_imports", ["shop_id", "id"], unique=False)
    op.create_index(
        "ix_invoice_recipients_email",
        "invoice_recipients",
        ["shop_id", "email_hash", "id"],
        unique=False,
        postgresql_where=sa.text("email_hash <> ''"),
        sqlite_where=sa.text("email_hash <> ''"),
    )
    op.create_index(
        "ix_invoice_recipients_invoice", "invoice_recipients", ["invoice_id", "id"], unique=False
    )
    op.create_index(
        "ix_invoice_recipients_stored",
        "invoice_recipients",
        ["shop_id", "sent_at_us", "id"],
        unique=False,
        postgresql_where=sa.text("email_encrypted <> ''"),
        sqlite_where=sa.text("email_encrypted <> ''"),
    )
    op.create_index(
        "ix_invoices_amount",
        "invoices",
        ["shop_id", "amount_minor", "created_at_us", "id"],
        unique=False,
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
        "ix_invoices_customer",
        "invoices",
        ["customer_id", "id"],
        unique=False,
        postgresql_where=sa.text("customer_id IS NOT NULL"),
        sqlite_where=sa.text("customer_id IS NOT NULL"),
    )
    op.create_index(
        "ix_invoices_list",
        "invoices",
        [
            "shop_id",
            "created_at_us",
            "id",
            "status",
            "expires_at_us",
            "service_id",
            "created_by",
            "currency",
            "amount_minor",
        ],
        unique=False,
    )
    op.create_index(
        "ix_invoices_list_status",
        "invoices",
        ["shop_id", "status", "created_at_us", "id"],
        unique=False,
    )
    op.create_index(
        "ix_invoices_member",
        "invoices",
        ["shop_id", "created_by", "created_at_us", "id"],
        unique=False,
    )
    op.create_index(
        "ix_invoices_open",
        "invoices",
        ["shop_id", "expires_at_us", "max_payments", "currency", "amount_minor", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'open'"),
        sqlite_where=sa.text("status = 'open'"),
    )
    op.create_index(
        "ix_invoices_service",
        "invoices",
        ["shop_id", "service_id", "created_at_us", "id"],
        unique=False,
        postgresql_where=sa.text("service_id IS NOT NULL"),
        sqlite_where=sa.text("service_id IS NOT NULL"),
    )
    op.create_index("ix_invoices_shop", "invoices", ["shop_id", "id"], unique=False)
    op.create_index("ix_invoices_status", "invoices", ["shop_id", "status", "id"], unique=False)
    op.create_index(
        "ix_jobs_dead",
        "jobs",
        ["shop_id", "due_at_us", "kind", "subject_id"],
        unique=False,
        postgresql_where=sa.text("state = 'dead'"),
        sqlite_where=sa.text("state = 'dead'"),
    )
    op.create_index(
        "ix_jobs_due",
        "jobs",
        ["lane", "due_at_us"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
        sqlite_where=sa.text("state = 'queued'"),
    )
    op.create_index("ix_jobs_kind", "jobs", ["kind", "shop_id", "subject_id"], unique=False)
    op.create_index(
        "ix_jobs_shop_due",
        "jobs",
        ["lane", "shop_id", "due_at_us"],
        unique=False,
        postgresql_where=sa.text("state = 'queued'"),
        sqlite_where=sa.text("state = 'queued'"),
    )
    op.create_index("ix_jobs_state", "jobs", ["state"], unique=False)
    op.create_index(
        "ix_ledger_shop", "ledger", ["shop_id", "account", "booked_at_us"], unique=False
    )
    op.create_index(
        "ix_list_tokens_subject", "list_tokens", ["subject_id", "token_hash"], unique=False
    )
    op.create_index(
        "ix_mails_failed",
        "mails",
        ["shop_id", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'failed'"),
        sqlite_where=sa.text("status = 'failed'"),
    )
    op.create_index("ix_mails_payment", "mails", ["payment_id", "id"], unique=False)
    op.create_index(
        "ix_mails_stored",
        "mails",
        ["shop_id", "created_at_us", "id"],
        unique=False,
        postgresql_where=sa.text("recipient_masked <> ''"),
        sqlite_where=sa.text("recipient_masked <> ''"),
    )
    op.create_index("ix_members_user", "members", ["user_id", "shop_id"], unique=False)
    op.create_index(
        "ix_messages_position", "messages", ["conversation_id", "position", "id"], unique=False
    )
    op.create_index(
        "ix_messages_queued",
        "messages",
        ["shop_id", "conversation_id", "position", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'queued'"),
        sqlite_where=sa.text("status = 'queued'"),
    )
    op.create_index(
        "ix_messages_stored",
        "messages",
        ["shop_id", "written_at_us", "id"],
        unique=False,
        postgresql_where=sa.text("body_encrypted <> ''"),
        sqlite_where=sa.text("body_encrypted <> ''"),
    )
    op.create_index(
        "ix_messages_undelivered",
        "messages",
        ["conversation_id", "random_id"],
        unique=False,
        postgresql_where=sa.text("status IN ('queued', 'failed')"),
        sqlite_where=sa.text("status IN ('queued', 'failed')"),
    )
    op.create_index(
        "ix_notification_addresses_code",
        "notification_addresses",
        ["code_hash"],
        unique=False,
        postgresql_where=sa.text("code_hash <> ''"),
        sqlite_where=sa.text("code_hash <> ''"),
    )
    op.create_index(
        "ix_notification_addresses_hash",
        "notification_addresses",
        ["address_hash", "shop_id"],
        unique=False,
        postgresql_where=sa.text("address_hash <> ''"),
        sqlite_where=sa.text("address_hash <> ''"),
    )
    op.create_index(
        "ix_notification_addresses_member",
        "notification_addresses",
        ["shop_id", "user_id", "way", "id"],
        unique=False,
    )
    op.create_index(
        "ix_notification_deliveries_started",
        "notification_deliveries",
        ["started_at_us"],
        unique=False,
    )
    op.create_index(
        "ix_notification_deliveries_topic",
        "notification_deliveries",
        ["shop_id", "user_id", "way", "topic", "id"],
        unique=False,
    )
    op.create_index(
        "ix_notification_deliveries_way",
        "notification_deliveries",
        ["shop_id", "user_id", "way", "id"],
        unique=False,
    )
    op.create_index("ix_notifications_created", "notifications", ["created_at_us"], unique=False)
    op.create_index(
        "ix_notifications_delivery",
        "notifications",
        ["delivery_id", "id"],
        unique=False,
        postgresql_where=sa.text("delivery_id IS NOT NULL"),
        sqlite_where=sa.text("delivery_id IS NOT NULL"),
    )
    op.create_index(
        "ix_notifications_queued",
        "notifications",
        ["shop_id", "user_id", "way", "topic", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'queued'"),
        sqlite_where=sa.text("status = 'queued'"),
    )
    op.create_index("ix_passkeys_user", "passkeys", ["user_id", "id"], unique=False)
    op.create_index(
        "ix_password_resets_expires", "password_resets", ["expires_at_us"], unique=False
    )
    op.create_index(
        "ix_payments_amount",
        "payments",
        ["shop_id", "amount_minor", "created_at_us", "id"],
        unique=False,
    )
    op.create_index(
        "ix_payments_attention",
        "payments",
        ["shop_id", "id"],
        unique=False,
        postgresql_where=sa.text("attention IS NOT NULL"),
        sqlite_where=sa.text("attention IS NOT NULL"),
    )
    op.create_index(
        "ix_payments_authorized",
        "payments",
        ["shop_id", "invoice_id", "currency", "amount_minor"],
        unique=False,
        postgresql_where=sa.text("status = 'authorized'"),
        sqlite_where=sa.text("status = 'authorized'"),
    )
    op.create_index(
        "ix_payments_captured",
        "payments",
        ["shop_id", "captured_at_us", "id", "currency", "amount_minor"],
        unique=False,
        postgresql_where=sa.text("status = 'captured'"),
        sqlite_where=sa.text("status = 'captured'"),
    )
    op.create_index(
        "ix_payments_conversation",
        "payments",
        ["conversation_id", "id"],
        unique=False,
        postgresql_where=sa.text("conversation_id IS NOT NULL"),
        sqlite_where=sa.text("conversation_id IS NOT NULL"),
    )
    op.create_index(
        "ix_payments_customer",
        "payments",
        ["customer_id", "id"],
        unique=False,
        postgresql_where=sa.text("customer_id IS NOT NULL"),
        sqlite_where=sa.text("customer_id IS NOT NULL"),
    )
    op.create_index("ix_payments_invoice", "payments", ["invoice_id", "id"], unique=False)
    op.create_index(
        "ix_payments_last4",
        "payments",
        ["shop_id", "card_last4", "created_at_us", "id"],
        unique=False,
        postgresql_where=sa.text("card_last4 <> ''"),
        sqlite_where=sa.text("card_last4 <> ''"),
    )
    op.create_index(
        "ix_payments_list",
        "payments",
        [
            "shop_id",
            "created_at_us",
            "id",
            "status",
            "method_kind",
            "connection_id",
            "service_id",
            "issuer",
            "currency",
            "amount_minor",
        ],
        unique=False,
    )
    op.create_index(
        "ix_payments_member", "payments", ["shop_id", "issuer", "created_at_us", "id"], unique=False
    )
    op.create_index(
        "ix_payments_service",
        "payments",
        ["shop_id", "service_id", "created_at_us", "id"],
        unique=False,
        postgresql_where=sa.text("service_id <> ''"),
        sqlite_where=sa.text("service_id <> ''"),
    )
    op.create_index("ix_payments_shop", "payments", ["shop_id", "id"], unique=False)
    op.create_index(
        "ix_payments_status", "payments", ["shop_id", "status", "created_at_us", "id"], unique=False
    )
    op.create_index(
        "ix_payments_unfinished",
        "payments",
        ["invoice_id", "created_at_us"],
        unique=False,
        postgresql_where=sa.text("status IN ('created', 'pending')"),
        sqlite_where=sa.text("status IN ('created', 'pending')"),
    )
    op.create_index("ix_photos_created", "photos", ["created_at_us", "id"], unique=False)
    op.create_index("ix_photos_shop", "photos", ["shop_id"], unique=False)
    op.create_index("ix_rate_counters_expires", "rate_counters", ["expires_at_us"], unique=False)
    op.create_index(
        "ix_reconciliation_runs_shop", "reconciliation_runs", ["shop_id", "id"], unique=False
    )
    op.create_index(
        "ix_refunded_payments_shop",
        "refunded_payments",
        ["shop_id", "created_at_us", "id", "currency", "refunded_minor"],
        unique=False,
    )
    op.create_index(
        "ix_refunded_payments_state",
        "refunded_payments",
        ["shop_id", "state", "created_at_us", "id"],
        unique=False,
    )
    op.create_index(
        "ix_refunds_created_by", "refunds", ["shop_id", "created_by", "id"], unique=False
    )
    op.create_index(
        "ix_refunds_finished",
        "refunds",
        ["shop_id", "finished_at_us", "id", "currency", "amount_minor"],
        unique=False,
        postgresql_where=sa.text("status = 'succeeded'"),
        sqlite_where=sa.text("status = 'succeeded'"),
    )
    op.create_index("ix_refunds_payment", "refunds", ["payment_id", "id"], unique=False)
    op.create_index("ix_refunds_shop", "refunds", ["shop_id", "id"], unique=False)
    op.create_index(
        "ix_refunds_unfinished",
        "refunds",
        ["shop_id", "id"],
        unique=False,
        postgresql_where=sa.text("status IN ('pending', 'failed')"),
        sqlite_where=sa.text("status IN ('pending', 'failed')"),
    )
    op.create_index(
        "ix_saved_views_list", "saved_views", ["shop_id", "kind", "user_id", "id"], unique=False
    )
    op.create_index(
        "ix_search_tokens_conversation",
        "search_tokens",
        ["conversation_id", "token_hash"],
        unique=False,
    )
    op.create_index(
        "ix_security_notices_occurred", "security_notices", ["occurred_at_us"], unique=False
    )
    op.create_index(
        "ix_services_photo",
        "services",
        ["photo_id"],
        unique=False,
        postgresql_where=sa.text("photo_id IS NOT NULL"),
        sqlite_where=sa.text("photo_id IS NOT NULL"),
    )
    op.create_index(
        "ix_services_shop",
        "services",
        ["shop_id", "position", "id"],
        unique=False,
        postgresql_where=sa.text("deleted_at_us IS NULL"),
        sqlite_where=sa.text("deleted_at_us IS NULL"),
    )
    op.create_index("ix_sessions_expires", "sessions", ["expires_at_us"], unique=False)
    op.create_index("ix_sessions_user", "sessions", ["user_id", "shop_id"], unique=False)
    op.create_index(
        "ix_timeline_events_subject", "timeline_events", ["subject_id", "id"], unique=False
    )
    op.create_index(
        "ix_vk_events_conversation",
        "vk_events",
        ["connection_id", "conversation_key"],
        unique=False,
    )
    op.create_index(
        "ix_vk_events_processed",
        "vk_events",
        ["processed_at_us", "id"],
        unique=False,
        postgresql_where=sa.text("processed_at_us IS NOT NULL"),
        sqlite_where=sa.text("processed_at_us IS NOT NULL"),
    )
    op.create_index(
        "ix_vk_events_unprocessed",
        "vk_events",
        ["connection_id", "conversation_key", "id"],
        unique=False,
        postgresql_where=sa.text("processed_at_us IS NULL"),
        sqlite_where=sa.text("processed_at_us IS NULL"),
    )
    op.create_index(
        "ix_vk_orders_conversation", "vk_orders", ["conversation_id", "id"], unique=False
    )
    op.create_index("ix_vk_orders_invoice", "vk_orders", ["invoice_id"], unique=False)
    op.create_index(
        "ix_vk_orders_open",
        "vk_orders",
        ["connection_id", "created_at_us"],
        unique=False,
        postgresql_where=sa.text("status < 4"),
        sqlite_where=sa.text("status < 4"),
    )
    op.create_index(
        "ix_vk_orders_status", "vk_orders", ["connection_id", "vk_payment_status"], unique=False
    )
    op.create_index("ix_workers_alive", "workers", ["alive_until_us", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_workers_alive", table_name="workers")
    op.drop_index("ix_vk_orders_status", table_name="vk_orders")
    op.drop_index(
        "ix_vk_orders_open",
        table_name="vk_orders",
        postgresql_where=sa.text("status < 4"),
        sqlite_where=sa.text("status < 4"),
    )
    op.drop_index("ix_vk_orders_invoice", table_name="vk_orders")
    op.drop_index("ix_vk_orders_conversation", table_name="vk_orders")
    op.drop_index(
        "ix_vk_events_unprocessed",
        table_name="vk_events",
        postgresql_where=sa.text("processed_at_us IS NULL"),
        sqlite_where=sa.text("processed_at_us IS NULL"),
    )
    op.drop_index(
        "ix_vk_events_processed",
        table_name="vk_events",
        postgresql_where=sa.text("processed_at_us IS NOT NULL"),
        sqlite_where=sa.text("processed_at_us IS NOT NULL"),
    )
    op.drop_index("ix_vk_events_conversation", table_name="vk_events")
    op.drop_index("ix_timeline_events_subject", table_name="timeline_events")
    op.drop_index("ix_sessions_user", table_name="sessions")
    op.drop_index("ix_sessions_expires", table_name="sessions")
    op.drop_index(
        "ix_services_shop",
        table_name="services",
        postgresql_where=sa.text("deleted_at_us IS NULL"),
        sqlite_where=sa.text("deleted_at_us IS NULL"),
    )
    op.drop_index(
        "ix_services_photo",
        table_name="services",
        postgresql_where=sa.text("photo_id IS NOT NULL"),
        sqlite_where=sa.text("photo_id IS NOT NULL"),
    )
    op.drop_index("ix_security_notices_occurred", table_name="security_notices")
    op.drop_index("ix_search_tokens_conversation", table_name="search_tokens")
    op.drop_index("ix_saved_views_list", table_name="saved_views")
    op.drop_index(
        "ix_refunds_unfinished",
        table_name="refunds",
        postgresql_where=sa.text("status IN ('pending', 'failed')"),
        sqlite_where=sa.text("status IN ('pending', 'failed')"),
    )
    op.drop_index("ix_refunds_shop", table_name="refunds")
    op.drop_index("ix_refunds_payment", table_name="refunds")
    op.drop_index(
        "ix_refunds_finished",
        table_name="refunds",
        postgresql_where=sa.text("status = 'succeeded'"),
        sqlite_where=sa.text("status = 'succeeded'"),
    )
    op.drop_index("ix_refunds_created_by", table_name="refunds")
    op.drop_index("ix_refunded_payments_state", table_name="refunded_payments")
    op.drop_index("ix_refunded_payments_shop", table_name="refunded_payments")
    op.drop_index("ix_reconciliation_runs_shop", table_name="reconciliation_runs")
    op.drop_index("ix_rate_counters_expires", table_name="rate_counters")
    op.drop_index("ix_photos_shop", table_name="photos")
    op.drop_index("ix_photos_created", table_name="photos")
    op.drop_index(
        "ix_payments_unfinished",
        table_name="payments",
        postgresql_where=sa.text("status IN ('created', 'pending')"),
        sqlite_where=sa.text("status IN ('created', 'pending')"),
    )
    op.drop_index("ix_payments_status", table_name="payments")
    op.drop_index("ix_payments_shop", table_name="payments")
    op.drop_index(
        "ix_payments_service",
        table_name="payments",
        postgresql_where=sa.text("service_id <> ''"),
        sqlite_where=sa.text("service_id <> ''"),
    )
    op.drop_index("ix_payments_member", table_name="payments")
    op.drop_index("ix_payments_list", table_name="payments")
    op.drop_index(
        "ix_payments_last4",
        table_name="payments",
        postgresql_where=sa.text("card_last4 <> ''"),
        sqlite_where=sa.text("card_last4 <> ''"),
    )
    op.drop_index("ix_payments_invoice", table_name="payments")
    op.drop_index(
        "ix_payments_customer",
        table_name="payments",
        postgresql_where=sa.text("customer_id IS NOT NULL"),
        sqlite_where=sa.text("customer_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_payments_conversation",
        table_name="payments",
        postgresql_where=sa.text("conversation_id IS NOT NULL"),
        sqlite_where=sa.text("conversation_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_payments_captured",
        table_name="payments",
        postgresql_where=sa.text("status = 'captured'"),
        sqlite_where=sa.text("status = 'captured'"),
    )
    op.drop_index(
        "ix_payments_authorized",
        table_name="payments",
        postgresql_where=sa.text("status = 'authorized'"),
        sqlite_where=sa.text("status = 'authorized'"),
    )
    op.drop_index(
        "ix_payments_attention",
        table_name="payments",
        postgresql_where=sa.text("attention IS NOT NULL"),
        sqlite_where=sa.text("attention IS NOT NULL"),
    )
    op.drop_index("ix_payments_amount", table_name="payments")
    op.drop_index("ix_password_resets_expires", table_name="password_resets")
    op.drop_index("ix_passkeys_user", table_name="passkeys")
    op.drop_index(
        "ix_notifications_queued",
        table_name="notifications",
        postgresql_where=sa.text("status = 'queued'"),
        sqlite_where=sa.text("status = 'queued'"),
    )
    op.drop_index(
        "ix_notifications_delivery",
        table_name="notifications",
        postgresql_where=sa.text("delivery_id IS NOT NULL"),
        sqlite_where=sa.text("delivery_id IS NOT NULL"),
    )
    op.drop_index("ix_notifications_created", table_name="notifications")
    op.drop_index("ix_notification_deliveries_way", table_name="notification_deliveries")
    op.drop_index("ix_notification_deliveries_topic", table_name="notification_deliveries")
    op.drop_index("ix_notification_deliveries_started", table_name="notification_deliveries")
    op.drop_index("ix_notification_addresses_member", table_name="notification_addresses")
    op.drop_index(
        "ix_notification_addresses_hash",
        table_name="notification_addresses",
        postgresql_where=sa.text("address_hash <> ''"),
        sqlite_where=sa.text("address_hash <> ''"),
    )
    op.drop_index(
        "ix_notification_addresses_code",
        table_name="notification_addresses",
        postgresql_where=sa.text("code_hash <> ''"),
        sqlite_where=sa.text("code_hash <> ''"),
    )
    op.drop_index(
        "ix_messages_undelivered",
        table_name="messages",
        postgresql_where=sa.text("status IN ('queued', 'failed')"),
        sqlite_where=sa.text("status IN ('queued', 'failed')"),
    )
    op.drop_index(
        "ix_messages_stored",
        table_name="messages",
        postgresql_where=sa.text("body_encrypted <> ''"),
        sqlite_where=sa.text("body_encrypted <> ''"),
    )
    op.drop_index(
        "ix_messages_queued",
        table_name="messages",
        postgresql_where=sa.text("status = 'queued'"),
        sqlite_where=sa.text("status = 'queued'"),
    )
    op.drop_index("ix_messages_position", table_name="messages")
    op.drop_index("ix_members_user", table_name="members")
    op.drop_index(
        "ix_mails_stored",
        table_name="mails",
        postgresql_where=sa.text("recipient_masked <> ''"),
        sqlite_where=sa.text("recipient_masked <> ''"),
    )
    op.drop_index("ix_mails_payment", table_name="mails")
    op.drop_index(
        "ix_mails_failed",
        table_name="mails",
        postgresql_where=sa.text("status = 'failed'"),
        sqlite_where=sa.text("status = 'failed'"),
    )
    op.drop_index("ix_list_tokens_subject", table_name="list_tokens")
    op.drop_index("ix_ledger_shop", table_name="ledger")
    op.drop_index("ix_jobs_state", table_name="jobs")
    op.drop_index(
        "ix_jobs_shop_due",
        table_name="jobs",
        postgresql_where=sa.text("state = 'queued'"),
        sqlite_where=sa.text("state = 'queued'"),
    )
    op.drop_index("ix_jobs_kind", table_name="jobs")
    op.drop_index(
        "ix_jobs_due",
        table_name="jobs",
        postgresql_where=sa.text("state = 'queued'"),
        sqlite_where=sa.text("state = 'queued'"),
    )
    op.drop_index(
        "ix_jobs_dead",
        table_name="jobs",
        postgresql_where=sa.text("state = 'dead'"),
        sqlite_where=sa.text("state = 'dead'"),
    )
    op.drop_index("ix_invoices_status", table_name="invoices")
    op.drop_index("ix_invoices_shop", table_name="invoices")
    op.drop_index(
        "ix_invoices_service",
        table_name="invoices",
        postgresql_where=sa.text("service_id IS NOT NULL"),
        sqlite_where=sa.text("service_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_invoices_open",
        table_name="invoices",
        postgresql_where=sa.text("status = 'open'"),
        sqlite_where=sa.text("status = 'open'"),
    )
    op.drop_index("ix_invoices_member", table_name="invoices")
    op.drop_index("ix_invoices_list_status", table_name="invoices")
    op.drop_index("ix_invoices_list", table_name="invoices")
    op.drop_index(
        "ix_invoices_customer",
        table_name="invoices",
        postgresql_where=sa.text("customer_id IS NOT NULL"),
        sqlite_where=sa.text("customer_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_invoices_conversation",
        table_name="invoices",
        postgresql_where=sa.text("conversation_id IS NOT NULL"),
        sqlite_where=sa.text("conversation_id IS NOT NULL"),
    )
    op.drop_index("ix_invoices_amount", table_name="invoices")
    op.drop_index(
        "ix_invoice_recipients_stored",
        table_name="invoice_recipients",
        postgresql_where=sa.text("email_encrypted <> ''"),
        sqlite_where=sa.text("email_encrypted <> ''"),
    )
    op.drop_index("ix_invoice_recipients_invoice", table_name="invoice_recipients")
    op.drop_index(
        "ix_invoice_recipients_email",
        table_name="invoice_recipients",
        postgresql_where=sa.text("email_hash <> ''"),
        sqlite_where=sa.text("email_hash <> ''"),
    )
    op.drop_index("ix_invoice_imports_shop", table_name="invoice_imports")
    op.drop_index(
        "ix_invoice_imports_creating",
        table_name="invoice_imports",
        postgresql_where=sa.text("status = 'creating'"),
        sqlite_where=sa.text("status = 'creating'"),
    )
    op.drop_index("ix_invoice_import_rows_status", table_name="invoice_import_rows")
    op.drop_index("ix_invoice_import_rows_batch", table_name="invoice_import_rows")
    op.drop_index(
        "ix_invitations_open",
        table_name="invitations",
        postgresql_where=sa.text("accepted_at_us IS NULL AND revoked_at_us IS NULL"),
        sqlite_where=sa.text("accepted_at_us IS NULL AND revoked_at_us IS NULL"),
    )
    op.drop_index("ix_invitations_expires", table_name="invitations")
    op.drop_index("ix_idempotency_records_created", table_name="idempotency_records")
    op.drop_index(
        "ix_exports_unfinished",
        table_name="exports",
        postgresql_where=sa.text("status IN ('counting', 'writing')"),
        sqlite_where=sa.text("status IN ('counting', 'writing')"),
    )
    op.drop_index(
        "ix_exports_stored",
        table_name="exports",
        postgresql_where=sa.text("status IN ('counting', 'writing', 'done')"),
        sqlite_where=sa.text("status IN ('counting', 'writing', 'done')"),
    )
    op.drop_index("ix_exports_shop", table_name="exports")
    op.drop_index("ix_export_parts_export", table_name="export_parts")
    op.drop_index("ix_erasures_shop", table_name="erasures")
    op.drop_index("ix_differences_run", table_name="differences")
    op.drop_index("ix_differences_object", table_name="differences")
    op.drop_index(
        "ix_customers_merged",
        table_name="customers",
        postgresql_where=sa.text("merged_into_id IS NOT NULL"),
        sqlite_where=sa.text("merged_into_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_customers_activity",
        table_name="customers",
        postgresql_where=sa.text("merged_into_id IS NULL"),
        sqlite_where=sa.text("merged_into_id IS NULL"),
    )
    op.drop_index("ix_customer_tokens_customer", table_name="customer_tokens")
    op.drop_index("ix_customer_suggestions_other", table_name="customer_suggestions")
    op.drop_index(
        "ix_customer_suggestions_open",
        table_name="customer_suggestions",
        postgresql_where=sa.text("dismissed_at_us IS NULL"),
        sqlite_where=sa.text("dismissed_at_us IS NULL"),
    )
    op.drop_index("ix_customer_moves_to", table_name="customer_moves")
    op.drop_index("ix_customer_moves_from", table_name="customer_moves")
    op.drop_index("ix_customer_identities_customer", table_name="customer_identities")
    op.drop_index(
        "ix_conversations_waiting",
        table_name="conversations",
        postgresql_where=sa.text("is_unanswered = 1"),
        sqlite_where=sa.text("is_unanswered = 1"),
    )
    op.drop_index(
        "ix_conversations_unread",
        table_name="conversations",
        postgresql_where=sa.text("unread_count > 0"),
        sqlite_where=sa.text("unread_count > 0"),
    )
    op.drop_index(
        "ix_conversations_unanswered",
        table_name="conversations",
        postgresql_where=sa.text("is_unanswered = 1"),
        sqlite_where=sa.text("is_unanswered = 1"),
    )
    op.drop_index("ix_conversations_latest", table_name="conversations")
    op.drop_index(
        "ix_conversations_customer",
        table_name="conversations",
        postgresql_where=sa.text("customer_id IS NOT NULL"),
        sqlite_where=sa.text("customer_id IS NOT NULL"),
    )
    op.drop_index("ix_conversations_changed", table_name="conversations")
    op.drop_index(
        "ix_consents_stored",
        table_name="consents",
        postgresql_where=sa.text("evidence_encrypted <> ''"),
        sqlite_where=sa.text("evidence_encrypted <> ''"),
    )
    op.drop_index("ix_consents_payment", table_name="consents")
    op.drop_index("ix_connections_shop", table_name="connections")
    op.drop_index("ix_communities_delivery", table_name="communities")
    op.drop_index(
        "ix_cards_unopened",
        table_name="cards",
        postgresql_where=sa.text("state = 'issued' AND opened_at_us IS NULL"),
        sqlite_where=sa.text("state = 'issued' AND opened_at_us IS NULL"),
    )
    op.drop_index(
        "ix_cards_unknown_content",
        table_name="cards",
        postgresql_where=sa.text("message_fingerprint = '' AND message_id IS NOT NULL"),
        sqlite_where=sa.text("message_fingerprint = '' AND message_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_cards_opened",
        table_name="cards",
        postgresql_where=sa.text("state IN ('issued', 'opened') AND opened_at_us IS NOT NULL"),
        sqlite_where=sa.text("state IN ('issued', 'opened') AND opened_at_us IS NOT NULL"),
    )
    op.drop_index("ix_cards_conversation", table_name="cards")
    op.drop_index("ix_audit_entries_time", table_name="audit_entries")
    op.drop_index("ix_audit_entries_deed", table_name="audit_entries")
    op.drop_index("ix_audit_entries_actor_deed", table_name="audit_entries")
    op.drop_index("ix_audit_entries_actor", table_name="audit_entries")
    op.drop_index("ix_api_keys_shop", table_name="api_keys")
    op.drop_index("ix_api_keys_maker", table_name="api_keys")
    op.drop_index(
        "ix_answers_stored",
        table_name="answers",
        postgresql_where=sa.text("values_encrypted <> ''"),
        sqlite_where=sa.text("values_encrypted <> ''"),
    )
    op.drop_index(
        "ix_answers_shred",
        table_name="answers",
        postgresql_where=sa.text("shred_at_us IS NOT NULL"),
        sqlite_where=sa.text("shred_at_us IS NOT NULL"),
    )
    op.drop_index(
        "ix_answers_phone",
        table_name="answers",
        postgresql_where=sa.text("phone_hash <> ''"),
        sqlite_where=sa.text("phone_hash <> ''"),
    )
    op.drop_index("ix_answers_payment", table_name="answers")
    op.drop_index("ix_answers_payer", table_name="answers")
    op.drop_index(
        "ix_answers_email",
        table_name="answers",
        postgresql_where=sa.text("email_hash <> ''"),
        sqlite_where=sa.text("email_hash <> ''"),
    )
    op.drop_index("ix_acquirer_notices_shop", table_name="acquirer_notices")
    op.drop_index("ix_acquirer_notices_object", table_name="acquirer_notices")
    op.drop_index(
        "ix_acquirer_notices_delete",
        table_name="acquirer_notices",
        postgresql_where=sa.text("delete_at_us IS NOT NULL"),
        sqlite_where=sa.text("delete_at_us IS NOT NULL"),
    )
    op.drop_table("vk_orders")
    op.drop_table("refunds")
    op.drop_table("receipts")
    op.drop_table("messages")
    op.drop_table("consents")
    op.drop_table("cards")
    op.drop_table("answers")
    op.drop_table("vk_events")
    op.drop_table("silenced_invoices")
    op.drop_table("reminders")
    op.drop_table("payments")
    op.drop_table("mail_contents")
    op.drop_table("invoice_recipients")
    op.drop_table("invoice_import_rows")
    op.drop_table("export_parts")
    op.drop_table("differences")
    op.drop_table("customer_suggestions")
    op.drop_table("customer_moved_rows")
    op.drop_table("customer_identities")
    op.drop_table("conversations")
    op.drop_table("communities")
    op.drop_table("acquirer_notices")
    op.drop_table("telegram_bots")
    op.drop_table("services")
    op.drop_table("security_notices")
    op.drop_table("saved_views")
    op.drop_table("retention_settings")
    op.drop_table("reminder_stops")
    op.drop_table("reminder_settings")
    op.drop_table("refunded_payments")
    op.drop_table("recovery_codes")
    op.drop_table("reconciliation_runs")
    op.drop_table("photos")
    op.drop_table("passkeys")
    op.drop_table("notifications")
    op.drop_table("notification_settings")
    op.drop_table("notification_deliveries")
    op.drop_table("notification_addresses")
    op.drop_table("members")
    op.drop_table("mails")
    op.drop_table("invoices")
    op.drop_table("invoice_imports")
    op.drop_table("invitations")
    op.drop_table("exports")
    op.drop_table("erasures")
    op.drop_table("customers")
    op.drop_table("customer_moves")
    op.drop_table("connections")
    op.drop_table("auto_reply_settings")
    op.drop_table("authenticator_apps")
    op.drop_table("api_keys")
    op.drop_table("administrators")
    op.drop_table("write_probes")
    op.drop_table("workers")
    op.drop_table("users")
    op.drop_table("timeline_events")
    op.drop_table("shops")
    op.drop_table("sessions")
    op.drop_table("search_tokens")
    op.drop_table("rate_counters")
    op.drop_table("password_resets")
    op.drop_table("list_tokens")
    op.drop_table("ledger")
    op.drop_table("key_rotations")
    op.drop_table("jobs")
    op.drop_table("installation_keys")
    op.drop_table("idempotency_records")
    op.drop_table("former_members")
    op.drop_table("figure_totals")
    op.drop_table("erased_peers")
    op.drop_table("customer_tokens")
    op.drop_table("counters")
    op.drop_table("audit_entries")
    op.drop_table("audit_chains")
