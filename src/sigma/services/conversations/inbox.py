"""Inbox: the conversation list with search, and an operator's actions on a conversation: mark as
read, mark as answered, show who is replying, pause auto-replies.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sigma.channels.vk import messages as vk_messages
from sigma.channels.vk.errors import NeedsOwnerError, RetryLaterError, VkError
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.messaging import conversation_changes
from sigma.domain.messaging.card import CardState
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.time_units import HOUR_US, MINUTE_US, SECOND_US
from sigma.services.context import Context
from sigma.services.conversations import change_feed, message_codec
from sigma.services.conversations.search_index import query_hashes
from sigma.services.paging import make_page
from sigma.services.vk.community_client import mark_key_broken, open_client
from sigma.store import changes
from sigma.store.accounts import members
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import Tx
from sigma.store.messaging import communities, conversations, inbox

STATUS_FILTERS = ("unread", "unanswered")
MAX_COUNT = 100  # the menu shows at most this number of unread conversations
MAX_SEARCH_TERMS = 8  # further words of a query are ignored


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """A row of the conversation list. `preview` is None when no encryption key decrypts it.

    `answering_name` is the name of another operator who is writing a reply now, or empty.
    """

    conversation: Conversation
    preview: str | None
    service_title: str
    card_state: CardState | None
    answering_name: str


@dataclass(frozen=True, slots=True)
class ConversationList:
    """One page of the conversation list, with counts for the whole shop.

    `community_names` maps community id to name. `broken_community` is the name of a community whose
    access key the owner must replace, or empty. `read_at_us`: time of reading (UTC microseconds).
    """

    rows: list[ConversationRow]
    next_cursor: str | None
    unread_count: int
    unanswered_count: int
    community_names: dict[str, str]
    broken_community: str
    read_at_us: int


async def list_conversations(
    ctx: Context,
    member: Member,
    *,
    status_filter: str = "",
    query: str = "",
    limit: int = 25,
    cursor: str | None = None,
) -> ConversationList:
    """Return the shop's conversations, the latest first.

    `status_filter` is "", "unread" or "unanswered". `query` matches names and the words of
    messages. Raises RefusedError("forbidden") without Permission.ANSWER.
    """
    member.require(Permission.ANSWER)
    now_us = ctx.now_us()
    async with ctx.db.read() as tx:
        counts = await conversations.inbox_counts(tx, member.shop_id)
        stored = await inbox.list_conversations(
            tx,
            member.shop_id,
            state=status_filter if status_filter in STATUS_FILTERS else "",
            query=query,
            token_hashes=query_hashes(ctx.cipher, member.shop_id, query)[:MAX_SEARCH_TERMS],
            before_cursor=_parse_cursor(cursor),
            limit=limit + 1,
        )
        page_of_rows = make_page(stored, limit, lambda c: f"{c.last_at_us}.{c.id}")
        rows = await _rows(ctx, tx, member, page_of_rows.data, now_us)
        connected_communities = await communities.list_for_shop(tx, member.shop_id)
    return ConversationList(
        rows=rows,
        next_cursor=page_of_rows.next_cursor,
        unread_count=counts["unread"],
        unanswered_count=counts["unanswered"],
        community_names={c.id: c.name for c in connected_communities},
        broken_community=next((c.name for c in connected_communities if c.error_code), ""),
        read_at_us=now_us,
    )


def _parse_cursor(cursor: str | None) -> tuple[int, str] | None:
    at_us, _, conversation_id = (cursor or "").partition(".")
    return (int(at_us), conversation_id) if at_us.isdecimal() and len(at_us) < 18 else None


async def _rows(
    ctx: Context, tx: Tx, member: Member, listed: list[Conversation], now_us: int
) -> list[ConversationRow]:
    card_states = await inbox.latest_card_states(tx, [c.id for c in listed])
    titles = await inbox.service_titles(tx, {c.service_id for c in listed if c.service_id})
    has_replying = any(c.typing_user(now_us) not in ("", member.actor) for c in listed)
    operator_names = await members.list_names(tx, member.shop_id) if has_replying else {}
    return [
        ConversationRow(
            conversation=c,
            preview=_decrypt_preview(ctx, c),
            service_title=titles.get(c.service_id or "", ""),
            card_state=card_states.get(c.id),
            answering_name=_other_operator_name(c.typing_user(now_us), member, operator_names),
        )
        for c in listed
    ]


def _decrypt_preview(ctx: Context, conversation: Conversation) -> str | None:
    try:
        return message_codec.decrypt_preview(
            ctx.cipher, conversation.id, conversation.preview_encrypted
        )
    except DecryptionError:
        return None


def _other_operator_name(user_id: str, member: Member, operator_names: dict[str, str]) -> str:
    return operator_names.get(user_id, "") if user_id and user_id != member.actor else ""


async def count_unread(ctx: Context, member: Member) -> int:
    """Return the number of unread conversations, at most MAX_COUNT; 0 without permission."""
    if not member.can(Permission.ANSWER):
        return 0
    async with ctx.db.read() as tx:
        return await inbox.count_unread(tx, member.shop_id, MAX_COUNT)


async def get(ctx: Context, member: Member, conversation_id: str) -> Conversation:
    """Return the conversation. Raises RefusedError: "not_found", "forbidden"."""
    member.require(Permission.ANSWER)
    async with ctx.db.read() as tx:
        return await access_conversation(tx, member, conversation_id)


async def access_conversation(tx: Tx, member: Member, conversation_id: str) -> Conversation:
    """Return the conversation if it belongs to the member's shop.

    Raises RefusedError("not_found"). The caller checks the permission.
    """
    conversation = await conversations.get(tx, conversation_id)
    if conversation is None or conversation.shop_id != member.shop_id:
        raise RefusedError("not_found", what="conversation")
    return conversation


async def mark_read(ctx: Context, member: Member, conversation_id: str, last_cmid: int) -> bool:
    """Mark the conversation as read up to `last_cmid` and enqueue the same for VK.

    Returns False and changes nothing when a newer message has arrived or nothing was unread.
    """

    def decide(current: Conversation, now_us: int) -> Change:
        return conversation_changes.mark_read(current, last_cmid, now_us)

    return await _update(ctx, member, conversation_id, decide)


async def mark_answered(ctx: Context, member: Member, conversation_id: str) -> None:
    """Mark the client's last message as needing no reply."""
    await _update(ctx, member, conversation_id, conversation_changes.mark_answered)


