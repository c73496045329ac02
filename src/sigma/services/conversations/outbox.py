"""Outbox: outgoing messages are stored first and then delivered to VK by the job message.send.

The messages of a conversation are delivered in order, each exactly once.
"""

from dataclasses import replace
from typing import Any

from sigma.channels.vk import messages as vk_messages
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError, RetryLaterError, VkError
from sigma.channels.vk.photos import upload_message_photo
from sigma.domain.accounts.member import Member
from sigma.domain.bank_cards import contains_card_number
from sigma.domain.change import Change, Job
from sigma.domain.errors import Problem, RefusedError, has_control_characters, validation_error
from sigma.domain.messaging import message_changes
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.conversation_changes import unblock
from sigma.domain.messaging.message import (
    MAX_TEXT,
    Message,
    MessageAttachment,
    MessageBody,
    Status,
    all_texts,
)
from sigma.domain.text_cleaning import clean_text
from sigma.services.catalogue import image_processing
from sigma.services.context import Context
from sigma.services.conversations import delivery, inbox, message_codec, search_index
from sigma.services.conversations.change_feed import notify_changed
from sigma.services.platform import quotas
from sigma.services.vk import community_client
from sigma.services.vk.community_client import CommunityClient
from sigma.store import changes
from sigma.store.engine.interface import ConflictError
from sigma.store.messaging import cards, conversations, messages


def enqueue(
    ctx: Context,
    conversation: Conversation,
    body: MessageBody,
    *,
    author: str,
    idempotency_key: str,
    now_us: int,
    is_reply: bool = True,
    pauses_auto_replies: bool = False,
) -> tuple[Message, Change]:
    """Return a new queued message and the change to write, see `message_changes.queue_message`.

    The caller must hold the conversation's lock and write the change in the same transaction.
    `author` is a user id or AUTHOR_AUTO_REPLY. `idempotency_key` is unique per shop: writing a
    second message with the same key raises ConflictError.
    """
    message_id = ctx.new_id("msg", conversation.shop_id)
    return message_changes.queue_message(
        conversation,
        message_id=message_id,
        author=author,
        body_encrypted=message_codec.encrypt_body(ctx.cipher, message_id, body),
        preview_encrypted=message_codec.encrypt_preview(ctx.cipher, conversation.id, body),
        idempotency_key=idempotency_key,
        now_us=now_us,
        is_reply=is_reply,
        pauses_auto_replies=pauses_auto_replies,
    )


async def post(
    ctx: Context,
    member: Member,
    conversation_id: str,
    text: str,
    *,
    idempotency_key: str,
    photo: bytes | None = None,
    photo_name: str | None = None,
    keyboard: dict[str, Any] | None = None,
) -> Message:
    """Queue an operator's message and pause auto-replies in the conversation.

    A photo is encoded again, so VK and the client get its pixels only. `photo_name`: of the
    uploaded file. A repeated call with the same `idempotency_key` returns the first message.
    Raises RefusedError: forbidden, not_found, validation, cannot_write, no_community,
    idempotency_key_reused, quota_messages; with a photo also vk_silent and vk_refused.
    """
    conversation = await inbox.get(ctx, member, conversation_id)
    message_key = f"operator:{idempotency_key}"
    if posted := await _find_posted(ctx, conversation, message_key):
        return posted
    text = _clean_text(text, photo)
    await require_writable(ctx, conversation)
    await quotas.require_message(ctx, conversation.shop_id)
    body = MessageBody(text, keyboard=keyboard)
    if photo is not None:
        full, _ = await image_processing.reencode(photo, photo_name)
        photo = full.data
        attachment = await _upload_photo(ctx, conversation, photo)
        body = replace(body, vk_attachment=attachment, attachments=(MessageAttachment("photo"),))
    try:
        async with ctx.db.write() as tx:
            locked = await conversations.lock(tx, conversation.id)
            now_us = ctx.now_us()
            message, change = enqueue(
                ctx,
                locked,
                body,
                author=member.actor,
                idempotency_key=message_key,
                now_us=now_us,
                pauses_auto_replies=True,
            )
            await changes.write(tx, change, now_us)
    except ConflictError:
        posted = await _find_posted(ctx, conversation, message_key)
        if posted is None:
            raise
        return posted
    await notify_changed(ctx)
    return replace(message, version=1)


