"""Invoices in dialogs: issued into one, shown as what they have become, and told as paid."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sigma.channels.vk.errors import NeedsPerson
from sigma.domain import invoice as domain
from sigma.domain.card import Card, Face, face_of
from sigma.domain.change import Change, Job
from sigma.domain.conversation import Conversation
from sigma.domain.errors import Refused, invalid
from sigma.domain.invoice import Draft, Invoice
from sigma.domain.member import Member, Permission
from sigma.domain.payment import Payment, Status
from sigma.domain.shop import Shop
from sigma.services import binding, orders, outbox
from sigma.services.card_texts import card_body, receipt_body
from sigma.services.context import MINUTE, Context
from sigma.services.invoices import check_service
from sigma.services.invoices import get as get_invoice
from sigma.services.lines import broken
from sigma.services.live import told
from sigma.store import (
    cards,
    changes,
    conversations,
    invoices,
    payments,
    shops,
)
from sigma.store.contract import Tx
from sigma.store.requests import Answered

AFTER_TROUBLE = 10 * MINUTE
LOOKED_AT = 200  # payments of one invoice, the latest


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that decides what the cards of an invoice say."""

    invoice: Invoice
    shop: Shop
    cards: list[Card]
    payments: list[Payment]
    refunded_minor: int  # what was given back

    @property
    def captured(self) -> list[Payment]:
        """The payments that were taken, the oldest first."""
        return [p for p in self.payments if p.status is Status.CAPTURED]


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
    now, shop_id = ctx.now(), member.shop_id
    if problems := domain.check_draft(draft, now):
        raise invalid(*problems)
    await check_service(ctx, member, draft)
    seen = await own_dialog(ctx, member, draft.conversation_id or "")
    number = await shops.next_number(ctx.db, shop_id)
    invoice, change = domain.create(
        draft,
        shop_id=shop_id,
        number=number,
        token=ctx.new_token(),
        now=now,
        new_id=ctx.ids_of(shop_id),
        actor=member.actor,
    )
    async with ctx.db.write() as tx:
        change += await _card(ctx, tx, invoice, seen.id, member.actor, now)
        if order_id:
            change += await orders.invoiced(tx, member.shop_id, order_id, invoice)
        await changes.write(tx, change, now, remember(invoice) if remember else None)
    await told(ctx)
    return invoice


async def own_dialog(ctx: Context, member: Member, conversation_id: str) -> Conversation:
    """A dialog of the member's shop. Raises Refused("not_found")."""
    async with ctx.db.read() as tx:
        seen = await conversations.get(tx, conversation_id)
    if seen is None or seen.shop_id != member.shop_id:
        raise Refused("not_found", what="conversation")
    return seen


async def _card(
    ctx: Context, tx: Tx, invoice: Invoice, conversation_id: str, actor: str, now: int
) -> Change:
    """A new card and, where we may write, its message. Locks the dialog."""
    conversation = await conversations.lock(tx, conversation_id)
    shop = await shops.get(tx, invoice.shop_id)
    assert shop is not None, "an invoice has its shop"
    card = Card(
        id=ctx.new_id("crd", invoice.shop_id),
        shop_id=invoice.shop_id,
        invoice_id=invoice.id,
        conversation_id=conversation.id,
        created_at=now,
        created_by=actor,
    )
    if conversation.closed:
        return Change((card,))
    url = binding.link(ctx, invoice, card.id)
    body = card_body(invoice, shop, Face.ISSUED, url, conversation)
    message, change = outbox.queue(
        ctx, conversation, body, author=actor, key=f"card:{card.id}", now=now
    )
    return Change((replace(card, message_id=message.id),)) + change


async def show(ctx: Context, member: Member, conversation_id: str, invoice_id: str) -> Card:
    """Sends an invoice that exists into a dialog. Sent there before, it is not sent again.

    Raises Refused: "not_found", or why the invoice cannot be paid.
    """
    member.must(Permission.ANSWER)
    seen = await own_dialog(ctx, member, conversation_id)
    await get_invoice(ctx, member, invoice_id)
    now = ctx.now()
    async with ctx.db.write() as tx:
        invoice = await invoices.lock(tx, invoice_id)
        domain.check_payable(invoice, now, await invoices.holds(tx, invoice.id))
        known = [c for c in await cards.of_invoice(tx, invoice.id) if c.conversation_id == seen.id]
        if known:
            return known[0]
        change = await _card(ctx, tx, invoice, seen.id, member.actor, now)
        if invoice.conversation_id is None:
            change += Change((replace(invoice, conversation_id=seen.id),))
        await changes.write(tx, change, now)
    await told(ctx)
    return next(thing for thing in change.saved if isinstance(thing, Card))


