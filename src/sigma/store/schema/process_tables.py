"""Tables of running processes: workers, and the probe whether the database can be written."""

from sqlalchemy import Index, Table

from sigma.store.schema.columns import id_column, int_column
from sigma.store.schema.tables import metadata

workers = Table(
    "workers",
    metadata,
    id_column(),
    int_column("alive_until_us"),
    Index("ix_workers_alive", "alive_until_us", "id"),
)

write_probes = Table("write_probes", metadata, id_column(), int_column("written_at_us"))
