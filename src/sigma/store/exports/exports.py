"""Exports and the parts of their files."""

from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, func, select

from sigma.domain.exports.export import (
    Export,
    FileFormat,
    FilePart,
    Kind,
    Progress,
    Status,
)
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, encode_json, field_values
from sigma.store.engine.statements import in_list, statement
from sigma.store.schema.exchange_tables import export_parts, exports

DELETED_PARTS = 20  # of one statement: each may have a megabyte

_progress = msgspec.json.Decoder(Progress)
_columns = msgspec.json.Decoder(tuple[str, ...])


def _to_row(export: Export) -> dict[str, Any]:
    return field_values(export, "columns", "progress") | {
        "columns": encode_json(export.columns),
        "progress": encode_json(export.progress),
    }


def _from_row(row: Row) -> Export:
    converted = ("kind", "file_format", "columns", "has_answers", "status", "progress")
    return Export(
        kind=Kind(row["kind"]),
        file_format=FileFormat(row["file_format"]),
        columns=_columns.decode(row["columns"]),
        has_answers=bool(row["has_answers"]),
        status=Status(row["status"]),
        progress=_progress.decode(row["progress"]),
        **column_values(exports, row, *converted),
    )


CODEC = build_codec(exports, _to_row, _from_row)
PART_CODEC = build_codec(
    export_parts, field_values, lambda row: FilePart(**column_values(export_parts, row))
)

_list_for_shop = statement(
    select(exports)
    .where(exports.c.shop_id == bindparam("shop_id"))
    .order_by(exports.c.id.desc())
    .limit(bindparam("limit"))
)
_count_running = statement(
    select(func.count().label("n")).where(
        exports.c.shop_id == bindparam("shop_id"),
        exports.c.id > bindparam("since_id"),
        exports.c.status.in_(["counting", "writing"]),
    )
)
_lock_stored = statement(
    select(exports)
    .where(
        exports.c.shop_id == bindparam("shop_id"),
        exports.c.status.in_(["counting", "writing", "done"]),
    )
    .order_by(exports.c.id)
    .with_for_update()
)
_next_part = statement(
    select(export_parts)
    .where(
        export_parts.c.export_id == bindparam("export_id"),
        export_parts.c.id > bindparam("after_id"),
    )
    .order_by(export_parts.c.id)
    .limit(1)
)
_part_ids = statement(
    select(export_parts.c.id)
    .where(export_parts.c.export_id == bindparam("export_id"))
    .order_by(export_parts.c.id)
    .limit(bindparam("limit"))
)
_delete_parts = statement(delete(export_parts).where(in_list(export_parts.c.id, "ids")))


async def get(tx: Tx, export_id: str) -> Export | None:
    """Return the export, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=export_id)
    return _from_row(row) if row else None


async def list_for_shop(tx: Tx, shop_id: str, limit: int) -> list[Export]:
    """Return a shop's exports, the latest first."""
    rows = await tx.fetch_all(_list_for_shop, shop_id=shop_id, limit=limit)
    return [_from_row(row) for row in rows]


async def count_running(tx: Tx, shop_id: str, since_id: str) -> int:
    """Return how many exports of a shop that were requested after `since_id` are being made."""
    row = await tx.fetch_one(_count_running, shop_id=shop_id, since_id=since_id)
    return int(row["n"]) if row else 0


async def lock_stored(tx: Tx, shop_id: str) -> list[Export]:
    """Return a shop's exports that have a file, or a part of one, locked: none gets a part more."""
    return [_from_row(row) for row in await tx.fetch_all(_lock_stored, shop_id=shop_id)]


async def next_part(tx: Tx, export_id: str, after_id: str) -> FilePart | None:
    """Return the first part of the file after the part `after_id` ("": the first), or None."""
    row = await tx.fetch_one(_next_part, export_id=export_id, after_id=after_id)
    return PART_CODEC.from_row(row) if row else None


async def delete_parts(tx: Tx, export_id: str) -> int:
    """Delete up to DELETED_PARTS parts of a file; return how many."""
    rows = await tx.fetch_all(_part_ids, export_id=export_id, limit=DELETED_PARTS)
    if rows:
        await tx.execute(_delete_parts, ids=[row["id"] for row in rows])
    return len(rows)
