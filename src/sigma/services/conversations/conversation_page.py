"""View models of a conversation page: decrypted messages, authors, service, invoices, payments,
VK orders.
"""

from dataclasses import dataclass, replace

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.catalogue.service import Service
from sigma.domain.messaging.card import Card
from sigma.domain.messaging.community import Community
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import (
    AUTHOR_AUTO_REPLY,
    AUTHOR_CLIENT,
    Message,
    MessageBody,
    NestedMessage,
)
from sigma.domain.messaging.vk_order import OrderContent, VkOrder
from sigma.domain.money import Money
from sigma.services.context import Context
from sigma.services.conversations import message_codec, order_codec
from sigma.services.conversations.inbox import access_conversation
from sigma.services.vk.links import author_url, community_url, conversation_url, profile_url
from sigma.store.accounts import members
from sigma.store.billing import connections
from sigma.store.catalogue import services
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import Tx
from sigma.store.messaging import auto_reply_settings as auto_reply_rows
from sigma.store.messaging import cards, communities, inbox, vk_orders
from sigma.store.messaging import messages as message_rows
from sigma.store.paging import MAX_INT

MESSAGES_PER_PAGE = 40
RELATED_LIMIT = 20  # latest invoices, payments and VK orders, each, until more are asked for
MAX_RELATED = 1000


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message with its body; `body` is None when no encryption key decrypts it.

    `author_kind`: "client", "me" (the reader), "other" (another user; `author_name` is empty when
    it is not known), "auto" (Sigma) or "vk" (an administrator or bot that wrote in VK itself).
    """

    message: Message
    body: MessageBody | None
    author_kind: str
    author_name: str = ""


@dataclass(frozen=True, slots=True)
class RelatedPayment:
    """A payment of an invoice of this conversation, with the total of its succeeded refunds."""

    payment: Payment
    invoice_number: int
    refunded: Money


@dataclass(frozen=True, slots=True)
class MessagePage:
    """One page of messages, oldest first.

    `next_before` is the `before_position` of the page with earlier messages, or None.
    """

    conversation: Conversation
    community: Community
    connection: Connection
    messages: list[MessageView]
    next_before: int | None

    @property
    def vk_url(self) -> str:
        """Return the URL of the dialog in VK."""
        return conversation_url(self.connection, self.conversation.peer_id)

    def author_of(self, nested: NestedMessage) -> tuple[str, str]:
        """Return name and page of the author of a quoted or forwarded message; ("", "") if 0."""
        from_id = nested.from_id
        if not from_id:
            return "", ""
        known = {
            self.conversation.peer_id: self.conversation.title,
            -self.community.group_id: self.community.name,
        }
        unknown = f"id{from_id}" if from_id > 0 else f"club{-from_id}"
        return known.get(from_id, nested.author_name or unknown), author_url(
            self.connection, from_id
        )


@dataclass(frozen=True, slots=True)
class OrderWithContent:
    """A VK order; `content` is None when no encryption key decrypts it."""

    order: VkOrder
    content: OrderContent | None


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """View model of a conversation page. `read_at_us` is the time of reading (UTC microseconds)."""

    message_page: MessagePage
    service: Service | None
    invoices: list[tuple[Invoice, Card | None]]
    payments: list[RelatedPayment]
    orders: list[OrderWithContent]
    has_more_related: bool  # there are more invoices, payments or VK orders
    answering_name: str  # name of another operator who is writing a reply now, or empty
    has_auto_replies: bool  # the shop has auto-replies switched on
    read_at_us: int

    @property
    def conversation(self) -> Conversation:
        """Return the conversation of the message page."""
        return self.message_page.conversation

    @property
    def community(self) -> Community:
        """Return the community of the conversation."""
        return self.message_page.community

    @property
    def connection(self) -> Connection:
        """Return the connection of the community."""
        return self.message_page.connection

    @property
    def profile_url(self) -> str:
        """Return the URL of the client's VK profile."""
        return profile_url(self.connection, self.conversation.peer_id)

    @property
    def community_url(self) -> str:
        """Return the URL of the community's VK page."""
        return community_url(self.connection)


