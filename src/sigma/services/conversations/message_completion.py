"""Request from VK what it left out of a message: events and lists may be cropped."""

import structlog

from sigma.channels.vk import events
from sigma.channels.vk import messages as vk_messages
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.message import next_completion_at_us
from sigma.domain.time_units import DAY_US, MINUTE_US
from sigma.services.context import Context
from sigma.services.conversations import message_sync
from sigma.services.vk import community_client
from sigma.store.messaging import conversations, messages

log = structlog.get_logger()

# Retry delays while the access key does not work, and while the community is not connected.
KEY_ERROR_DELAY_US, DISCONNECTED_DELAY_US = 10 * MINUTE_US, DAY_US


async def complete(ctx: Context, message_id: str) -> int | None:
    """Job message.complete: read the whole message from VK and record it.

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
