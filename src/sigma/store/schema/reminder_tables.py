"""Tables of invoices sent by e-mail, of reminders, and of clients who want none."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table
from sqlalchemy import UniqueConstraint as Unique

from sigma.store.schema.columns import (
    Json,
    TextC,
    id_column,
    int_column,
    partial_index,
    shop_id_column,
    text_column,
)
from sigma.store.schema.tables import metadata

# One row per shop that has changed the switches; `id` is the id of the shop.
reminder_settings = Table(
    "reminder_settings",
    metadata,
    Column("id", TextC, ForeignKey("shops.id"), primary_key=True),
    Column("body", Json, nullable=False),
    int_column("version"),
)

# E-mail addresses that an invoice was sent to.
invoice_recipients = Table(
    "invoice_recipients",
    metadata,
    id_column(),
    shop_id_column(),
    Column("invoice_id", TextC, ForeignKey("invoices.id"), nullable=False),
    text_column("email_encrypted"),
    text_column("email_hash"),
    int_column("created_at_us"),
    text_column("created_by"),
    int_column("sent_at_us"),
    Column("opened_at_us", BigInteger()),
    int_column("version"),
    Index("ix_invoice_recipients_invoice", "invoice_id", "id"),
    partial_index("ix_invoice_recipients_email", "shop_id email_hash id", "email_hash <> ''"),
    partial_index("ix_invoice_recipients_stored", "shop_id sent_at_us id", "email_encrypted <> ''"),
)

# Automatic reminders that were handed to a channel; the key keeps a repeated job from another one.
reminders = Table(
    "reminders",
    metadata,
    id_column(),
    shop_id_column(),
    Column("invoice_id", TextC, ForeignKey("invoices.id"), nullable=False),
    text_column("target_id"),
    text_column("kind"),
    text_column("message_id"),
    int_column("created_at_us"),
    int_column("version"),
    Unique("invoice_id", "target_id", "kind", name="uq_reminders_kind"),
)

# Invoices without automatic reminders; `id` is the id of the invoice.
silenced_invoices = Table(
    "silenced_invoices",
    metadata,
    Column("id", TextC, ForeignKey("invoices.id"), primary_key=True),
    shop_id_column(),
    int_column("silenced_at_us"),
)

# Clients who want no reminders, as keyed hashes. Not deleted by an erasure: without them Sigma
# would write again to a person who has objected.
reminder_stops = Table(
    "reminder_stops",
    metadata,
    Column("client_hash", TextC, primary_key=True),
    shop_id_column(),
    int_column("stopped_at_us"),
)
