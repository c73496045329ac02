"""A write that changes nothing of value: it shows whether writes reach the disk."""

from sigma.store.engine.interface import Database, Op
from sigma.store.engine.statements import statement, upsert
from sigma.store.schema.tables import write_probes

_write = statement(upsert(write_probes, ["id"], ["written_at_us"]))


async def write(db: Database, now_us: int) -> None:
    """Commit one small write. Raises NotWritableError or another StoreError."""
    await db.commit([Op(_write, {"id": "probe", "written_at_us": now_us})])
