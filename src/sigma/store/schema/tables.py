"""All tables.

Columns are BIGINT, INTEGER or TEXT only, so rows need no processing on either database.

Every row belongs to one shop. Amounts are minor units, times are UTC microseconds, `*_sealed`
columns hold ciphertext: answers and credentials are never stored in the clear.
"""

from sqlalchemy import Column, ForeignKey, Index, MetaData, PrimaryKeyConstraint, Table, text
from sqlalchemy import UniqueConstraint as Unique

from sigma.store.schema.columns import BigInt, Flag, Json, TextC, id_, int_, shop_, text_

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)


shops = Table(
    "shops",
    metadata,
    id_(),
    text_("name"),
    int_("created_at"),
    Column("seller", Json, nullable=False),
    text_("tz"),
    text_("locale"),
    text_("accent"),
    text_("return_url"),
    text_("consent_text"),
    int_("consent_version"),
    text_("mail_from_name"),
    text_("mail_reply_to"),
    text_("smtp_sealed"),
    Column("slug", TextC),
    int_("version"),
    Unique("slug", name="uq_shops_slug"),
)

counters = Table(
    "counters",
    metadata,
    text_("shop_id"),
    text_("name"),
    int_("value"),
    PrimaryKeyConstraint("shop_id", "name"),
)

users = Table(
    "users",
    metadata,
    id_(),
    text_("login"),
    text_("password_hash"),
    text_("name"),
    text_("locale"),
    int_("created_at"),
    int_("version"),
    Unique("login", name="uq_users_login"),
)

