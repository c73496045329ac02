"""A dialog of a community with one person: what waits in it, who answers, whether we may write."""

from dataclasses import dataclass, replace

from sigma.domain.change import Job
from sigma.domain.messaging.message import STEP

ANSWERING = 60_000_000  # microseconds: how long "is answering" is believed after the last sign
IN_A_MOMENT = 10_000_000  # microseconds: what VK tells in another order fills its gap by itself


@dataclass(frozen=True, slots=True)
class Conversation:
    """`name` and `photo_url` are the person's public profile. `preview_sealed` opens to text.

    `unanswered` while the last word is the client's and nobody said that no answer is needed;
    `waiting_since` is when that began.
    `closed` is empty, or the code of why VK will not let us write. `service_id` is what the client
    came for. `by_hand` while a person has taken the dialog over from the automatic answers.
    Times are UTC microseconds.
    """

    id: str
    shop_id: str
    connection_id: str
    peer_id: int
    created_at: int
    name: str = ""
    photo_url: str = ""
    last_at: int = 0
    last_in_at: int = 0
    last_out: bool = False
    preview_sealed: str = ""
    last_cmid: int = 0
    last_place: int = 0
    unread: int = 0
    unanswered: bool = False
    waiting_since: int = 0
    closed: str = ""
    service_id: str | None = None
    ref: str = ""
    buttons: str = ""  # what the client's app can show: "text,open_link,callback"
    answering_by: str = ""
    answering_until: int = 0
    by_hand: bool = False
    changed_at: int = 0
    version: int = 0

    @property
    def title(self) -> str:
        """The name, or the number when the profile is not known yet."""
        return self.name or f"id{self.peer_id}"

    def answered_by(self, now: int) -> str:
        """The user who is writing an answer at `now`, or nobody."""
        return self.answering_by if now < self.answering_until else ""


def next_place(conversation: Conversation) -> int:
    """Where a message goes that VK has not numbered yet: after everything that is there."""
    return max(conversation.last_place, conversation.last_cmid * STEP) + 1


def gap(conversation: Conversation, cmid: int, now: int) -> tuple[Job, ...]:
    """The promise to read what lies between the last known message and this one of VK's number
    `cmid`, be it the client's or ours: nobody may ever tell of it.
    """
    if cmid <= conversation.last_cmid + 1:
        return ()
    return (Job("dialog.catch_up", conversation.id, conversation.shop_id, now + IN_A_MOMENT),)


def came(
    conversation: Conversation, *, cmid: int, at: int, preview_sealed: str, now: int, count: bool
) -> Conversation:
    """After a client's message. A late one, told after newer ones, changes no preview.

    `count`: it is new here and not yet read.
    """
    late = cmid < conversation.last_cmid
    seen = replace(
        conversation,
        unread=conversation.unread + 1 if count else conversation.unread,
        last_in_at=max(conversation.last_in_at, at),
        changed_at=now,
    )
    if late:
        return seen
    if count:
        seen = waits(seen, at)
    return replace(
        seen,
        last_at=max(at, conversation.last_at),
        last_out=False,
        preview_sealed=preview_sealed,
        last_cmid=cmid,
        last_place=max(conversation.last_place, cmid * STEP),
    )


def waits(conversation: Conversation, at: int) -> Conversation:
    """The client waits for an answer, since the first of the words that nobody has answered."""
    since = min(conversation.waiting_since, at) if conversation.unanswered else at
    return replace(conversation, unanswered=True, waiting_since=since)


def went(
    conversation: Conversation,
    *,
    cmid: int | None,
    at: int,
    place: int,
    preview_sealed: str,
    now: int,
) -> Conversation:
    """After a message of ours, queued (no `cmid` yet) or seen in VK: the client is answered."""
    newer = cmid is None or cmid >= conversation.last_cmid
    if not newer:
        return replace(conversation, changed_at=now)
    return replace(
        conversation,
        last_at=max(at, conversation.last_at),
        last_out=True,
        preview_sealed=preview_sealed,
        last_cmid=max(cmid or 0, conversation.last_cmid),
        last_place=max(conversation.last_place, place),
        unread=0,
        unanswered=False,
        changed_at=now,
    )


def numbered(
    conversation: Conversation, *, cmid: int, at: int, place: int, preview_sealed: str, now: int
) -> Conversation:
    """After VK took a queued message of ours. Whom it answers was decided when it was written."""
    if cmid < conversation.last_cmid:
        return replace(conversation, changed_at=now)
    return replace(
        conversation,
        last_at=max(at, conversation.last_at),
        last_out=True,
        preview_sealed=preview_sealed,
        last_cmid=cmid,
        last_place=max(conversation.last_place, place),
        changed_at=now,
    )


def answering(conversation: Conversation, user_id: str, now: int) -> Conversation:
    """Somebody has begun to answer; everybody else sees who."""
    return replace(
        conversation, answering_by=user_id, answering_until=now + ANSWERING, changed_at=now
    )
