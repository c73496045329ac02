"""Invoice cards: issue an invoice into a conversation, keep its card current, send the receipt."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from sigma.channels.vk.errors import NeedsOwnerError, RetryLaterError
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing import invoice as domain
from sigma.domain.billing.invoice import Draft, Invoice, reminder_jobs
from sigma.domain.billing.payment import Payment
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.idempotency import Idempotency
from sigma.domain.messaging import card as card_domain
from sigma.domain.messaging.card import (
    CapturedPayment,
    Card,
    CardContent,
    CardState,
    card_content,
    refresh_job,
    refresh_jobs,
)
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.conversation_changes import mark_changed
from sigma.domain.messaging.message import AUTHOR_AUTO_REPLY
from sigma.domain.time_units import DAY_US, MINUTE_US
from sigma.services.billing import invoice_mails
from sigma.services.billing import invoices as issuing
from sigma.services.context import Context
from sigma.services.conversations import inbox, outbox
from sigma.services.conversations.change_feed import notify_changed
from sigma.services.invoice_cards import payment_links, vk_orders
from sigma.services.invoice_cards.card_messages import PAYABLE_STATES, card_body, receipt_body
from sigma.services.platform import quotas
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.billing import invoices, payments
from sigma.store.engine.interface import Tx
from sigma.store.messaging import cards, conversations, messages

KEY_ERROR_DELAY_US = 10 * MINUTE_US  # replacing the access key enqueues the job earlier
DISCONNECTED_DELAY_US = DAY_US  # connecting the community again enqueues the job earlier
MAX_PAYMENTS = 500  # latest captured payments read per invoice
ISSUED_CONTENT = CardContent(CardState.ISSUED)


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Everything that decides the content of an invoice's cards. `captured`: oldest first."""

    invoice: Invoice
    shop: Shop
    cards: list[Card]
    captured: list[CapturedPayment]

    def payer_card(self, payment: Payment) -> Card | None:
        """Return the card of the client who made the payment, or None when it is unknown.

        The payment link's signature proves the conversation. Without it, the payment of a one-time
        invoice is attributed to the invoice's conversation. For a reusable invoice the payer is
        not guessed, so that no client receives another client's receipt.
        """
        conversation_id = payment.conversation_id
        if conversation_id is None and self.invoice.max_payments == 1:
            conversation_id = self.invoice.conversation_id
        return next((card for card in self.cards if card.conversation_id == conversation_id), None)

    def content(self, card: Card, now_us: int) -> CardContent:
        """Return the content of a card; for a reusable invoice, only its client's payments count.

        `now_us`: UTC microseconds.
        """
        is_single_payment = self.invoice.max_payments == 1
        own_payments = [
            captured
            for captured in self.captured
            if is_single_payment or self.payer_card(captured.payment) == card
        ]
        return card_content(self.invoice, own_payments, card.opened_at_us, now_us)


@dataclass(frozen=True, slots=True)
class ConversationCard:
    """A card with its conversation."""

    card: Card
    conversation: Conversation


async def list_for_invoice(ctx: Context, member: Member, invoice_id: str) -> list[ConversationCard]:
    """Return the cards of an invoice, the oldest first; empty without Permission.ANSWER.

    Raises RefusedError("not_found").
    """
    await issuing.get(ctx, member, invoice_id)
    if not member.can(Permission.ANSWER):
        return []
    async with ctx.db.read() as tx:
        rows = await cards.list_for_invoice(tx, invoice_id)
        by_id = await conversations.find_by_ids(tx, [card.conversation_id for card in rows])
    return [ConversationCard(card, by_id[card.conversation_id]) for card in rows]


