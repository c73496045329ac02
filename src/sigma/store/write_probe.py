"""A write that changes nothing of value: it shows whether writes reach the disk."""

from sigma.store.engine.interface import Database, Op
from sigma.store.engine.statements import statement, upsert
from sigma.store.schema.tables import counters

# One row in a table that exists anyway. No shop has the empty id.
_write = statement(upsert(counters, ["shop_id", "name"], ["value"]))


async def write(db: Database, now_us: int) -> None:
    """Commit one small write. Raises NotWritableError or another StoreError."""
    await db.commit([Op(_write, {"shop_id": "", "name": "write_probe", "value": now_us})])
