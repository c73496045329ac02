"""Record VK messages idempotently.

A message that arrives twice, late or out of order, from an event or from the history, results in
the same rows.
"""

import re
from dataclasses import replace

from sigma.channels.vk import events
from sigma.channels.vk.events import VkMessage
from sigma.channels.vk.messages import SentMessage
from sigma.domain.change import Change
from sigma.domain.messaging import message as message_domain
from sigma.domain.messaging import message_changes
from sigma.domain.messaging.card import Card
from sigma.domain.messaging.community import Community
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.conversation_changes import mark_changed, start_conversation
from sigma.domain.messaging.message import (
    AUTHOR_CLIENT,
    POSITION_STEP,
    VK_AUTHOR_PREFIX,
    Message,
    MessageBody,
    Status,
)
from sigma.domain.messaging.message_changes import IncomingFacts
from sigma.domain.messaging.nested_authors import author_names
from sigma.domain.reminders.reminder import is_stop_word
from sigma.domain.time_units import MINUTE_US
from sigma.services.context import Context
from sigma.services.conversations import message_codec, search_index
from sigma.services.conversations.change_feed import notify_changed
from sigma.services.conversations.delivery import mark_delivered
from sigma.services.customers import attachment
from sigma.services.notifications.addresses import is_member_message
from sigma.services.platform import erased_peers
from sigma.services.reminders import stops
from sigma.store import changes
from sigma.store.catalogue import services
from sigma.store.customers import customers
from sigma.store.engine.interface import ConflictError, Tx
from sigma.store.messaging import auto_reply_settings, cards, conversations, messages, vk_events

_SERVICE_ID = re.compile(r"svc_[0-9a-z]{23}", re.ASCII)
_SERVICE_LINK = re.compile(r"/s/[^\s/?#]{1,100}/(svc_[0-9a-z]{23})(?![0-9a-z])", re.ASCII)


async def get_or_create_conversation(
    ctx: Context, community: Community, peer_id: int
) -> Conversation:
    """Return the conversation with a VK user; create it and enqueue profile.fetch if it is new.

    A new conversation has no customer: the first message or order of a client brings one.
    """
    while True:
        async with ctx.db.read() as tx:
            conversation = await conversations.find_by_peer(tx, community.id, peer_id)
        if conversation is not None:
            return conversation
        now_us, shop_id = ctx.now_us(), community.shop_id
        new_id = ctx.new_id("cnv", shop_id)
        try:
            async with ctx.db.write() as tx:
                change = start_conversation(new_id, shop_id, community.id, peer_id, now_us)
                await changes.write(tx, change, now_us)
        except ConflictError:
            continue  # a concurrent event of the same user created it


async def record(
    ctx: Context,
    community: Community,
    vk_message: VkMessage,
    *,
    is_live: bool = True,
    is_unread: bool = True,
    event_id: str = "",
    completes: bool = False,
) -> Message | None:
    """Record one VK message; a repeated one can only edit or complete the stored message.

    `is_live`: it comes from an event, not from the history. `is_unread`: it has not been read in
    VK yet. `event_id`: the stored VK event, marked as processed in the same transaction.
    `completes`: the job message.complete read it, so the job is not enqueued once more.
    Returns the message when it is a new one from the client, otherwise None. What was written
    before the client's data were erased is not recorded again. A member who gets notifications in
    VK is no customer because of them, and their link code is no question to answer.
    """
    written_at_us = vk_message.sent_at_us
    if await erased_peers.skip(ctx, community.id, vk_message.peer_id, written_at_us, event_id):
        return None
    if vk_message.from_id == -community.group_id:
        vk_message = replace(vk_message, is_outgoing=True)
    conversation = await get_or_create_conversation(ctx, community, vk_message.peer_id)
    is_client = await _is_client(ctx, community, conversation, vk_message)
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, conversation.id)
        stored = await messages.find_by_cmid(tx, locked.id, vk_message.cmid)
        incoming, has_changed = None, True
        if stored is None and is_client:
            locked = await attachment.with_customer(ctx, tx, locked)
        if stored is not None:
            has_changed = await _apply_edit(ctx, tx, community, locked, stored, vk_message)
            if vk_message.content.is_incomplete and not completes:
                job = message_domain.completion_job(stored)
                await changes.write(tx, Change(jobs=(job,)), ctx.now_us())
        elif vk_message.is_outgoing:
            stored = await _record_outgoing(ctx, tx, locked, vk_message, is_live=is_live)
        else:
            incoming = await _record_incoming(
                ctx,
                tx,
                community,
                locked,
                vk_message,
                is_live=is_live,
                is_unread=is_unread and is_client,
            )
        subject = stored or incoming
        if subject and has_changed and not completes:
            await _request_authors(ctx, tx, community, locked, subject, vk_message)
        if event_id:
            await vk_events.mark_processed(tx, event_id, ctx.now_us())
    if has_changed:
        await notify_changed(ctx)
    return incoming


