"""Invoices in dialogs: issued into one, shown as what they have become, and told as paid."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from sigma.channels.vk.errors import Later, NeedsPerson
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing import invoice as domain
from sigma.domain.billing.invoice import Draft, Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.change import Change, Job
from sigma.domain.errors import Refused
from sigma.domain.messaging.card import Card, Face, Look, Taken, look_of
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import AUTO
from sigma.services.billing import invoices as issuing
from sigma.services.context import DAY, MINUTE, Context
from sigma.services.conversations import inbox, outbox
from sigma.services.conversations.change_feed import told
from sigma.services.invoice_cards import payment_links, vk_orders
from sigma.services.invoice_cards.card_messages import TO_PAY, card_body, receipt_body
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.billing import invoices, payments
from sigma.store.engine.interface import Tx
from sigma.store.idempotency import Answered
from sigma.store.messaging import cards, conversations

AFTER_TROUBLE = 10 * MINUTE  # a mended key wakes it earlier
AFTER_LEAVING = DAY  # the community is not connected any more; connecting it wakes it earlier
LOOKED_AT = 500  # captured payments of one invoice, the latest
ISSUED = Look(Face.ISSUED)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that decides what the cards of an invoice say."""

    invoice: Invoice
    shop: Shop
    cards: list[Card]
    taken: list[Taken]  # oldest first

    def owner(self, payment: Payment) -> Card | None:
        """The card whose client paid: proven, or for want of a proof the only payer there can be.

        With many payers nobody is guessed: another's receipt is nobody's business.
        """
        wanted = payment.conversation_id
        if wanted is None and self.invoice.max_payments == 1:
            wanted = self.invoice.conversation_id
        return next((card for card in self.cards if card.conversation_id == wanted), None)

    def look(self, card: Card, now: int) -> Look:
        """What a card must say. One invoice for many tells each client of his own payments."""
        alone = self.invoice.max_payments == 1
        mine = [one for one in self.taken if alone or self.owner(one.payment) == card]
        return look_of(self.invoice, mine, card.opened_at, now)


@dataclass(frozen=True, slots=True)
class Place:
    """A dialog in which an invoice is shown."""

    card: Card
    conversation: Conversation


async def places(ctx: Context, member: Member, invoice_id: str) -> list[Place]:
    """The dialogs that show an invoice, the first one first; none for who may not read dialogs.

    Raises Refused("not_found").
    """
    await issuing.get(ctx, member, invoice_id)
    if not member.may(Permission.ANSWER):
        return []
    async with ctx.db.read() as tx:
        found = await cards.of_invoice(tx, invoice_id)
        dialogs = await conversations.by_ids(tx, [card.conversation_id for card in found])
    return [Place(card, dialogs[card.conversation_id]) for card in found]


async def issue(
    ctx: Context,
    member: Member,
    draft: Draft,
    *,
    order_id: str | None = None,
    remember: Callable[[Invoice], Answered] | None = None,
) -> Invoice:
    """Issues an invoice into the dialog that the draft names, and sends its card there.

    Where VK does not let us write, the invoice is issued all the same and its card has no message.
    Raises Refused: "validation", "not_found" for a dialog or an order of nobody.
    """
    member.must(Permission.ISSUE)
    member.must(Permission.ANSWER)
    now = ctx.now()
    await issuing.check(ctx, member, draft, now)
    seen = await _writable(ctx, await inbox.get(ctx, member, draft.conversation_id or ""))
    number = await shops.next_number(ctx.db, member.shop_id)
    invoice, change = issuing.drawn(ctx, draft, member.shop_id, number, member.actor, now)
    async with ctx.db.write() as tx:
        change += await carded(ctx, tx, invoice, seen.id, member.actor, now)
        if order_id:
            change += await vk_orders.invoiced(tx, order_id, invoice, now)
        await changes.write(tx, change, now, remember(invoice) if remember else None)
    await told(ctx)
    return invoice


async def _writable(ctx: Context, seen: Conversation) -> Conversation:
    """The dialog, after a closed one was looked at once more: it may have been opened meanwhile."""
    with suppress(Refused):
        await outbox.may_write(ctx, seen)
    return seen


