"""The facts that decide about reminders, and the second look before one is handed to its channel.

Everything is read under the lock of the invoice, under which payments are settled: a payment that
is settled first ends the reminder, and one that is settled later comes after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing import invoice as invoice_domain
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.errors import RefusedError
from sigma.domain.local_time import local_date
from sigma.domain.messaging.card import Card
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import AUTHOR_AUTO_REPLY, Message, Status
from sigma.domain.reminders.reminder import (
    Channel,
    InvoiceRecipient,
    Outlook,
    Reminder,
    ReminderFacts,
    is_still_due,
    outlook,
)
from sigma.domain.time_units import DAY_US
from sigma.services.context import Context
from sigma.services.reminders import settings as reminder_settings
from sigma.services.reminders import stops
from sigma.store.accounts import shops
from sigma.store.billing import invoice_recipients, invoices, payments, reminders
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import Tx
from sigma.store.messaging import cards, conversations, messages

MAX_PAYMENTS = 500  # latest captured payments read per invoice
KEY_PREFIX = "reminder:"  # of the idempotency keys of all reminders in conversations


def message_key(card_id: str, now_us: int, tz: str) -> str:
    """Return the idempotency key: one reminder per card and day in the shop's time zone.

    Automatic ones and those of an operator have the same key.
    """
    return f"{KEY_PREFIX}{card_id}:{local_date(now_us, tz).isoformat()}"


@dataclass(frozen=True, slots=True)
class Target:
    """A client who got an invoice: `card` with its `conversation`, or `recipient`."""

    facts: ReminderFacts
    card: Card | None = None
    conversation: Conversation | None = None
    recipient: InvoiceRecipient | None = None

    @property
    def id(self) -> str:
        """The id of the card or the recipient."""
        row = self.card or self.recipient
        assert row is not None, "a target is a card or a recipient"
        return row.id

    @property
    def channel(self) -> Channel:
        """How the client is reached."""
        return Channel.CONVERSATION if self.card else Channel.EMAIL


async def load(
    ctx: Context, tx: Tx, invoice: Invoice, shop: Shop, target_id: str = ""
) -> list[Target]:
    """Return the clients of a locked invoice: those of conversations, else those by e-mail.

    A client whom VK does not allow to write to is reached by e-mail, if the invoice was sent there
    too. A client whose conversation Sigma does not know to be allowed (never wrote) is not reached.
    With `target_id` only that card or recipient is read: a link may have been sent to hundreds.
    """
    invoice_cards = await cards.list_for_invoice(tx, invoice.id)
    recipients = await invoice_recipients.list_for_invoice(tx, invoice.id)
    if not invoice_cards and not recipients:
        return []
    loader = _Loader(
        ctx,
        tx,
        invoice,
        shop,
        captured=[
            payment for payment, _ in await payments.list_captured(tx, invoice.id, MAX_PAYMENTS)
        ],
        sent=await reminders.list_for_invoice(tx, invoice.id),
        is_silenced=await reminders.is_silenced(tx, invoice.id),
        is_going_on=await payments.is_going_on(tx, invoice.shop_id, invoice.id),
        is_only_client=len(invoice_cards) + (0 if invoice_cards else len(recipients)) == 1,
    )
    by_id = await conversations.find_by_ids(tx, [card.conversation_id for card in invoice_cards])
    sent_cards = [card for card in invoice_cards if card.message_id is not None]
    targets = [
        await loader.of_card(card, by_id[card.conversation_id])
        for card in sent_cards
        if target_id in ("", card.id)
    ]
    if any(_can_reach(by_id[card.conversation_id]) for card in sent_cards):
        return targets
    return targets + [
        await loader.of_recipient(one)
        for one in recipients
        if one.email_encrypted and target_id in ("", one.id)
    ]


def _can_reach(conversation: Conversation) -> bool:
    return not conversation.blocked_reason and bool(conversation.last_incoming_at_us)


async def get_outlook(ctx: Context, member: Member, invoice: Invoice) -> Outlook:
    """Return whether Sigma will remind the clients of an open invoice, or why it will not."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        shop = await shops.get(tx, member.shop_id)
        assert shop is not None, "a member has a shop"
        settings = await reminder_settings.load(tx, shop.id)
        is_silenced = await reminders.is_silenced(tx, invoice.id)
        try:
            targets = await load(ctx, tx, invoice, shop)
        except DecryptionError:  # of an address whose key is missing: no letter can be sent there
            targets = []
    return outlook(
        invoice,
        settings,
        [one.facts for one in targets],
        is_silenced=is_silenced,
        now_us=ctx.now_us(),
    )


