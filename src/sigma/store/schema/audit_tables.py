"""Tables of the audit log. Entries are only added, and deleted after their time."""

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table

from sigma.store.schema.columns import Json, TextC, int_column, text_column
from sigma.store.schema.tables import metadata

# `chain` is the id of a shop, or "installation".
audit_entries = Table(
    "audit_entries",
    metadata,
    text_column("chain"),
    int_column("number"),
    text_column("deed"),
    text_column("actor"),
    text_column("subject"),
    Column("detail", Json, nullable=False),
    text_column("address"),
    text_column("agent"),
    text_column("session"),
    text_column("request_id"),
    int_column("occurred_at_us"),
    text_column("previous_mac"),
    text_column("mac"),
    PrimaryKeyConstraint("chain", "number"),
    Index("ix_audit_entries_time", "chain", "occurred_at_us", "number"),
    Index("ix_audit_entries_actor", "chain", "actor", "number"),
    Index("ix_audit_entries_deed", "chain", "deed", "number"),
    Index("ix_audit_entries_actor_deed", "chain", "actor", "deed", "number"),
)

# The end of each chain with a MAC of its own; also the lock of those who append.
audit_chains = Table(
    "audit_chains",
    metadata,
    Column("id", TextC, primary_key=True),
    int_column("last_number"),
    text_column("last_mac"),
    int_column("last_at_us"),
    int_column("pruned_number"),
    text_column("pruned_mac"),
    text_column("mac"),
)