async def carded(
    ctx: Context,
    tx: Tx,
    invoice: Invoice,
    conversation_id: str,
    actor: str,
    now: int,
    key: str = "",
) -> Change:
    """A new card and, where we may write, its message. Locks the dialog.

    `key` is the message's own, when it answers something that must be answered once.
    """
    card = Card(
        id=ctx.new_id("crd", invoice.shop_id),
        shop_id=invoice.shop_id,
        invoice_id=invoice.id,
        conversation_id=conversation_id,
        created_at=now,
        created_by=actor,
    )
    return await _sent(ctx, tx, invoice, card, actor, now, key)


async def _sent(
    ctx: Context, tx: Tx, invoice: Invoice, card: Card, actor: str, now: int, key: str = ""
) -> Change:
    """The first message of a card, where we may write; the dialog is then the person's who sent."""
    conversation = await conversations.lock(tx, card.conversation_id)
    shop = await shops.get(tx, invoice.shop_id)
    assert shop is not None, "an invoice has its shop"
    if conversation.closed:
        return Change((card,))
    if actor != AUTO:
        conversation = replace(conversation, by_hand=True)
    url = payment_links.link(ctx, invoice, card.id)
    body = card_body(invoice, shop, ISSUED, url, conversation)
    message, change = outbox.queue(
        ctx, conversation, body, author=actor, key=key or f"card:{card.id}", now=now
    )
    after = replace(card, message_id=message.id, face=Face.ISSUED, shown=ISSUED.mark)
    return Change((after,), jobs=_anew(card) if card.version else ()) + change


def _anew(card: Card) -> tuple[Job, ...]:
    """The promise to look whether a card says what it must."""
    return (Job("card.refresh", card.invoice_id, card.shop_id),)


async def show(ctx: Context, member: Member, conversation_id: str, invoice_id: str) -> Card:
    """Sends an invoice that exists into a dialog; one that has got there is not sent again.

    The card has no message where VK does not let us write. Raises Refused: "not_found",
    "cannot_write" when an earlier try failed for that, or why the invoice cannot be paid.
    """
    member.must(Permission.ANSWER)
    seen = await _writable(ctx, await inbox.get(ctx, member, conversation_id))
    await issuing.get(ctx, member, invoice_id)
    now = ctx.now()
    async with ctx.db.write() as tx:
        invoice = await invoices.lock(tx, invoice_id)
        domain.check_payable(invoice, now, await invoices.holds(tx, invoice.id))
        known = [c for c in await cards.of_invoice(tx, invoice.id) if c.conversation_id == seen.id]
        change = Change()
        if not known:
            change = await carded(ctx, tx, invoice, seen.id, member.actor, now)
        elif known[0].message_id is None:
            change = await _sent(ctx, tx, invoice, known[0], member.actor, now)
        if invoice.conversation_id is None:
            change += Change((replace(invoice, conversation_id=seen.id),))
        await changes.write(tx, change, now)
    await told(ctx)
    card = next((thing for thing in change.saved if isinstance(thing, Card)), *known)
    if not change.saved and card.message_id is not None:
        await outbox.again(ctx, member, card.message_id)  # does nothing unless it had failed
    return card


async def opened(ctx: Context, token: str, mark: str, payer: str) -> None:
    """The client has opened the dialog's link in a browser (its secret, or empty). The first such
    browser is the client's from now on.

    A forged mark, or one of another invoice, changes nothing.
    """
    if not payment_links.looks_right(mark):
        return
    now = ctx.now()
    async with ctx.db.read() as tx:  # whoever tries marks holds up nobody who writes
        found = await invoices.public(tx, token)
        seen = await payment_links.card_of(ctx, tx, found[0].id, mark) if found else None
    if found is None or seen is None or (seen.opened_at is not None and seen.payer):
        return
    async with ctx.db.write() as tx:
        card = await cards.lock(tx, seen.id)
        payer_hash = card.payer or (ctx.sealer.mark(payer) if payer else "")
        after = replace(card, opened_at=card.opened_at or now, payer=payer_hash)
        if after == card:
            return
        change = Change((after,))
        if card.opened_at is None:
            new_id = ctx.ids_of(card.shop_id)
            line = domain.happened(found[0], "opened", now, new_id, "client")
            change += Change((line,), jobs=_anew(card))
        await changes.write(tx, change, now)


