"""Orders of VK's advanced shop: record them, link them to invoices, report payments to VK."""

from dataclasses import replace

import structlog

from sigma.channels.vk import market
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.invoice import Invoice
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.messaging import vk_order as domain
from sigma.domain.messaging.card import CapturedPayment, card_content
from sigma.domain.messaging.community import Community, EventDelivery
from sigma.domain.messaging.conversation_changes import mark_changed
from sigma.domain.messaging.vk_order import VkOrder, with_known_items
from sigma.domain.time_units import DAY_US, HOUR_US, MINUTE_US
from sigma.services.context import Context
from sigma.services.conversations import message_sync, order_codec
from sigma.services.conversations.change_feed import notify_changed
from sigma.services.customers import attachment
from sigma.services.platform import erased_peers
from sigma.services.vk.community_client import CommunityClient, mark_key_broken, open_client
from sigma.store import changes
from sigma.store.billing import invoices
from sigma.store.engine.interface import Tx
from sigma.store.messaging import conversations, vk_events, vk_orders

log = structlog.get_logger()

REQUIRED_RIGHT = "market"  # access right of the community's key that orders require
MAX_POLLED_ORDERS = 500
POLL_INTERVAL_US = 2 * MINUTE_US  # long poll delivers no order events, so orders are polled


def order_change(
    ctx: Context,
    community: Community,
    conversation_id: str,
    vk_order: market.MarketOrder,
    stored: VkOrder | None,
    now_us: int,
) -> Change:
    """Return the change that records a VK order; empty when it is stored as it is.

    `conversation_id`: with the client who placed it; only a new order needs it.
    """
    new_id = ctx.id_factory(community.shop_id)
    if stored is None:
        order_id = new_id("ord")
        order = VkOrder(
            id=order_id,
            shop_id=community.shop_id,
            connection_id=community.id,
            conversation_id=conversation_id,
            vk_order_id=vk_order.id,
            vk_user_id=vk_order.user_id,
            display_id=vk_order.display_id,
            amount_minor=vk_order.total_minor,
            currency=vk_order.currency,
            status=vk_order.status,
            body_encrypted=order_codec.encrypt_content(ctx.cipher, order_id, vk_order.content),
            created_at_us=min(vk_order.content.placed_at_us or now_us, now_us),
        )
        return domain.record_received(order, new_id, is_incomplete=vk_order.content.is_incomplete)
    known = order_codec.decrypt_content(ctx.cipher, stored)
    content = with_known_items(vk_order.content, known)
    changed = replace(
        stored,
        amount_minor=vk_order.total_minor,
        currency=vk_order.currency,
        status=vk_order.status,
        body_encrypted=order_codec.encrypt_content(ctx.cipher, stored.id, content),
    )
    return domain.record_changed(
        stored,
        changed,
        is_same_content=content == known,
        is_incomplete=content.is_incomplete,
        new_id=new_id,
        now_us=now_us,
    )


async def record(
    ctx: Context, community: Community, vk_order: market.MarketOrder, *, event_id: str = ""
) -> None:
    """Record a VK order in the conversation with its client.

    `event_id`: the stored VK event, marked as processed in the same transaction.
    """
    placed_at_us = vk_order.content.placed_at_us
    if await erased_peers.skip(ctx, community.id, vk_order.user_id, placed_at_us, event_id):
        return
    conversation = await message_sync.get_or_create_conversation(ctx, community, vk_order.user_id)
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, conversation.id)
        stored = await vk_orders.find_by_vk_id(tx, community.id, vk_order.user_id, vk_order.id)
        now_us = ctx.now_us()
        change = order_change(ctx, community, locked.id, vk_order, stored, now_us)
        if change:
            locked = await attachment.with_customer(ctx, tx, locked)
            change += mark_changed(locked, now_us)
            await changes.write(tx, change, now_us)
        if event_id:
            await vk_events.mark_processed(tx, event_id, now_us)
    if change:
        await notify_changed(ctx)


async def fetch(ctx: Context, community_id: str) -> int | None:
    """Job vk_orders.fetch: record the community's latest orders.

    Returns when to run again (UTC microseconds); None while there is no access key with the right.
    Raises RetryLaterError.
    """
    try:
        vk_client = await open_client(ctx, community_id)
    except RefusedError:
        return None
    community = vk_client.community
    if community.error_code or REQUIRED_RIGHT not in community.key_scopes:
        return None  # replacing the access key enqueues the job again
    try:
        fetched = await _list_orders(ctx, vk_client)
    except NeedsOwnerError as error:
        await mark_key_broken(ctx, community_id, error)
        return None
    except PermanentError:
        return ctx.now_us() + HOUR_US  # the community has no advanced shop; it may be enabled later
    for vk_order in reversed(fetched):
        if await _is_new_or_changed(ctx, community, vk_order):
            await record(ctx, community, vk_order)
    return ctx.now_us() + (
        POLL_INTERVAL_US if community.event_delivery is EventDelivery.LONG_POLL else HOUR_US
    )


async def _is_new_or_changed(
    ctx: Context, community: Community, vk_order: market.MarketOrder
) -> bool:
    """Return whether `record` would change anything, without taking the writer lock."""
    async with ctx.db.read() as tx:
        stored = await vk_orders.find_by_vk_id(tx, community.id, vk_order.user_id, vk_order.id)
    return stored is None or bool(
        order_change(ctx, community, stored.conversation_id, vk_order, stored, ctx.now_us())
    )


