"""Automatic reminders of unpaid invoices: the job that decides and hands them to a channel."""

from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Invoice, timeline_event
from sigma.domain.billing.mail import Mail
from sigma.domain.change import Change, Job
from sigma.domain.messaging.message import AUTHOR_AUTO_REPLY
from sigma.domain.reminders.reminder import Reminder, ReminderKind, ReminderSettings, decide
from sigma.domain.time_units import HOUR_US
from sigma.services.context import Context
from sigma.services.conversations import outbox
from sigma.services.conversations.change_feed import notify_changed
from sigma.services.invoice_cards import payment_links
from sigma.services.invoice_cards.card_messages import reminder_body
from sigma.services.platform import quotas
from sigma.services.reminders import facts as reminder_facts
from sigma.services.reminders import settings as reminder_settings
from sigma.services.reminders import stops
from sigma.services.reminders.facts import Target
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.billing import invoices
from sigma.store.engine.interface import ConflictError, Tx
from sigma.store.messaging import conversations

QUOTA_PAUSE_US = HOUR_US  # above the quota of messages the next look comes after this time


async def remind(ctx: Context, invoice_id: str) -> int | None:
    """Job invoice.remind: remind the clients of an invoice who are due.

    Decides under the invoice's lock, which payments are settled under, and writes the message in
    the same transaction. Returns when to decide again (UTC microseconds), None when nothing
    follows. A repeated run sends nothing twice.
    """
    async with ctx.db.read() as tx:
        invoice = await invoices.get(tx, invoice_id)
        shop = await shops.get(tx, invoice.shop_id) if invoice else None
        if invoice is None or shop is None:
            return None
        settings = await reminder_settings.load(tx, shop.id)
        times, due = _decide(ctx, await reminder_facts.load(ctx, tx, invoice, shop), shop, settings)
    if due:
        # Quotas count before the transaction, as those of all messages.
        if not await quotas.allows_auto_reply(ctx, shop.id, needs_invoice=False):
            return ctx.now_us() + QUOTA_PAUSE_US
        try:
            times = await _send_due(ctx, invoice_id, shop)
        except ConflictError:
            return ctx.now_us()  # a concurrent run or an operator has sent one: decide again
        await notify_changed(ctx)
    return min(times, default=None)


def _decide(
    ctx: Context, targets: list[Target], shop: Shop, settings: ReminderSettings
) -> tuple[list[int], list[tuple[Target, ReminderKind]]]:
    """Return when to decide again, and which reminders are due now."""
    times, due = [], []
    for target in targets:
        decision = decide(target.facts, settings, shop.tz, ctx.now_us())
        if decision.kind is not None:
            due.append((target, decision.kind))
        elif decision.at_us is not None:
            times.append(decision.at_us)
    return times, due


async def _send_due(ctx: Context, invoice_id: str, shop: Shop) -> list[int]:
    """Decide again under the locks and write what is due; return when to decide again."""
    async with ctx.db.write() as tx:
        invoice = await invoices.lock(tx, invoice_id)
        settings = await reminder_settings.load(tx, shop.id)
        targets = await reminder_facts.load(ctx, tx, invoice, shop)
        # A message that a client sends now is recorded under the conversation's lock.
        ids = {one.conversation.id for one in targets if one.conversation is not None}
        for conversation_id in sorted(ids):
            await conversations.lock(tx, conversation_id)
        targets = await reminder_facts.load(ctx, tx, invoice, shop)
        times, due = _decide(ctx, targets, shop, settings)
        change = Change()
        for target, kind in due:
            change += await _reminder_change(ctx, tx, invoice, shop, target, kind)
            times.append(ctx.now_us() + 1)  # another kind may follow: ask when
        if change:
            await changes.write(tx, change, ctx.now_us())
    return times


async def _reminder_change(
    ctx: Context, tx: Tx, invoice: Invoice, shop: Shop, target: Target, kind: ReminderKind
) -> Change:
    now_us = ctx.now_us()
    reminder = Reminder(
        id=ctx.new_id("rem", shop.id),
        shop_id=shop.id,
        invoice_id=invoice.id,
        target_id=target.id,
        kind=kind,
        message_id="",
        created_at_us=now_us,
    )
    event = timeline_event(
        invoice, f"reminded_{target.channel}_{kind}", now_us, ctx.id_factory(shop.id)
    )
    if target.card is None:
        mail = Mail(ctx.new_id("mail", shop.id), shop.id, "reminder", reminder.id, "", now_us)
        return Change((reminder, mail, event), jobs=(Job("mail.send", mail.id, shop.id),))
    conversation = await conversations.lock(tx, target.card.conversation_id)
    client_hash = stops.conversation_hashes(ctx, conversation)[0]
    url = payment_links.payment_link(ctx, invoice, target.card.id)
    stop_url = stops.stop_url(ctx, shop.id, client_hash)
    message, change = outbox.enqueue(
        ctx,
        conversation,
        reminder_body(invoice, shop, url, conversation, kind, stop_url),
        author=AUTHOR_AUTO_REPLY,
        idempotency_key=reminder_facts.message_key(target.card.id, now_us, shop.tz),
        now_us=now_us,
        is_reply=False,
    )
    reminder = Reminder(
        reminder.id,
        shop.id,
        invoice.id,
        target.id,
        kind,
        message.id,
        now_us,
    )
    return change + Change((reminder, event))
