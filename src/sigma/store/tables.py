"""All tables.

Columns are BIGINT, INTEGER or TEXT only, so rows need no processing on either database.

Every row belongs to one shop. Amounts are minor units, times are UTC microseconds, `*_sealed`
columns hold ciphertext: answers and credentials are never stored in the clear.
"""

from typing import Any

from sqlalchemy import Column, ForeignKey, Index, MetaData, PrimaryKeyConstraint, Table, text
from sqlalchemy import UniqueConstraint as Unique

from sigma.store.columns import BigInt, Flag, Json, TextC

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)


def _id() -> Column[Any]:
    return Column("id", TextC, primary_key=True)


def _text(name: str, **options: Any) -> Column[Any]:
    return Column(name, TextC, nullable=False, **options)


def _int(name: str) -> Column[Any]:
    return Column(name, BigInt, nullable=False)


def _shop() -> Column[Any]:
    return Column("shop_id", TextC, ForeignKey("shops.id"), nullable=False)


shops = Table(
    "shops",
    metadata,
    _id(),
    _text("name"),
    _int("created_at"),
    Column("seller", Json, nullable=False),
    _text("tz"),
    _text("locale"),
    _text("accent"),
    _text("return_url"),
    _text("consent_text"),
    _int("consent_version"),
    _text("mail_from_name"),
    _text("mail_reply_to"),
    _text("smtp_sealed"),
    _int("version"),
)

counters = Table(
    "counters",
    metadata,
    _text("shop_id"),
    _text("name"),
    _int("value"),
    PrimaryKeyConstraint("shop_id", "name"),
)

users = Table(
    "users",
    metadata,
    _id(),
    _text("login"),
    _text("password_hash"),
    _text("name"),
    _text("locale"),
    _int("created_at"),
    _int("version"),
    Unique("login", name="uq_users_login"),
)

