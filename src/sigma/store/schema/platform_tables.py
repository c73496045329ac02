"""Tables of background jobs and of idempotency keys."""

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from sigma.store.schema.columns import (
    int_column,
    partial_index,
    text_column,
)
from sigma.store.schema.tables import metadata

jobs = Table(
    "jobs",
    metadata,
    text_column("kind"),
    text_column("subject_id"),
    text_column("shop_id"),
    int_column("due_at_us"),
    int_column("lease_until_us"),
    int_column("attempts"),
    int_column("generation"),
    text_column("state"),
    text_column("last_error"),
    int_column("created_at_us"),
    PrimaryKeyConstraint("kind", "subject_id"),
    Index("ix_jobs_due", "state", "due_at_us"),
    Index("ix_jobs_kind", "kind", "shop_id", "subject_id"),
    partial_index("ix_jobs_dead", "state = 'dead'", "shop_id", "due_at_us", "kind", "subject_id"),
)

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
