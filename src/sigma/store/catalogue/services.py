"""Services."""

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, or_, select

from sigma.domain.catalogue.service import InvoiceTemplate, PriceKind, Service
from sigma.domain.money import Money
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, encode_json, field_values
from sigma.store.engine.statements import in_list, statement
from sigma.store.paging import MAX_INT
from sigma.store.schema.catalogue_tables import services

_MONEY_COLUMNS = ("amount_minor", "max_amount_minor", "currency")
_template_decoder = msgspec.json.Decoder(InvoiceTemplate)


def _to_row(service: Service) -> dict[str, Any]:
    skipped = ("amount", "max_amount", "invoice_template", "vk_synced_state")
    price = service.amount or service.max_amount
    return field_values(service, *skipped) | {
        "amount_minor": service.amount.minor if service.amount else None,
        "max_amount_minor": service.max_amount.minor if service.max_amount else None,
        "currency": price.currency if price else "",
        "invoice_template": encode_json(service.invoice_template),
        "vk_synced_state": encode_json(service.vk_synced_state),
    }


def _from_row(row: Row) -> Service:
    converted = ("price_kind", "is_visible", "invoice_template", "vk_synced_state")
    return Service(
        price_kind=PriceKind(row["price_kind"]),
        is_visible=bool(row["is_visible"]),
        amount=_to_money(row["amount_minor"], row["currency"]),
        max_amount=_to_money(row["max_amount_minor"], row["currency"]),
        invoice_template=_template_decoder.decode(row["invoice_template"]),
        vk_synced_state=msgspec.json.decode(row["vk_synced_state"]),
        **column_values(services, row, *converted, *_MONEY_COLUMNS),
    )


def _to_money(minor: int | None, currency: str) -> Money | None:
    return Money(minor, currency) if minor is not None else None


CODEC = build_codec(services, _to_row, _from_row)

_lock = statement(select(services).where(services.c.id == bindparam("id")).with_for_update())
_list_for_shop = statement(
    select(services)
    .where(services.c.shop_id == bindparam("shop_id"), services.c.deleted_at_us.is_(None))
    .order_by(services.c.position, services.c.id)
    .limit(10_000)
)
_find_titles = statement(
    select(services.c.id, services.c.title).where(in_list(services.c.id, "service_ids"))
)
_list_page = statement(
    select(services)
    .where(
        services.c.shop_id == bindparam("shop_id"),
        services.c.deleted_at_us.is_(None),
        services.c.position >= bindparam("after_position"),  # where the index is entered
        or_(
            services.c.position > bindparam("after_position"),
            services.c.id > bindparam("after_id"),
        ),
    )
    .order_by(services.c.position, services.c.id)
    .limit(bindparam("limit"))
)
_find_by_market_item = statement(
    select(services).where(
        services.c.vk_connection_id == bindparam("connection_id"),
        services.c.vk_item_id == bindparam("market_item_id"),
    )
)
_last_position = statement(
    select(func.max(services.c.position).label("position")).where(
        services.c.shop_id == bindparam("shop_id"), services.c.deleted_at_us.is_(None)
    )
)


async def get(tx: Tx, service_id: str) -> Service | None:
    """Return the service, deleted or not, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=service_id)
    return _from_row(row) if row else None


async def lock(tx: Tx, service_id: str) -> Service:
    """Return the service, locked until the transaction ends. The service must exist."""
    row = await tx.fetch_one(_lock, id=service_id)
    assert row is not None, f"cannot lock an unknown service: {service_id}"
    return _from_row(row)


async def list_for_shop(tx: Tx, shop_id: str) -> list[Service]:
    """Return a shop's services by position, including hidden ones; at most 10,000."""
    return [_from_row(r) for r in await tx.fetch_all(_list_for_shop, shop_id=shop_id)]


async def find_titles(tx: Tx, ids: Collection[str]) -> dict[str, str]:
    """Return the titles of services by id, of those that exist."""
    if not ids:
        return {}
    rows = await tx.fetch_all(_find_titles, service_ids=list(ids))
    return {row["id"]: row["title"] for row in rows}


async def list_page(tx: Tx, shop_id: str, *, after: Service | None, limit: int) -> list[Service]:
    """Return services by position, including hidden ones; `after`: the last one of the page before.

    `after` may be deleted or moved meanwhile: the page begins after its present position.
    """
    position, service_id = (after.position, after.id) if after else (-MAX_INT, "")
    rows = await tx.fetch_all(
        _list_page, shop_id=shop_id, after_position=position, after_id=service_id, limit=limit
    )
    return [_from_row(row) for row in rows]


async def find_by_market_item(tx: Tx, connection_id: str, market_item_id: int) -> Service | None:
    """Return the service linked to a VK market item, or None."""
    row = await tx.fetch_one(
        _find_by_market_item, connection_id=connection_id, market_item_id=market_item_id
    )
    return _from_row(row) if row else None


async def next_position(tx: Tx, shop_id: str) -> int:
    """Return the position after the shop's last service."""
    row = await tx.fetch_one(_last_position, shop_id=shop_id)
    return int(row["position"]) + 1 if row and row["position"] is not None else 0
