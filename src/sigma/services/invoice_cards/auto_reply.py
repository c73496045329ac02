"""Automatic answers: a greeting with the services as buttons, the link of a chosen service, a text
outside working hours. One answer a message at most; a person takes over at any moment.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import structlog

from sigma.channels.vk import keyboard
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing import invoice as invoice_domain
from sigma.domain.billing.invoice import Draft
from sigma.domain.billing.invoice import Status as InvoiceStatus
from sigma.domain.catalogue.service import Service, draft_of
from sigma.domain.change import Change
from sigma.domain.errors import invalid
from sigma.domain.messaging.auto_reply import (
    Asked,
    AutoAnswers,
    Say,
    check_auto_answers,
    chosen,
    decide,
)
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import AUTO, Body, Message
from sigma.services.billing.invoices import drawn
from sigma.services.context import DAY, SECOND, Context
from sigma.services.conversations import message_codec, outbox
from sigma.services.conversations.change_feed import told
from sigma.services.invoice_cards import cards, payment_links
from sigma.services.invoice_cards.card_messages import known_body
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.catalogue import services
from sigma.store.engine.interface import Tx
from sigma.store.messaging import cards as card_rows
from sigma.store.messaging import conversations, inbox
from sigma.texts import Words

log = structlog.get_logger()

MAX_BUTTONS = 6  # one to a row: names of services are long
LOOKED_AT = 20  # messages of a dialog's beginning, invoices of a dialog


@dataclass(frozen=True, slots=True)
class _Case:
    """Everything that decides how one message is answered."""

    message: Message
    conversation: Conversation
    wanted: AutoAnswers
    shop: Shop
    offered: list[Service]
    asked: Asked
    service: Service | None
    local: datetime
    now: int

    def decided(self, conversation: Conversation) -> Say:
        """What to answer while the dialog is like this."""
        return decide(self.wanted, conversation, self.asked, self.service, self.local, self.now)

    def key(self, say: Say) -> str:
        """One greeting a dialog, one text a closed day, one answer to everything else."""
        if say is Say.GREETING and self.asked.first:
            return f"auto:greeting:{self.conversation.id}"
        if say is Say.CLOSED:
            return f"auto:closed:{self.conversation.id}:{self.local.date().isoformat()}"
        return f"auto:{self.message.id}"


async def rules(ctx: Context, member: Member) -> AutoAnswers:
    """The shop's automatic answers."""
    member.must(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        return await _rules(tx, member.shop_id)


async def _rules(tx: Tx, shop_id: str) -> AutoAnswers:
    return msgspec.convert(await card_rows.auto_answers_of(tx, shop_id), AutoAnswers)


async def labels(ctx: Context, member: Member) -> list[str]:
    """What the buttons under the greeting say, in the language that clients are spoken to."""
    member.must(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        shop = await shops.get(tx, member.shop_id)
        offered = await services.of_shop(tx, member.shop_id)
    assert shop is not None, "a member has a shop"
    words = Words(shop.locale, shop.tz)
    return [_label(service, words) for service in _shown(offered)]


async def save(ctx: Context, member: Member, wanted: AutoAnswers) -> None:
    """Changes them. Raises Refused("validation")."""
    member.must(Permission.SETTINGS)
    if problems := check_auto_answers(wanted):
        raise invalid(*problems)
    body = msgspec.to_builtins(wanted)
    await ctx.db.commit([card_rows.save_auto_answers(member.shop_id, body)])


async def answer(ctx: Context, message_id: str) -> int | None:
    """Job "auto.answer": what a client's message is answered by itself, if by anything."""
    case = await _case(ctx, message_id)
    if case is None:
        return None
    say = case.decided(case.conversation)
    draft = _draft(case) if say is Say.INVOICE else None
    if say is Say.NOTHING or (say is Say.INVOICE and draft is None):
        return None
    fresh = await _new(ctx, case, draft)
    if fresh and await _enough(ctx, case):
        return None  # the operator sees an unanswered client
    number = await shops.next_number(ctx.db, case.shop.id) if fresh else 0
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, case.conversation.id)
        key = case.key(say)
        # Somebody may have taken the dialog over, or answered this, since it was read.
        if case.decided(locked) is not say or await conversations.by_key(tx, case.shop.id, key):
            return None
        if draft is not None:
            change = await _invoiced(ctx, tx, case, locked, draft, number, key)
            if not change:
                return case.now  # what waited was paid this very moment: once more from the start
        else:
            body = _body(say, case)
            _, change = outbox.queue(ctx, locked, body, author=AUTO, key=key, now=case.now)
        await changes.write(tx, change, case.now)
    await told(ctx)
    return None


async def _case(ctx: Context, message_id: str) -> _Case | None:
    """None when there is nothing to answer, or nobody wants it answered."""
    async with ctx.db.read() as tx:
        message = await conversations.message(tx, message_id)
        if message is None or message.out:
            return None
        wanted = await _rules(tx, message.shop_id)
        if not wanted.on:
            return None
        conversation = await conversations.get(tx, message.conversation_id)
        shop = await shops.get(tx, message.shop_id)
        assert conversation is not None and shop is not None, "a message has both"
        offered = await services.of_shop(tx, shop.id)
        asked = await _asked(ctx, tx, message)
    now = ctx.now()
    local = datetime.fromtimestamp(now // SECOND, UTC).astimezone(ZoneInfo(shop.tz))
    service = chosen(asked, offered)
    return _Case(message, conversation, wanted, shop, offered, asked, service, local, now)


async def _asked(ctx: Context, tx: Tx, message: Message) -> Asked:
    """What a dialog began with is known by VK's numbers: nothing is missing before the message,
    and nothing there is ours.
    """
    body = message_codec.read(ctx.sealer, message.body_sealed)
    earlier = await conversations.messages_before(
        tx, message.conversation_id, before=message.place, limit=LOOKED_AT
    )
    whole = message.cmid is not None and len(earlier) == message.cmid - 1
    first = whole and not any(one.out for one in earlier)
    return Asked(body.text, body.payload, message.at, first)


def _body(say: Say, case: _Case) -> Body:
    words = Words(case.shop.locale, case.shop.tz)
    if say in (Say.PRICE, Say.CHOSEN):
        assert case.service is not None, "it was chosen"
        return Body(text=words.t(f"auto.{say}", title=case.service.title))
    if say is Say.CLOSED:
        text = case.wanted.closed_text or words.t("auto.closed")
        if not (case.wanted.greet and case.asked.first):
            return Body(text=text)  # the services are shown to whoever comes for the first time
    else:
        text = case.wanted.greeting or words.t("auto.greeting", shop=case.shop.name)
    return _with_services(text, case, words)


def _with_services(text: str, case: _Case, words: Words) -> Body:
    """The services as buttons; an app that shows none gets their names, which can be written."""
    shows = case.conversation.buttons
    if not shows or "text" in shows.split(","):
        return Body(text=text, keyboard=services_keyboard(case.offered, words))
    names = [f"• {_label(service, words)}" for service in _shown(case.offered)]
    return Body(text="\n".join([text, *names]))


def _shown(offered: list[Service]) -> list[Service]:
    return [service for service in offered if service.visible][:MAX_BUTTONS]


def services_keyboard(offered: list[Service], words: Words) -> dict[str, object] | None:
    """The services as buttons; each carries the service's id and nothing that could be believed."""
    rows = [
        [keyboard.text(_label(service, words), {"service": service.id})]
        for service in _shown(offered)
    ]
    return keyboard.inline(rows) if rows else None


def _label(service: Service, words: Words) -> str:
    if not service.payable or service.amount is None:
        return keyboard.shortened(service.title)
    price = words.money(service.amount, short=True)
    room = keyboard.MAX_LABEL - len(price) - 3
    title = " ".join(service.title.split())
    title = title if len(title) <= room else title[: room - 1].rstrip() + "…"
    return f"{title} · {price}"


def _draft(case: _Case) -> Draft | None:
    """What the chosen service is billed with; None when its template cannot make an invoice."""
    assert case.service is not None, "it was chosen"
    draft = replace(draft_of(case.service, case.now), conversation_id=case.conversation.id)
    if invoice_domain.check_draft(draft, case.now):
        log.warning("auto.bad_service", service=case.service.id)
        return None  # the operator sees an unanswered client
    return draft


async def _new(ctx: Context, case: _Case, draft: Draft | None) -> bool:
    """Whether an invoice will be issued and wants a number."""
    if draft is None:
        return False
    async with ctx.db.read() as tx:
        return await _waiting(ctx, tx, case) is None


async def _enough(ctx: Context, case: _Case) -> bool:
    """Whether this dialog got so many invoices in a day by itself that it is no client's wish."""
    async with ctx.db.read() as tx:
        found = await inbox.invoices_of(tx, case.conversation.id, LOOKED_AT)
    unpaid = [one for one in found if one.created_by == AUTO and not one.paid_count]
    return len(unpaid) == LOOKED_AT and case.now - unpaid[-1].created_at < DAY


async def _invoiced(
    ctx: Context,
    tx: Tx,
    case: _Case,
    locked: Conversation,
    draft: Draft,
    number: int,
    key: str,
) -> Change:
    """The link of a service: of the unpaid invoice that this client already has, or of a new one.
    The dialog's lock is held, so that two presses make one invoice. Empty when a new one is wanted
    and has no number yet.
    """
    if body := await _waiting(ctx, tx, case):
        return outbox.queue(ctx, locked, body, author=AUTO, key=key, now=case.now)[1]
    if not number:
        return Change()
    invoice, change = drawn(ctx, draft, case.shop.id, number, AUTO, case.now)
    return change + await cards.carded(ctx, tx, invoice, locked.id, AUTO, case.now, key)


async def _waiting(ctx: Context, tx: Tx, case: _Case) -> Body | None:
    """The link of an unpaid invoice for the chosen service in this dialog, if there is one."""
    assert case.service is not None, "it was chosen"
    shown = {c.invoice_id: c for c in await card_rows.of_conversation(tx, case.conversation.id)}
    for invoice in await inbox.invoices_of(tx, case.conversation.id, LOOKED_AT):
        waits = invoice.status is InvoiceStatus.OPEN and not invoice.lapsed(case.now)
        same = invoice.service_id == case.service.id and invoice.amount == case.service.amount
        if waits and same and invoice.id in shown:
            url = payment_links.link(ctx, invoice, shown[invoice.id].id)
            return known_body(invoice, case.shop, url, case.conversation)
    return None