async def _find_posted(
    ctx: Context, conversation: Conversation, idempotency_key: str
) -> Message | None:
    async with ctx.db.read() as tx:
        message = await messages.find_by_key(tx, conversation.shop_id, idempotency_key)
    if message and message.conversation_id != conversation.id:
        raise RefusedError("idempotency_key_reused")
    return message


def _clean_text(text: str, photo: bytes | None) -> str:
    if has_control_characters(text, allow_line_breaks=True):
        raise validation_error(Problem("text", "characters"))
    text = clean_text(text, multiline=True)
    if not text and photo is None:
        raise validation_error(Problem("text", "required"))
    if len(text) > MAX_TEXT:
        raise validation_error(Problem("text", "too_long", {"max": MAX_TEXT}))
    if contains_card_number(text):
        raise validation_error(Problem("text", "card_number"))
    return text


async def require_writable(ctx: Context, conversation: Conversation) -> None:
    """Check that VK lets us write to the client; for a blocked conversation, ask VK again.

    If VK allows messages again, the conversation is unblocked and its cards are refreshed.
    Raises RefusedError: cannot_write, no_community.
    """
    if not conversation.blocked_reason:
        return
    vk_client = await community_client.open_client(ctx, conversation.connection_id)
    try:
        is_allowed = await vk_messages.is_messaging_allowed(
            vk_client.api, vk_client.community.group_id, conversation.peer_id
        )
    except VkError:
        is_allowed = False
    if not is_allowed:
        raise RefusedError("cannot_write", reason=conversation.blocked_reason)
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, conversation.id)
        if locked.blocked_reason:
            now_us = ctx.now_us()
            conversation_cards = await cards.list_for_conversation(tx, locked.id)
            await changes.write(tx, unblock(locked, conversation_cards, now_us), now_us)


async def _upload_photo(ctx: Context, conversation: Conversation, photo: bytes) -> str:
    """Upload a photo to VK and return its attachment string, such as "photo-1_2_key".

    Raises RefusedError: vk_silent, vk_refused, no_community.
    """
    vk_client = await community_client.open_client(ctx, conversation.connection_id)
    try:
        return await upload_message_photo(vk_client.api, conversation.peer_id, photo)
    except RetryLaterError as error:
        raise RefusedError("vk_silent") from error
    except NeedsOwnerError as error:
        await community_client.mark_key_broken(ctx, vk_client.community.id, error)
        raise RefusedError("vk_refused", reason=str(error.code)) from error
    except PermanentError as error:
        raise RefusedError("vk_refused", reason=str(error.code)) from error


async def edit(ctx: Context, message_id: str, body: MessageBody, *, force: bool = False) -> bool:
    """Edit one of our messages. If VK does not have it yet, only our row changes.

    `force`: send the edit even if our row already has this text. Returns False when VK rejects the
    edit permanently, for example because the message is too old.
    Raises RetryLaterError (also while a delivery with the old text may be in progress),
    NeedsOwnerError, RefusedError("no_community").
    """
    message = await _edit_unsent(ctx, message_id, body, force)
    if message is None:
        return True
    assert message.cmid is not None, "a sent message has a cmid"
    async with ctx.db.read() as tx:
        conversation = await conversations.get(tx, message.conversation_id)
    assert conversation is not None, "a message references its conversation"
    vk_client = await community_client.open_client(ctx, conversation.connection_id)
    try:
        await _edit_in_vk(vk_client, conversation.peer_id, message.cmid, body)
    except NeedsOwnerError as error:
        await community_client.mark_key_broken(ctx, vk_client.community.id, error)
        raise
    except PermanentError:
        return False
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, conversation.id)
        message = await messages.get(tx, message_id)
        assert message is not None, "messages are never deleted"
        old_body = message_codec.decrypt_body(ctx.cipher, message.id, message.body_encrypted)
        await changes.write(
            tx, _edit_change(ctx, locked, message, body, is_edited=True), ctx.now_us()
        )
        await search_index.reindex_edit(
            tx, ctx.cipher, locked.shop_id, locked.id, all_texts(old_body), all_texts(body)
        )
    await notify_changed(ctx)
    return True


