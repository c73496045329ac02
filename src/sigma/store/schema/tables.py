"""Tables of shops, billing, jobs and idempotency.

Columns are BIGINT, INTEGER or TEXT only, so that rows need no conversion on either database.
Every row belongs to one shop. Amounts are minor units, times are UTC
microseconds. Encrypted columns hold ciphertext: answers and credentials are never plain text.
"""

from sqlalchemy import Column, ForeignKey, Index, MetaData, PrimaryKeyConstraint, Table
from sqlalchemy import UniqueConstraint as Unique

from sigma.store.schema.columns import (
    BigInt,
    Flag,
    Json,
    TextC,
    id_column,
    int_column,
    partial_index,
    shop_id_column,
    text_column,
)

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
    id_column(),
    text_column("name"),
    int_column("created_at_us"),
    Column("seller", Json, nullable=False),
    text_column("tz"),
    text_column("locale"),
    text_column("accent"),
    text_column("return_url"),
    text_column("consent_text"),
    int_column("consent_version"),
    text_column("mail_from_name"),
    text_column("mail_reply_to"),
    text_column("smtp_url_encrypted"),
    Column("slug", TextC),
    Column("refund_limits", Json, nullable=False),
    Column("quotas", Json, nullable=False),
    text_column("search"),  # the normalized name
    text_column("second_factor_rule"),
    Column("refund_confirmation_minor", BigInt),
    int_column("version"),
    Unique("slug", name="uq_shops_slug"),
)

counters = Table(
    "counters",
    metadata,
    text_column("shop_id"),
    text_column("name"),
    int_column("value"),
    PrimaryKeyConstraint("shop_id", "name"),
)

connections = Table(
    "connections",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("provider"),
    text_column("title"),
    text_column("account"),
    text_column("secret_encrypted"),
    Column("settings", Json, nullable=False),
    text_column("status"),
    text_column("notice_token"),
    int_column("created_at_us"),
    int_column("checked_at_us"),
    Column("has_passed_check", Flag, nullable=False),
    text_column("check_detail"),
    int_column("version"),
    Index("ix_connections_shop", "shop_id", "status", "id"),
)

invoices = Table(
    "invoices",
    metadata,
    id_column(),
    shop_id_column(),
    int_column("number"),
    text_column("token"),
    text_column("status"),
    text_column("title"),
    text_column("description"),
    int_column("amount_minor"),
    text_column("currency"),
    Column("items", Json, nullable=False),
    Column("questions", Json, nullable=False),
    Column("max_payments", BigInt),
    int_column("paid_count"),
    Column("expires_at_us", BigInt),
    text_column("return_url"),
    Column("metadata", Json, nullable=False),
    text_column("search"),
    int_column("created_at_us"),
    text_column("created_by"),
    Column("conversation_id", TextC),
    Column("service_id", TextC),
    int_column("version"),
    Unique("token", name="uq_invoices_token"),
    Unique("shop_id", "number", name="uq_invoices_number"),
    Index("ix_invoices_shop", "shop_id", "id"),
    Index("ix_invoices_status", "shop_id", "status", "created_at_us", "id"),
    partial_index("ix_invoices_conversation", "conversation_id id", "conversation_id IS NOT NULL"),
    # Covers the sum that clients still owe, so that it reads no rows.
    partial_index(
        "ix_invoices_open",
        "shop_id expires_at_us max_payments currency amount_minor id",
        "status = 'open'",
    ),
)

