"""Decisions about conversations: an operator's action, or a flag or profile that VK reports.

The caller holds the conversation's lock and passes the locked row. All times are UTC microseconds.
"""

from collections.abc import Sequence
from dataclasses import replace

from sigma.domain.change import Change, Job
from sigma.domain.messaging.card import Card, refresh_jobs
from sigma.domain.messaging.conversation import (
    TYPING_TTL_US,
    Conversation,
    mark_waiting,
    with_typing,
)


def start_conversation(
    conversation_id: str,
    shop_id: str,
    connection_id: str,
    peer_id: int,
    now_us: int,
) -> Change:
    """Create the conversation with a VK user; its name and photo are fetched by a job."""
    created = Conversation(
        id=conversation_id,
        shop_id=shop_id,
        connection_id=connection_id,
        peer_id=peer_id,
        created_at_us=now_us,
        changed_at_us=now_us,
    )
    return Change((created,), jobs=(Job("profile.fetch", created.id, shop_id),))


def mark_changed(conversation: Conversation, now_us: int) -> Change:
    """Set `changed_at_us`, so that open inbox pages reload the conversation."""
    return Change((replace(conversation, changed_at_us=now_us),))


def _changed(updated: Conversation, before: Conversation, now_us: int) -> Change:
    """Return the change to `updated`; empty when it equals the conversation before."""
    return Change() if updated == before else mark_changed(updated, now_us)


def mark_read(conversation: Conversation, last_cmid: int, now_us: int) -> Change:
    """Mark as read up to `last_cmid`, here and in VK; empty when a newer message has arrived."""
    if conversation.last_cmid > last_cmid or not conversation.unread_count:
        return Change()
    job = Job("conversation.mark_read", conversation.id, conversation.shop_id)
    return mark_changed(replace(conversation, unread_count=0), now_us) + Change(jobs=(job,))


def mark_answered(conversation: Conversation, now_us: int) -> Change:
    """Record that the client's last message needs no reply."""
    return _changed(
        replace(conversation, is_unanswered=False, unread_count=0), conversation, now_us
    )


def start_typing(
    conversation: Conversation, user_id: str, now_us: int, *, is_typing: bool
) -> Change:
    """Show that a user writes a reply; empty when it was recorded recently.

    Focusing the field (`is_typing` false) does not displace another user who is writing.
    """
    typing_user_id = conversation.typing_user(now_us)
    is_recent = conversation.typing_until_us - now_us > TYPING_TTL_US // 2
    if typing_user_id == user_id and is_recent:
        return Change()
    if typing_user_id not in ("", user_id) and not is_typing:
        return Change()
    return Change((with_typing(conversation, user_id, now_us),))


def set_auto_replies_paused(conversation: Conversation, paused: bool, now_us: int) -> Change:
    """Pause auto-replies, or resume them."""
    return _changed(replace(conversation, handled_by_operator=paused), conversation, now_us)


def block(conversation: Conversation, reason: str, now_us: int) -> Change:
    """Record why VK does not let the community write to the client."""
    return _changed(replace(conversation, blocked_reason=reason), conversation, now_us)


def unblock(
    conversation: Conversation, cards: Sequence[Card], now_us: int, *, only_from: str = ""
) -> Change:
    """Record that VK lets the community write again; refresh the conversation's cards.

    The cards could not be updated while the conversation was blocked. `only_from`: unblock only
    from this reason.
    """
    if not conversation.blocked_reason or only_from not in ("", conversation.blocked_reason):
        return Change()
    unblocked = replace(conversation, blocked_reason="")
    return mark_changed(unblocked, now_us) + Change(jobs=refresh_jobs(cards))


def sync_flags(
    conversation: Conversation,
    *,
    blocked_reason: str | None,
    is_unanswered: bool,
    now_us: int,
    cards: Sequence[Card] = (),
) -> Change:
    """Store the flags of VK's conversation list. `blocked_reason`: None when VK does not say.

    `is_unanswered`: VK has new messages that no administrator has answered, even if read. `cards`:
    the conversation's cards, which are refreshed when this unblocks it.
    """
    updated = conversation
    if blocked_reason is not None:
        updated = replace(updated, blocked_reason=blocked_reason)
    if is_unanswered and not conversation.is_last_outgoing:
        updated = mark_waiting(updated, conversation.last_incoming_at_us)
    is_unblocked = bool(conversation.blocked_reason) and not updated.blocked_reason
    jobs = refresh_jobs(cards) if is_unblocked else ()
    return _changed(updated, conversation, now_us) + Change(jobs=jobs)


def update_profile(conversation: Conversation, name: str, photo_url: str, now_us: int) -> Change:
    """Store the client's public name and photo; empty without a name."""
    if not name:
        return Change()
    return _changed(replace(conversation, name=name, photo_url=photo_url), conversation, now_us)
