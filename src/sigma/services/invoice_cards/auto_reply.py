"""Auto-replies: a greeting with services as buttons, the payment link of a chosen service, a text
outside working hours.

A client message gets at most one auto-reply. An operator who writes pauses them at once.
"""

from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import structlog

from sigma.channels.vk import keyboard
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.shop import Shop
from sigma.domain.audit.changed_fields import changed_fields
from sigma.domain.audit.deed import Deed
from sigma.domain.billing import invoice as invoice_domain
from sigma.domain.billing.invoice import Draft
from sigma.domain.billing.invoice import Status as InvoiceStatus
from sigma.domain.catalogue.service import Service, draft_invoice
from sigma.domain.change import Change
from sigma.domain.errors import validation_error
from sigma.domain.local_time import local_time
from sigma.domain.messaging.auto_reply import (
    AutoReply,
    AutoReplySettings,
    IncomingMessage,
    check_auto_reply_settings,
    choose_reply,
    chosen_service,
)
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import AUTHOR_AUTO_REPLY, Message, MessageBody
from sigma.domain.time_units import DAY_US
from sigma.services.billing.invoices import build
from sigma.services.billing.payment_limits import check_amount
from sigma.services.context import Context
from sigma.services.conversations import message_codec, outbox
from sigma.services.conversations.change_feed import notify_changed
from sigma.services.invoice_cards import cards, payment_links
from sigma.services.invoice_cards.card_messages import open_invoice_body
from sigma.services.platform import audit_log, quotas
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.catalogue import services
from sigma.store.engine.interface import Tx
from sigma.store.messaging import auto_reply_settings, conversations, inbox, messages
from sigma.store.messaging import cards as card_rows
from sigma.texts import Translator

log = structlog.get_logger()

MAX_BUTTONS = 6  # one per row, because service titles are long
LOOKUP_LIMIT = 20  # latest messages, and latest invoices, read of a conversation


@dataclass(frozen=True, slots=True)
class _ReplyContext:
    """Everything that decides the auto-reply to one message. `now_us`: UTC microseconds."""

    message: Message
    conversation: Conversation
    settings: AutoReplySettings
    shop: Shop
    offered_services: list[Service]
    incoming: IncomingMessage
    chosen_service: Service | None
    local_time: datetime
    now_us: int

    def choose_reply(self, conversation: Conversation) -> AutoReply:
        """Return the reply for this state of the conversation."""
        return choose_reply(
            self.settings,
            conversation,
            self.incoming,
            self.chosen_service,
            self.local_time,
            self.now_us,
        )

    def idempotency_key(self, reply: AutoReply) -> str:
        """Return the reply's idempotency key.

        At most one first greeting per conversation, one closed-hours text per local day, and one
        reply per message otherwise.
        """
        if reply is AutoReply.GREETING and self.incoming.is_first:
            return f"auto_reply:greeting:{self.conversation.id}"
        if reply is AutoReply.CLOSED:
            day = self.local_time.date().isoformat()
            return f"auto_reply:closed_hours:{self.conversation.id}:{day}"
        return f"auto_reply:{self.message.id}"


