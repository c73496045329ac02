"""Catch-up: read messages that arrived without an event from VK's conversation list and history.

They are recorded by the same function as messages from events (`message_sync.record`).
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import structlog

from sigma.channels.vk import events
from sigma.channels.vk import messages as vk_messages
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError
from sigma.channels.vk.fields import read_flag, read_int, read_object
from sigma.channels.vk.messages import FIRST_CHAT_PEER_ID, PAGE_SIZE
from sigma.channels.vk.users import VkProfile
from sigma.domain.change import Change, TimelineEvent
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.conversation_changes import sync_flags
from sigma.domain.time_units import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from sigma.services.context import Context
from sigma.services.conversations import delivery, message_sync, outbox, profiles
from sigma.services.platform import erased_peers
from sigma.services.vk import community_client
from sigma.services.vk.community_client import CommunityClient
from sigma.store import changes
from sigma.store.messaging import cards, communities, conversations, messages

log = structlog.get_logger()

OVERLAP_US = HOUR_US  # read again before the last catch-up: VK's clock and lists may lag
INITIAL_MESSAGES = 20  # messages from before the community was connected, per conversation
MAX_CONVERSATIONS = 2000  # conversations read in one catch-up
MAX_MISSED_MESSAGES = 2000  # messages read per conversation
# Retry delays while the access key does not work, and while the community is not connected.
KEY_ERROR_DELAY_US, DISCONNECTED_DELAY_US = 10 * MINUTE_US, DAY_US
TIME_BUDGET_US = 60 * SECOND_US  # stop after this time: the worker cancels a job after 110 s


async def catch_up_community(ctx: Context, community_id: str) -> int | None:
    """Job community.catch_up: record the missing messages of all recently changed conversations.

    Enqueued after a start, an outage or a replaced access key. Returns when to run again (UTC
    microseconds) if the time budget ran out; the next run continues. Raises RetryLaterError.
    """
    started_at_us = ctx.now_us()
    try:
        vk_client = await community_client.open_client(ctx, community_id)
        is_complete = await _sync_conversations(ctx, vk_client, started_at_us)
    except RefusedError:
        return None
    except NeedsOwnerError as error:
        await community_client.mark_key_broken(ctx, community_id, error)
        return None  # replacing the access key enqueues the job again
    if not is_complete:
        return ctx.now_us()
    async with ctx.db.write() as tx:
        community = await communities.lock(tx, community_id)
        updated = replace(
            community, caught_up_until_us=max(started_at_us, community.caught_up_until_us)
        )
        await changes.write(tx, Change((updated,)), ctx.now_us())
    await outbox.resume(ctx, community_id)
    return None


async def _sync_conversations(ctx: Context, vk_client: CommunityClient, started_at_us: int) -> bool:
    """Read the conversation list, latest first. Returns False when the time budget ran out."""
    community, missing_count = vk_client.community, 0
    oldest_at_us = community.caught_up_until_us - OVERLAP_US if community.caught_up_until_us else 0
    for offset in range(0, MAX_CONVERSATIONS, PAGE_SIZE):
        page = await vk_messages.list_conversations(vk_client.api, "all", PAGE_SIZE, offset)
        for item in page.items:
            new_count = await _sync_conversation(ctx, vk_client, item, page.profiles)
            missing_count += new_count
            if new_count and ctx.now_us() - started_at_us > TIME_BUDGET_US:
                return False  # the next run skips the recorded messages and gets further
        last = read_object(page.items[-1], "last_message") if page.items else {}
        if len(page.items) < PAGE_SIZE or read_int(last, "date") * SECOND_US < oldest_at_us:
            break
    if missing_count and community.caught_up_until_us:
        await _record_catch_up(ctx, vk_client, missing_count)
    return True


async def _record_catch_up(ctx: Context, vk_client: CommunityClient, missing_count: int) -> None:
    """Record a timeline event with the number of messages that a catch-up has recovered."""
    shop_id, now_us = vk_client.community.shop_id, ctx.now_us()
    event = TimelineEvent(
        ctx.new_id("evt", shop_id),
        shop_id,
        vk_client.community.id,
        "community.caught_up",
        now_us,
        detail={"messages": missing_count},
    )
    await changes.commit(ctx.db, Change((event,)), now_us)


async def _sync_conversation(
    ctx: Context,
    vk_client: CommunityClient,
    item: dict[str, Any],
    known_profiles: Iterable[VkProfile],
) -> int:
    """Process one row of VK's conversation list. Returns the number of new client messages."""
    vk_conversation, last_message = (
        read_object(item, "conversation"),
        read_object(item, "last_message"),
    )
    peer_id = read_int(read_object(vk_conversation, "peer"), "id")
    if not peer_id or peer_id >= FIRST_CHAT_PEER_ID or not last_message:
        return 0
    last_at_us = read_int(last_message, "date") * SECOND_US
    if await erased_peers.is_erased(ctx, vk_client.community.id, peer_id, last_at_us):
        return 0
    conversation = await message_sync.get_or_create_conversation(ctx, vk_client.community, peer_id)
    await profiles.update_profiles(
        ctx, vk_client.community.id, [p for p in known_profiles if p.id == peer_id]
    )
    async with ctx.db.read() as tx:
        newest_cmid = await messages.max_cmid(tx, conversation.id)
    read_up_to = read_int(vk_conversation, "in_read_cmid")
    if read_int(last_message, "conversation_message_id") <= newest_cmid:
        missing = [last_message]  # already stored, but it may have been edited
    elif newest_cmid:
        missing = await vk_messages.fetch_since(
            vk_client.api, peer_id, newest_cmid, MAX_MISSED_MESSAGES
        )
    else:
        missing = await _initial_messages(vk_client, peer_id)
    new_count = await _record_messages(ctx, vk_client, missing, read_up_to)
    await _sync_flags(ctx, conversation.id, vk_conversation, has_new=new_count > 0)
    return new_count


