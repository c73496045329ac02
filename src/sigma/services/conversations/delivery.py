"""Deliver queued messages to VK, each exactly once and in order within a conversation.

A message that VK's flood control refuses is delayed without delaying the rest of its
conversation.

VK ignores a repeated `random_id`, but only for an hour or a hundred messages. A message that may
have reached VK in an earlier attempt is therefore searched in VK's history before it is sent again.
"""

from dataclasses import dataclass

from sigma.channels.vk import messages as vk_messages
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError, RetryLaterError
from sigma.channels.vk.fields import read_flag, read_int
from sigma.channels.vk.messages import PAGE_SIZE, SentMessage
from sigma.domain.errors import RefusedError
from sigma.domain.messaging import message as message_domain
from sigma.domain.messaging import message_changes
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import Message, MessageAttachment, MessageBody, Status
from sigma.domain.time_units import HOUR_US, MINUTE_US, SECOND_US
from sigma.services.context import Context
from sigma.services.conversations import message_codec, search_index
from sigma.services.conversations.change_feed import notify_changed
from sigma.services.reminders import facts as reminder_facts
from sigma.services.vk import community_client
from sigma.services.vk.community_client import CommunityClient
from sigma.store import changes
from sigma.store.engine.interface import Tx
from sigma.store.messaging import conversations, messages

MAX_SEARCHED_MESSAGES = 2000  # searched in VK's history for one of our messages
# VK rejects the keyboard (bot features are off, or invalid format); the text alone is accepted.
KEYBOARD_ERROR_CODES = (911, 912)
NOT_ALLOWED_CODE = 901  # the user has not allowed messages from this community
RETRY_DELAY_US = 5 * SECOND_US


@dataclass(frozen=True, slots=True)
class _Delivery:
    vk_client: CommunityClient
    conversation: Conversation
    message: Message
    body: MessageBody