async def get_settings(ctx: Context, member: Member) -> AutoReplySettings:
    """Return the shop's auto-reply settings. Raises RefusedError("forbidden")."""
    member.require(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        return await _load_settings(tx, member.shop_id)


async def _load_settings(tx: Tx, shop_id: str) -> AutoReplySettings:
    return msgspec.convert(await auto_reply_settings.get(tx, shop_id), AutoReplySettings)


async def button_labels(ctx: Context, member: Member) -> list[str]:
    """Return the labels of the buttons under the greeting, in the shop's language."""
    member.require(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        shop = await shops.get(tx, member.shop_id)
        offered_services = await services.list_for_shop(tx, member.shop_id)
    assert shop is not None, "a member references a shop"
    translator = Translator(shop.locale, shop.tz)
    return [_button_label(service, translator) for service in _button_services(offered_services)]


async def save_settings(ctx: Context, member: Member, settings: AutoReplySettings) -> None:
    """Save the shop's auto-reply settings. Raises RefusedError: "validation", "forbidden"."""
    member.require(Permission.SETTINGS)
    if problems := check_auto_reply_settings(settings):
        raise validation_error(*problems)
    body = msgspec.to_builtins(settings)
    async with ctx.db.write() as tx:
        before = msgspec.to_builtins(await _load_settings(tx, member.shop_id))
        await tx.write_all([auto_reply_settings.save(member.shop_id, body)])
        if changed := changed_fields(before, body):
            await audit_log.record(
                ctx, tx, member, Deed.AUTO_REPLIES_CHANGED, member.shop_id, changes=changed
            )


async def send(ctx: Context, message_id: str) -> int | None:
    """Job auto_reply.send: reply to a client message if the shop's settings call for it.

    Returns when to run again (UTC microseconds) when the open invoice was paid meanwhile.
    """
    context = await _load_context(ctx, message_id)
    if context is None:
        return None
    reply = context.choose_reply(context.conversation)
    draft = await _invoice_draft(ctx, context) if reply is AutoReply.INVOICE else None
    if reply is AutoReply.NOTHING or (reply is AutoReply.INVOICE and draft is None):
        return None
    needs_invoice = await _needs_invoice(ctx, context, draft)
    if needs_invoice and await _is_over_daily_limit(ctx, context):
        return None  # the conversation stays unanswered for an operator
    if not await quotas.allows_auto_reply(ctx, context.shop.id, needs_invoice=needs_invoice):
        return None
    number = await shops.next_invoice_number(ctx.db, context.shop.id) if needs_invoice else 0
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, context.conversation.id)
        key = context.idempotency_key(reply)
        # An operator may have replied, or another run of this job, since the read.
        if context.choose_reply(locked) is not reply or await messages.find_by_key(
            tx, context.shop.id, key
        ):
            return None
        if draft is not None:
            change = await _invoice_change(ctx, tx, context, locked, draft, number, key)
            if not change:
                # The open invoice has just been paid: run again from the start.
                return context.now_us
        else:
            body = _reply_body(reply, context)
            _, change = outbox.enqueue(
                ctx,
                locked,
                body,
                author=AUTHOR_AUTO_REPLY,
                idempotency_key=key,
                now_us=context.now_us,
            )
        await changes.write(tx, change, context.now_us)
    await notify_changed(ctx)
    return None


async def _load_context(ctx: Context, message_id: str) -> _ReplyContext | None:
    """Load the context; None for an outgoing message or when auto-replies are off."""
    async with ctx.db.read() as tx:
        message = await messages.get(tx, message_id)
        if message is None or message.is_outgoing:
            return None
        settings = await _load_settings(tx, message.shop_id)
        if not settings.enabled:
            return None
        conversation = await conversations.get(tx, message.conversation_id)
        shop = await shops.get(tx, message.shop_id)
        assert conversation is not None and shop is not None, "a message references both"
        offered_services = await services.list_for_shop(tx, shop.id)
        incoming = await _incoming_message(ctx, tx, message)
    now_us = ctx.now_us()
    service = chosen_service(incoming, offered_services)
    return _ReplyContext(
        message,
        conversation,
        settings,
        shop,
        offered_services,
        incoming,
        service,
        local_time(now_us, shop.tz),
        now_us,
    )


async def _incoming_message(ctx: Context, tx: Tx, message: Message) -> IncomingMessage:
    """Return the message as the rules see it.

    `is_first` requires that all earlier messages are stored (the cmid equals their number plus
    one) and that none of them is outgoing.
    """
    body = message_codec.decrypt_body(ctx.cipher, message.id, message.body_encrypted)
    earlier = await messages.list_for_conversation(
        tx, message.conversation_id, before_position=message.position, limit=LOOKUP_LIMIT
    )
    is_complete = message.cmid is not None and len(earlier) == message.cmid - 1
    is_first = is_complete and not any(message_before.is_outgoing for message_before in earlier)
    return IncomingMessage(body.text, body.payload, message.written_at_us, is_first)


def _reply_body(reply: AutoReply, context: _ReplyContext) -> MessageBody:
    translator = Translator(context.shop.locale, context.shop.tz)
    if reply in (AutoReply.PRICE_BY_OPERATOR, AutoReply.INVOICE_BY_OPERATOR):
        assert context.chosen_service is not None, "this reply requires a chosen service"
        return MessageBody(text=translator.t(f"auto.{reply}", title=context.chosen_service.title))
    if reply is AutoReply.CLOSED:
        text = context.settings.closed_text or translator.t("auto.closed")
        if not (context.settings.greeting_enabled and context.incoming.is_first):
            # The services are shown only in reply to the first message.
            return MessageBody(text=text)
    else:
        text = context.settings.greeting or translator.t("auto.greeting", shop=context.shop.name)
    return _services_body(text, context, translator)


def _services_body(text: str, context: _ReplyContext, translator: Translator) -> MessageBody:
    """Add the services as buttons, or as text lines when the client's app shows no text buttons.

    A client may also choose a service by writing its title.
    """
    supported_buttons = context.conversation.supported_buttons
    if not supported_buttons or "text" in supported_buttons.split(","):
        return MessageBody(
            text=text, keyboard=services_keyboard(context.offered_services, translator)
        )
    titles = [
        f"• {_button_label(service, translator)}"
        for service in _button_services(context.offered_services)
    ]
    return MessageBody(text="\n".join([text, *titles]))


def _button_services(offered_services: list[Service]) -> list[Service]:
    return [service for service in offered_services if service.is_visible][:MAX_BUTTONS]


def services_keyboard(
    offered_services: list[Service], translator: Translator
) -> dict[str, object] | None:
    """Return a VK keyboard of services, or None without visible ones.

    The payload carries only the service id: a client can forge it, so it holds no price.
    """
    rows = [
        [keyboard.text_button(_button_label(service, translator), {"service": service.id})]
        for service in _button_services(offered_services)
    ]
    return keyboard.inline_keyboard(rows) if rows else None


def _button_label(service: Service, translator: Translator) -> str:
    if not service.is_payable or service.amount is None:
        return keyboard.fit_label(service.title)
    price = translator.money(service.amount, short=True)
    max_title_length = keyboard.MAX_LABEL_CHARS - len(price) - 3
    title = " ".join(service.title.split())
    title = (
        title if len(title) <= max_title_length else title[: max_title_length - 1].rstrip() + "…"
    )
    return f"{title} · {price}"


async def _invoice_draft(ctx: Context, context: _ReplyContext) -> Draft | None:
    """Return the invoice draft of the chosen service; None when it cannot be issued."""
    assert context.chosen_service is not None, "an invoice reply requires a chosen service"
    draft = replace(
        draft_invoice(context.chosen_service, context.now_us),
        conversation_id=context.conversation.id,
    )
    problems = invoice_domain.check_draft(draft, context.now_us)
    if problems or await check_amount(ctx, context.shop.id, draft.amount):
        log.warning("auto_reply.invalid_service", service=context.chosen_service.id)
        return None  # the conversation stays unanswered for an operator
    return draft


async def _needs_invoice(ctx: Context, context: _ReplyContext, draft: Draft | None) -> bool:
    """Return whether a new invoice must be issued, which needs an invoice number."""
    if draft is None:
        return False
    async with ctx.db.read() as tx:
        return await _open_invoice_body(ctx, tx, context) is None


async def _is_over_daily_limit(ctx: Context, context: _ReplyContext) -> bool:
    """Return whether the last LOOKUP_LIMIT invoices are automatic, unpaid and from one day.

    Protects against a client or bot that presses service buttons without end.
    """
    async with ctx.db.read() as tx:
        invoices = await inbox.list_invoices(tx, context.conversation.id, LOOKUP_LIMIT)
    unpaid = [
        invoice
        for invoice in invoices
        if invoice.created_by == AUTHOR_AUTO_REPLY and not invoice.paid_count
    ]
    return len(unpaid) == LOOKUP_LIMIT and context.now_us - unpaid[-1].created_at_us < DAY_US


async def _invoice_change(
    ctx: Context,
    tx: Tx,
    context: _ReplyContext,
    locked: Conversation,
    draft: Draft,
    number: int,
    idempotency_key: str,
) -> Change:
    """Return the change that sends a payment link: of the client's unpaid invoice or a new one.

    The caller holds the conversation's lock, so two button presses create one invoice. Returns an
    empty change when a new invoice is needed but `number` is 0.
    """
    if body := await _open_invoice_body(ctx, tx, context):
        return outbox.enqueue(
            ctx,
            locked,
            body,
            author=AUTHOR_AUTO_REPLY,
            idempotency_key=idempotency_key,
            now_us=context.now_us,
        )[1]
    if not number:
        return Change()
    draft = replace(draft, customer_id=locked.customer_id)
    invoice, change = build(ctx, draft, context.shop.id, number, AUTHOR_AUTO_REPLY, context.now_us)
    return change + await cards.add_card(
        ctx, tx, invoice, locked.id, AUTHOR_AUTO_REPLY, context.now_us, idempotency_key
    )


async def _open_invoice_body(ctx: Context, tx: Tx, context: _ReplyContext) -> MessageBody | None:
    """Return a message with the link of the client's unpaid invoice for the chosen service.

    None when there is none.
    """
    assert context.chosen_service is not None, "an invoice reply requires a chosen service"
    invoices = await inbox.list_invoices(tx, context.conversation.id, LOOKUP_LIMIT)
    card_by_invoice = await card_rows.find_for_invoices(
        tx, context.conversation.id, (invoice.id for invoice in invoices)
    )
    for invoice in invoices:
        is_payable = invoice.status is InvoiceStatus.OPEN and not invoice.is_expired(context.now_us)
        is_same_offer = (
            invoice.service_id == context.chosen_service.id
            and invoice.amount == context.chosen_service.amount
        )
        if is_payable and is_same_offer and invoice.id in card_by_invoice:
            url = payment_links.payment_link(ctx, invoice, card_by_invoice[invoice.id].id)
            return open_invoice_body(invoice, context.shop, url, context.conversation)
    return None
