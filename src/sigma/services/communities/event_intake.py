"""VK events: stored before VK gets its reply, then processed per conversation, in order."""

import hmac
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import structlog

from sigma.channels.vk import events, groups, market
from sigma.channels.vk import messages as vk_messages
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError, VkError
from sigma.channels.vk.events import ButtonPress, MessagePermission, ParsedEvent, VkMessage
from sigma.channels.vk.fields import read_int, read_object
from sigma.domain.billing.connection import Status
from sigma.domain.change import Job
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.checklist import with_changed_settings
from sigma.domain.messaging.community import Community, with_profile
from sigma.domain.messaging.conversation_changes import block, unblock
from sigma.domain.messaging.vk_event import VkEvent
from sigma.domain.time_units import MINUTE_US, SECOND_US
from sigma.services.communities.community_updates import update_community
from sigma.services.context import Context
from sigma.services.conversations import message_sync
from sigma.services.conversations.change_feed import notify_changed
from sigma.services.invoice_cards import vk_orders
from sigma.services.vk import community_client
from sigma.store import changes, jobs
from sigma.store.accounts import shops
from sigma.store.billing import connections
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import Op, StoreError
from sigma.store.messaging import cards, communities, conversations, vk_events
from sigma.texts import Translator

log = structlog.get_logger()

OK_REPLY = "ok"
MAX_BODY_BYTES = events.MAX_BODY_BYTES
# After such a silence read the history: VK repeats events only for a while.
CATCH_UP_SILENCE_US = 30 * MINUTE_US
LAST_CONTACT_PRECISION_US = 30 * SECOND_US  # precision of `last_contact_at_us`: fewer writes
NO_PERMISSION, BLOCKED = "901", "900"
MESSAGE_EVENTS = ("message_new", "message_reply", "message_edit")
GROUP_KEY, UNREADABLE_TYPE = "group", ""


class EventNotStoredError(Exception):
    """The database did not store an event. VK must deliver it again."""


@dataclass(frozen=True, slots=True)
class _DecryptedEvent:
    """A stored event, decrypted. `payload` is what `_EventType.parse` returned."""

    stored: VkEvent
    type: str
    payload: Any = None


async def accept_callback(ctx: Context, connection_id: str, body: bytes, retry_count: int) -> str:
    """Store an event of the Callback API and return the reply: "ok", or the confirmation code.

    `retry_count`: VK's retry counter. Raises EventNotStoredError, and RefusedError: not_found,
    bad_request, forbidden (wrong secret or community).
    Source: https://dev.vk.com/ru/api/callback/getting-started
    """
    try:
        return await _accept(ctx, connection_id, body, retry_count)
    except StoreError as error:
        log.warning("vk_event.not_stored", connection=connection_id, error=type(error).__name__)
        raise EventNotStoredError from error


async def _accept(ctx: Context, connection_id: str, body: bytes, retry_count: int) -> str:
    async with ctx.db.read() as tx:
        connection = await connections.get(tx, connection_id)
        community = await communities.get(tx, connection_id)
    if community is None or connection is None or connection.status is not Status.ACTIVE:
        raise RefusedError("not_found", what="connection")
    try:
        event = events.parse_body(body)
    except ValueError as error:
        raise RefusedError("bad_request") from error
    _check_sender(ctx, community, event)
    if event.type == "confirmation":
        if not community.confirmation_code:
            raise RefusedError("not_found", what="confirmation")
        return community.confirmation_code
    if retry_count:
        log.info("vk_event.retried", connection=connection.id, type=event.type, retry=retry_count)
    now_us = ctx.now_us()
    ops = _store_ops(ctx, community, [event], now_us)
    async with ctx.db.write() as tx:
        await tx.write_all(ops, jobs.CHANNEL)
        if now_us - community.last_contact_at_us > LAST_CONTACT_PRECISION_US:
            await communities.record_contact(tx, community.id, now_us)
    return OK_REPLY


def _check_sender(ctx: Context, community: Community, event: ParsedEvent) -> None:
    """Check the secret and the community id; VK does not sign events. Raises RefusedError."""
    secret_encrypted = community.callback_secret_encrypted
    secret = str(ctx.cipher.decrypt(secret_encrypted)) if secret_encrypted else ""
    same_secret = hmac.compare_digest(event.secret.encode(), secret.encode())
    # A confirmation request may come without the secret; the code is useless to others.
    is_trusted = same_secret or (event.type == "confirmation" and not event.secret)
    if not is_trusted or not secret or event.group_id != community.group_id:
        log.warning("vk_event.forged", connection=community.id)
        raise RefusedError("forbidden")