async def _initial_messages(vk_client: CommunityClient, peer_id: int) -> list[dict[str, Any]]:
    """Return the first VK messages to import of a conversation, oldest first.

    All since the community was connected (at most one page), and at least the latest
    INITIAL_MESSAGES.
    """
    count = PAGE_SIZE if vk_client.community.caught_up_until_us else INITIAL_MESSAGES
    vk_messages_page = await vk_messages.fetch_history(vk_client.api, peer_id, count)
    imported = [
        vk_message
        for n, vk_message in enumerate(vk_messages_page)
        if n < INITIAL_MESSAGES or _is_since_connection(vk_client, vk_message)
    ]
    return imported[::-1]


def _is_since_connection(vk_client: CommunityClient, vk_message: dict[str, Any]) -> bool:
    return read_int(vk_message, "date") >= vk_client.community.created_at_us // SECOND_US


async def _record_messages(
    ctx: Context, vk_client: CommunityClient, missing: list[dict[str, Any]], read_up_to: int
) -> int:
    """Record VK messages, given oldest first. Returns the number of new client messages.

    Messages up to cmid `read_up_to` were already read in VK.
    """
    new_count = 0
    for raw_message in missing:
        try:
            vk_message = events.parse_message(raw_message)
        except ValueError:
            log.warning("vk_message.unreadable", connection=vk_client.community.id)
            continue
        is_unread = vk_message.cmid > read_up_to
        new_count += bool(
            await message_sync.record(
                ctx, vk_client.community, vk_message, is_live=False, is_unread=is_unread
            )
        )
    return new_count


async def _sync_flags(
    ctx: Context, conversation_id: str, vk_conversation: dict[str, Any], *, has_new: bool
) -> None:
    """Store VK's "can write" flag and, after new messages, its "unanswered" flag.

    An administrator may have read the messages in VK without replying.
    """
    can_write, blocked_reason = read_object(vk_conversation, "can_write"), None
    if "allowed" in can_write:
        reason = str(read_int(can_write, "reason") or delivery.NOT_ALLOWED_CODE)
        blocked_reason = "" if read_flag(can_write, "allowed") else reason
    async with ctx.db.write() as tx:
        locked, now_us = await conversations.lock(tx, conversation_id), ctx.now_us()
        conversation_cards = []
        if locked.blocked_reason and blocked_reason == "":
            conversation_cards = await cards.list_for_conversation(tx, locked.id)
        change = sync_flags(
            locked,
            blocked_reason=blocked_reason,
            is_unanswered=has_new and read_flag(vk_conversation, "unanswered"),
            now_us=now_us,
            cards=conversation_cards,
        )
        await changes.write(tx, change, now_us)


async def fill_gap(ctx: Context, conversation_id: str) -> int | None:
    """Job conversation.catch_up: read the messages missing between two stored ones.

    Enqueued when an event's cmid is not the next number. Raises RetryLaterError. Returns when to
    try again (UTC microseconds) while there is no working access key: the community catch-up
    starts at the newest message and does not fill gaps.
    """
    async with ctx.db.read() as tx:
        conversation = await conversations.get(tx, conversation_id)
        assert conversation is not None, "conversations are never deleted"
        rows = await messages.list_for_conversation(tx, conversation_id, limit=PAGE_SIZE)
    stored_cmids = sorted(message.cmid for message in rows if message.cmid is not None)
    if not stored_cmids:
        return None
    gap_starts = [before for before, after in pairwise(stored_cmids) if after > before + 1]
    has_no_beginning = len(rows) < PAGE_SIZE and stored_cmids[0] > 1
    try:
        vk_client = await community_client.open_client(ctx, conversation.connection_id)
        if gap_starts:
            await _record_after(ctx, vk_client, conversation.peer_id, gap_starts[0])
        if has_no_beginning:
            await _record_before(ctx, vk_client, conversation.peer_id, stored_cmids[0])
    except RefusedError:
        return ctx.now_us() + DISCONNECTED_DELAY_US
    except PermanentError:
        return None
    except NeedsOwnerError as error:
        await community_client.mark_key_broken(ctx, conversation.connection_id, error)
        return ctx.now_us() + KEY_ERROR_DELAY_US
    return None


async def _record_after(
    ctx: Context, vk_client: CommunityClient, peer_id: int, after_cmid: int
) -> None:
    """Record the messages after `after_cmid`."""
    missing = await vk_messages.fetch_since(vk_client.api, peer_id, after_cmid, MAX_MISSED_MESSAGES)
    await _record_messages(ctx, vk_client, missing, read_up_to=0)


async def _record_before(
    ctx: Context, vk_client: CommunityClient, peer_id: int, before_cmid: int
) -> None:
    """Record the messages before `before_cmid`, when the history does not start at cmid 1.

    Messages from before the community was connected count as read.
    """
    by_cmid = {
        read_int(vk_message, "conversation_message_id"): vk_message
        for vk_message in await _initial_messages(vk_client, peer_id)
    }
    earlier = {n: vk_message for n, vk_message in by_cmid.items() if n < before_cmid}
    read_cmids = [
        n for n, vk_message in earlier.items() if not _is_since_connection(vk_client, vk_message)
    ]
    await _record_messages(
        ctx, vk_client, list(earlier.values()), read_up_to=max(read_cmids, default=0)
    )