async def issue(
    ctx: Context,
    member: Member,
    draft: Draft,
    *,
    order_id: str | None = None,
    idempotency: Idempotency[Invoice] | None = None,
) -> Invoice:
    """Issue an invoice into the draft's conversation and send its card there.

    If VK does not let us write, the invoice is still issued and its card has no message.
    Raises RefusedError: "validation", "forbidden", "not_found" (conversation or VK order),
    "quota_invoices", "quota_messages".
    """
    member.require(Permission.ISSUE)
    member.require(Permission.ANSWER)
    now_us = ctx.now_us()
    await issuing.require_valid_draft(ctx, member, draft, now_us)
    conversation = await _recheck_writable(
        ctx, await inbox.get(ctx, member, draft.conversation_id or "")
    )
    await quotas.require_invoice(ctx, member.shop_id)
    await quotas.require_message(ctx, member.shop_id)
    number = await shops.next_invoice_number(ctx.db, member.shop_id)
    async with ctx.db.write() as tx:
        # Locked before it is read whose conversation it is: a merge may be moving it.
        locked = await conversations.lock(tx, conversation.id)
        draft = replace(draft, customer_id=locked.customer_id)
        invoice, change = issuing.build(ctx, draft, member.shop_id, number, member.actor, now_us)
        change += await add_card(ctx, tx, invoice, conversation.id, member.actor, now_us)
        if order_id:
            change += await vk_orders.link_invoice(tx, order_id, invoice, now_us)
        await changes.write(tx, change.with_response(idempotency, invoice, now_us), now_us)
    await notify_changed(ctx)
    return invoice


async def _recheck_writable(ctx: Context, conversation: Conversation) -> Conversation:
    """Ask VK again whether a blocked conversation has been unblocked; return the conversation."""
    with suppress(RefusedError):
        await outbox.require_writable(ctx, conversation)
    return conversation


async def add_card(
    ctx: Context,
    tx: Tx,
    invoice: Invoice,
    conversation_id: str,
    actor: str,
    now_us: int,
    idempotency_key: str = "",
) -> Change:
    """Return the change with a new card and, unless writing is blocked, its message.

    Locks the conversation. `idempotency_key` overrides the message's default key, for a reply that
    must be sent once. `now_us`: UTC microseconds.
    """
    card = Card(
        id=ctx.new_id("crd", invoice.shop_id),
        shop_id=invoice.shop_id,
        invoice_id=invoice.id,
        conversation_id=conversation_id,
        created_at_us=now_us,
        created_by=actor,
    )
    return await _first_message(ctx, tx, invoice, card, actor, now_us, idempotency_key)


async def _first_message(
    ctx: Context,
    tx: Tx,
    invoice: Invoice,
    card: Card,
    actor: str,
    now_us: int,
    idempotency_key: str = "",
) -> Change:
    """Return the change with a card's first message, unless writing is blocked.

    An operator's card pauses auto-replies in the conversation.
    """
    conversation = await conversations.lock(tx, card.conversation_id)
    shop = await shops.get(tx, invoice.shop_id)
    assert shop is not None, "an invoice references its shop"
    if conversation.blocked_reason:
        return Change((card,))
    url = payment_links.payment_link(ctx, invoice, card.id)
    body = card_body(invoice, shop, ISSUED_CONTENT, url, conversation)
    message, change = outbox.enqueue(
        ctx,
        conversation,
        body,
        author=actor,
        idempotency_key=idempotency_key or f"card:{card.id}",
        now_us=now_us,
        pauses_auto_replies=actor != AUTHOR_AUTO_REPLY,
    )
    sent_card = card_domain.with_content(card, ISSUED_CONTENT, message.id)
    jobs = (*(refresh_jobs([card]) if card.version else ()), *reminder_jobs(invoice, now_us))
    return Change((sent_card,), jobs=jobs) + change