async def accept_long_poll(
    ctx: Context,
    community_id: str,
    updates: Iterable[dict[str, Any]],
    ts: str,
    *,
    has_gap: bool = False,
) -> None:
    """Store a batch of the long poll together with its new `ts`, in one transaction.

    `has_gap`: events before this batch may be lost, so also enqueue a catch-up.
    """
    async with ctx.db.read() as tx:
        community = await communities.get(tx, community_id)
    assert community is not None, "a polled community exists"
    parsed = []
    for update in updates:
        try:
            event = events.parse_event(update)
        except ValueError:
            log.warning("vk_event.unreadable", connection=community_id)
            continue
        if event.group_id == community.group_id:
            parsed.append(event)
    now_us = ctx.now_us()
    ops = _store_ops(ctx, community, parsed, now_us, has_gap=has_gap)
    async with ctx.db.write() as tx:
        await communities.record_poll(tx, community_id, ts, now_us)
        if ops:
            await tx.write_all(ops, jobs.CHANNEL)


def _store_ops(
    ctx: Context,
    community: Community,
    batch: list[ParsedEvent],
    now_us: int,
    *,
    has_gap: bool = False,
) -> list[Op]:
    """Return the writes that store the events and enqueue their jobs; unknown types are skipped.

    `has_gap`: also enqueue a catch-up, as after a long silence.
    """
    ops, conversation_keys = [], set()
    for event in batch:
        conversation_key = _conversation_key(event)
        if not conversation_key:
            continue
        stored = VkEvent(
            id=ctx.new_id("vke", community.shop_id),
            shop_id=community.shop_id,
            connection_id=community.id,
            conversation_key=conversation_key,
            type=event.type,
            digest=event.event_id,
            body_encrypted=ctx.cipher.encrypt(replace(event, secret="")),
            received_at_us=now_us,
        )
        ops.append(vk_events.store_event(stored))
        conversation_keys.add(conversation_key)
    new_jobs = [
        Job("vk_event.process", f"{community.id}:{key}", community.shop_id)
        for key in conversation_keys
    ]
    if has_gap or now_us - community.last_contact_at_us > CATCH_UP_SILENCE_US:
        new_jobs.append(Job("community.catch_up", community.id, community.shop_id))
    return ops + [jobs.enqueue(job, now_us) for job in new_jobs]


def _conversation_key(event: ParsedEvent) -> str:
    """Return "peer:<id>" for a conversation, "group" for the community, "" to skip the event."""
    if event.type not in _EVENT_TYPES:
        return ""
    if event.type in ("group_change_settings", "group_change_photo"):
        return GROUP_KEY
    fields = read_object(event.object, "message") or event.object
    peer_id = read_int(fields, "peer_id") or read_int(fields, "user_id")
    return f"peer:{peer_id}" if peer_id and peer_id < vk_messages.FIRST_CHAT_PEER_ID else ""


async def process_conversation(ctx: Context, subject: str) -> int | None:
    """Job vk_event.process: process all stored events of a conversation, each in a transaction.

    An event that fails does not stop the following ones; the job then fails and is repeated.
    Returns the current time (UTC microseconds) when more events are waiting, else None.
    """
    connection_id, _, conversation_key = subject.partition(":")
    async with ctx.db.read() as tx:
        stored_events = await vk_events.list_unprocessed(tx, connection_id, conversation_key)
        community = await communities.get(tx, connection_id)
    if community is None:
        return None
    failure: Exception | None = None
    for event in _sort_events([_decrypt(ctx, stored) for stored in stored_events]):
        try:
            await _EVENT_TYPES[event.type].process(ctx, community, event)
        except (StoreError, VkError):
            raise  # the following events would fail in the same way
        except Exception as error:  # noqa: BLE001 - one bad event must not stop a conversation
            log.error("vk_event.failed", vk_event=event.stored.id, error=type(error).__name__)
            failure = error
    if failure is not None:
        raise failure
    return ctx.now_us() if len(stored_events) == vk_events.BATCH_SIZE else None


