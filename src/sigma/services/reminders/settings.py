"""The switches of automatic reminders: three for a shop, one for an invoice."""

import msgspec

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.audit.changed_fields import changed_fields
from sigma.domain.audit.deed import Deed
from sigma.domain.errors import RefusedError
from sigma.domain.reminders.reminder import ReminderSettings
from sigma.services.context import Context
from sigma.services.platform import audit_log
from sigma.store.billing import invoices, reminders
from sigma.store.engine.interface import Tx


async def get(ctx: Context, member: Member) -> ReminderSettings:
    """Return the shop's switches. Raises RefusedError("forbidden")."""
    member.require(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        return await load(tx, member.shop_id)


async def load(tx: Tx, shop_id: str) -> ReminderSettings:
    """Return a shop's switches; all off when never saved."""
    return msgspec.convert(await reminders.get_settings(tx, shop_id), ReminderSettings)


async def save(ctx: Context, member: Member, settings: ReminderSettings) -> None:
    """Save the shop's switches. Raises RefusedError("forbidden")."""
    member.require(Permission.SETTINGS)
    body = msgspec.to_builtins(settings)
    async with ctx.db.write() as tx:
        before = msgspec.to_builtins(await load(tx, member.shop_id))
        await tx.write_all([reminders.save_settings(member.shop_id, body)])
        if changed := changed_fields(before, body):
            await audit_log.record(
                ctx, tx, member, Deed.REMINDERS_CHANGED, member.shop_id, changes=changed
            )


async def is_silenced(ctx: Context, member: Member, invoice_id: str) -> bool:
    """Return whether the automatic reminders of an invoice are off; of an own invoice only."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        return await reminders.is_silenced(tx, invoice_id)


async def set_silenced(ctx: Context, member: Member, invoice_id: str, *, is_silenced: bool) -> None:
    """Switch the automatic reminders of one invoice off or on. Repeating it changes nothing.

    Raises RefusedError: "forbidden", "not_found".
    """
    member.require(Permission.ISSUE)
    async with ctx.db.write() as tx:
        invoice = await invoices.get(tx, invoice_id)
        if invoice is None or invoice.shop_id != member.shop_id:
            raise RefusedError("not_found", what="invoice")
        await invoices.lock(tx, invoice_id)  # a reminder that is being decided comes before or not
        if await reminders.is_silenced(tx, invoice_id) == is_silenced:
            return
        op = (
            reminders.silence(invoice_id, member.shop_id, ctx.now_us())
            if is_silenced
            else reminders.allow(invoice_id)
        )
        await tx.write_all([op])
        deed = Deed.REMINDERS_SILENCED if is_silenced else Deed.REMINDERS_ALLOWED
        await audit_log.record(ctx, tx, member, deed, invoice_id)
