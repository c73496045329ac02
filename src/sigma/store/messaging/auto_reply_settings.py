"""Auto-reply settings, one row per shop."""

from typing import Any

import msgspec
from sqlalchemy import bindparam, select

from sigma.store.engine.interface import Op, Tx
from sigma.store.engine.row_codec import encode_json
from sigma.store.engine.statements import statement, upsert
from sigma.store.schema.messaging_tables import auto_reply_settings

_get = statement(select(auto_reply_settings).where(auto_reply_settings.c.id == bindparam("id")))
_save = statement(upsert(auto_reply_settings, ["id"], ["body"]))


async def get(tx: Tx, shop_id: str) -> dict[str, Any]:
    """Return a shop's auto-reply settings as decoded JSON; empty when never saved."""
    row = await tx.fetch_one(_get, id=shop_id)
    body: dict[str, Any] = msgspec.json.decode(row["body"]) if row else {}
    return body


def save(shop_id: str, body: dict[str, Any]) -> Op:
    """Return the write of a shop's auto-reply settings; `body` is stored as JSON."""
    return Op(_save, {"id": shop_id, "body": encode_json(body), "version": 1})
