"""Saved views of lists."""

from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, or_, select

from sigma.domain.lists.saved_view import ListKind, SavedView
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, encode_json, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.list_tables import saved_views

_values_decoder = msgspec.json.Decoder(dict[str, str])


def _to_row(view: SavedView) -> dict[str, Any]:
    values = encode_json(dict(view.filter_values))
    return field_values(view, "filter_values") | {"filter_values": values}


def _from_row(row: Row) -> SavedView:
    return SavedView(
        kind=ListKind(row["kind"]),
        filter_values=_values_decoder.decode(row["filter_values"]),
        **column_values(saved_views, row, "kind", "filter_values"),
    )


CODEC = build_codec(saved_views, _to_row, _from_row)
_list_visible = statement(
    select(saved_views)
    .where(
        saved_views.c.shop_id == bindparam("shop_id"),
        saved_views.c.kind == bindparam("kind"),
        or_(saved_views.c.user_id == bindparam("user_id"), saved_views.c.user_id == ""),
    )
    .order_by(saved_views.c.id)
    .limit(bindparam("limit"))
)
_delete = statement(delete(saved_views).where(saved_views.c.id == bindparam("id")))


async def get(tx: Tx, view_id: str) -> SavedView | None:
    """Return the view, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=view_id)
    return _from_row(row) if row else None


async def list_visible(
    tx: Tx, shop_id: str, kind: ListKind, user_id: str, limit: int
) -> list[SavedView]:
    """Return the views of a list that a user sees: own and shared ones, the oldest first."""
    rows = await tx.fetch_all(
        _list_visible, shop_id=shop_id, kind=kind, user_id=user_id, limit=limit
    )
    return [_from_row(row) for row in rows]


async def add(tx: Tx, view: SavedView) -> None:
    """Insert a new view."""
    await tx.write_all([CODEC.save(view)])


async def remove(tx: Tx, view_id: str) -> None:
    """Delete a view."""
    await tx.execute(_delete, id=view_id)