members = Table(
    "members",
    metadata,
    _text("shop_id"),
    Column("user_id", TextC, ForeignKey("users.id"), nullable=False),
    _text("role"),
    _int("created_at"),
    PrimaryKeyConstraint("shop_id", "user_id"),
    Index("ix_members_user", "user_id"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("secret_hash", TextC, primary_key=True),
    _text("user_id"),
    _text("shop_id"),
    _text("csrf"),
    _int("created_at"),
    _int("expires_at"),
    Index("ix_sessions_user", "user_id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    _shop(),
    _text("name"),
    _text("prefix"),
    _text("secret_hash"),
    _text("role"),
    _int("created_at"),
    _int("used_at"),
    Column("revoked_at", BigInt),
    Unique("secret_hash", name="uq_api_keys_secret"),
    Index("ix_api_keys_shop", "shop_id", "id"),
)

connections = Table(
    "connections",
    metadata,
    _id(),
    _shop(),
    _text("provider"),
    _text("title"),
    _text("account"),
    _text("secret_sealed"),
    Column("settings", Json, nullable=False),
    _text("status"),
    _int("created_at"),
    _int("checked_at"),
    Column("check_ok", Flag, nullable=False),
    _text("check_detail"),
    _int("version"),
    Index("ix_connections_shop", "shop_id", "status", "id"),
)

invoices = Table(
    "invoices",
    metadata,
    _id(),
    _shop(),
    _int("number"),
    _text("token"),
    _text("status"),
    _text("title"),
    _text("description"),
    _int("amount_minor"),
    _text("currency"),
    Column("items", Json, nullable=False),
    Column("questions", Json, nullable=False),
    Column("max_payments", BigInt),
    _int("paid_count"),
    Column("expires_at", BigInt),
    _text("return_url"),
    Column("metadata", Json, nullable=False),
    _text("search"),
    _int("created_at"),
    _text("created_by"),
    _int("version"),
    Unique("token", name="uq_invoices_token"),
    Unique("shop_id", "number", name="uq_invoices_number"),
    Index("ix_invoices_shop", "shop_id", "id"),
    Index("ix_invoices_status", "shop_id", "status", "id"),
)

payments = Table(
    "payments",
    metadata,
    _id(),
    _shop(),
    Column("invoice_id", TextC, ForeignKey("invoices.id"), nullable=False),
    Column("connection_id", TextC, ForeignKey("connections.id"), nullable=False),
    _text("provider"),
    _text("operation_key"),
    Column("provider_id", TextC),
    _text("token"),
    _text("status"),
    Column("unknown", Flag, nullable=False),
    _int("amount_minor"),
    _text("currency"),
    _text("confirmation_url"),
    _text("payer"),
    _text("nonce"),
    Column("wants_mail", Flag, nullable=False),
    _text("locale"),
    _text("wanted"),
    _text("wanted_key"),
    Column("method", Json),
    _text("failure"),
    Column("attention", TextC),
    Column("income_minor", BigInt),
    Column("captured_at", BigInt),
    _int("created_at"),
    _int("version"),
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
    _id(),
    _shop(),
    Column("payment_id", TextC, ForeignKey("payments.id"), nullable=False),
    _text("invoice_id"),
    _text("connection_id"),
    _text("operation_key"),
    Column("provider_id", TextC),
    _int("amount_minor"),
    _text("currency"),
    _text("status"),
    _text("reason"),
    Column("unknown", Flag, nullable=False),
    _text("failure"),
    _int("created_at"),
    _text("created_by"),
    Column("finished_at", BigInt),
    _int("version"),
    Unique("operation_key", name="uq_refunds_operation"),
    Unique("connection_id", "provider_id", name="uq_refunds_provider"),
    Index("ix_refunds_payment", "payment_id", "id"),
)

receipts = Table(
    "receipts",
    metadata,
    _id(),
    _shop(),
    Column("payment_id", TextC, ForeignKey("payments.id"), nullable=False),
    _text("token"),
    Column("body", Json, nullable=False),
    _int("created_at"),
    _int("version"),
    Unique("payment_id", name="uq_receipts_payment"),
    Unique("token", name="uq_receipts_token"),
)

answers = Table(
    "answers",
    metadata,
    _id(),
    _shop(),
    _text("invoice_id"),
    Column("payment_id", TextC, ForeignKey("payments.id"), nullable=False),
    _text("payer"),
    Column("questions", Json, nullable=False),
    _text("sealed"),
    _int("created_at"),
    _int("version"),
    Index("ix_answers_payment", "payment_id", "id"),
    Index("ix_answers_payer", "invoice_id", "payer", "id"),
)

consents = Table(
    "consents",
    metadata,
    _id(),
    _shop(),
    _text("invoice_id"),
    Column("payment_id", TextC, ForeignKey("payments.id"), nullable=False),
    _text("purpose"),
    _text("text"),
    _text("text_version"),
    _text("text_sha256"),
    _int("given_at"),
    _text("evidence_sealed"),
    _int("version"),
    Index("ix_consents_payment", "payment_id", "id"),
)

mails = Table(
    "mails",
    metadata,
    _id(),
    _shop(),
    _text("kind"),
    _text("subject"),
    _int("number"),
    _text("payment_id"),
    _text("status"),
    _text("to_masked"),
    _text("answer"),
    _int("attempts"),
    _int("created_at"),
    Column("sent_at", BigInt),
    _int("version"),
    Unique("kind", "subject", "number", name="uq_mails_subject"),
    Index("ix_mails_payment", "payment_id", "id"),
)

happenings = Table(
    "happenings",
    metadata,
    _id(),
    _text("shop_id"),
    _text("subject"),
    _text("kind"),
    _int("at"),
    _text("actor"),
    Column("detail", Json, nullable=False),
    _int("version"),
    Index("ix_happenings_subject", "subject", "id"),
)

notices = Table(
    "notices",
    metadata,
    _id(),
    _shop(),
    Column("connection_id", TextC, ForeignKey("connections.id"), nullable=False),
    _text("event"),
    _text("object_id"),
    _text("our_id"),
    _text("digest"),
    _text("body_sealed"),
    _int("received_at"),
    Column("handled_at", BigInt),
    _int("version"),
    Unique("connection_id", "digest", name="uq_notices_digest"),
    Index("ix_notices_object", "connection_id", "object_id", "id"),
)

ledger = Table(
    "ledger",
    metadata,
    _text("shop_id"),
    _text("kind"),
    _text("subject"),
    _int("line"),
    _text("account"),
    _int("amount_minor"),
    _text("currency"),
    _int("at"),
    PrimaryKeyConstraint("kind", "subject", "line"),
    Index("ix_ledger_shop", "shop_id", "account", "at"),
)

jobs = Table(
    "jobs",
    metadata,
    _text("kind"),
    _text("subject"),
    _text("shop_id"),
    _int("due_at"),
    _int("lease_until"),
    _int("attempts"),
    _int("generation"),
    _text("state"),
    _text("last_error"),
    _int("created_at"),
    PrimaryKeyConstraint("kind", "subject"),
    Index("ix_jobs_due", "state", "due_at"),
    Index("ix_jobs_shop", "shop_id", "state"),
)

requests = Table(
    "requests",
    metadata,
    _text("shop_id"),
    _text("key"),
    _text("fingerprint"),
    _int("status"),
    _text("body"),
    _int("created_at"),
    PrimaryKeyConstraint("shop_id", "key", name="pk_requests"),
    Index("ix_requests_created", "created_at"),
)
