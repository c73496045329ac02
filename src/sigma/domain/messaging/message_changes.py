"""Decisions about messages: what one changes in its conversation, and which jobs it enqueues.

The caller holds the conversation's lock and passes the locked rows. Ciphertexts are passed in as
values. All times are UTC microseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sigma.domain.change import Change, Job
from sigma.domain.messaging import message as messages
from sigma.domain.messaging.auto_reply import MAX_AUTO_REPLY_AGE_US
from sigma.domain.messaging.card import Card, refresh_jobs
from sigma.domain.messaging.conversation import (
    Conversation,
    catch_up_jobs,
    mark_waiting,
    next_position,
    with_delivered,
    with_incoming,
    with_outgoing,
)
from sigma.domain.messaging.conversation_changes import mark_changed
from sigma.domain.messaging.message import AUTHOR_AUTO_REPLY, VK_AUTHOR_PREFIX, Message, Status

# VK error codes after which no message can be sent to this user at all.
BLOCKING_CODES = frozenset(
    {18, 900, 901, 902, 917, 932, 936, 945, 950, 979, 983, 984, 985, 986, 987, 988, 1012, 1021}
)


@dataclass(frozen=True, slots=True)
class IncomingFacts:
    """What decides about a client's message besides the message itself.

    `is_live`: it comes from an event, not from the history. `is_unread`: not read in VK yet.
    `last_message`: for a late message, the stored one with the conversation's `last_cmid`.
    `supported_buttons`: None when VK does not say. `service_id`: the service that the message is
    about. `cards`: the conversation's cards, needed when `unblocks` is true.
    """

    preview_encrypted: str
    is_live: bool = True
    is_unread: bool = True
    last_message: Message | None = None
    supported_buttons: str | None = None
    vk_ref: str = ""
    service_id: str | None = None
    auto_replies_enabled: bool = False
    cards: Sequence[Card] = ()


def is_newest(conversation: Conversation, cmid: int) -> bool:
    """Return whether VK's message number is after all known ones."""
    return cmid > conversation.last_cmid


def needs_service(conversation: Conversation, cmid: int) -> bool:
    """Return whether the service of this message would become the conversation's service."""
    return is_newest(conversation, cmid) or not conversation.service_id


def unblocks(conversation: Conversation, cmid: int) -> bool:
    """Return whether this client message shows that the client allows replies again."""
    return bool(conversation.blocked_reason) and is_newest(conversation, cmid)


def can_auto_reply(conversation: Conversation, written_at_us: int, now_us: int) -> bool:
    """Return whether a message is recent and no operator has taken the conversation over.

    The history may deliver a message before its event does, so its age decides, not the source.
    """
    is_recent = now_us - written_at_us <= MAX_AUTO_REPLY_AGE_US
    return is_recent and not conversation.handled_by_operator


def record_incoming(
    conversation: Conversation, message: Message, facts: IncomingFacts, now_us: int
) -> Change:
    """Record a new message from the client; it may be older than the last known one."""
    assert message.cmid is not None, "VK has numbered a client's message"
    is_unread, last_message = facts.is_unread, facts.last_message
    if last_message and last_message.author.startswith(VK_AUTHOR_PREFIX):
        is_unread = False  # an administrator has replied in VK after it
    updated = with_incoming(
        conversation,
        cmid=message.cmid,
        written_at_us=message.written_at_us,
        preview_encrypted=facts.preview_encrypted,
        now_us=now_us,
        is_unread=is_unread,
    )
    if is_unread and last_message and last_message.is_outgoing:
        # Our last message was written before this one arrived.
        updated = mark_waiting(updated, message.written_at_us)
    if is_newest(conversation, message.cmid):
        updated = _with_newest_facts(updated, facts)
    elif not conversation.service_id:
        updated = replace(
            updated,
            vk_ref=conversation.vk_ref or facts.vk_ref,
            service_id=facts.service_id or None,
        )
    return Change(
        (updated, message), jobs=_incoming_jobs(conversation, message, facts, is_unread, now_us)
    )