payments = Table(
    "payments",
    metadata,
    id_column(),
    shop_id_column(),
    Column("invoice_id", TextC, ForeignKey("invoices.id"), nullable=False),
    Column("connection_id", TextC, ForeignKey("connections.id"), nullable=False),
    text_column("provider"),
    text_column("operation_key"),
    Column("provider_id", TextC),
    text_column("token"),
    text_column("status"),
    Column("is_outcome_unknown", Flag, nullable=False),
    int_column("amount_minor"),
    text_column("currency"),
    text_column("confirmation_url"),
    text_column("payer_hash"),
    text_column("form_nonce"),
    Column("has_email", Flag, nullable=False),
    text_column("locale"),
    text_column("requested_action"),
    text_column("requested_action_key"),
    Column("method", Json),
    text_column("failure"),
    Column("attention", TextC),
    Column("income_minor", BigInt),
    Column("captured_at_us", BigInt),
    Column("conversation_id", TextC),
    Column("lost_call_at_us", BigInt),
    int_column("created_at_us"),
    Column("service_id", TextC),
    text_column("issued_by"),
    text_column("method_kind"),
    text_column("card_last4"),
    int_column("version"),
    Unique("token", name="uq_payments_token"),
    Unique("operation_key", name="uq_payments_operation_key"),
    Unique("connection_id", "provider_id", name="uq_payments_provider_id"),
    # Not invoice_id first: SQLite would take it for lists of an invoice, which it cannot order.
    Unique("payer_hash", "invoice_id", "form_nonce", name="uq_payments_form"),
    Index("ix_payments_shop", "shop_id", "id"),
    Index("ix_payments_status", "shop_id", "status", "created_at_us", "id"),
    Index("ix_payments_invoice", "invoice_id", "id"),
    partial_index("ix_payments_conversation", "conversation_id id", "conversation_id IS NOT NULL"),
    partial_index(
        "ix_payments_unfinished", "invoice_id created_at_us", "status IN ('created', 'pending')"
    ),
    partial_index("ix_payments_attention", "shop_id id", "attention IS NOT NULL"),
    # Covers the sums of a period, so that they read no rows.
    partial_index(
        "ix_payments_captured",
        "shop_id captured_at_us id currency amount_minor",
        "status = 'captured'",
    ),
    partial_index(
        "ix_payments_authorized",
        "shop_id invoice_id currency amount_minor",
        "status = 'authorized'",
    ),
)

refunds = Table(
    "refunds",
    metadata,
    id_column(),
    shop_id_column(),
    Column("payment_id", TextC, ForeignKey("payments.id"), nullable=False),
    text_column("invoice_id"),
    text_column("connection_id"),
    text_column("operation_key"),
    Column("provider_id", TextC),
    int_column("amount_minor"),
    text_column("currency"),
    text_column("status"),
    text_column("reason"),
    Column("is_outcome_unknown", Flag, nullable=False),
    text_column("failure"),
    int_column("created_at_us"),
    text_column("created_by"),
    Column("finished_at_us", BigInt),
    text_column("origin"),
    Column("lost_call_at_us", BigInt),
    int_column("version"),
    Unique("operation_key", name="uq_refunds_operation_key"),
    Unique("connection_id", "provider_id", name="uq_refunds_provider_id"),
    Index("ix_refunds_payment", "payment_id", "id"),
    partial_index("ix_refunds_unfinished", "shop_id id", "status IN ('pending', 'failed')"),
    partial_index(
        "ix_refunds_finished",
        "shop_id finished_at_us currency amount_minor",
        "status = 'succeeded'",
    ),
)

receipts = Table(
    "receipts",
    metadata,
    id_column(),
    shop_id_column(),
    Column("payment_id", TextC, ForeignKey("payments.id"), nullable=False),
    text_column("token"),
    Column("body", Json, nullable=False),
    int_column("created_at_us"),
    int_column("version"),
    Unique("payment_id", name="uq_receipts_payment"),
    Unique("token", name="uq_receipts_token"),
)

answers = Table(
    "answers",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("invoice_id"),
    Column("payment_id", TextC, ForeignKey("payments.id"), nullable=False),
    text_column("payer_hash"),
    Column("questions", Json, nullable=False),
    text_column("values_encrypted"),
    text_column("email_hash"),
    text_column("phone_hash"),
    Column("shred_at_us", BigInt),
    Column("erased_at_us", BigInt),
    int_column("created_at_us"),
    int_column("version"),
    Index("ix_answers_payment", "payment_id", "id"),
    Index("ix_answers_payer", "invoice_id", "payer_hash", "id"),
    partial_index("ix_answers_email", "shop_id email_hash id", "email_hash <> ''"),
    partial_index("ix_answers_phone", "shop_id phone_hash id", "phone_hash <> ''"),
    partial_index("ix_answers_shred", "shop_id shred_at_us id", "shred_at_us IS NOT NULL"),
    partial_index("ix_answers_stored", "shop_id created_at_us id", "values_encrypted <> ''"),
)

consents = Table(
    "consents",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("invoice_id"),
    Column("payment_id", TextC, ForeignKey("payments.id"), nullable=False),
    text_column("purpose"),
    text_column("text"),
    text_column("text_version"),
    text_column("text_sha256"),
    int_column("given_at_us"),
    text_column("evidence_encrypted"),
    int_column("version"),
    Index("ix_consents_payment", "payment_id", "id"),
    partial_index("ix_consents_stored", "shop_id given_at_us id", "evidence_encrypted <> ''"),
)

