"""Job notification.announce: turn an event into one notification for each member and way.

The job is written in the transaction of the event (`sigma.domain.notifications.event`). Running it
twice adds nothing: a notification is unique by event, member and way.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from sigma.domain.accounts.member import Member
from sigma.domain.billing.refund import Origin
from sigma.domain.change import Job, TimelineEvent
from sigma.domain.money import Money
from sigma.domain.notifications.event import is_acquirer_key_broken, kind_of_event
from sigma.domain.notifications.kind import Kind, Way, topic_of
from sigma.domain.notifications.notification import ACQUIRER_KEY, Notification, Recipient
from sigma.domain.notifications.preferences import is_wanted
from sigma.domain.time_units import DAY_US
from sigma.services.context import Context
from sigma.services.notifications.addresses import vk_hashes
from sigma.store import jobs
from sigma.store.billing import invoices, mails, payments, timeline
from sigma.store.engine.interface import Op, Tx
from sigma.store.messaging import conversations, messages
from sigma.store.notifications import addresses, notifications, preferences

# A client's message that the history brings later than this is no news.
MAX_MESSAGE_AGE_US = DAY_US


@dataclass(frozen=True, slots=True)
class Facts:
    """What a notification says about an event, without personal data of clients."""

    kind: Kind
    shop_id: str
    subject_id: str
    amount: Money | None = None
    invoice_number: str = ""
    detail: str = ""


async def announce(ctx: Context, event_id: str) -> int | None:
    """Write the notifications of an event, and the jobs that send them."""
    async with ctx.db.read() as tx:
        facts = await _LOADERS[event_id.partition("_")[0]](ctx, tx, event_id)
        if facts is None:
            return None
        chosen = await preferences.list_for_shop(tx, facts.shop_id)
        linked = await addresses.list_linked(tx, facts.shop_id)
    recipients = [
        Recipient(facts.shop_id, one.user_id, way, topic_of(facts.kind))
        for one, role in chosen
        for way in Way
        if way is Way.EMAIL or (one.user_id, way) in linked
        if is_wanted(one, Member(one.user_id, facts.shop_id, role), facts.kind, way)
    ]
    ops = [op for one in recipients for op in notify_ops(ctx, facts, one, event_id)]
    if ops:
        async with ctx.db.write() as tx:
            await tx.write_all(ops, [jobs.CHANNEL])
    return None


def notify_ops(ctx: Context, facts: Facts, recipient: Recipient, event_id: str) -> list[Op]:
    """Return the writes of a notification for one member and way, and of the job that sends it."""
    now_us = ctx.now_us()
    notification = Notification(
        ctx.new_id("ntf", facts.shop_id),
        recipient,
        facts.kind,
        event_id,
        facts.subject_id,
        now_us,
        amount=facts.amount,
        invoice_number=facts.invoice_number,
        detail=facts.detail,
    )
    job = Job("notification.send", recipient.key, facts.shop_id)
    return [notifications.insert_new(notification), jobs.enqueue(job, now_us)]


async def _from_timeline(ctx: Context, tx: Tx, event_id: str) -> Facts | None:
    event = await timeline.get(tx, event_id)
    kind = kind_of_event(event) if event else None
    if event is None or kind is None:
        return None
    if is_acquirer_key_broken(event):
        payment = await payments.get(tx, event.subject_id)
        connection_id = payment.connection_id if payment else ""
        return Facts(kind, event.shop_id, connection_id, detail=ACQUIRER_KEY)
    if kind is Kind.KEY_BROKEN:
        return Facts(kind, event.shop_id, event.subject_id, detail=str(event.detail.get("code")))
    return await _about_payment(tx, kind, event.subject_id, _amount(event), _reason(event))


def _amount(event: TimelineEvent) -> Money | None:
    """Return the amount of a refund that an event is about."""
    minor, currency = event.detail.get("minor"), event.detail.get("currency")
    if not isinstance(minor, int) or not isinstance(currency, str):
        return None
    return Money(minor, currency)


def _reason(event: TimelineEvent) -> str:
    """Return the key of mail.attention for an event that needs attention, else ""."""
    if event.kind == "refund.charged_back":
        return str(Origin.CHARGEBACK)
    _, prefix, reason = event.kind.partition(".attention_")
    return reason if prefix else ""


async def _about_payment(
    tx: Tx, kind: Kind, payment_id: str, amount: Money | None = None, detail: str = ""
) -> Facts | None:
    payment = await payments.get(tx, payment_id)
    invoice = await invoices.get(tx, payment.invoice_id) if payment else None
    if payment is None or invoice is None:
        return None
    return Facts(
        kind, payment.shop_id, payment.id, amount or payment.amount, str(invoice.number), detail
    )


async def _from_message(ctx: Context, tx: Tx, message_id: str) -> Facts | None:
    """Return None for what is read already, is old, or was written by a member's own VK page."""
    message = await messages.get(tx, message_id)
    conversation = await conversations.get(tx, message.conversation_id) if message else None
    if message is None or conversation is None or not conversation.unread_count:
        return None
    if ctx.now_us() - message.written_at_us > MAX_MESSAGE_AGE_US:
        return None
    own_hashes = vk_hashes(ctx, conversation.connection_id, conversation.peer_id)
    if await addresses.list_by_hash(tx, message.shop_id, own_hashes):
        return None
    return Facts(Kind.CLIENT_MESSAGE, message.shop_id, conversation.id)


async def _from_mail(_: Context, tx: Tx, mail_id: str) -> Facts | None:
    mail = await mails.get(tx, mail_id)
    if mail is None:
        return None
    return await _about_payment(tx, Kind.RECEIPT_NOT_SENT, mail.payment_id)


# By the prefix of the event's id.
_LOADERS: Mapping[str, Callable[[Context, Tx, str], Awaitable[Facts | None]]] = {
    "evt": _from_timeline,
    "msg": _from_message,
    "mail": _from_mail,
}
