"""Handlers of stored VK events, one for each event type."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from sigma.channels.vk import events, groups, market
from sigma.channels.vk import messages as vk_messages
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError, VkError
from sigma.channels.vk.events import ButtonPress, MessagePermission, VkMessage
from sigma.channels.vk.fields import read_int
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.checklist import with_changed_settings
from sigma.domain.messaging.community import Community, with_profile
from sigma.domain.messaging.conversation_changes import block, unblock
from sigma.domain.messaging.vk_event import VkEvent
from sigma.domain.time_units import MINUTE_US
from sigma.services.communities.community_updates import update_community
from sigma.services.context import Context
from sigma.services.conversations import message_sync
from sigma.services.conversations.change_feed import notify_changed
from sigma.services.invoice_cards import vk_orders
from sigma.services.notifications import links
from sigma.services.vk import community_client
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.messaging import cards, conversations, vk_events
from sigma.texts import Translator

log = structlog.get_logger()

NO_PERMISSION, BLOCKED = "901", "900"
MESSAGE_EVENTS = ("message_new", "message_reply", "message_edit")
UNREADABLE_TYPE = ""


@dataclass(frozen=True, slots=True)
class DecryptedEvent:
    """A stored event, decrypted. `payload` is what `EventType.parse` returned."""

    stored: VkEvent
    type: str
    payload: Any = None


async def _mark_processed(ctx: Context, event: DecryptedEvent) -> None:
    async with ctx.db.write() as tx:
        await vk_events.mark_processed(tx, event.stored.id, ctx.now_us())


async def _on_message(ctx: Context, community: Community, event: DecryptedEvent) -> None:
    message: VkMessage = event.payload
    is_link = event.type == "message_new" and await links.accept_vk_message(ctx, community, message)
    await message_sync.record(ctx, community, message, event_id=event.stored.id)
    if is_link:
        await _greet_linked(ctx, community, message)


async def _greet_linked(ctx: Context, community: Community, message: VkMessage) -> None:
    """Reply in VK that notifications come there from now on. A lost reply is not repeated."""
    async with ctx.db.read() as tx:
        shop = await shops.get(tx, community.shop_id)
    assert shop is not None, "a community has a shop"
    text = Translator(shop.locale).t("notifications.linked", shop=shop.name)
    try:
        client = await community_client.open_client(ctx, community.id)
        await vk_messages.send(client.api, message.peer_id, text, links.new_random_id())
    except (VkError, RefusedError) as error:
        log.info("notification.greeting_failed", connection=community.id, error=str(error))


async def _on_allow(ctx: Context, community: Community, event: DecryptedEvent) -> None:
    """The client allows messages, possibly before the first message."""
    permission: MessagePermission = event.payload
    await message_sync.get_or_create_conversation(ctx, community, permission.user_id)
    await _set_blocked_reason(ctx, community, event, permission.user_id, "")


async def _on_deny(ctx: Context, community: Community, event: DecryptedEvent) -> None:
    permission: MessagePermission = event.payload
    await _set_blocked_reason(ctx, community, event, permission.user_id, NO_PERMISSION)


async def _on_block(ctx: Context, community: Community, event: DecryptedEvent) -> None:
    await _set_blocked_reason(ctx, community, event, event.payload, BLOCKED)


async def _on_unblock(ctx: Context, community: Community, event: DecryptedEvent) -> None:
    await _set_blocked_reason(ctx, community, event, event.payload, "", BLOCKED)


async def _set_blocked_reason(
    ctx: Context,
    community: Community,
    event: DecryptedEvent,
    peer_id: int,
    reason: str,
    only_from: str = "",
) -> None:
    """Set the reason why messages are blocked. `only_from`: unblock only from this reason."""
    async with ctx.db.write() as tx:
        conversation = await conversations.find_by_peer(tx, community.id, peer_id)
        if conversation is not None:
            locked = await conversations.lock(tx, conversation.id)
            now_us = ctx.now_us()
            if reason:
                change = block(locked, reason, now_us)
            else:
                conversation_cards = await cards.list_for_conversation(tx, locked.id)
                change = unblock(locked, conversation_cards, now_us, only_from=only_from)
            await changes.write(tx, change, now_us)
        await vk_events.mark_processed(tx, event.stored.id, ctx.now_us())
    await notify_changed(ctx)


async def _on_button(ctx: Context, community: Community, event: DecryptedEvent) -> None:
    """Show the client a reply to a pressed button; VK accepts it for one minute."""
    pressed: ButtonPress = event.payload
    if ctx.now_us() - event.stored.received_at_us < MINUTE_US:
        async with ctx.db.read() as tx:
            shop = await shops.get(tx, community.shop_id)
        assert shop is not None, "a community has a shop"
        snackbar = vk_messages.snackbar(Translator(shop.locale).t("conversations.button_pressed"))
        recipient = (pressed.user_id, pressed.peer_id)
        try:
            client = await community_client.open_client(ctx, community.id)
            await vk_messages.answer_button_press(
                client.api, pressed.event_id, *recipient, snackbar
            )
        except (VkError, RefusedError) as error:
            log.info("vk_event.button_reply_failed", vk_event=event.stored.id, error=str(error))
    await _mark_processed(ctx, event)


async def _on_group_change(ctx: Context, community: Community, event: DecryptedEvent) -> None:
    """Fetch the changed name, photo or settings of the community. Raises RetryLaterError."""
    try:
        client = await community_client.open_client(ctx, community.id)
        group = await groups.fetch_group(client.api, community.group_id)
    except NeedsOwnerError as error:
        await community_client.mark_key_broken(ctx, community.id, error)
    except (RefusedError, PermanentError) as error:  # disconnected meanwhile, or no access
        log.info("vk_event.settings_not_fetched", vk_event=event.stored.id, error=str(error))
    else:
        new_values = event.payload or {}
        await update_community(
            ctx,
            community.id,
            lambda stored: with_changed_settings(with_profile(stored, group.profile), new_values),
        )
    await _mark_processed(ctx, event)


async def _on_order(ctx: Context, community: Community, event: DecryptedEvent) -> None:
    """Store a new or changed VK order."""
    await vk_orders.record(ctx, community, event.payload, event_id=event.stored.id)


async def _on_unreadable(ctx: Context, _: Community, event: DecryptedEvent) -> None:
    log.warning("vk_event.unreadable", vk_event=event.stored.id, type=event.stored.type)
    await _mark_processed(ctx, event)


def _parse_user_id(fields: dict[str, Any]) -> int:
    return read_int(fields, "user_id")


def _parse_nothing(_: dict[str, Any]) -> None:
    return None


@dataclass(frozen=True, slots=True)
class EventType:
    """The parser (raises ValueError for a malformed object) and the handler of an event type."""

    parse: Callable[[dict[str, Any]], Any]
    process: Callable[[Context, Community, DecryptedEvent], Awaitable[None]]


EVENT_TYPES = {
    UNREADABLE_TYPE: EventType(_parse_nothing, _on_unreadable),
    **dict.fromkeys(MESSAGE_EVENTS, EventType(events.parse_message, _on_message)),
    "message_allow": EventType(events.parse_message_permission, _on_allow),
    "message_deny": EventType(events.parse_message_permission, _on_deny),
    "user_block": EventType(_parse_user_id, _on_block),
    "user_unblock": EventType(_parse_user_id, _on_unblock),
    "message_event": EventType(events.parse_button_press, _on_button),
    "group_change_settings": EventType(events.changed_settings, _on_group_change),
    "group_change_photo": EventType(_parse_nothing, _on_group_change),
    "market_order_new": EventType(market.parse_order, _on_order),
    "market_order_edit": EventType(market.parse_order, _on_order),
}