async def send(ctx: Context, message_id: str) -> int | None:
    """Job message.send: deliver a queued message when it is the first of its conversation's queue.

    Returns when to try again (UTC microseconds). None: it is sent or failed, or another event
    enqueues the job again (the previous message is sent, the access key is replaced).
    """
    delivery = await _prepare(ctx, message_id)
    if delivery is None:
        return None
    try:
        sent = await _deliver(ctx, delivery)
    except RetryLaterError as error:
        await _postpone(
            ctx, delivery.message, str(error.code), is_undelivered=not error.is_outcome_unknown
        )
        age = max(ctx.now_us() - delivery.message.written_at_us, 0)
        return ctx.now_us() + max(
            int(error.retry_after_s * SECOND_US), min(age // 4, 10 * MINUTE_US)
        )
    except NeedsOwnerError as error:
        await community_client.mark_key_broken(ctx, delivery.vk_client.community.id, error)
        await _postpone(
            ctx, delivery.message, str(error.code), is_undelivered=not error.is_outcome_unknown
        )
        return None
    except PermanentError as error:
        if (
            error.is_outcome_unknown
        ):  # rejected now, but an earlier attempt may have arrived: search the history
            await _postpone(ctx, delivery.message, str(error.code))
            return ctx.now_us() + RETRY_DELAY_US
        await _mark_failed(ctx, delivery.message, error)
        return None
    if sent is not None and not sent.cmid:  # sent, but its cmid is known only from the history
        return ctx.now_us() + RETRY_DELAY_US
    if sent is not None:
        await _record_sent(ctx, delivery, sent)
    return None


async def _prepare(ctx: Context, message_id: str) -> _Delivery | None:
    """Load what delivery needs.

    None when the message is not queued, is not first in its conversation's queue (unless flood
    control delays only it), or the community has no working access key.
    """
    async with ctx.db.read() as tx:
        message = await messages.get(tx, message_id)
        if message is None or message.status is not Status.QUEUED:
            return None
        queued_ids = await messages.next_queued(tx, message.shop_id, message.conversation_id)
        if queued_ids[:1] != [message_id] and not message_domain.is_held(message):
            return None  # sending the previous message enqueues this one
        conversation = await conversations.get(tx, message.conversation_id)
    assert conversation is not None, "a message references its conversation"
    try:
        vk_client = await community_client.open_client(ctx, conversation.connection_id)
    except RefusedError as error:
        await _postpone(ctx, message, error.code)
        return None
    if vk_client.community.error_code.isdigit():
        await _postpone(ctx, message, vk_client.community.error_code)
        return None
    return _Delivery(
        vk_client,
        conversation,
        message,
        message_codec.decrypt_body(ctx.cipher, message.id, message.body_encrypted),
    )


async def _deliver(ctx: Context, delivery: _Delivery) -> SentMessage | None:
    """Send the message and return its VK ids; None when it is no longer queued.

    Raises VkError.
    """
    vk, peer_id = delivery.vk_client.api, delivery.conversation.peer_id
    # VK forgets a random_id after an hour or a hundred messages; the history is complete.
    if delivery.message.first_attempt_at_us is not None and (
        sent := await _find_in_history(delivery)
    ):
        return sent
    if delivery.conversation.blocked_reason:
        raise PermanentError(int(delivery.conversation.blocked_reason))
    group_id, has_no_incoming = (
        delivery.vk_client.community.group_id,
        not delivery.conversation.last_incoming_at_us,
    )
    if has_no_incoming and not await vk_messages.is_messaging_allowed(vk, group_id, peer_id):
        raise PermanentError(NOT_ALLOWED_CODE)
    body = await _mark_attempted(ctx, delivery.message)
    if body is None:
        return None
    arguments = (vk, peer_id, body.text, delivery.message.random_id)
    try:
        return await vk_messages.send(*arguments, body.keyboard, body.vk_attachment)
    except PermanentError as error:
        if error.code not in KEYBOARD_ERROR_CODES or not body.keyboard:
            raise
    return await vk_messages.send(*arguments, None, body.vk_attachment)


async def _mark_attempted(ctx: Context, message: Message) -> MessageBody | None:
    """Store the time of the first attempt before the call, so that a crash cannot hide it.

    Returns the current body; None when the message is no longer queued, or is a reminder whose
    occasion is over: it is then canceled.
    """
    async with ctx.db.write() as tx:
        is_due = await reminder_facts.may_attempt(ctx, tx, message)
        conversation = await conversations.lock(tx, message.conversation_id)
        current = await messages.get(tx, message.id)
        if current is None or current.status is not Status.QUEUED:
            return None
        now_us = ctx.now_us()
        if not is_due:
            change = message_changes.record_canceled(
                conversation,
                current,
                next_message_id=await _next_message_id(tx, current),
                now_us=now_us,
            )
            await changes.write(tx, change, now_us)
            return None
        await changes.write(tx, message_domain.mark_attempted(current, now_us), now_us)
    return message_codec.decrypt_body(ctx.cipher, current.id, current.body_encrypted)


async def _find_in_history(delivery: _Delivery) -> SentMessage | None:
    """Search VK's history for the message, whose earlier send may have lost its response."""
    oldest_at_us = (delivery.message.first_attempt_at_us or 0) - HOUR_US
    for offset in range(0, MAX_SEARCHED_MESSAGES, PAGE_SIZE):
        page = await vk_messages.fetch_history(
            delivery.vk_client.api, delivery.conversation.peer_id, PAGE_SIZE, offset
        )
        for vk_message in page:
            if (
                read_flag(vk_message, "out")
                and read_int(vk_message, "random_id") == delivery.message.random_id
            ):
                return SentMessage(
                    read_int(vk_message, "id"), read_int(vk_message, "conversation_message_id")
                )
        if len(page) < PAGE_SIZE or read_int(page[-1], "date") * SECOND_US < oldest_at_us:
            break
    return None


async def _record_sent(ctx: Context, delivery: _Delivery, sent: SentMessage) -> None:
    async with ctx.db.write() as tx:
        conversation = await conversations.lock(tx, delivery.conversation.id)
        message = await messages.get(tx, delivery.message.id)
        assert message is not None, "messages are never deleted"
        if message.status is Status.SENT:
            return  # the VK event arrived before the API response
        await mark_delivered(ctx, tx, conversation, message, sent)
    await notify_changed(ctx)


async def mark_delivered(
    ctx: Context,
    tx: Tx,
    conversation: Conversation,
    message: Message,
    sent: SentMessage,
    attachments: tuple[MessageAttachment, ...] = (),
) -> None:
    """Mark an outgoing message as sent and enqueue the next queued one.

    The caller's transaction must hold the conversation's lock. `attachments`: as VK reports them;
    an empty tuple keeps ours.
    """
    now_us = ctx.now_us()
    body = message_codec.decrypt_body(ctx.cipher, message.id, message.body_encrypted)
    body = message_domain.with_attachments(body, attachments)
    change = message_changes.record_delivered(
        conversation,
        message,
        cmid=sent.cmid,
        vk_id=sent.message_id,
        body_encrypted=message_codec.encrypt_body(ctx.cipher, message.id, body),
        preview_encrypted=message_codec.encrypt_preview(ctx.cipher, conversation.id, body),
        next_message_id=await _next_message_id(tx, message),
        now_us=now_us,
    )
    await changes.write(tx, change, now_us)
    await search_index.index_message(
        tx,
        ctx.cipher,
        message.shop_id,
        message.conversation_id,
        message_domain.all_texts(body),
    )


async def _next_message_id(tx: Tx, finished: Message) -> str | None:
    """Return the next queued message of the conversation."""
    queued_ids = await messages.next_queued(tx, finished.shop_id, finished.conversation_id)
    return next((message_id for message_id in queued_ids if message_id != finished.id), None)


async def _postpone(
    ctx: Context, snapshot: Message, reason: str, *, is_undelivered: bool = False
) -> None:
    """Record why a message is not sent yet, for the operator.

    `is_undelivered`: this attempt certainly did not reach VK, so the first-attempt time that it
    set is cleared again.
    """
    async with ctx.db.write() as tx:
        conversation = await conversations.lock(tx, snapshot.conversation_id)
        message = await messages.get(tx, snapshot.id)
        assert message is not None, "messages are never deleted"
        now_us = ctx.now_us()
        change = message_changes.record_postponed(
            conversation,
            message,
            snapshot,
            reason,
            is_undelivered=is_undelivered,
            now_us=now_us,
            next_message_id=await _next_message_id(tx, message),
        )
        await changes.write(tx, change, now_us)
    if change:
        await notify_changed(ctx)


async def _mark_failed(ctx: Context, snapshot: Message, error: PermanentError) -> None:
    """Mark the message as failed with VK's code.

    A code of BLOCKING_CODES also blocks writing to this client.
    """
    async with ctx.db.write() as tx:
        conversation = await conversations.lock(tx, snapshot.conversation_id)
        message = await messages.get(tx, snapshot.id)
        assert message is not None, "messages are never deleted"
        now_us = ctx.now_us()
        change = message_changes.record_failed(
            conversation,
            message,
            error_code=error.code,
            next_message_id=await _next_message_id(tx, message),
            now_us=now_us,
        )
        await changes.write(tx, change, now_us)
    if change:
        await notify_changed(ctx)