async def _is_client(
    ctx: Context, community: Community, conversation: Conversation, vk_message: VkMessage
) -> bool:
    """Return whether a message makes a customer; whose conversation has one is not looked up."""
    if vk_message.is_outgoing and conversation.customer_id is not None:
        return True
    return not await is_member_message(ctx, community, vk_message)


async def _request_authors(
    ctx: Context,
    tx: Tx,
    community: Community,
    conversation: Conversation,
    message: Message,
    vk_message: VkMessage,
) -> None:
    """Enqueue the request for the names of the authors of quoted and forwarded messages."""
    authors = set(author_names(vk_message.content.nested))
    if authors - {conversation.peer_id, -community.group_id}:
        job = message_domain.completion_job(message)
        await changes.write(tx, Change(jobs=(job,)), ctx.now_us())


async def _apply_edit(
    ctx: Context,
    tx: Tx,
    community: Community,
    conversation: Conversation,
    stored: Message,
    vk_message: VkMessage,
) -> bool:
    """Apply an edit to a stored message unless VK's edit time is before ours, or complete it.

    Returns whether anything changed. A message that was deleted by date stays deleted.
    """
    if not stored.body_encrypted:
        return False
    body = message_codec.decrypt_body(ctx.cipher, stored.id, stored.body_encrypted)
    updated_body = message_domain.vk_edited_body(
        stored,
        body,
        vk_message.content,
        vk_message.edited_at_us if vk_message.is_edited else None,
    )
    if updated_body is None:
        return await _mark_complete(ctx, tx, conversation, stored, vk_message)
    if stored.is_incomplete and not (stored.is_outgoing or conversation.service_id):
        service_id = await _find_service(tx, community, vk_message)
        conversation = replace(conversation, service_id=service_id)
    now_us = ctx.now_us()
    # VK marks a message of Sigma as edited when only its buttons changed: that is not displayed.
    is_visible_edit = updated_body.text != body.text or not message_domain.is_sent_by_sigma(stored)
    change = message_changes.edit_message(
        conversation,
        stored,
        body_encrypted=message_codec.encrypt_body(ctx.cipher, stored.id, updated_body),
        preview_encrypted=message_codec.encrypt_preview(ctx.cipher, conversation.id, updated_body),
        edited_at_us=(vk_message.edited_at_us or None) if is_visible_edit else None,
        now_us=now_us,
        is_incomplete=vk_message.content.is_incomplete,
    )
    await changes.write(tx, change, now_us)
    await search_index.reindex_edit(
        tx,
        ctx.cipher,
        stored.shop_id,
        conversation.id,
        message_domain.all_texts(body),
        message_domain.all_texts(updated_body),
    )
    return True


async def _mark_complete(
    ctx: Context, tx: Tx, conversation: Conversation, stored: Message, vk_message: VkMessage
) -> bool:
    """Record that a message has no missing parts after all; return whether that is new."""
    is_outdated = vk_message.edited_at_us < message_domain.edited_second_us(stored)
    if not stored.is_incomplete or vk_message.content.is_incomplete or is_outdated:
        return False
    now_us = ctx.now_us()
    change = mark_changed(conversation, now_us) + Change((replace(stored, is_incomplete=False),))
    await changes.write(tx, change, now_us)
    return True


async def _record_incoming(
    ctx: Context,
    tx: Tx,
    community: Community,
    conversation: Conversation,
    vk_message: VkMessage,
    *,
    is_live: bool,
    is_unread: bool,
) -> Message:
    """Record a new message from the client."""
    now_us = ctx.now_us()
    message = _new_message(ctx, conversation, vk_message, AUTHOR_CLIENT)
    facts = await _load_facts(
        ctx, tx, community, conversation, vk_message, is_live=is_live, is_unread=is_unread
    )
    if is_stop_word(_body(vk_message).text):
        await stops.stop_conversation(ctx, tx, conversation)
    change = message_changes.record_incoming(conversation, message, facts, now_us)
    await _write(ctx, tx, change, message, _body(vk_message), now_us)
    if conversation.customer_id and message.written_at_us - conversation.last_at_us > MINUTE_US:
        await tx.write_all([customers.touch(conversation.customer_id, message.written_at_us)])
    return message


async def _load_facts(
    ctx: Context,
    tx: Tx,
    community: Community,
    conversation: Conversation,
    vk_message: VkMessage,
    *,
    is_live: bool,
    is_unread: bool,
) -> IncomingFacts:
    """Load the facts for `record_incoming`; facts that cannot matter for it are not read."""
    cmid, last_message, service_id = vk_message.cmid, None, None
    if not message_changes.is_newest(conversation, cmid):
        last_message = await messages.find_by_cmid(tx, conversation.id, conversation.last_cmid)
    if message_changes.needs_service(conversation, cmid):
        service_id = await _find_service(tx, community, vk_message)
    conversation_cards: list[Card] = []
    if message_changes.unblocks(conversation, cmid):
        conversation_cards = await cards.list_for_conversation(tx, conversation.id)
    has_auto_replies = False
    if is_unread and message_changes.can_auto_reply(
        conversation, vk_message.sent_at_us, ctx.now_us()
    ):
        settings = await auto_reply_settings.get(tx, conversation.shop_id)
        has_auto_replies = bool(settings.get("enabled"))
    buttons = events.supported_buttons(vk_message.client_info) if vk_message.client_info else None
    return IncomingFacts(
        preview_encrypted=message_codec.encrypt_preview(
            ctx.cipher, conversation.id, _body(vk_message)
        ),
        is_live=is_live,
        is_unread=is_unread,
        last_message=last_message,
        supported_buttons=None if buttons is None else ",".join(buttons),
        vk_ref=vk_message.ref_source or vk_message.ref,
        service_id=service_id,
        auto_replies_enabled=has_auto_replies,
        cards=conversation_cards,
    )


