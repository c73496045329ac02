"""One dialog as its page shows it: the messages opened, who wrote them, the service, the money,
the orders.
"""

from dataclasses import dataclass

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.catalogue.service import Service
from sigma.domain.messaging.card import Card, Order
from sigma.domain.messaging.community import Community
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import AUTO, CLIENT, Body, Message
from sigma.domain.money import Money
from sigma.services.context import Context
from sigma.services.conversations import message_codec
from sigma.services.conversations.inbox import seen
from sigma.services.vk.links import community_url, person_url
from sigma.store.billing import connections
from sigma.store.catalogue import services
from sigma.store.encryption import Unsealable
from sigma.store.engine.interface import Tx
from sigma.store.messaging import cards, communities, conversations, inbox
from sigma.store.messaging.conversations import LAST_PLACE

MESSAGES = 40  # of a page
MONEY = 20  # the latest invoices, payments and orders beside a dialog


@dataclass(frozen=True, slots=True)
class Said:
    """A message opened; `body` is None when no key of ours opens it.

    `who` says how it came: client, me, other (an operator, called `name`), auto, or vk (written by
    a person in VK itself).
    """

    message: Message
    body: Body | None
    who: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment of an invoice of this dialog."""

    payment: Payment
    invoice_number: int
    refunded: Money


@dataclass(frozen=True, slots=True)
class Talk:
    """A part of a dialog's messages, oldest first. `earlier` asks for those before it."""

    conversation: Conversation
    said: list[Said]
    earlier: int | None


@dataclass(frozen=True, slots=True)
class Dialog:
    """Everything that a dialog's page shows. `at`: when it was read, UTC microseconds."""

    talk: Talk
    community: Community
    connection: Connection
    service: Service | None
    invoices: list[tuple[Invoice, Card | None]]
    payments: list[Paid]
    orders: list[Order]
    answering: str  # who else is writing an answer now
    automatic: bool  # the shop lets Sigma answer by itself
    at: int

    @property
    def conversation(self) -> Conversation:
        """The dialog itself."""
        return self.talk.conversation

    @property
    def person_url(self) -> str:
        """The client's page in VK."""
        return person_url(self.connection, self.conversation.peer_id)

    @property
    def community_url(self) -> str:
        """The community's page in VK."""
        return community_url(self.connection)


async def view(ctx: Context, member: Member, conversation_id: str) -> Dialog:
    """The page of a dialog with its latest messages. Raises Refused("not_found")."""
    member.must(Permission.ANSWER)
    now = ctx.now()
    async with ctx.db.read() as tx:
        conversation = await seen(tx, member, conversation_id)
        people = await inbox.people(tx, member.shop_id)
        talk = await _talk(ctx, tx, member, conversation, people, LAST_PLACE)
        community = await communities.get(tx, conversation.connection_id)
        connection = await connections.get(tx, conversation.connection_id)
        assert community is not None and connection is not None, "a dialog has its community"
        wanted = conversation.service_id
        service = await services.get(tx, wanted) if wanted else None
        automatic = await cards.auto_answers_of(tx, member.shop_id)
        holder = conversation.answered_by(now)
        return Dialog(
            talk=talk,
            community=community,
            connection=connection,
            service=service,
            invoices=await _invoices(tx, conversation_id),
            payments=await _payments(tx, conversation_id),
            orders=(await cards.orders_of(tx, conversation_id))[:MONEY],
            answering=people.get(holder, "") if holder != member.actor else "",
            automatic=bool(automatic.get("on")),
            at=now,
        )


async def talk(ctx: Context, member: Member, conversation_id: str, before: int) -> Talk:
    """Messages whose place is under `before`. Raises Refused("not_found")."""
    member.must(Permission.ANSWER)
    async with ctx.db.read() as tx:
        conversation = await seen(tx, member, conversation_id)
        people = await inbox.people(tx, member.shop_id)
        return await _talk(ctx, tx, member, conversation, people, before)


async def _talk(
    ctx: Context,
    tx: Tx,
    member: Member,
    conversation: Conversation,
    people: dict[str, str],
    before: int,
) -> Talk:
    read = await conversations.messages_before(
        tx, conversation.id, before=before, limit=MESSAGES + 1
    )
    shown = read[:MESSAGES]
    more = len(read) > MESSAGES
    said = [_said(ctx, member, message, people) for message in reversed(shown)]
    return Talk(conversation, said, shown[-1].place if more else None)


def _said(ctx: Context, member: Member, message: Message, people: dict[str, str]) -> Said:
    try:
        body = message_codec.read(ctx.sealer, message.body_sealed)
    except Unsealable:
        body = None
    author = message.author
    if author in (CLIENT, AUTO):
        return Said(message, body, author)
    if author == member.actor:
        return Said(message, body, "me")
    if author in people:
        return Said(message, body, "other", people[author])
    return Said(message, body, "vk" if author.startswith("vk:") else "other")


async def _invoices(tx: Tx, conversation_id: str) -> list[tuple[Invoice, Card | None]]:
    issued = await inbox.invoices_of(tx, conversation_id, MONEY)
    if not issued:
        return []
    shown = {card.invoice_id: card for card in await cards.of_conversation(tx, conversation_id)}
    return [(invoice, shown.get(invoice.id)) for invoice in issued]


async def _payments(tx: Tx, conversation_id: str) -> list[Paid]:
    found = await inbox.payments_of(tx, conversation_id, MONEY)
    return [Paid(p, number, Money(back, p.amount.currency)) for p, number, back in found]