def _with_newest_facts(conversation: Conversation, facts: IncomingFacts) -> Conversation:
    """Return the conversation with what the client's latest message says about the client."""
    supported_buttons = conversation.supported_buttons
    if facts.is_live and facts.supported_buttons is not None:
        supported_buttons = facts.supported_buttons
    return replace(
        conversation,
        blocked_reason="",  # a client who writes allows replies
        supported_buttons=supported_buttons,
        vk_ref=facts.vk_ref or conversation.vk_ref,
        service_id=facts.service_id or conversation.service_id,
    )


def _incoming_jobs(
    conversation: Conversation,
    message: Message,
    facts: IncomingFacts,
    is_unread: bool,
    now_us: int,
) -> tuple[Job, ...]:
    assert message.cmid is not None, "VK has numbered a client's message"
    jobs = catch_up_jobs(conversation, message.cmid, now_us) if facts.is_live else ()
    is_answerable = can_auto_reply(conversation, message.written_at_us, now_us)
    if is_unread and is_answerable and facts.auto_replies_enabled:
        jobs += (Job("auto_reply.send", message.id, message.shop_id),)
    if message.is_incomplete:
        jobs += (messages.completion_job(message),)
    if unblocks(conversation, message.cmid):
        # The cards could not be updated while the conversation was blocked.
        jobs += refresh_jobs(facts.cards)
    return jobs


def record_outgoing(
    conversation: Conversation,
    message: Message,
    *,
    preview_encrypted: str,
    is_live: bool,
    now_us: int,
) -> Change:
    """Record an outgoing message written in VK itself, by an administrator or by VK's own bot.

    An administrator answers the client; a live message also pauses auto-replies. A bot does not.
    """
    assert message.cmid is not None, "the message was found in VK"
    updated = with_outgoing(
        conversation,
        cmid=message.cmid,
        written_at_us=message.written_at_us,
        position=message.position,
        preview_encrypted=preview_encrypted,
        now_us=now_us,
    )
    if message.author == f"{VK_AUTHOR_PREFIX}0":
        updated = _still_waiting(updated, conversation)
    elif is_live:
        updated = replace(updated, handled_by_operator=True)
    jobs = catch_up_jobs(conversation, message.cmid, now_us) if is_live else ()
    if message.is_incomplete:
        jobs += (messages.completion_job(message),)
    return Change((updated, message), jobs=jobs)


def _still_waiting(updated: Conversation, before: Conversation) -> Conversation:
    """Return `updated` with the unread and unanswered state that it had before."""
    return replace(updated, unread_count=before.unread_count, is_unanswered=before.is_unanswered)


def queue_message(
    conversation: Conversation,
    *,
    message_id: str,
    author: str,
    body_encrypted: str,
    preview_encrypted: str,
    idempotency_key: str,
    now_us: int,
    is_reply: bool = True,
    pauses_auto_replies: bool = False,
) -> tuple[Message, Change]:
    """Return a new queued message and the change that stores it.

    A message from AUTHOR_AUTO_REPLY, or with `is_reply` false, does not answer the client.
    `pauses_auto_replies`: an operator takes the conversation over.
    """
    message = Message(
        id=message_id,
        shop_id=conversation.shop_id,
        conversation_id=conversation.id,
        is_outgoing=True,
        author=author,
        body_encrypted=body_encrypted,
        written_at_us=now_us,
        position=next_position(conversation),
        status=Status.QUEUED,
        idempotency_key=idempotency_key,
        random_id=messages.random_id(message_id),
    )
    updated = with_outgoing(
        conversation,
        cmid=None,
        written_at_us=now_us,
        position=message.position,
        preview_encrypted=preview_encrypted,
        now_us=now_us,
    )
    if author == AUTHOR_AUTO_REPLY or not is_reply:
        updated = _still_waiting(updated, conversation)
    if is_reply and author == conversation.typing_user_id:
        updated = replace(updated, typing_user_id="", typing_until_us=0)
    if pauses_auto_replies:
        updated = replace(updated, handled_by_operator=True)
    return message, Change((updated, message), jobs=(_send_job(message),))


def _send_job(message: Message) -> Job:
    return Job("message.send", message.id, message.shop_id)


