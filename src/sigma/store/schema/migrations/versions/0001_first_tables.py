"""First tables.

Works on both databases: column types come from `sigma.store.schema.columns`, and tables are changed in
`op.batch_alter_table`, for SQLite can only copy them.
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
        "counters",
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("name", TextC, nullable=False),
        sa.Column("value", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "name", name=op.f("pk_counters")),
    )
    op.create_table(
        "happenings",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("subject", TextC, nullable=False),
        sa.Column("kind", TextC, nullable=False),
        sa.Column("at", BigInt, nullable=False),
        sa.Column("actor", TextC, nullable=False),
        sa.Column("detail", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_happenings")),
    )
    op.create_table(
        "jobs",
        sa.Column("kind", TextC, nullable=False),
        sa.Column("subject", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("due_at", BigInt, nullable=False),
        sa.Column("lease_until", BigInt, nullable=False),
        sa.Column("attempts", BigInt, nullable=False),
        sa.Column("generation", BigInt, nullable=False),
        sa.Column("state", TextC, nullable=False),
        sa.Column("last_error", TextC, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject", name=op.f("pk_jobs")),
    )
    op.create_table(
        "ledger",
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("kind", TextC, nullable=False),
        sa.Column("subject", TextC, nullable=False),
        sa.Column("line", BigInt, nullable=False),
        sa.Column("account", TextC, nullable=False),
        sa.Column("amount_minor", BigInt, nullable=False),
        sa.Column("currency", TextC, nullable=False),
        sa.Column("at", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject", "line", name=op.f("pk_ledger")),
    )
    op.create_table(
        "requests",
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("key", TextC, nullable=False),
        sa.Column("fingerprint", TextC, nullable=False),
        sa.Column("status", BigInt, nullable=False),
        sa.Column("body", TextC, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "key", name="pk_requests"),
    )
    op.create_table(
        "sessions",
        sa.Column("secret_hash", TextC, nullable=False),
        sa.Column("user_id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("csrf", TextC, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("expires_at", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("secret_hash", name=op.f("pk_sessions")),
    )
    op.create_table(
        "shops",
        sa.Column("id", TextC, nullable=False),
        sa.Column("name", TextC, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("seller", TextC, nullable=False),
        sa.Column("tz", TextC, nullable=False),
        sa.Column("locale", TextC, nullable=False),
        sa.Column("accent", TextC, nullable=False),
        sa.Column("return_url", TextC, nullable=False),
        sa.Column("consent_text", TextC, nullable=False),
        sa.Column("consent_version", BigInt, nullable=False),
        sa.Column("mail_from_name", TextC, nullable=False),
        sa.Column("mail_reply_to", TextC, nullable=False),
        sa.Column("smtp_sealed", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shops")),
    )
    op.create_table(
        "users",
        sa.Column("id", TextC, nullable=False),
        sa.Column("login", TextC, nullable=False),
        sa.Column("password_hash", TextC, nullable=False),
        sa.Column("name", TextC, nullable=False),
        sa.Column("locale", TextC, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("login", name="uq_users_login"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("name", TextC, nullable=False),
        sa.Column("prefix", TextC, nullable=False),
        sa.Column("secret_hash", TextC, nullable=False),
        sa.Column("role", TextC, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("used_at", BigInt, nullable=False),
        sa.Column("revoked_at", BigInt, nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_api_keys_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("secret_hash", name="uq_api_keys_secret"),
    )
    op.create_table(
        "connections",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("provider", TextC, nullable=False),
        sa.Column("title", TextC, nullable=False),
        sa.Column("account", TextC, nullable=False),
        sa.Column("secret_sealed", TextC, nullable=False),
        sa.Column("settings", TextC, nullable=False),
        sa.Column("status", TextC, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("checked_at", BigInt, nullable=False),
        sa.Column("check_ok", Flag, nullable=False),
        sa.Column("check_detail", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_connections_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
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
        sa.Column("expires_at", BigInt, nullable=True),
        sa.Column("return_url", TextC, nullable=False),
        sa.Column("metadata", TextC, nullable=False),
        sa.Column("search", TextC, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("created_by", TextC, nullable=False),
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
        sa.Column("subject", TextC, nullable=False),
        sa.Column("number", BigInt, nullable=False),
        sa.Column("payment_id", TextC, nullable=False),
        sa.Column("status", TextC, nullable=False),
        sa.Column("to_masked", TextC, nullable=False),
        sa.Column("answer", TextC, nullable=False),
        sa.Column("attempts", BigInt, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("sent_at", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_mails_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
        sa.UniqueConstraint("kind", "subject", "number", name="uq_mails_subject"),
    )
    op.create_table(
        "members",
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("user_id", TextC, nullable=False),
        sa.Column("role", TextC, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_members_user_id")),
        sa.PrimaryKeyConstraint("shop_id", "user_id", name=op.f("pk_members")),
    )
    op.create_table(
        "notices",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("connection_id", TextC, nullable=False),
        sa.Column("event", TextC, nullable=False),
        sa.Column("object_id", TextC, nullable=False),
        sa.Column("our_id", TextC, nullable=False),
        sa.Column("digest", TextC, nullable=False),
        sa.Column("body_sealed", TextC, nullable=False),
        sa.Column("received_at", BigInt, nullable=False),
        sa.Column("handled_at", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_notices_connection_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_notices_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("connection_id", "digest", name="uq_notices_digest"),
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
        sa.Column("unknown", Flag, nullable=False),
        sa.Column("amount_minor", BigInt, nullable=False),
        sa.Column("currency", TextC, nullable=False),
        sa.Column("confirmation_url", TextC, nullable=False),
        sa.Column("payer", TextC, nullable=False),
        sa.Column("nonce", TextC, nullable=False),
        sa.Column("wants_mail", Flag, nullable=False),
        sa.Column("locale", TextC, nullable=False),
        sa.Column("wanted", TextC, nullable=False),
        sa.Column("wanted_key", TextC, nullable=False),
        sa.Column("method", TextC, nullable=True),
        sa.Column("failure", TextC, nullable=False),
        sa.Column("attention", TextC, nullable=True),
        sa.Column("income_minor", BigInt, nullable=True),
        sa.Column("captured_at", BigInt, nullable=True),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_payments_connection_id")
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_payments_invoice_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_payments_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("connection_id", "provider_id", name="uq_payments_provider"),
        sa.UniqueConstraint("invoice_id", "payer", "nonce", name="uq_payments_form"),
        sa.UniqueConstraint("operation_key", name="uq_payments_operation"),
        sa.UniqueConstraint("token", name="uq_payments_token"),
    )
    op.create_table(
        "answers",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("invoice_id", TextC, nullable=False),
        sa.Column("payment_id", TextC, nullable=False),
        sa.Column("payer", TextC, nullable=False),
        sa.Column("questions", TextC, nullable=False),
        sa.Column("sealed", TextC, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_answers_payment_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_answers_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answers")),
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
        sa.Column("given_at", BigInt, nullable=False),
        sa.Column("evidence_sealed", TextC, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_consents_payment_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_consents_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_table(
        "receipts",
        sa.Column("id", TextC, nullable=False),
        sa.Column("shop_id", TextC, nullable=False),
        sa.Column("payment_id", TextC, nullable=False),
        sa.Column("token", TextC, nullable=False),
        sa.Column("body", TextC, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
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
        sa.Column("unknown", Flag, nullable=False),
        sa.Column("failure", TextC, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("created_by", TextC, nullable=False),
        sa.Column("finished_at", BigInt, nullable=True),
        sa.Column("version", BigInt, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_refunds_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("connection_id", "provider_id", name="uq_refunds_provider"),
        sa.UniqueConstraint("operation_key", name="uq_refunds_operation"),
    )
    op.create_index("ix_answers_payer", "answers", ["invoice_id", "payer", "id"], unique=False)
    op.create_index("ix_answers_payment", "answers", ["payment_id", "id"], unique=False)
    op.create_index("ix_api_keys_shop", "api_keys", ["shop_id", "id"], unique=False)
    op.create_index("ix_connections_shop", "connections", ["shop_id", "status", "id"], unique=False)
    op.create_index("ix_consents_payment", "consents", ["payment_id", "id"], unique=False)
    op.create_index("ix_happenings_subject", "happenings", ["subject", "id"], unique=False)
    op.create_index("ix_invoices_shop", "invoices", ["shop_id", "id"], unique=False)
    op.create_index("ix_invoices_status", "invoices", ["shop_id", "status", "id"], unique=False)
    op.create_index("ix_jobs_due", "jobs", ["state", "due_at"], unique=False)
    op.create_index("ix_jobs_shop", "jobs", ["shop_id", "state"], unique=False)
    op.create_index("ix_ledger_shop", "ledger", ["shop_id", "account", "at"], unique=False)
    op.create_index("ix_mails_payment", "mails", ["payment_id", "id"], unique=False)
    op.create_index("ix_members_user", "members", ["user_id"], unique=False)
    op.create_index(
        "ix_notices_object", "notices", ["connection_id", "object_id", "id"], unique=False
    )
    op.create_index(
        "ix_payments_attention",
        "payments",
        ["shop_id", "id"],
        unique=False,
        postgresql_where=sa.text("attention IS NOT NULL"),
        sqlite_where=sa.text("attention IS NOT NULL"),
    )
    op.create_index("ix_payments_captured", "payments", ["shop_id", "captured_at"], unique=False)
    op.create_index("ix_payments_invoice", "payments", ["invoice_id", "id"], unique=False)
    op.create_index("ix_payments_shop", "payments", ["shop_id", "id"], unique=False)
    op.create_index("ix_payments_status", "payments", ["shop_id", "status", "id"], unique=False)
    op.create_index("ix_refunds_payment", "refunds", ["payment_id", "id"], unique=False)
    op.create_index("ix_requests_created", "requests", ["created_at"], unique=False)
    op.create_index("ix_sessions_user", "sessions", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_sessions_user", table_name="sessions")
    op.drop_index("ix_requests_created", table_name="requests")
    op.drop_index("ix_refunds_payment", table_name="refunds")
    op.drop_index("ix_payments_status", table_name="payments")
    op.drop_index("ix_payments_shop", table_name="payments")
    op.drop_index("ix_payments_invoice", table_name="payments")
    op.drop_index("ix_payments_captured", table_name="payments")
    op.drop_index(
        "ix_payments_attention",
        table_name="payments",
        postgresql_where=sa.text("attention IS NOT NULL"),
        sqlite_where=sa.text("attention IS NOT NULL"),
    )
    op.drop_index("ix_notices_object", table_name="notices")
    op.drop_index("ix_members_user", table_name="members")
    op.drop_index("ix_mails_payment", table_name="mails")
    op.drop_index("ix_ledger_shop", table_name="ledger")
    op.drop_index("ix_jobs_shop", table_name="jobs")
    op.drop_index("ix_jobs_due", table_name="jobs")
    op.drop_index("ix_invoices_status", table_name="invoices")
    op.drop_index("ix_invoices_shop", table_name="invoices")
    op.drop_index("ix_happenings_subject", table_name="happenings")
    op.drop_index("ix_consents_payment", table_name="consents")
    op.drop_index("ix_connections_shop", table_name="connections")
    op.drop_index("ix_api_keys_shop", table_name="api_keys")
    op.drop_index("ix_answers_payment", table_name="answers")
    op.drop_index("ix_answers_payer", table_name="answers")
    op.drop_table("refunds")
    op.drop_table("receipts")
    op.drop_table("consents")
    op.drop_table("answers")
    op.drop_table("payments")
    op.drop_table("notices")
    op.drop_table("members")
    op.drop_table("mails")
    op.drop_table("invoices")
    op.drop_table("connections")
    op.drop_table("api_keys")
    op.drop_table("users")
    op.drop_table("shops")
    op.drop_table("sessions")
    op.drop_table("requests")
    op.drop_table("ledger")
    op.drop_table("jobs")
    op.drop_table("happenings")
    op.drop_table("counters")
