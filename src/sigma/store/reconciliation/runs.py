"""Reconciliation runs."""

from typing import Any

import msgspec
from sqlalchemy import bindparam, exists, select

from sigma.domain.reconciliation.run import Progress, Run, Status
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, encode_json, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.reconciliation_tables import reconciliation_runs
from sigma.store.schema.tables import connections, jobs, shops

NIGHTLY_JOB = "reconciliation.start"

_progress_decoder = msgspec.json.Decoder(Progress)


def _to_row(run: Run) -> dict[str, Any]:
    return field_values(run, "progress") | {"progress": encode_json(run.progress)}


def _from_row(row: Row) -> Run:
    fields = column_values(reconciliation_runs, row, "status", "progress")
    return Run(
        status=Status(row["status"]), progress=_progress_decoder.decode(row["progress"]), **fields
    )


CODEC = build_codec(reconciliation_runs, _to_row, _from_row)

_list_for_shop = statement(
    select(reconciliation_runs)
    .where(reconciliation_runs.c.shop_id == bindparam("shop_id"))
    .order_by(reconciliation_runs.c.id.desc())
    .limit(bindparam("limit"))
)


_list_since = statement(
    select(reconciliation_runs)
    .where(
        reconciliation_runs.c.shop_id == bindparam("shop_id"),
        reconciliation_runs.c.id >= bindparam("first_id"),
    )
    .order_by(reconciliation_runs.c.id)
    .limit(bindparam("limit"))
)


# Shops with an acquirer whose nightly run is not queued.
_list_unscheduled = statement(
    select(shops.c.id, shops.c.tz).where(
        exists().where(connections.c.shop_id == shops.c.id, connections.c.provider != "vk"),
        ~exists().where(jobs.c.kind == NIGHTLY_JOB, jobs.c.subject_id == shops.c.id),
    )
)


async def get(tx: Tx, run_id: str) -> Run | None:
    """Return the run, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=run_id)
    return _from_row(row) if row else None


async def list_for_shop(tx: Tx, shop_id: str, limit: int) -> list[Run]:
    """Return a shop's runs, the latest first."""
    rows = await tx.fetch_all(_list_for_shop, shop_id=shop_id, limit=limit)
    return [_from_row(row) for row in rows]


async def list_since(tx: Tx, shop_id: str, first_id: str, limit: int) -> list[Run]:
    """Return a shop's runs from the id `first_id` on, the oldest first."""
    rows = await tx.fetch_all(_list_since, shop_id=shop_id, first_id=first_id, limit=limit)
    return [_from_row(row) for row in rows]


async def list_unscheduled(tx: Tx) -> list[tuple[str, str]]:
    """Return id and time zone of the shops with an acquirer whose nightly run is not queued."""
    return [(row["id"], row["tz"]) for row in await tx.fetch_all(_list_unscheduled)]
