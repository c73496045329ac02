"""Tables of the installation's own work: worker processes, the write probe, idempotency."""

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from sigma.store.schema.columns import id_column, int_column, text_column
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