async def _list_orders(ctx: Context, vk_client: CommunityClient) -> list[market.MarketOrder]:
    """Return the community's orders, newest first, back to the oldest one that may still change.

    At most MAX_POLLED_ORDERS. Raises VkError.
    """
    async with ctx.db.read() as tx:
        oldest_open_at_us = await vk_orders.oldest_open_at_us(tx, vk_client.community.id)
    fetched: list[market.MarketOrder] = []
    for offset in range(0, MAX_POLLED_ORDERS, market.ORDERS_PER_PAGE):
        page = await market.list_orders(vk_client.api, vk_client.community.group_id, offset=offset)
        fetched += page
        placed_at_us = page[-1].content.placed_at_us if page else 0
        has_all_open = oldest_open_at_us is None or placed_at_us < oldest_open_at_us
        if len(page) < market.ORDERS_PER_PAGE or has_all_open:
            break
    return fetched


async def fetch_items(ctx: Context, order_id: str) -> int | None:
    """Job vk_order.fetch_items: read all items of an order whose event had only some of them.

    Returns when to try again (UTC microseconds) while VK refuses. Raises RetryLaterError.
    """
    async with ctx.db.read() as tx:
        order = await vk_orders.get(tx, order_id)
    assert order is not None, "orders are never deleted"
    try:
        vk_client = await open_client(ctx, order.connection_id)
        items = await market.list_order_items(vk_client.api, order.vk_user_id, order.vk_order_id)
    except RefusedError:
        return None  # connecting the community again polls its orders
    except NeedsOwnerError as error:
        await mark_key_broken(ctx, order.connection_id, error)
        return ctx.now_us() + HOUR_US
    except PermanentError as error:
        log.info("vk_order.items_not_fetched", vk_order=order_id, error=str(error))
        return ctx.now_us() + DAY_US if not order.is_final else None
    async with ctx.db.write() as tx:
        conversation = await conversations.lock(tx, order.conversation_id)
        current = await vk_orders.get(tx, order_id)
        assert current is not None, "orders are never deleted"
        content = order_codec.decrypt_content(ctx.cipher, current)
        if content is None or not items:
            return None
        now_us = ctx.now_us()
        content = replace(content, items=items, has_all_items=True)
        body = order_codec.encrypt_content(ctx.cipher, current.id, content)
        change = mark_changed(conversation, now_us)
        change += Change((replace(current, body_encrypted=body),))
        await changes.write(tx, change, now_us)
    await notify_changed(ctx)
    return None


async def get(ctx: Context, member: Member, order_id: str) -> VkOrder:
    """Return an order of the member's shop. Raises RefusedError: "not_found", "forbidden"."""
    member.require(Permission.ANSWER)
    async with ctx.db.read() as tx:
        order = await vk_orders.get(tx, order_id)
    if order is None or order.shop_id != member.shop_id:
        raise RefusedError("not_found", what="order")
    return order


async def link_invoice(tx: Tx, order_id: str, invoice: Invoice, now_us: int) -> Change:
    """Return the change that links an order of the same conversation to the invoice.

    Raises RefusedError: "not_found"; "validation" when the order already has a paid or payable
    invoice. `now_us`: UTC microseconds.
    """
    order = await vk_orders.get(tx, order_id)
    if order is None or order.conversation_id != invoice.conversation_id:
        raise RefusedError("not_found", what="order")
    other = await invoices.get(tx, order.invoice_id) if order.invoice_id else None
    return domain.link_invoice(order, invoice, other, now_us)


async def report_payment(ctx: Context, invoice: Invoice, captured: list[CapturedPayment]) -> None:
    """Set the payment status and the receipt link of the VK order, if VK does not have them yet.

    A permanent error of VK is stored as the reported status, with the code, for the operator; the
    next card.refresh job tries again.
    Raises RetryLaterError, NeedsOwnerError, RefusedError("no_community").
    """
    async with ctx.db.read() as tx:
        order = await vk_orders.find_for_invoice(tx, invoice.id)
    content = card_content(invoice, captured, None, ctx.now_us())
    payment_status = domain.payment_status(content)
    if order is None or content.payment is None or payment_status is None:
        return
    if order.vk_payment_status == payment_status:
        return
    vk_client = await open_client(ctx, order.connection_id)
    link = f"{ctx.settings.base_url}/r/{content.payment.token}"
    try:
        await market.edit_order(
            vk_client.api,
            order.vk_user_id,
            order.vk_order_id,
            payment_status=payment_status,
            receipt_link=link if len(link) <= market.MAX_RECEIPT_LINK_CHARS else None,
        )
    except NeedsOwnerError as error:
        await mark_key_broken(ctx, vk_client.community.id, error)
        raise
    except PermanentError as error:
        payment_status = f"{domain.REJECTED_PREFIX}{error.code}"
    async with ctx.db.write() as tx:
        current = await vk_orders.get(tx, order.id)
        assert current is not None, "orders are never deleted"
        await changes.write(tx, domain.record_reported(current, payment_status), ctx.now_us())
