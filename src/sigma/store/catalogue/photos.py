"""Photos of services."""

from sqlalchemy import bindparam, delete, func, select

from sigma.domain.catalogue.photo import Photo
from sigma.store.engine.interface import Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import in_list, statement
from sigma.store.schema.catalogue_tables import photos, services

CODEC = build_codec(photos, field_values, lambda row: Photo(**column_values(photos, row)))

_list_sizes = statement(
    select(photos.c.id, photos.c.width, photos.c.height)
    .join(services, services.c.photo_id == photos.c.id)
    .where(services.c.shop_id == bindparam("shop_id"), services.c.deleted_at_us.is_(None))
)
_sum_bytes = statement(
    select(func.coalesce(func.sum(func.length(photos.c.data)), 0).label("n")).where(
        photos.c.shop_id == bindparam("shop_id")
    )
)
# The ids of a photo and its thumbnail differ only in the prefix, see `thumbnail_id` of the domain.
_full_size_id = func.replace(photos.c.id, "phs_", "pho_")
_is_unused = ~select(services.c.id).where(services.c.photo_id == _full_size_id).exists()
_list_unused = statement(
    select(photos.c.id)
    .where(photos.c.created_at_us < bindparam("before_us"), _is_unused)
    .limit(bindparam("limit"))
)
_delete_unused = statement(delete(photos).where(in_list(photos.c.id, "ids"), _is_unused))


async def get(tx: Tx, photo_id: str) -> Photo | None:
    """Return the photo, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=photo_id)
    return CODEC.from_row(row) if row else None


async def list_sizes(tx: Tx, shop_id: str) -> dict[str, tuple[int, int]]:
    """Return (width, height) in pixels by photo id, for the photos of a shop's services."""
    rows = await tx.fetch_all(_list_sizes, shop_id=shop_id)
    return {r["id"]: (r["width"], r["height"]) for r in rows}


async def sum_bytes(tx: Tx, shop_id: str) -> int:
    """Return the size of all photos of a shop in bytes."""
    row = await tx.fetch_one(_sum_bytes, shop_id=shop_id)
    return int(row["n"]) if row else 0


async def list_unused(tx: Tx, before_us: int, limit: int) -> list[str]:
    """Return up to `limit` ids of photos created before `before_us` that no service uses.

    It looks at every photo: read it outside the transaction that deletes them.
    """
    rows = await tx.fetch_all(_list_unused, before_us=before_us, limit=limit)
    return [row["id"] for row in rows]


async def delete_unused(tx: Tx, photo_ids: list[str]) -> int:
    """Delete those of the photos that no service uses; return how many."""
    return await tx.execute(_delete_unused, ids=photo_ids)
