"""Record deeds, read the audit log, and change it behind Sigma's back."""

import json
from typing import Any

from sqlalchemy import insert

from sigma.domain.audit.deed import Deed
from sigma.domain.audit.entry import Chain, Entry
from sigma.services.platform import audit_log, audit_verification
from sigma.store.audit import entries
from sigma.store.engine.row_codec import field_values
from sigma.store.engine.statements import statement, text_statement
from sigma.store.schema.platform_tables import audit_chains, audit_entries
from tests.world import World


async def record_some(world: World, count: int) -> None:
    """Record deeds of the owner."""
    for n in range(count):
        await audit_log.record_alone(world.ctx, world.member, Deed.PRICE_LIST_EXPORTED, count=n)


async def read(world: World, chain: str = "") -> list[Entry]:
    """Return the entries of the shop, or of another chain, the oldest first."""
    async with world.ctx.db.read() as tx:
        return await entries.list_after(tx, chain or world.shop.id, 0, 1000)


async def read_end(world: World) -> Chain:
    """Return the stored end of the shop's chain."""
    async with world.ctx.db.read() as tx:
        end = await entries.get_chain(tx, world.shop.id)
    assert end is not None
    return end


async def last(world: World) -> tuple[str, str, str, dict[str, Any]]:
    """Return deed, actor, subject and detail of the latest entry of the shop."""
    entry = (await read(world))[-1]
    return entry.deed, entry.actor, entry.subject, json.loads(entry.detail)


async def restore(world: World, rows: list[Entry], end: Chain) -> None:
    """Put the chain of the shop back as it was."""
    await run_sql(world, f"DELETE FROM audit_entries WHERE chain = '{world.shop.id}'")
    await run_sql(world, f"DELETE FROM audit_chains WHERE id = '{world.shop.id}'")
    async with world.ctx.db.write() as tx:
        await tx.execute(statement(insert(audit_chains)), **field_values(end))
        for row in rows:
            await tx.execute(statement(insert(audit_entries)), **field_values(row))


async def run_sql(world: World, sql: str) -> None:
    """Change the database behind Sigma's back."""
    async with world.ctx.db.write() as tx:
        await tx.execute(text_statement(sql))


async def faults(world: World, shop_id: str | None = None, **more: Any) -> list[tuple[str, int]]:
    """Return kind and number of the faults of all chains, or of one."""
    results = await audit_verification.verify(world.ctx, shop_id, **more)
    return [(str(fault.kind), fault.number) for result in results for fault in result.faults]
