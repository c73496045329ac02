"""Automatic answers: a greeting with the services as buttons, the link of a chosen service, a text
outside working hours. One answer a message at most; a person takes over at any moment.
"""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from sigma.channels.vk import keyboard
from sigma.domain.autoanswer import (
    Asked,
    AutoAnswers,
    Say,
    check_auto_answers,
    chosen,
    decide,
)
from sigma.domain.conversation import Conversation
from sigma.domain.errors import invalid
from sigma.domain.invoice import Invoice
from sigma.domain.invoice import Status as InvoiceStatus
from sigma.domain.member import Member, Permission, Role
from sigma.domain.message import AUTO, Body, Message
from sigma.domain.service import Service, draft_of
from sigma.domain.shop import Shop
from sigma.services import binding, bodies, cards, outbox, requests
from sigma.services.context import SECOND, Context
from sigma.services.live import told
from sigma.services.requests import Remember
from sigma.store import cards as card_rows
from sigma.store import catalogue, changes, conversations, invoices, shops
from sigma.store.contract import Conflict, Tx
from sigma.texts import Words

MAX_BUTTONS = 6  # one to a row: names of services are long


async def rules(ctx: Context, member: Member) -> AutoAnswers:
    """The shop's automatic answers."""
    member.must(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        return await _rules(tx, member.shop_id)


async def _rules(tx: Tx, shop_id: str) -> AutoAnswers:
    return msgspec.convert(await card_rows.auto_answers_of(tx, shop_id), AutoAnswers)


async def save(ctx: Context, member: Member, wanted: AutoAnswers) -> None:
    """Changes them. Raises Refused("validation")."""
    member.must(Permission.SETTINGS)
    if problems := check_auto_answers(wanted):
        raise invalid(*problems)
    body = msgspec.to_builtins(wanted)
    await ctx.db.commit([card_rows.save_auto_answers(member.shop_id, body)])


async def answer(ctx: Context, message_id: str) -> int | None:
    """Job "auto.answer": what a client's message is answered by itself, if by anything."""
    async with ctx.db.read() as tx:
        message = await conversations.message(tx, message_id)
        if message is None or message.out:
            return None
        conversation = await conversations.get(tx, message.conversation_id)
        wanted = await _rules(tx, message.shop_id)
        shop = await shops.get(tx, message.shop_id)
        assert conversation is not None and shop is not None, "a message has both"
        if not wanted.on:
            return None
        offered = await catalogue.of_shop(tx, shop.id)
        asked = await _asked(ctx, tx, conversation, message)
    now, service = ctx.now(), chosen(asked, offered)
    say = decide(wanted, conversation, asked, service, _local(now, shop), now)
    if say is Say.INVOICE and service is not None:
        await _invoice(ctx, conversation, message, service, shop)
    elif say is not Say.NOTHING:
        body = _body(say, wanted, offered, service, shop)
        await _queue(ctx, conversation, message, body, day=say is Say.CLOSED, now=now)
    return None


async def _asked(ctx: Context, tx: Tx, conversation: Conversation, message: Message) -> Asked:
    body = bodies.read(ctx.sealer, message.body_sealed)
    earlier = await conversations.messages_before(
        tx, conversation.id, before=message.place, limit=20
    )
    first = not any(one.out for one in earlier)
    return Asked(body.text, body.payload, message.at, first)


def _local(now: int, shop: Shop) -> datetime:
    return datetime.fromtimestamp(now // SECOND, UTC).astimezone(ZoneInfo(shop.tz))


def _body(
    say: Say, wanted: AutoAnswers, offered: list[Service], service: Service | None, shop: Shop
) -> Body:
    words = Words(shop.locale, shop.tz)
    if say is Say.CLOSED:
        return Body(text=wanted.closed_text or words.t("auto.closed"))
    if say is Say.PRICE and service is not None:
        return Body(text=words.t("auto.price", title=service.title))
    text = wanted.greeting or words.t("auto.greeting", shop=shop.name)
    return Body(text=text, keyboard=services_keyboard(offered, words))


def services_keyboard(offered: list[Service], words: Words) -> dict[str, object] | None:
    """The services as buttons; each carries the service's id and nothing that could be believed."""
    shown = [s for s in offered if s.visible][:MAX_BUTTONS]
    if not shown:
        return None
    rows = [
        [keyboard.text(keyboard.shortened(_label(service, words)), {"service": service.id})]
        for service in shown
    ]
    return keyboard.inline(rows)


def _label(service: Service, words: Words) -> str:
    if not service.payable or service.amount is None:
        return service.title
    price = words.money(service.amount, short=True)
    room = keyboard.MAX_LABEL - len(price) - 3
    title = service.title if len(service.title) <= room else service.title[: room - 1] + "…"
    return f"{title} · {price}"


async def _invoice(
    ctx: Context, conversation: Conversation, message: Message, service: Service, shop: Shop
) -> None:
    """The link of a service: of the open invoice that this client already has, or of a new one."""
    now = ctx.now()
    known = await _open_invoice(ctx, conversation, service, now)
    if known is not None:
        words = Words(shop.locale, shop.tz)
        body = Body(text=words.t("auto.invoice_again", title=service.title, url=known))
        await _queue(ctx, conversation, message, body, day=False, now=now)
        return
    member = Member(AUTO, shop.id, Role.OPERATOR)
    draft = replace(draft_of(service, now), conversation_id=conversation.id)

    async def act(remember: Remember) -> Invoice:
        return await cards.issue(ctx, member, draft, remember=lambda made: remember(201, made.id))

    await requests.once(ctx, member, f"auto:{message.id}", service.id, act)


async def _open_invoice(
    ctx: Context, conversation: Conversation, service: Service, now: int
) -> str | None:
    """The link of an unpaid invoice for this service in this dialog."""
    async with ctx.db.read() as tx:
        for card in await card_rows.of_conversation(tx, conversation.id):
            invoice = await invoices.get(tx, card.invoice_id)
            waits = invoice is not None and invoice.status is InvoiceStatus.OPEN
            if invoice and waits and invoice.service_id == service.id and not invoice.lapsed(now):
                return binding.link(ctx, invoice, card.id)
    return None


async def _queue(
    ctx: Context,
    conversation: Conversation,
    message: Message,
    body: Body,
    *,
    day: bool,
    now: int,
) -> None:
    """Writes an answer once: to a message, or with `day` once a day to a dialog."""
    date = now // (86_400 * SECOND)
    key = f"auto:{conversation.id}:{date}" if day else f"auto:{message.id}"
    try:
        async with ctx.db.write() as tx:
            locked = await conversations.lock(tx, conversation.id)
            if locked.by_hand or await conversations.by_key(tx, message.shop_id, key):
                return
            _, change = outbox.queue(ctx, locked, body, author=AUTO, key=key, now=now)
            await changes.write(tx, change, now)
    except Conflict:
        return
    await told(ctx)