async def send_invoice(ctx: Context, member: Member, conversation_id: str, invoice_id: str) -> Card:
    """Send an existing invoice into a conversation; a delivered one is not sent again.

    The card has no message if VK does not let us write. A failed message is queued again. Raises
    RefusedError: "forbidden", "not_found", "cannot_write" (only for a failed message), or the
    reason why the invoice cannot be paid.
    """
    member.require(Permission.ANSWER)
    conversation = await _recheck_writable(ctx, await inbox.get(ctx, member, conversation_id))
    await issuing.get(ctx, member, invoice_id)
    await quotas.require_message(ctx, member.shop_id)
    now_us = ctx.now_us()
    async with ctx.db.write() as tx:
        invoice = await invoices.lock(tx, invoice_id)
        domain.require_payable(invoice, now_us, await invoices.count_holds(tx, invoice.id))
        sent = await cards.list_for_invoice(tx, invoice.id)
        existing = [other for other in sent if other.conversation_id == conversation.id]
        change = Change()
        if not existing:
            change = await add_card(ctx, tx, invoice, conversation.id, member.actor, now_us)
        elif existing[0].message_id is None:
            change = await _first_message(ctx, tx, invoice, existing[0], member.actor, now_us)
        if invoice.conversation_id is None:
            locked = await conversations.lock(tx, conversation.id)
            customer_id = invoice.customer_id or locked.customer_id
            addressed = replace(invoice, conversation_id=locked.id, customer_id=customer_id)
            change += Change((addressed,))
        await changes.write(tx, change, now_us)
    await notify_changed(ctx)
    card = next((row for row in change.rows if isinstance(row, Card)), *existing)
    if not change.rows and card.message_id is not None:
        await outbox.retry(ctx, member, card.message_id)  # does nothing unless it has failed
    return card


async def mark_opened(ctx: Context, token: str, signature: str, payer_secret: str) -> None:
    """Record that the payment link of a conversation was opened in a browser.

    `payer_secret` is the secret of that browser, or empty. The first browser that opens the link
    is bound to the client. A forged signature, or one for another invoice, changes nothing.
    """
    if not payment_links.is_well_formed(signature):
        return
    now_us = ctx.now_us()
    # Read outside the transaction: guessing link signatures must not take the writer lock.
    async with ctx.db.read() as tx:
        public_invoice = await invoices.find_for_payment_page(tx, token)
        invoice = public_invoice[0] if public_invoice else None
        known_card = await payment_links.verify(ctx, tx, invoice.id, signature) if invoice else None
    if invoice is not None and known_card is None:
        await invoice_mails.mark_opened(ctx, invoice, signature)
    if invoice is None or known_card is None:
        return
    if known_card.opened_at_us is not None and known_card.payer_hash:
        return
    async with ctx.db.write() as tx:
        card = await cards.lock(tx, known_card.id)
        payer_hash = payment_links.hash_browser(ctx, payer_secret)
        new_id = ctx.id_factory(card.shop_id)
        change = card_domain.mark_opened(card, invoice, payer_hash, now_us, new_id)
        await changes.write(tx, change, now_us)


async def refresh(ctx: Context, invoice_id: str) -> int | None:
    """Job card.refresh: bring all cards of an invoice, its receipts and VK order up to date.

    The content is computed from the current rows, so a repeated run is harmless. An error in one
    conversation does not stop the others. Returns when to try again (UTC microseconds) while there
    is no working access key. Raises RetryLaterError.
    """
    facts = await _load_facts(ctx, invoice_id)
    if facts is None:
        return None
    steps: list[Callable[[], Awaitable[None]]] = [
        *(partial(_refresh_message, ctx, facts, card) for card in facts.cards),
        *(partial(_send_receipt, ctx, facts, captured.payment) for captured in facts.captured),
        partial(vk_orders.report_payment, ctx, facts.invoice, facts.captured),
    ]
    retry_error: RetryLaterError | None = None
    delays_us: list[int] = []
    for step in steps:
        try:
            await step()
        except RetryLaterError as error:
            retry_error = error
        except NeedsOwnerError:
            delays_us.append(KEY_ERROR_DELAY_US)
        except RefusedError as refusal:
            if refusal.code != "no_community":
                raise
            delays_us.append(DISCONNECTED_DELAY_US)
    if retry_error is not None:
        raise retry_error
    return ctx.now_us() + min(delays_us) if delays_us else None


