"""A conversation of a community with one client: unread and unanswered state, preview, typing."""

from dataclasses import dataclass, replace

from sigma.domain.change import Job
from sigma.domain.messaging.message import POSITION_STEP

TYPING_TTL_US = 60_000_000  # typing is shown this long after the last signal
GAP_GRACE_US = 10_000_000  # events may arrive out of order: wait before reading the history


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation. Times are UTC microseconds.

    `name` and `photo_url` are the client's public VK profile. `preview_encrypted` decrypts to the
    text of the last message, whose VK number is `last_cmid`.
    `is_unanswered`: the last message is the client's and no operator marked it as answered;
    `waiting_since_us` is the time of the earliest unanswered message.
    `blocked_reason` is empty, or the code why VK does not let the community write to the client.
    `service_id` is the service that the client asked about. `vk_ref` is the `ref` of the link that
    opened the conversation. `handled_by_operator`: an operator took over, so no auto-replies.
    `changed_at_us` is raised by every change and drives the change feed.
    """

    id: str
    shop_id: str
    connection_id: str
    peer_id: int
    created_at_us: int
    name: str = ""
    photo_url: str = ""
    last_at_us: int = 0
    last_incoming_at_us: int = 0
    is_last_outgoing: bool = False
    preview_encrypted: str = ""
    last_cmid: int = 0
    last_position: int = 0
    unread_count: int = 0
    is_unanswered: bool = False
    waiting_since_us: int = 0
    blocked_reason: str = ""
    service_id: str | None = None
    vk_ref: str = ""
    supported_buttons: str = ""  # button types the client's app supports: "text,open_link,callback"
    typing_user_id: str = ""
    typing_until_us: int = 0
    handled_by_operator: bool = False
    changed_at_us: int = 0
    customer_id: str | None = None
    version: int = 0

    @property
    def title(self) -> str:
        """The client's name, or "id<number>" until the profile is fetched."""
        return self.name or f"id{self.peer_id}"

    def typing_user(self, now_us: int) -> str:
        """Return the id of the user who is typing a reply at `now_us`, or an empty string."""
        return self.typing_user_id if now_us < self.typing_until_us else ""


def next_position(conversation: Conversation) -> int:
    """Return the position of a message that VK has not numbered yet: after all others."""
    return max(conversation.last_position, conversation.last_cmid * POSITION_STEP) + 1


def catch_up_jobs(conversation: Conversation, cmid: int, now_us: int) -> tuple[Job, ...]:
    """Return a catch-up job when `cmid` is not the next VK number of the conversation, else ().

    The missing messages may never arrive as events and must be read from VK's history. Holds for
    incoming and outgoing messages alike.
    """
    if cmid <= conversation.last_cmid + 1:
        return ()
    return (
        Job("conversation.catch_up", conversation.id, conversation.shop_id, now_us + GAP_GRACE_US),
    )


def with_incoming(
    conversation: Conversation,
    *,
    cmid: int,
    written_at_us: int,
    preview_encrypted: str,
    now_us: int,
    is_unread: bool,
) -> Conversation:
    """Return the conversation after a client's message.

    A message older than the last known one does not change the preview. `is_unread`: the message is
    new to Sigma and not yet read, so it counts as unread and unanswered.
    """
    is_late = cmid < conversation.last_cmid
    updated = replace(
        conversation,
        unread_count=conversation.unread_count + 1 if is_unread else conversation.unread_count,
        last_incoming_at_us=max(conversation.last_incoming_at_us, written_at_us),
        changed_at_us=now_us,
    )
    if is_late:
        return updated
    if is_unread:
        updated = mark_waiting(updated, written_at_us)
    return replace(
        updated,
        last_at_us=max(written_at_us, conversation.last_at_us),
        is_last_outgoing=False,
        preview_encrypted=preview_encrypted,
        last_cmid=cmid,
        last_position=max(conversation.last_position, cmid * POSITION_STEP),
    )


def mark_waiting(conversation: Conversation, written_at_us: int) -> Conversation:
    """Mark the conversation as waiting for a reply.

    `waiting_since_us` stays at the earliest unanswered message.
    """
    since = (
        min(conversation.waiting_since_us, written_at_us)
        if conversation.is_unanswered
        else written_at_us
    )
    return replace(conversation, is_unanswered=True, waiting_since_us=since)


def with_outgoing(
    conversation: Conversation,
    *,
    cmid: int | None,
    written_at_us: int,
    position: int,
    preview_encrypted: str,
    now_us: int,
) -> Conversation:
    """Return the conversation after an outgoing message: queued (`cmid` None) or found in VK.

    Unless it is older than the last known message, the conversation becomes read and answered.
    """
    is_newer = cmid is None or cmid >= conversation.last_cmid
    if not is_newer:
        return replace(conversation, changed_at_us=now_us)
    return replace(
        conversation,
        last_at_us=max(written_at_us, conversation.last_at_us),
        is_last_outgoing=True,
        preview_encrypted=preview_encrypted,
        last_cmid=max(cmid or 0, conversation.last_cmid),
        last_position=max(conversation.last_position, position),
        unread_count=0,
        is_unanswered=False,
        changed_at_us=now_us,
    )


def with_delivered(
    conversation: Conversation,
    *,
    cmid: int,
    written_at_us: int,
    position: int,
    preview_encrypted: str,
    now_us: int,
) -> Conversation:
    """Return the conversation after VK accepted a queued message as number `cmid`.

    Does not touch the unread and unanswered state: `with_outgoing` decided that when the message
    was queued, and the client may have written since.
    """
    if cmid < conversation.last_cmid:
        return replace(conversation, changed_at_us=now_us)
    return replace(
        conversation,
        last_at_us=max(written_at_us, conversation.last_at_us),
        is_last_outgoing=True,
        preview_encrypted=preview_encrypted,
        last_cmid=cmid,
        last_position=max(conversation.last_position, position),
        changed_at_us=now_us,
    )


def with_typing(conversation: Conversation, user_id: str, now_us: int) -> Conversation:
    """Record that a user types a reply, to show it to other operators for TYPING_TTL_US."""
    return replace(
        conversation,
        typing_user_id=user_id,
        typing_until_us=now_us + TYPING_TTL_US,
        changed_at_us=now_us,
    )
