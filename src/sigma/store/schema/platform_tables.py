"""Tables of the installation's own work: worker processes, the write probe, idempotency,
encryption keys, the audit log.
"""

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table

from sigma.store.schema.columns import (
    BigInt,
    Json,
    TextC,
    id_column,
    int_column,
    text_column,
)
from sigma.store.schema.tables import metadata

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

# Random keys for hashes and signatures, encrypted like every other secret.
installation_keys = Table(
    "installation_keys",
    metadata,
    id_column(),
    text_column("purpose"),
    text_column("key_encrypted"),
    int_column("created_at_us"),
    int_column("version"),
)

# One row for each key that rows are or were encrypted to; `id` is the id of that key.
key_rotations = Table(
    "key_rotations",
    metadata,
    id_column(),
    text_column("column_name"),
    text_column("after_id"),
    int_column("pass_changed_count"),
    int_column("rotated_count"),
    int_column("unreadable_count"),
    int_column("started_at_us"),
    Column("finished_at_us", BigInt),
)

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