async def _load_facts(ctx: Context, invoice_id: str) -> CardFacts | None:
    async with ctx.db.read() as tx:
        invoice = await invoices.get(tx, invoice_id)
        invoice_cards = await cards.list_for_invoice(tx, invoice_id) if invoice else []
        if invoice is None or not invoice_cards:
            return None
        shop = await shops.get(tx, invoice.shop_id)
        assert shop is not None, "an invoice references its shop"
        captured = await payments.list_captured(tx, invoice.id, MAX_PAYMENTS)
    return CardFacts(
        invoice,
        shop,
        invoice_cards,
        [CapturedPayment(payment, refunded_minor) for payment, refunded_minor in captured],
    )


async def _refresh_message(ctx: Context, facts: CardFacts, card: Card) -> None:
    content = facts.content(card, ctx.now_us())
    if card_domain.is_current(card, content):
        return
    async with ctx.db.read() as tx:
        conversation = await conversations.get(tx, card.conversation_id)
    assert conversation is not None, "a card references its conversation"
    url = ""
    if content.state in PAYABLE_STATES:
        url = payment_links.payment_link(ctx, facts.invoice, card.id)
    if content.payment is not None and facts.payer_card(content.payment) == card:
        url = _receipt_url(ctx, content.payment)
    body = card_body(facts.invoice, facts.shop, content, url, conversation)
    is_edited = True
    if card.message_id is not None:
        force = not card.message_fingerprint
        is_edited = await outbox.edit(ctx, card.message_id, body, force=force)
    now_us = ctx.now_us()
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, card.conversation_id)
        locked_card = await cards.lock(tx, card.id)
        # Changed concurrently: which text VK shows is unknown, so refresh again.
        if locked_card.version != card.version:
            updated = card_domain.without_fingerprint(locked_card)
            await changes.write(tx, Change((updated,), jobs=refresh_jobs([card])), now_us)
            return
        updated = card_domain.with_content(card, content)
        change = mark_changed(locked, now_us)
        if card_domain.needs_new_message(content, is_edited=is_edited):
            key = f"card:{card.id}:{content.fingerprint}"
            if locked.blocked_reason:  # sent when the conversation is unblocked
                updated = card_domain.without_fingerprint(updated)
            elif await messages.find_by_key(tx, card.shop_id, key) is None:
                message, change = outbox.enqueue(
                    ctx, locked, body, author=AUTHOR_AUTO_REPLY, idempotency_key=key, now_us=now_us
                )
                updated = card_domain.with_content(card, content, message.id)
        await changes.write(tx, change + Change((updated,)), now_us)
    await notify_changed(ctx)


def _receipt_url(ctx: Context, payment: Payment) -> str:
    return f"{ctx.settings.base_url}/r/{payment.token}"


async def _send_receipt(ctx: Context, facts: CardFacts, payment: Payment) -> None:
    """Send the receipt's link to the client who paid, once per payment.

    The conversation stays unanswered if the client is waiting for a reply.
    """
    card, key = facts.payer_card(payment), f"receipt:{payment.id}"
    if card is None:
        return
    async with ctx.db.read() as tx:
        if await messages.find_by_key(tx, payment.shop_id, key):
            return
    now_us = ctx.now_us()
    async with ctx.db.write() as tx:
        conversation = await conversations.lock(tx, card.conversation_id)
        is_sent = await messages.find_by_key(tx, payment.shop_id, key) is not None
        if conversation.blocked_reason or is_sent:
            return
        body = receipt_body(payment, facts.shop, _receipt_url(ctx, payment), conversation)
        _, change = outbox.enqueue(
            ctx, conversation, body, author=AUTHOR_AUTO_REPLY, idempotency_key=key, now_us=now_us
        )
        await changes.write(tx, change, now_us)
    await notify_changed(ctx)


async def resume(ctx: Context, community_id: str) -> None:
    """Enqueue the refresh of outdated cards and VK orders when the access key works again."""
    async with ctx.db.write() as tx:
        outdated = await cards.list_outdated(tx, community_id)
        jobs = tuple(refresh_job(invoice_id, shop_id) for invoice_id, shop_id in outdated)
        await changes.write(tx, Change(jobs=jobs), ctx.now_us())