async def load_page(
    ctx: Context, member: Member, conversation_id: str, *, related_limit: int = RELATED_LIMIT
) -> ConversationPage:
    """Return the conversation page with the latest messages.

    `related_limit`: how many of the latest invoices, payments and VK orders, each.

    Raises RefusedError("not_found"), and RefusedError("forbidden") without Permission.ANSWER.
    """
    member.require(Permission.ANSWER)
    now_us = ctx.now_us()
    async with ctx.db.read() as tx:
        conversation = await access_conversation(tx, member, conversation_id)
        operator_names = await members.list_names(tx, member.shop_id)
        message_page = await _message_page(ctx, tx, member, conversation, operator_names, MAX_INT)
        service_id = conversation.service_id
        service = await services.get(tx, service_id) if service_id else None
        auto_reply_settings = await auto_reply_rows.get(tx, member.shop_id)
        user_id = conversation.typing_user(now_us)
        invoices = await _related_invoices(tx, conversation_id, related_limit + 1)
        payments = await _related_payments(tx, conversation_id, related_limit + 1)
        orders = await _related_orders(ctx, tx, member, conversation_id, related_limit + 1)
        return ConversationPage(
            message_page=message_page,
            service=service,
            invoices=invoices[:related_limit],
            payments=payments[:related_limit],
            orders=orders[:related_limit],
            has_more_related=max(len(invoices), len(payments), len(orders)) > related_limit,
            answering_name=operator_names.get(user_id, "") if user_id != member.actor else "",
            has_auto_replies=bool(auto_reply_settings.get("enabled")),
            read_at_us=now_us,
        )


async def load_messages(
    ctx: Context, member: Member, conversation_id: str, before_position: int
) -> MessagePage:
    """Return the page of messages whose position is less than `before_position`.

    Raises RefusedError("not_found"), and RefusedError("forbidden") without Permission.ANSWER.
    """
    member.require(Permission.ANSWER)
    async with ctx.db.read() as tx:
        conversation = await access_conversation(tx, member, conversation_id)
        operator_names = await members.list_names(tx, member.shop_id)
        return await _message_page(ctx, tx, member, conversation, operator_names, before_position)


async def _message_page(
    ctx: Context,
    tx: Tx,
    member: Member,
    conversation: Conversation,
    operator_names: dict[str, str],
    before_position: int,
) -> MessagePage:
    rows = await message_rows.list_for_conversation(
        tx, conversation.id, before_position=before_position, limit=MESSAGES_PER_PAGE + 1
    )
    community = await communities.get(tx, conversation.connection_id)
    connection = await connections.get(tx, conversation.connection_id)
    assert community is not None and connection is not None, (
        "a conversation references its community"
    )
    page_rows = rows[:MESSAGES_PER_PAGE]
    has_more = len(rows) > MESSAGES_PER_PAGE
    message_views = [
        _message_view(ctx, member, message, operator_names) for message in reversed(page_rows)
    ]
    next_before = page_rows[-1].position if has_more else None
    return MessagePage(conversation, community, connection, message_views, next_before)


def _message_view(
    ctx: Context, member: Member, message: Message, operator_names: dict[str, str]
) -> MessageView:
    try:
        body = message_codec.decrypt_body(ctx.cipher, message.id, message.body_encrypted)
    except DecryptionError:
        body = None
    author = message.author
    if author in (AUTHOR_CLIENT, AUTHOR_AUTO_REPLY):
        return MessageView(message, body, author)
    if author == member.actor:
        return MessageView(message, body, "me")
    if author in operator_names:
        return MessageView(message, body, "other", operator_names[author])
    return MessageView(message, body, "vk" if author.startswith("vk:") else "other")


async def _related_invoices(
    tx: Tx, conversation_id: str, limit: int
) -> list[tuple[Invoice, Card | None]]:
    invoices = await inbox.list_invoices(tx, conversation_id, limit)
    if not invoices:
        return []
    card_by_invoice = await cards.find_for_invoices(
        tx, conversation_id, (invoice.id for invoice in invoices)
    )
    return [(invoice, card_by_invoice.get(invoice.id)) for invoice in invoices]


async def _related_orders(
    ctx: Context, tx: Tx, member: Member, conversation_id: str, limit: int
) -> list[OrderWithContent]:
    """Return the latest VK orders; personal data only with Permission.READ_ANSWERS."""
    orders = await vk_orders.list_for_conversation(tx, conversation_id, limit)
    result = []
    for order in orders:
        content = order_codec.decrypt_content(ctx.cipher, order)
        if content and not member.can(Permission.READ_ANSWERS):
            content = replace(content, recipient_name="", recipient_phone="", address="")
        result.append(OrderWithContent(order, content))
    return result


async def _related_payments(tx: Tx, conversation_id: str, limit: int) -> list[RelatedPayment]:
    rows = await inbox.list_payments(tx, conversation_id, limit)
    return [
        RelatedPayment(p, number, Money(refunded_minor, p.amount.currency))
        for p, number, refunded_minor in rows
    ]