async def _record_outgoing(
    ctx: Context, tx: Tx, conversation: Conversation, vk_message: VkMessage, *, is_live: bool
) -> Message | None:
    """Record an outgoing message: the echo of one that we sent, or one written in VK itself.

    Returns the message when it is new.
    """
    undelivered = await messages.find_undelivered(tx, conversation.id, vk_message.random_id)
    if vk_message.random_id and undelivered is not None:
        sent = SentMessage(vk_message.message_id, vk_message.cmid)
        await mark_delivered(ctx, tx, conversation, undelivered, sent, vk_message.attachments)
        if vk_message.content.is_incomplete:
            job = message_domain.completion_job(undelivered)
            await changes.write(tx, Change(jobs=(job,)), ctx.now_us())
        return None
    now_us = ctx.now_us()
    author = f"{VK_AUTHOR_PREFIX}{vk_message.admin_author_id}"
    message = _new_message(ctx, conversation, vk_message, author)
    change = message_changes.record_outgoing(
        conversation,
        message,
        preview_encrypted=message_codec.encrypt_preview(
            ctx.cipher, conversation.id, _body(vk_message)
        ),
        is_live=is_live,
        now_us=now_us,
    )
    await _write(ctx, tx, change, message, _body(vk_message), now_us)
    return message


def _body(vk_message: VkMessage) -> MessageBody:
    payload = None if vk_message.is_outgoing else vk_message.payload
    return message_domain.with_content(MessageBody(payload=payload), vk_message.content)


def _new_message(
    ctx: Context, conversation: Conversation, vk_message: VkMessage, author: str
) -> Message:
    message_id = ctx.new_id("msg", conversation.shop_id)
    return Message(
        id=message_id,
        shop_id=conversation.shop_id,
        conversation_id=conversation.id,
        is_outgoing=vk_message.is_outgoing,
        author=author,
        body_encrypted=message_codec.encrypt_body(ctx.cipher, message_id, _body(vk_message)),
        written_at_us=vk_message.sent_at_us,
        position=vk_message.cmid * POSITION_STEP,
        status=Status.SENT if vk_message.is_outgoing else Status.RECEIVED,
        cmid=vk_message.cmid,
        vk_id=vk_message.message_id or None,
        edited_at_us=vk_message.edited_at_us or None,
        is_incomplete=vk_message.content.is_incomplete,
    )


async def _write(
    ctx: Context, tx: Tx, change: Change, message: Message, body: MessageBody, now_us: int
) -> None:
    """Write the change and index the texts of the message for search."""
    await changes.write(tx, change, now_us)
    await search_index.index_message(
        tx,
        ctx.cipher,
        message.shop_id,
        message.conversation_id,
        message_domain.all_texts(body),
    )


async def _find_service(tx: Tx, community: Community, vk_message: VkMessage) -> str | None:
    """Return the id of the service that a message is about, or None.

    Values sent by the client's app are untrusted: they are only used to look up a service.
    Sources in order of trust: an attached VK market item, the `ref` of our link, the payload of
    our button, a link to a market item, a storefront link in the text or attachments.
    """
    has_market_item = any(attachment.kind == "market" for attachment in vk_message.attachments)
    if has_market_item and (service_id := await _find_by_market_item(tx, community, vk_message)):
        return service_id
    for candidate_id in (vk_message.ref, str((vk_message.payload or {}).get("service", ""))):
        if _SERVICE_ID.fullmatch(candidate_id) and (
            service_id := await _find_by_id(tx, community, candidate_id)
        ):
            return service_id
    if not has_market_item and (
        service_id := await _find_by_market_item(tx, community, vk_message)
    ):
        return service_id
    link_match = _SERVICE_LINK.search(
        "\n".join([vk_message.text, *(attachment.url for attachment in vk_message.attachments)])
    )
    return await _find_by_id(tx, community, link_match[1]) if link_match else None


async def _find_by_market_item(tx: Tx, community: Community, vk_message: VkMessage) -> str | None:
    if vk_message.market_item is None or vk_message.market_item[0] != -community.group_id:
        return None
    service = await services.find_by_market_item(tx, community.id, vk_message.market_item[1])
    return service.id if service and service.deleted_at_us is None else None


async def _find_by_id(tx: Tx, community: Community, service_id: str) -> str | None:
    service = await services.get(tx, service_id)
    is_available = (
        service and service.shop_id == community.shop_id and service.deleted_at_us is None
    )
    return service_id if is_available else None
