"""Shops and the counters that number their invoices."""

import msgspec
from sqlalchemy import bindparam, select

from sigma.domain.accounts.shop import Seller, Shop
from sigma.store.engine.interface import Database, Row, Tx
from sigma.store.engine.row_codec import codec, columns, encode, plain
from sigma.store.engine.statements import insert_ignore, statement, upsert
from sigma.store.schema.tables import counters, shops

_seller = msgspec.json.Decoder(Seller)


def _to_row(shop: Shop) -> dict[str, object]:
    return plain(shop, "seller") | {"seller": encode(shop.seller)}


def from_row(row: Row, prefix: str = "") -> Shop:
    """A shop from its columns, which may carry a prefix in a join."""
    fields = columns(shops, row, "seller", prefix=prefix)
    return Shop(seller=_seller.decode(row[prefix + "seller"]), **fields)


CODEC = codec(shops, _to_row, from_row)

_first = statement(select(shops).order_by(shops.c.id).limit(1))
NEXT = statement(
    upsert(counters, ["shop_id", "name"], {"value": counters.c.value + 1}).returning(
        counters.c.value
    )
)
_claim_first = statement(insert_ignore(counters, "shop_id", "name"))
_locked = statement(select(shops).where(shops.c.id == bindparam("id")).with_for_update())


async def get(tx: Tx, shop_id: str) -> Shop | None:
    """The shop, or None."""
    row = await tx.fetch_one(CODEC.by_id, id=shop_id)
    return from_row(row) if row else None


async def lock(tx: Tx, shop_id: str) -> Shop:
    """The shop, locked until the transaction ends."""
    row = await tx.fetch_one(_locked, id=shop_id)
    assert row is not None, "a member's shop exists"
    return from_row(row)


async def first(tx: Tx) -> Shop | None:
    """The oldest shop of this installation."""
    row = await tx.fetch_one(_first)
    return from_row(row) if row else None


async def next_number(db: Database, shop_id: str) -> int:
    """The next invoice number of a shop.

    Not waited for on disk: the invoice's own commit, which follows, puts it there.
    """
    row = await db.relaxed(NEXT, shop_id=shop_id, name="invoice", value=1)
    assert row is not None
    return int(row["value"])


async def claim_first(tx: Tx) -> bool:
    """True for the one transaction that makes this installation's first shop."""
    return await tx.execute(_claim_first, shop_id="", name="first_shop", value=1) == 1