@dataclass(frozen=True, slots=True)
class _Loader:
    ctx: Context
    tx: Tx
    invoice: Invoice
    shop: Shop
    captured: Sequence[Payment]
    sent: Sequence[Reminder]
    is_silenced: bool
    is_going_on: bool
    is_only_client: bool

    async def of_card(self, card: Card, conversation: Conversation) -> Target:
        has_paid = any(one.conversation_id == conversation.id for one in self.captured)
        hashes = stops.conversation_hashes(self.ctx, conversation)
        now_us = self.ctx.now_us()
        recent = [
            await messages.find_by_key(
                self.tx, self.shop.id, message_key(card.id, at_us, self.shop.tz)
            )
            for at_us in (now_us, now_us - DAY_US)
        ]
        facts = await self._facts(
            card.id,
            sent_at_us=card.created_at_us,
            opened_at_us=card.opened_at_us,
            wrote_at_us=conversation.last_incoming_at_us or None,
            has_paid=has_paid,
            hashes=hashes,
            can_reach=_can_reach(conversation),
            message_times=[one.written_at_us for one in recent if one is not None],
        )
        return Target(facts, card=card, conversation=conversation)

    async def of_recipient(self, recipient: InvoiceRecipient) -> Target:
        address = decrypt_address(self.ctx, recipient)
        facts = await self._facts(
            recipient.id,
            sent_at_us=recipient.sent_at_us,
            opened_at_us=recipient.opened_at_us,
            wrote_at_us=None,  # replies by e-mail go to the seller's mailbox
            has_paid=False,
            hashes=stops.email_hashes(self.ctx, recipient.shop_id, address),
            can_reach=True,
            message_times=[],
        )
        return Target(facts, recipient=recipient)

    async def _facts(
        self,
        target_id: str,
        *,
        sent_at_us: int,
        opened_at_us: int | None,
        wrote_at_us: int | None,
        has_paid: bool,
        hashes: list[str],
        can_reach: bool,
        message_times: list[int],
    ) -> ReminderFacts:
        own = [one for one in self.sent if one.target_id == target_id]
        is_unattributed = any(one.conversation_id is None for one in self.captured)
        times = [*(one.created_at_us for one in own), *message_times]
        is_single_client = self.is_only_client or not self.invoice.is_shared_link
        return ReminderFacts(
            self.invoice,
            sent_at_us=sent_at_us,
            opened_at_us=opened_at_us,
            wrote_at_us=wrote_at_us,
            paid_at_us=max((one.captured_at_us or 0 for one in self.captured), default=None),
            has_paid=has_paid or (is_single_client and bool(self.captured)),
            is_payer_unknown=not is_single_client and is_unattributed,
            is_only_client=self.is_only_client,
            has_unfinished_payment=self.is_going_on,
            is_silenced=self.is_silenced,
            is_opted_out=await reminders.has_stop(self.tx, hashes),
            can_reach=can_reach,
            sent=tuple(one.kind for one in own),
            reminded_at_us=max(times, default=None),
        )


def decrypt_address(ctx: Context, recipient: InvoiceRecipient) -> str:
    """Return the address of a recipient, "" after its deletion. Raises DecryptionError."""
    if not recipient.email_encrypted:
        return ""
    column = EncryptedColumn.INVOICE_RECIPIENT_EMAIL
    return str(ctx.cipher.decrypt(recipient.email_encrypted, column, recipient.id))


async def may_hand_over(ctx: Context, tx: Tx, reminder: Reminder) -> bool:
    """Lock the invoice and return whether an automatic reminder is still due.

    Its channel calls it in the transaction before each attempt: hours may have passed since the
    decision, while VK or a mail server did not respond.
    """
    invoice = await invoices.lock(tx, reminder.invoice_id)
    shop = await shops.get(tx, reminder.shop_id)
    assert shop is not None, "the shop of an invoice is never deleted"
    settings = await reminder_settings.load(tx, shop.id)
    targets = await load(ctx, tx, invoice, shop, reminder.target_id)
    now_us = ctx.now_us()
    return any(
        is_still_due(reminder.kind, target.facts, settings, shop.tz, now_us) for target in targets
    )


async def may_attempt(ctx: Context, tx: Tx, message: Message) -> bool:
    """Return whether a queued message may be sent: a reminder only while its invoice is unpaid.

    Locks the invoice of a reminder; call it before the conversation is locked. Other messages are
    not looked up.
    """
    key = message.idempotency_key or ""
    if not key.startswith(KEY_PREFIX) or message.status is not Status.QUEUED:
        return True
    card = await cards.get(tx, key.split(":")[1])
    if card is None:
        return False
    if message.author == AUTHOR_AUTO_REPLY:
        sent = await reminders.list_for_invoice(tx, card.invoice_id)
        found = next((one for one in sent if one.message_id == message.id), None)
        return found is not None and await may_hand_over(ctx, tx, found)
    invoice = await invoices.lock(tx, card.invoice_id)
    holds = await invoices.count_holds(tx, invoice.id)
    try:
        invoice_domain.require_payable(invoice, ctx.now_us(), holds)
    except RefusedError:
        return False
    return True