members = Table(
    "members",
    metadata,
    text_("shop_id"),
    Column("user_id", TextC, ForeignKey("users.id"), nullable=False),
    text_("role"),
    int_("created_at"),
    PrimaryKeyConstraint("shop_id", "user_id"),
    Index("ix_members_user", "user_id"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("secret_hash", TextC, primary_key=True),
    text_("user_id"),
    text_("shop_id"),
    text_("csrf"),
    int_("created_at"),
    int_("expires_at"),
    Index("ix_sessions_user", "user_id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    id_(),
    shop_(),
    text_("name"),
    text_("prefix"),
    text_("secret_hash"),
    text_("role"),
    int_("created_at"),
    int_("used_at"),
    Column("revoked_at", BigInt),
    Unique("secret_hash", name="uq_api_keys_secret"),
    Index("ix_api_keys_shop", "shop_id", "id"),
)

connections = Table(
    "connections",
    metadata,
    id_(),
    shop_(),
    text_("provider"),
    text_("title"),
    text_("account"),
    text_("secret_sealed"),
    Column("settings", Json, nullable=False),
    text_("status"),
    int_("created_at"),
    int_("checked_at"),
    Column("check_ok", Flag, nullable=False),
    text_("check_detail"),
    int_("version"),
    Index("ix_connections_shop", "shop_id", "status", "id"),
)

invoices = Table(
    "invoices",
    metadata,
    id_(),
    shop_(),
    int_("number"),
    text_("token"),
    text_("status"),
    text_("title"),
    text_("description"),
    int_("amount_minor"),
    text_("currency"),
    Column("items", Json, nullable=False),
    Column("questions", Json, nullable=False),
    Column("max_payments", BigInt),
    int_("paid_count"),
    Column("expires_at", BigInt),
    text_("return_url"),
    Column("metadata", Json, nullable=False),
    text_("search"),
    int_("created_at"),
    text_("created_by"),
    Column("conversation_id", TextC),
    Column("service_id", TextC),
    int_("version"),
    Unique("token", name="uq_invoices_token"),
    Unique("shop_id", "number", name="uq_invoices_number"),
    Index("ix_invoices_shop", "shop_id", "id"),
    Index("ix_invoices_status", "shop_id", "status", "id"),
    Index(
        "ix_invoices_conversation",
        "conversation_id",
        "id",
        postgresql_where=text("conversation_id IS NOT NULL"),
        sqlite_where=text("conversation_id IS NOT NULL"),
    ),
)

payments = Table(
    "payments",
    metadata,
    id_(),
    shop_(),
    Column("invoice_id", TextC, ForeignKey("invoices.id"), nullable=False),
    Column("connection_id", TextC, ForeignKey("connections.id"), nullable=False),
    text_("provider"),
    text_("operation_key"),
    Column("provider_id", TextC),
    text_("token"),
    text_("status"),
    Column("unknown", Flag, nullable=False),
    int_("amount_minor"),
    text_("currency"),
    text_("confirmation_url"),
    text_("payer"),
    text_("nonce"),
    Column("wants_mail", Flag, nullable=False),
    text_("locale"),
    text_("wanted"),
    text_("wanted_key"),
    Column("method", Json),
    text_("failure"),
    Column("attention", TextC),
    Column("income_minor", BigInt),
    Column("captured_at", BigInt),
    Column("conversation_id", TextC),
    int_("created_at"),
    int_("version"),
    Unique("token", name="uq_payments_token"),
    Unique("operation_key", name="uq_payments_operation"),
    Unique("connection_id", "provider_id", name="uq_payments_provider"),
    Unique("invoice_id", "payer", "nonce", name="uq_payments_form"),
    Index("ix_payments_shop", "shop_id", "id"),
    Index("ix_payments_status", "shop_id", "status", "id"),
    Index("ix_payments_invoice", "invoice_id", "id"),
    Index(
        "ix_payments_attention",
        "shop_id",
        "id",
        postgresql_where=text("attention IS NOT NULL"),
        sqlite_where=text("attention IS NOT NULL"),
    ),
    Index("ix_payments_captured", "shop_id", "captured_at"),
)

refunds = Table(
    "refunds",
    metadata,
    id_(),
    shop_(),
    Column("payment_id", TextC, ForeignKey("payments.id"), nullable=False),
    text_("invoice_id"),
    text_("connection_id"),
    text_("operation_key"),
    Column("provider_id", TextC),
    int_("amount_minor"),
    text_("currency"),
    text_("status"),
    text_("reason"),
    Column("unknown", Flag, nullable=False),
    text_("failure"),
    int_("created_at"),
    text_("created_by"),
    Column("finished_at", BigInt),
    int_("version"),
    Unique("operation_key", name="uq_refunds_operation"),
    Unique("connection_id", "provider_id", name="uq_refunds_provider"),
    Index("ix_refunds_payment", "payment_id", "id"),
    Index(
        "ix_refunds_unfinished",
        "shop_id",
        "id",
        postgresql_where=text("status IN ('pending', 'failed')"),
        sqlite_where=text("status IN ('pending', 'failed')"),
    ),
)

receipts = Table(
    "receipts",
    metadata,
    id_(),
    shop_(),
    Column("payment_id", TextC, ForeignKey("payments.id"), nullable=False),
    text_("token"),
    Column("body", Json, nullable=False),
    int_("created_at"),
    int_("version"),
    Unique("payment_id", name="uq_receipts_payment"),
    Unique("token", name="uq_receipts_token"),
)

answers = Table(
    "answers",
    metadata,
    id_(),
    shop_(),
    text_("invoice_id"),
    Column("payment_id", TextC, ForeignKey("payments.id"), nullable=False),
    text_("payer"),
    Column("questions", Json, nullable=False),
    text_("sealed"),
    int_("created_at"),
    int_("version"),
    Index("ix_answers_payment", "payment_id", "id"),
    Index("ix_answers_payer", "invoice_id", "payer", "id"),
)

consents = Table(
    "consents",
    metadata,
    id_(),
    shop_(),
    text_("invoice_id"),
    Column("payment_id", TextC, ForeignKey("payments.id"), nullable=False),
    text_("purpose"),
    text_("text"),
    text_("text_version"),
    text_("text_sha256"),
    int_("given_at"),
    text_("evidence_sealed"),
    int_("version"),
    Index("ix_consents_payment", "payment_id", "id"),
)

mails = Table(
    "mails",
    metadata,
    id_(),
    shop_(),
    text_("kind"),
    text_("subject"),
    int_("number"),
    text_("payment_id"),
    text_("status"),
    text_("to_masked"),
    text_("answer"),
    int_("attempts"),
    int_("created_at"),
    Column("sent_at", BigInt),
    int_("version"),
    Unique("kind", "subject", "number", name="uq_mails_subject"),
    Index("ix_mails_payment", "payment_id", "id"),
    Index(
        "ix_mails_failed",
        "shop_id",
        "id",
        postgresql_where=text("status = 'failed'"),
        sqlite_where=text("status = 'failed'"),
    ),
)

happenings = Table(
    "happenings",
    metadata,
    id_(),
    text_("shop_id"),
    text_("subject"),
    text_("kind"),
    int_("at"),
    text_("actor"),
    Column("detail", Json, nullable=False),
    int_("version"),
    Index("ix_happenings_subject", "subject", "id"),
)

notices = Table(
    "notices",
    metadata,
    id_(),
    shop_(),
    Column("connection_id", TextC, ForeignKey("connections.id"), nullable=False),
    text_("event"),
    text_("object_id"),
    text_("our_id"),
    text_("digest"),
    text_("body_sealed"),
    int_("received_at"),
    Column("handled_at", BigInt),
    int_("version"),
    Unique("connection_id", "digest", name="uq_notices_digest"),
    Index("ix_notices_object", "connection_id", "object_id", "id"),
)

ledger = Table(
    "ledger",
    metadata,
    text_("shop_id"),
    text_("kind"),
    text_("subject"),
    int_("line"),
    text_("account"),
    int_("amount_minor"),
    text_("currency"),
    int_("at"),
    PrimaryKeyConstraint("kind", "subject", "line"),
    Index("ix_ledger_shop", "shop_id", "account", "at"),
)

jobs = Table(
    "jobs",
    metadata,
    text_("kind"),
    text_("subject"),
    text_("shop_id"),
    int_("due_at"),
    int_("lease_until"),
    int_("attempts"),
    int_("generation"),
    text_("state"),
    text_("last_error"),
    int_("created_at"),
    PrimaryKeyConstraint("kind", "subject"),
    Index("ix_jobs_due", "state", "due_at"),
    Index("ix_jobs_shop", "shop_id", "state"),
)

requests = Table(
    "requests",
    metadata,
    text_("shop_id"),
    text_("key"),
    text_("fingerprint"),
    int_("status"),
    text_("body"),
    int_("created_at"),
    PrimaryKeyConstraint("shop_id", "key", name="pk_requests"),
    Index("ix_requests_created", "created_at"),
)