async def opened(ctx: Context, token: str, mark: str, payer: str) -> None:
    """The client has opened the dialog's link in a browser (its secret, or empty). Once is enough.

    A forged mark, or one of another invoice, changes nothing.
    """
    if binding.card_id_of(ctx, mark) is None:
        return
    now = ctx.now()
    async with ctx.db.write() as tx:
        found = await invoices.public(tx, token)
        seen = await binding.card_of(ctx, tx, found[0].id, mark) if found else None
        if seen is None or seen.opened_at is not None:
            return
        card = await cards.lock(tx, seen.id)
        if card.opened_at is not None:
            return
        after = replace(card, opened_at=now, payer=ctx.sealer.mark(payer) if payer else "")
        line = (
            domain.happened(found[0], "opened", now, ctx.ids_of(card.shop_id), "client")
            if found
            else None
        )
        job = Job("card.refresh", card.invoice_id, card.shop_id)
        await changes.write(tx, Change((after, *((line,) if line else ())), jobs=(job,)), now)


async def refresh(ctx: Context, invoice_id: str) -> int | None:
    """Makes every dialog show what the invoice is now. The facts decide, not what was told.

    Raises Later when VK wants patience. Returns when to look again while the key is no good.
    """
    facts = await _facts(ctx, invoice_id)
    if facts is None:
        return None
    try:
        for card in facts.cards:
            await _show(ctx, facts, card)
        for payment in facts.captured:
            await _tell_paid(ctx, facts, payment)
        await orders.tell(ctx, facts.invoice, facts.captured, facts.refunded_minor)
    except NeedsPerson as error:
        await _note_trouble(ctx, facts, error)
        return ctx.now() + AFTER_TROUBLE
    return None


async def _note_trouble(ctx: Context, facts: Facts, error: NeedsPerson) -> None:
    async with ctx.db.read() as tx:
        dialogs = await conversations.by_ids(tx, [c.conversation_id for c in facts.cards])
    for connection_id in {d.connection_id for d in dialogs.values()}:
        await broken(ctx, connection_id, error)


async def _facts(ctx: Context, invoice_id: str) -> Facts | None:
    async with ctx.db.read() as tx:
        invoice = await invoices.get(tx, invoice_id)
        found = await cards.of_invoice(tx, invoice_id) if invoice else []
        if invoice is None or not found:
            return None
        shop = await shops.get(tx, invoice.shop_id)
        assert shop is not None, "an invoice has its shop"
        tries = await payments.listing(
            tx, invoice.shop_id, invoice_id=invoice.id, before="", limit=LOOKED_AT
        )
    back = sum(refunded for *_, refunded in tries)
    return Facts(invoice, shop, found, [payment for payment, *_ in reversed(tries)], back)


async def _show(ctx: Context, facts: Facts, card: Card) -> None:
    face = face_of(facts.invoice, facts.payments, facts.refunded_minor, card.opened_at, ctx.now())
    if face is card.face:
        return
    receipt = facts.captured[-1] if facts.captured else None
    url = binding.link(ctx, facts.invoice, card.id)
    if receipt is not None and facts.invoice.max_payments == 1:
        url = f"{ctx.settings.base_url}/r/{receipt.token}"
    async with ctx.db.read() as tx:
        conversation = await conversations.get(tx, card.conversation_id)
    assert conversation is not None, "a card has its dialog"
    body = card_body(facts.invoice, facts.shop, face, url, conversation, receipt)
    written = card.message_id is None or await outbox.rewrite(ctx, card.message_id, body)
    now = ctx.now()
    async with ctx.db.write() as tx:
        conversation = await conversations.lock(tx, card.conversation_id)
        fresh = await cards.lock(tx, card.id)
        change = Change()
        message_id = fresh.message_id
        if not written and not conversation.closed and face is not Face.OPENED:
            key = f"card:{card.id}:{face}:{facts.refunded_minor}"
            message, change = outbox.queue(
                ctx, conversation, body, author=card.created_by, key=key, now=now
            )
            message_id = message.id
        change += Change((replace(fresh, face=face, message_id=message_id),))
        await changes.write(tx, change, now)
    await told(ctx)


async def _tell_paid(ctx: Context, facts: Facts, payment: Payment) -> None:
    """The receipt's link, once a payment, into the dialog whose client paid.

    With many payers only a proven one is told: another's receipt is nobody's business.
    """
    proven = [c for c in facts.cards if c.conversation_id == payment.conversation_id]
    mine = proven or (facts.cards[:1] if facts.invoice.max_payments == 1 else [])
    if not mine:
        return
    key, now = f"receipt:{payment.id}", ctx.now()
    async with ctx.db.write() as tx:
        conversation = await conversations.lock(tx, mine[0].conversation_id)
        if conversation.closed or await conversations.by_key(tx, payment.shop_id, key):
            return
        url = f"{ctx.settings.base_url}/r/{payment.token}"
        body = receipt_body(payment, facts.shop, url, conversation)
        _, change = outbox.queue(
            ctx, conversation, body, author=mine[0].created_by, key=key, now=now
        )
        await changes.write(tx, change, now)
    await told(ctx)
