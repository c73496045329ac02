"""Price list import: preview what the rows of a file change, and apply them in one transaction."""

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.catalogue.price_list import (
    ChangeKind,
    ImportRow,
    PlannedChange,
    count_by_kind,
    plan,
    services_to_save,
)
from sigma.domain.change import Change
from sigma.services.catalogue.services import lock_catalogue, new_service
from sigma.services.context import Context
from sigma.store import changes
from sigma.store.catalogue import services


async def preview(ctx: Context, member: Member, rows: list[ImportRow]) -> list[PlannedChange]:
    """Plan the import without writing anything."""
    member.require(Permission.CATALOGUE)
    async with ctx.db.read() as tx:
        existing = await services.list_for_shop(tx, member.shop_id)
    return plan(existing, rows, lambda n: new_service(ctx, member.shop_id, n))


async def apply(ctx: Context, member: Member, rows: list[ImportRow]) -> dict[ChangeKind, int]:
    """Apply all valid rows in one transaction; invalid rows are skipped.

    Returns the number of rows by kind of change. Raises RefusedError("validation") when the shop
    would have too many services.
    """
    member.require(Permission.CATALOGUE)
    async with ctx.db.write() as tx:
        existing = await lock_catalogue(tx, member.shop_id, 0)
        first_position = await services.next_position(tx, member.shop_id)
        planned = plan(
            existing, rows, lambda n: new_service(ctx, member.shop_id, first_position + n)
        )
        counts = count_by_kind(planned)
        if counts[ChangeKind.ADD]:
            await lock_catalogue(tx, member.shop_id, counts[ChangeKind.ADD])
        await changes.write(tx, Change(services_to_save(planned)), ctx.now_us())
    return counts
