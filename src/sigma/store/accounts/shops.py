"""Shops, and the counters of their invoice numbers."""

import msgspec
from sqlalchemy import bindparam, select

from sigma.domain.accounts.member import RefundLimits
from sigma.domain.accounts.quota import Quotas
from sigma.domain.accounts.second_factor import SecondFactorRule
from sigma.domain.accounts.shop import Seller, Shop
from sigma.store.engine.interface import Database, Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, encode_json, field_values
from sigma.store.engine.statements import insert_ignore, statement, upsert
from sigma.store.schema.tables import counters, shops
from sigma.store.search_text import like_pattern, normalize_text

_seller = msgspec.json.Decoder(Seller)
_refund_limits = msgspec.json.Decoder(RefundLimits)
_quotas = msgspec.json.Decoder(Quotas)
_JSON_COLUMNS = ("seller", "refund_limits", "quotas")
_CONVERTED_COLUMNS = (*_JSON_COLUMNS, "second_factor_rule")


def _to_row(shop: Shop) -> dict[str, object]:
    columns = {name: encode_json(getattr(shop, name)) for name in _JSON_COLUMNS}
    return field_values(shop, *_JSON_COLUMNS) | columns | {"search": normalize_text(shop.name)}


def from_row(row: Row, prefix: str = "") -> Shop:
    """Return the shop of a row; `prefix` precedes its column names in a join."""
    fields = column_values(shops, row, *_CONVERTED_COLUMNS, "search", prefix=prefix)
    return Shop(
        seller=_seller.decode(row[prefix + "seller"]),
        refund_limits=_refund_limits.decode(row[prefix + "refund_limits"]),
        quotas=_quotas.decode(row[prefix + "quotas"]),
        second_factor_rule=SecondFactorRule(row[prefix + "second_factor_rule"]),
        **fields,
    )


CODEC = build_codec(shops, _to_row, from_row)

_oldest = statement(select(shops).order_by(shops.c.id).limit(1))
_next_invoice_number = statement(
    upsert(counters, ["shop_id", "name"], {"value": counters.c.value + 1}).returning(
        counters.c.value
    )
)
_claim_first_shop = statement(insert_ignore(counters, "shop_id", "name"))
_find_by_slug = statement(select(shops).where(shops.c.slug == bindparam("slug")))
_page = select(shops).where(shops.c.id < bindparam("before_id")).order_by(shops.c.id.desc())
_list_page = statement(_page.limit(bindparam("limit")))
_search_page = statement(
    _page.where(shops.c.search.like(bindparam("pattern"), escape="\\")).limit(bindparam("limit"))
)
_lock = statement(select(shops).where(shops.c.id == bindparam("id")).with_for_update())


async def get(tx: Tx, shop_id: str) -> Shop | None:
    """Return the shop, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=shop_id)
    return from_row(row) if row else None


async def lock(tx: Tx, shop_id: str) -> Shop:
    """Return the shop, locked until the transaction ends. The shop must exist."""
    row = await tx.fetch_one(_lock, id=shop_id)
    assert row is not None, f"cannot lock an unknown shop: {shop_id}"
    return from_row(row)


async def find_by_slug(tx: Tx, slug: str) -> Shop | None:
    """Return the shop whose storefront has this slug, or None."""
    row = await tx.fetch_one(_find_by_slug, slug=slug)
    return from_row(row) if row else None


async def oldest(tx: Tx) -> Shop | None:
    """Return the oldest shop of this installation, or None."""
    row = await tx.fetch_one(_oldest)
    return from_row(row) if row else None


async def next_invoice_number(db: Database, shop_id: str) -> int:
    """Return the next invoice number of a shop.

    The counter is not synced to disk here: the commit of the invoice, which follows, does that.
    """
    row = await db.execute_unsynced(_next_invoice_number, shop_id=shop_id, name="invoice", value=1)
    assert row is not None
    return int(row["value"])


async def claim_first_shop(tx: Tx) -> bool:
    """Return True for the first caller only: it may create the first shop of this installation."""
    return await tx.execute(_claim_first_shop, shop_id="", name="first_shop", value=1) == 1


async def list_page(tx: Tx, *, query: str, limit: int, before_id: str) -> list[Shop]:
    """Return shops of the installation, the newest first; `query`: a part of the name."""
    values: dict[str, object] = {"limit": limit, "before_id": before_id}
    if query:
        rows = await tx.fetch_all(_search_page, pattern=like_pattern(query), **values)
    else:
        rows = await tx.fetch_all(_list_page, **values)
    return [from_row(row) for row in rows]