def _decrypt(ctx: Context, stored: VkEvent) -> _DecryptedEvent:
    """Decrypt and parse a stored event. An unreadable one becomes UNREADABLE_TYPE: only logged."""
    try:
        event = msgspec.convert(ctx.cipher.decrypt(stored.body_encrypted), ParsedEvent)
        return _DecryptedEvent(stored, event.type, _EVENT_TYPES[event.type].parse(event.object))
    except (DecryptionError, ValueError):
        return _DecryptedEvent(stored, UNREADABLE_TYPE)


def _sort_events(decrypted_events: list[_DecryptedEvent]) -> list[_DecryptedEvent]:
    """Sort messages by their number in the conversation, an edit after its message.

    Other events keep their positions.
    """

    def order(event: _DecryptedEvent) -> tuple[int, bool, int]:
        message: VkMessage = event.payload
        return message.cmid, event.type == "message_edit", message.edited_at_us

    messages = iter(
        sorted((event for event in decrypted_events if event.type in MESSAGE_EVENTS), key=order)
    )
    return [next(messages) if event.type in MESSAGE_EVENTS else event for event in decrypted_events]


async def _mark_processed(ctx: Context, event: _DecryptedEvent) -> None:
    async with ctx.db.write() as tx:
        await vk_events.mark_processed(tx, event.stored.id, ctx.now_us())


async def _on_message(ctx: Context, community: Community, event: _DecryptedEvent) -> None:
    await message_sync.record(ctx, community, event.payload, event_id=event.stored.id)


async def _on_allow(ctx: Context, community: Community, event: _DecryptedEvent) -> None:
    """The client allows messages, possibly before the first message."""
    permission: MessagePermission = event.payload
    await message_sync.get_or_create_conversation(ctx, community, permission.user_id)
    await _set_blocked_reason(ctx, community, event, permission.user_id, "")


async def _on_deny(ctx: Context, community: Community, event: _DecryptedEvent) -> None:
    permission: MessagePermission = event.payload
    await _set_blocked_reason(ctx, community, event, permission.user_id, NO_PERMISSION)


async def _on_block(ctx: Context, community: Community, event: _DecryptedEvent) -> None:
    await _set_blocked_reason(ctx, community, event, event.payload, BLOCKED)


async def _on_unblock(ctx: Context, community: Community, event: _DecryptedEvent) -> None:
    await _set_blocked_reason(ctx, community, event, event.payload, "", BLOCKED)


async def _set_blocked_reason(
    ctx: Context,
    community: Community,
    event: _DecryptedEvent,
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


async def _on_button(ctx: Context, community: Community, event: _DecryptedEvent) -> None:
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


async def _on_group_change(ctx: Context, community: Community, event: _DecryptedEvent) -> None:
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


async def _on_order(ctx: Context, community: Community, event: _DecryptedEvent) -> None:
    """Store a new or changed VK order."""
    await vk_orders.record(ctx, community, event.payload, event_id=event.stored.id)


async def _on_unreadable(ctx: Context, _: Community, event: _DecryptedEvent) -> None:
    log.warning("vk_event.unreadable", vk_event=event.stored.id, type=event.stored.type)
    await _mark_processed(ctx, event)


def _parse_user_id(fields: dict[str, Any]) -> int:
    return read_int(fields, "user_id")


def _parse_nothing(_: dict[str, Any]) -> None:
    return None


@dataclass(frozen=True, slots=True)
class _EventType:
    """The parser (raises ValueError for a malformed object) and the handler of an event type."""

    parse: Callable[[dict[str, Any]], Any]
    process: Callable[[Context, Community, _DecryptedEvent], Awaitable[None]]


_EVENT_TYPES = {
    UNREADABLE_TYPE: _EventType(_parse_nothing, _on_unreadable),
    **dict.fromkeys(MESSAGE_EVENTS, _EventType(events.parse_message, _on_message)),
    "message_allow": _EventType(events.parse_message_permission, _on_allow),
    "message_deny": _EventType(events.parse_message_permission, _on_deny),
    "user_block": _EventType(_parse_user_id, _on_block),
    "user_unblock": _EventType(_parse_user_id, _on_unblock),
    "message_event": _EventType(events.parse_button_press, _on_button),
    "group_change_settings": _EventType(events.changed_settings, _on_group_change),
    "group_change_photo": _EventType(_parse_nothing, _on_group_change),
    "market_order_new": _EventType(market.parse_order, _on_order),
    "market_order_edit": _EventType(market.parse_order, _on_order),
}