async def refresh(ctx: Context, invoice_id: str) -> int | None:
    """Makes every dialog show what the invoice is now. The facts decide, not what was told; trouble
    in one dialog does not hold up the others.

    Raises Later when VK wants patience. Returns when to look again while the key is no good.
    """
    facts = await _facts(ctx, invoice_id)
    if facts is None:
        return None
    steps: list[Callable[[], Awaitable[None]]] = [
        *(partial(_show, ctx, facts, card) for card in facts.cards),
        *(partial(_tell_paid, ctx, facts, one.payment) for one in facts.taken),
        partial(vk_orders.tell, ctx, facts.invoice, facts.taken),
    ]
    later: Later | None = None
    waits: list[int] = []
    for step in steps:
        try:
            await step()
        except Later as error:
            later = error
        except NeedsPerson:
            waits.append(AFTER_TROUBLE)
        except Refused as refused:
            if refused.code != "no_community":
                raise
            waits.append(AFTER_LEAVING)
    if later is not None:
        raise later
    return ctx.now() + min(waits) if waits else None


async def _facts(ctx: Context, invoice_id: str) -> Facts | None:
    async with ctx.db.read() as tx:
        invoice = await invoices.get(tx, invoice_id)
        found = await cards.of_invoice(tx, invoice_id) if invoice else []
        if invoice is None or not found:
            return None
        shop = await shops.get(tx, invoice.shop_id)
        assert shop is not None, "an invoice has its shop"
        taken = await payments.captured_of(tx, invoice.id, LOOKED_AT)
    return Facts(invoice, shop, found, [Taken(payment, back) for payment, back in taken])


async def _show(ctx: Context, facts: Facts, card: Card) -> None:
    look = facts.look(card, ctx.now())
    if look.mark == card.shown:
        return
    async with ctx.db.read() as tx:
        conversation = await conversations.get(tx, card.conversation_id)
    assert conversation is not None, "a card has its dialog"
    url = payment_links.link(ctx, facts.invoice, card.id) if look.face in TO_PAY else ""
    if look.paid is not None and facts.owner(look.paid) == card:
        url = _receipt_url(ctx, look.paid)
    body = card_body(facts.invoice, facts.shop, look, url, conversation)
    written = True
    if card.message_id is not None:
        written = await outbox.rewrite(ctx, card.message_id, body, surely=not card.shown)
    now = ctx.now()
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, card.conversation_id)
        fresh = await cards.lock(tx, card.id)
        if fresh.version != card.version:  # somebody else was at it: which words came last?
            after = replace(fresh, shown="")
            await changes.write(tx, Change((after,), jobs=_anew(card)), now)
            return
        after = replace(card, face=look.face, shown=look.mark)
        change = Change((replace(locked, changed_at=now),))
        if not written and look.face is not Face.OPENED:
            key = f"card:{card.id}:{look.mark}"
            if locked.closed:
                after = replace(after, shown="")  # said when the dialog is open again
            elif await conversations.by_key(tx, card.shop_id, key) is None:
                message, change = outbox.queue(ctx, locked, body, author=AUTO, key=key, now=now)
                after = replace(after, message_id=message.id)
        await changes.write(tx, change + Change((after,)), now)
    await told(ctx)


def _receipt_url(ctx: Context, payment: Payment) -> str:
    return f"{ctx.settings.base_url}/r/{payment.token}"


async def _tell_paid(ctx: Context, facts: Facts, payment: Payment) -> None:
    """The receipt's link, once a payment, into the dialog whose client paid. It answers nothing
    that the client has asked meanwhile.
    """
    card, key = facts.owner(payment), f"receipt:{payment.id}"
    if card is None:
        return
    async with ctx.db.read() as tx:
        if await conversations.by_key(tx, payment.shop_id, key):
            return
    now = ctx.now()
    async with ctx.db.write() as tx:
        conversation = await conversations.lock(tx, card.conversation_id)
        if conversation.closed or await conversations.by_key(tx, payment.shop_id, key):
            return
        body = receipt_body(payment, facts.shop, _receipt_url(ctx, payment), conversation)
        _, change = outbox.queue(ctx, conversation, body, author=AUTO, key=key, now=now)
        await changes.write(tx, change, now)
    await told(ctx)


async def resume(ctx: Context, community_id: str) -> None:
    """After a key was mended or a community connected again: all that waited for it is done now."""
    async with ctx.db.write() as tx:
        work = await cards.behind(tx, community_id)
        await changes.write(tx, Change(jobs=work), ctx.now())
