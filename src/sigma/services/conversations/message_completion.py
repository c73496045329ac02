"""Request from VK what it left out of a message: cropped parts, names of quoted authors."""

from dataclasses import replace

import structlog

from sigma.channels.vk import events
from sigma.channels.vk import messages as vk_messages
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError
from sigma.channels.vk.users import fetch_profiles
from sigma.domain.errors import RefusedError
from sigma.domain.messaging import message_changes
from sigma.domain.messaging.message import next_completion_at_us
from sigma.domain.messaging.nested_authors import author_names, name_authors
from sigma.domain.time_units import DAY_US, MINUTE_US
from sigma.services.context import Context
from sigma.services.conversations import message_codec, message_sync
from sigma.services.conversations.change_feed import notify_changed
from sigma.services.vk import community_client
from sigma.services.vk.community_client import CommunityClient
from sigma.store import changes
from sigma.store.messaging import conversations, messages

MAX_AUTHORS = 500  # of one message: VK's limit of nested messages

log = structlog.get_logger()

# Retry delays while the access key does not work, and while the community is not connected.
KEY_ERROR_DELAY_US, DISCONNECTED_DELAY_US = 10 * MINUTE_US, DAY_US


async def complete(ctx: Context, message_id: str) -> int | None:
    """Job message.complete: read the whole message and the names of quoted authors from VK.

    Returns when to try again (UTC microseconds) while parts of it are missing; None when it is
    whole, or too old to be requested again: its bubble then says what is missing. Raises
    RetryLaterError.
    """
    async with ctx.db.read() as tx:
        message = await messages.get(tx, message_id)
        assert message is not None, "messages are never deleted"
        conversation = await conversations.get(tx, message.conversation_id)
    assert conversation is not None, "a message references its conversation"
    if message.cmid is None:
        return None
    try:
        vk_client = await community_client.open_client(ctx, conversation.connection_id)
        raw_message = await vk_messages.fetch_message(
            vk_client.api, conversation.peer_id, message.cmid
        )
        if raw_message is not None:
            vk_message = events.parse_message(raw_message)
            await message_sync.record(
                ctx, vk_client.community, vk_message, is_live=False, completes=True
            )
        await _name_authors(ctx, vk_client, message_id)
    except RefusedError:
        return ctx.now_us() + DISCONNECTED_DELAY_US
    except NeedsOwnerError as error:
        await community_client.mark_key_broken(ctx, conversation.connection_id, error)
        return ctx.now_us() + KEY_ERROR_DELAY_US
    except PermanentError as error:
        log.info("message.not_completed", message=message_id, error=str(error))
    except ValueError:
        log.warning("message.unreadable", message=message_id)
    async with ctx.db.read() as tx:
        message = await messages.get(tx, message_id)
    assert message is not None, "messages are never deleted"
    return next_completion_at_us(message, ctx.now_us())


async def _name_authors(ctx: Context, vk_client: CommunityClient, message_id: str) -> None:
    """Read the names of the authors of quoted and forwarded messages, and store them with it.

    Authors that VK does not name stay without a name. Raises VkError.
    """
    async with ctx.db.read() as tx:
        message = await messages.get(tx, message_id)
    assert message is not None, "messages are never deleted"
    body = message_codec.decrypt_body(ctx.cipher, message.id, message.body_encrypted)
    known = author_names(body.nested)
    unknown = [one for one in known if not known[one] and one != -vk_client.community.group_id]
    if not unknown:
        return
    profiles = await fetch_profiles(vk_client.api, unknown[:MAX_AUTHORS])
    names = {profile.id: profile.name for profile in profiles if profile.name}
    async with ctx.db.write() as tx:
        conversation = await conversations.lock(tx, message.conversation_id)
        message = await messages.get(tx, message_id)
        assert message is not None, "messages are never deleted"
        body = message_codec.decrypt_body(ctx.cipher, message.id, message.body_encrypted)
        named = replace(body, nested=name_authors(body.nested, names))
        if named == body:
            return
        now_us = ctx.now_us()
        change = message_changes.edit_message(
            conversation,
            message,
            body_encrypted=message_codec.encrypt_body(ctx.cipher, message.id, named),
            preview_encrypted=message_codec.encrypt_preview(ctx.cipher, conversation.id, named),
            edited_at_us=None,
            now_us=now_us,
            is_incomplete=message.is_incomplete,
        )
        await changes.write(tx, change, now_us)
    await notify_changed(ctx)
