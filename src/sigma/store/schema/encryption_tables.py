"""Tables of the encryption: keys of this installation, and the progress of key rotations."""

from sqlalchemy import Column, Table

from sigma.store.schema.columns import BigInt, id_column, int_column, text_column
from sigma.store.schema.tables import metadata

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