mails = Table(
    "mails",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("kind"),
    text_column("subject_key"),
    int_column("number"),
    text_column("payment_id"),
    text_column("status"),
    text_column("recipient_masked"),
    text_column("server_reply"),
    int_column("attempts"),
    int_column("created_at_us"),
    Column("sent_at_us", BigInt),
    int_column("version"),
    Unique("kind", "subject_key", "number", name="uq_mails_number"),
    Index("ix_mails_payment", "payment_id", "id"),
    partial_index("ix_mails_stored", "shop_id created_at_us id", "recipient_masked <> ''"),
    partial_index("ix_mails_failed", "shop_id id", "status = 'failed'"),
)

# The words of a mail that may have been sent: another attempt sends the same ones.
mail_contents = Table(
    "mail_contents",
    metadata,
    Column("id", TextC, ForeignKey("mails.id"), primary_key=True),
    shop_id_column(),
    text_column("body_encrypted"),
    int_column("version"),
)

timeline_events = Table(
    "timeline_events",
    metadata,
    id_column(),
    text_column("shop_id"),
    text_column("subject_id"),
    text_column("kind"),
    int_column("occurred_at_us"),
    text_column("actor"),
    Column("detail", Json, nullable=False),
    int_column("version"),
    Index("ix_timeline_events_subject", "subject_id", "id"),
)

acquirer_notices = Table(
    "acquirer_notices",
    metadata,
    id_column(),
    shop_id_column(),
    Column("connection_id", TextC, ForeignKey("connections.id"), nullable=False),
    text_column("event"),
    text_column("object_id"),
    text_column("claimed_id"),
    text_column("digest"),
    text_column("body_encrypted"),
    int_column("received_at_us"),
    Column("processed_at_us", BigInt),
    Column("delete_at_us", BigInt),
    int_column("version"),
    Unique("connection_id", "digest", name="uq_acquirer_notices_digest"),
    Index("ix_acquirer_notices_object", "connection_id", "object_id", "id"),
    Index("ix_acquirer_notices_shop", "shop_id", "id"),
    partial_index("ix_acquirer_notices_delete", "delete_at_us", "delete_at_us IS NOT NULL"),
)

ledger = Table(
    "ledger",
    metadata,
    text_column("shop_id"),
    text_column("kind"),
    text_column("subject_id"),
    int_column("line_number"),
    text_column("account"),
    int_column("amount_minor"),
    text_column("currency"),
    int_column("booked_at_us"),
    text_column("origin"),
    PrimaryKeyConstraint("kind", "subject_id", "line_number"),
    Index("ix_ledger_shop", "shop_id", "account", "booked_at_us"),
)

jobs = Table(
    "jobs",
    metadata,
    text_column("kind"),
    text_column("subject_id"),
    text_column("shop_id"),
    text_column("connection_id"),
    text_column("lane"),
    int_column("due_at_us"),
    int_column("lease_until_us"),
    text_column("leased_by"),
    int_column("attempts"),
    int_column("generation"),
    text_column("state"),
    text_column("last_error"),
    int_column("created_at_us"),
    PrimaryKeyConstraint("kind", "subject_id"),
    partial_index("ix_jobs_due", "lane due_at_us", "state = 'queued'"),
    partial_index("ix_jobs_shop_due", "lane shop_id due_at_us", "state = 'queued'"),
    Index("ix_jobs_state", "state"),
    Index("ix_jobs_kind", "kind", "shop_id", "subject_id"),
    partial_index("ix_jobs_dead", "shop_id due_at_us kind subject_id", "state = 'dead'"),
)

workers = Table(
    "workers",
    metadata,
    id_column(),
    int_column("alive_until_us"),
    Index("ix_workers_alive", "alive_until_us", "id"),
)

write_probes = Table("write_probes", metadata, id_column(), int_column("written_at_us"))

idempotency_records = Table(
    "idempotency_records",
    metadata,
    text_column("shop_id"),
    text_column("key"),
    text_column("fingerprint"),
    int_column("status"),
    text_column("body"),
    int_column("created_at_us"),
    PrimaryKeyConstraint("shop_id", "key", name="pk_idempotency_records"),
    Index("ix_idempotency_records_created", "created_at_us"),
)