def _next_send_jobs(message: Message, next_message_id: str | None) -> tuple[Job, ...]:
    """Return the job that sends the next queued message of the conversation, if there is one."""
    return (Job("message.send", next_message_id, message.shop_id),) if next_message_id else ()


def record_delivered(
    conversation: Conversation,
    message: Message,
    *,
    cmid: int,
    vk_id: int,
    body_encrypted: str,
    preview_encrypted: str,
    next_message_id: str | None,
    now_us: int,
) -> Change:
    """Record that VK has our message as number `cmid`, and send the next queued one.

    `vk_id`: VK's message id, 0 when unknown.
    """
    delivered = messages.mark_delivered(
        message, cmid=cmid, vk_id=vk_id, body_encrypted=body_encrypted, now_us=now_us
    )
    updated = with_delivered(
        conversation,
        cmid=cmid,
        written_at_us=delivered.written_at_us,
        position=delivered.position,
        preview_encrypted=preview_encrypted,
        now_us=now_us,
    )
    jobs = _next_send_jobs(message, next_message_id) + catch_up_jobs(conversation, cmid, now_us)
    return Change((updated, delivered), jobs=jobs)


def record_failed(
    conversation: Conversation,
    message: Message,
    *,
    error_code: int,
    next_message_id: str | None,
    now_us: int,
) -> Change:
    """Record VK's permanent error, and send the next queued message.

    A code of BLOCKING_CODES also blocks writing to this client. Empty unless the message is queued.
    """
    if message.status is not Status.QUEUED:
        return Change()
    is_blocking = error_code in BLOCKING_CODES
    updated = replace(
        conversation,
        blocked_reason=str(error_code) if is_blocking else conversation.blocked_reason,
        changed_at_us=now_us,
    )
    return Change(
        (updated, messages.mark_failed(message, error_code)),
        jobs=_next_send_jobs(message, next_message_id),
    )


def record_canceled(
    conversation: Conversation, message: Message, *, next_message_id: str | None, now_us: int
) -> Change:
    """Record that a queued reminder is not sent any more, and send the next queued message."""
    if message.status is not Status.QUEUED:
        return Change()
    return Change(
        (replace(conversation, changed_at_us=now_us), messages.mark_canceled(message)),
        jobs=_next_send_jobs(message, next_message_id),
    )


def record_postponed(
    conversation: Conversation,
    message: Message,
    snapshot: Message,
    reason: str,
    *,
    is_undelivered: bool,
    now_us: int,
    next_message_id: str | None = None,
) -> Change:
    """Record why a message is not sent yet; empty when that is known. See `message.postpone`.

    When flood control delays this message only, the next queued one is sent (`next_message_id`).
    """
    postponed = messages.postpone(message, snapshot, reason, is_undelivered=is_undelivered)
    change = Change()
    if postponed:
        change = mark_changed(conversation, now_us) + Change((postponed,))
    if messages.is_held(postponed or message):
        change += Change(jobs=_next_send_jobs(message, next_message_id))
    return change


def retry_message(conversation: Conversation, message: Message, now_us: int) -> Change:
    """Queue a failed message again; empty unless the message has failed."""
    if message.status is not Status.FAILED:
        return Change()
    queued = messages.requeue(message, next_position(conversation), now_us)
    updated = replace(conversation, last_position=queued.position, changed_at_us=now_us)
    return Change((updated, queued), jobs=(_send_job(message),))


def edit_message(
    conversation: Conversation,
    message: Message,
    *,
    body_encrypted: str,
    preview_encrypted: str,
    edited_at_us: int | None,
    now_us: int,
    is_incomplete: bool = False,
) -> Change:
    """Give a message another body, and the conversation another preview if it is the last one.

    `edited_at_us`: None when the client never saw the old text, or when the text is the same.
    `is_incomplete`: VK left parts of the new content out.
    """
    is_last = message.position >= conversation.last_position
    preview = preview_encrypted if is_last else conversation.preview_encrypted
    return Change(
        (
            replace(conversation, preview_encrypted=preview, changed_at_us=now_us),
            messages.with_body(message, body_encrypted, edited_at_us, is_incomplete=is_incomplete),
        )
    )
