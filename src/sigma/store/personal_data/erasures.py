"""The erasure log, and the VK users that were erased."""

import msgspec
from sqlalchemy import bindparam, insert, select

from sigma.domain.personal_data.erasure import Erasure
from sigma.store.engine.interface import Op, Row, Tx
from sigma.store.engine.row_codec import column_values, encode_json, field_values
from sigma.store.engine.statements import statement, upsert
from sigma.store.paging import MAX_ID
from sigma.store.schema.personal_data_tables import erased_peers, erasures

_insert = statement(insert(erasures))
_list_for_shop = statement(
    select(erasures)
    .where(erasures.c.shop_id == bindparam("shop_id"), erasures.c.id < bindparam("before_id"))
    .order_by(erasures.c.id.desc())
    .limit(bindparam("limit"))
)
_add_peer = statement(upsert(erased_peers, ["peer_hash"], ["erased_at_us"]))
_find_peer = statement(
    select(erased_peers.c.erased_at_us).where(erased_peers.c.peer_hash == bindparam("peer_hash"))
)


def _from_row(row: Row) -> Erasure:
    return Erasure(
        counts=msgspec.json.decode(row["counts"]), **column_values(erasures, row, "counts")
    )


async def add(tx: Tx, erasure: Erasure) -> None:
    """Add an entry to the erasure log."""
    values = field_values(erasure, "counts") | {"counts": encode_json(erasure.counts)}
    await tx.execute(_insert, **values)


async def list_for_shop(tx: Tx, shop_id: str, *, before_id: str = "", limit: int) -> list[Erasure]:
    """Return entries of the erasure log, the newest first, with ids smaller than `before_id`."""
    rows = await tx.fetch_all(
        _list_for_shop, shop_id=shop_id, before_id=before_id or MAX_ID, limit=limit
    )
    return [_from_row(row) for row in rows]


def add_peer(peer_hash: str, erased_at_us: int) -> Op:
    """Return the write that remembers an erased VK user by a keyed hash."""
    return Op(_add_peer, {"peer_hash": peer_hash, "erased_at_us": erased_at_us})


async def find_peer(tx: Tx, peer_hash: str) -> int | None:
    """Return when a VK user was erased (UTC microseconds), or None."""
    row = await tx.fetch_one(_find_peer, peer_hash=peer_hash)
    return int(row["erased_at_us"]) if row else None