async def start_answering(
    ctx: Context, member: Member, conversation_id: str, *, is_typing: bool = False
) -> None:
    """Show other operators for one minute that the member is writing a reply.

    Focusing the field (`is_typing` false) does not displace another operator who is replying.
    """

    def decide(current: Conversation, now_us: int) -> Change:
        return conversation_changes.start_typing(current, member.actor, now_us, is_typing=is_typing)

    await _update(ctx, member, conversation_id, decide)


async def set_auto_replies_paused(
    ctx: Context, member: Member, conversation_id: str, *, paused: bool
) -> None:
    """Pause auto-replies in this conversation, or resume them."""

    def decide(current: Conversation, now_us: int) -> Change:
        return conversation_changes.set_auto_replies_paused(current, paused, now_us)

    await _update(ctx, member, conversation_id, decide)


async def _update(
    ctx: Context,
    member: Member,
    conversation_id: str,
    decide: Callable[[Conversation, int], Change],
) -> bool:
    """Lock the conversation and write the change that `decide` returns.

    `decide` gets the conversation and the time (UTC microseconds). Returns False when the change
    is empty.
    """
    member.require(Permission.ANSWER)
    async with ctx.db.write() as tx:
        snapshot = await access_conversation(tx, member, conversation_id)
        if not decide(snapshot, ctx.now_us()):
            return False  # the usual case: do not take the lock without need
        locked = await conversations.lock(tx, conversation_id)
        now_us = ctx.now_us()
        change = decide(locked, now_us)
        await changes.write(tx, change, now_us)
    if change:
        await change_feed.notify_changed(ctx)
    return bool(change)


async def mark_read_in_vk(ctx: Context, conversation_id: str) -> int | None:
    """Job conversation.mark_read: mark the client's messages as read in VK.

    Best effort: a rejection by VK is ignored, and retries stop an hour after the last message.
    Returns when to try again (UTC microseconds), or None.
    """
    async with ctx.db.read() as tx:
        conversation = await conversations.get(tx, conversation_id)
    if conversation is None or conversation.unread_count or not conversation.last_cmid:
        return None
    try:
        vk_client = await open_client(ctx, conversation.connection_id)
        await vk_messages.mark_read(vk_client.api, conversation.peer_id, conversation.last_cmid)
    except RetryLaterError as error:
        if ctx.now_us() - conversation.last_incoming_at_us > HOUR_US:
            return None
        return ctx.now_us() + max(int(error.retry_after_s * SECOND_US), MINUTE_US // 2)
    except NeedsOwnerError as error:
        await mark_key_broken(ctx, conversation.connection_id, error)
    except (VkError, RefusedError):
        return None
    return None