async def _edit_in_vk(
    vk_client: CommunityClient, peer_id: int, cmid: int, body: MessageBody
) -> None:
    """Edit the message in VK; without the keyboard when VK rejects the keyboard."""
    try:
        await vk_messages.edit(
            vk_client.api, peer_id, cmid, body.text, body.keyboard, body.vk_attachment
        )
    except PermanentError as error:
        if error.code not in delivery.KEYBOARD_ERROR_CODES or not body.keyboard:
            raise
        await vk_messages.edit(vk_client.api, peer_id, cmid, body.text, None, body.vk_attachment)


async def _edit_unsent(
    ctx: Context, message_id: str, body: MessageBody, force: bool
) -> Message | None:
    """Edit the row of a message that VK certainly does not have.

    Returns the message when it must also be edited in VK, None when nothing is left to do.
    Raises RetryLaterError while a delivery may be in progress.
    """
    async with ctx.db.write() as tx:
        message = await messages.get(tx, message_id)
        assert message is not None and message.is_outgoing, "only outgoing messages can be edited"
        locked = await conversations.lock(tx, message.conversation_id)
        message = await messages.get(tx, message_id)
        assert message is not None, "messages are never deleted"
        is_same = _is_same_content(
            message_codec.decrypt_body(ctx.cipher, message.id, message.body_encrypted), body
        )
        if message.status is Status.SENT and (force or not is_same):
            return message
        if is_same:
            return None
        if message.first_attempt_at_us is not None and message.status is Status.QUEUED:
            raise RetryLaterError(0, detail="a delivery with the old text may be in progress")
        await changes.write(
            tx, _edit_change(ctx, locked, message, body, is_edited=False), ctx.now_us()
        )
    return None


def _is_same_content(first: MessageBody, second: MessageBody) -> bool:
    return (first.text, first.keyboard, first.vk_attachment) == (
        second.text,
        second.keyboard,
        second.vk_attachment,
    )


def _edit_change(
    ctx: Context,
    conversation: Conversation,
    message: Message,
    body: MessageBody,
    *,
    is_edited: bool,
) -> Change:
    now_us = ctx.now_us()
    return message_changes.edit_message(
        conversation,
        message,
        body_encrypted=message_codec.encrypt_body(ctx.cipher, message.id, body),
        preview_encrypted=message_codec.encrypt_preview(ctx.cipher, conversation.id, body),
        edited_at_us=now_us if is_edited else None,
        now_us=now_us,
    )


async def retry(ctx: Context, member: Member, message_id: str) -> None:
    """Queue a failed message again: the same row and `random_id`, so it is not sent twice.

    Does nothing unless the message has failed.
    Raises RefusedError: forbidden, not_found, cannot_write, no_community.
    """
    async with ctx.db.read() as tx:
        message = await messages.get(tx, message_id)
    if message is None or not message.is_outgoing:
        raise RefusedError("not_found", what="message")
    conversation = await inbox.get(ctx, member, message.conversation_id)
    await require_writable(ctx, conversation)
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, conversation.id)
        message = await messages.get(tx, message_id)
        assert message is not None, "messages are never deleted"
        now_us = ctx.now_us()
        change = message_changes.retry_message(locked, message, now_us)
        await changes.write(tx, change, now_us)
    if change:
        await notify_changed(ctx)


async def resume(ctx: Context, community_id: str) -> int:
    """Enqueue the jobs of all queued messages of a community, after its access key was replaced.

    Returns the number of messages.
    """
    async with ctx.db.read() as tx:
        queued = await messages.list_queued(tx, community_id)
    jobs = tuple(Job("message.send", message_id, shop_id) for message_id, shop_id in queued)
    if jobs:
        await changes.commit(ctx.db, Change(jobs=jobs), ctx.now_us())
    return len(jobs)
