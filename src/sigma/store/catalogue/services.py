"""Services and their photos as rows."""

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, func, select

from sigma.domain.catalogue.service import PriceKind, Service, Template
from sigma.domain.money import Money
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import codec, columns, encode, plain
from sigma.store.engine.statements import statement
from sigma.store.schema.messaging_tables import photos, services
from sigma.store.schema.tables import shops

_template = msgspec.json.Decoder(Template)


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture of a service, as it is served: small, without what a camera writes beside it."""

    id: str
    shop_id: str
    media_type: str
    width: int
    height: int
    data: bytes
    created_at: int
    version: int = 0


def _to_row(service: Service) -> dict[str, Any]:
    return plain(service, "amount", "template", "vk_seen") | {
        "amount_minor": service.amount.minor if service.amount else None,
        "currency": service.amount.currency if service.amount else "",
        "template": encode(service.template),
        "vk_seen": encode(service.vk_seen),
    }


def _from_row(row: Row) -> Service:
    made = ("price", "visible", "template", "vk_seen", "amount_minor", "currency")
    minor = row["amount_minor"]
    return Service(
        price=PriceKind(row["price"]),
        visible=bool(row["visible"]),
        amount=Money(minor, row["currency"]) if minor is not None else None,
        template=_template.decode(row["template"]),
        vk_seen=msgspec.json.decode(row["vk_seen"]),
        **columns(services, row, *made),
    )


CODEC = codec(services, _to_row, _from_row)
PHOTO = codec(photos, plain, lambda row: Photo(**columns(photos, row)))

_lock = statement(select(services).where(services.c.id == bindparam("id")).with_for_update())
_of_shop = statement(
    select(services)
    .where(services.c.shop_id == bindparam("shop_id"), services.c.deleted_at.is_(None))
    .order_by(services.c.position, services.c.id)
    .limit(1000)
)
_by_item = statement(
    select(services).where(
        services.c.vk_connection_id == bindparam("connection_id"),
        services.c.vk_item_id == bindparam("item_id"),
    )
)
_last = statement(
    select(func.max(services.c.position).label("position")).where(
        services.c.shop_id == bindparam("shop_id")
    )
)
_sizes = statement(
    select(photos.c.id, photos.c.width, photos.c.height)
    .join(services, services.c.photo_id == photos.c.id)
    .where(services.c.shop_id == bindparam("shop_id"), services.c.deleted_at.is_(None))
)
# A small picture is named like its large one, see `small_of`.
_large = func.replace(photos.c.id, "phs_", "pho_")
_sweep = statement(
    delete(photos).where(
        photos.c.created_at < bindparam("before"),
        ~select(services.c.id).where(services.c.photo_id == _large).exists(),
    )
)
_shop_of = statement(select(shops.c.id).where(shops.c.slug == bindparam("slug")))


async def get(tx: Tx, service_id: str) -> Service | None:
    """The service, or None; a deleted one too."""
    row = await tx.fetch_one(CODEC.by_id, id=service_id)
    return _from_row(row) if row else None


async def lock(tx: Tx, service_id: str) -> Service:
    """The service, locked until the transaction ends."""
    row = await tx.fetch_one(_lock, id=service_id)
    assert row is not None, "whoever locks a service has seen it"
    return _from_row(row)


async def of_shop(tx: Tx, shop_id: str) -> list[Service]:
    """The catalogue in its order, hidden ones too, deleted ones not. 1000 at most."""
    return [_from_row(r) for r in await tx.fetch_all(_of_shop, shop_id=shop_id)]


async def by_item(tx: Tx, connection_id: str, item_id: int) -> Service | None:
    """The service that is tied to an item of a community's market."""
    row = await tx.fetch_one(_by_item, connection_id=connection_id, item_id=item_id)
    return _from_row(row) if row else None


async def next_position(tx: Tx, shop_id: str) -> int:
    """The place after the last service."""
    row = await tx.fetch_one(_last, shop_id=shop_id)
    return int(row["position"]) + 1 if row and row["position"] is not None else 0


async def photo(tx: Tx, photo_id: str) -> Photo | None:
    """The photo, or None."""
    row = await tx.fetch_one(PHOTO.by_id, id=photo_id)
    return PHOTO.from_row(row) if row else None


async def photo_sizes(tx: Tx, shop_id: str) -> dict[str, tuple[int, int]]:
    """Width and height of the photos in a shop's catalogue, by id."""
    rows = await tx.fetch_all(_sizes, shop_id=shop_id)
    return {r["id"]: (r["width"], r["height"]) for r in rows}


async def sweep_photos(tx: Tx, before: int) -> int:
    """Deletes photos older than a moment that no service shows; returns how many."""
    return await tx.execute(_sweep, before=before)


def small_of(photo_id: str) -> str:
    """The name of a photo's small picture."""
    return photo_id.replace("pho_", "phs_", 1)


async def shop_by_slug(tx: Tx, slug: str) -> str | None:
    """Whose public page of services has this name."""
    row = await tx.fetch_one(_shop_of, slug=slug)
    return str(row["id"]) if row else None
