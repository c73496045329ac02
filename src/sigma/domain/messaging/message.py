"""A message of a conversation: author, encrypted body, position and delivery status."""

import hashlib
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sigma.domain.change import Change, Job
from sigma.domain.messaging.nested_authors import author_names, name_authors
from sigma.domain.time_units import DAY_US, MINUTE_US, SECOND_US

MAX_TEXT = 4096  # characters; VK allows more, but it is unreadable on a phone
POSITION_STEP = 1_000_000  # gap between two VK numbers, for messages that VK has not numbered
STEM_LENGTH = 6  # letters of a word that search compares: «маникюр» finds «маникюра»
MAX_STEMS = 200
# An incomplete message is requested again this often, at the earliest and at the latest, until it
# is this old.
MIN_COMPLETION_DELAY_US, MAX_COMPLETION_DELAY_US = 1 * MINUTE_US, DAY_US
MAX_COMPLETION_AGE_US = 30 * DAY_US
_WORD_PATTERN = re.compile(r"[^\W_]{2,}")


class Status(StrEnum):
    """A client's message is RECEIVED. Ours is QUEUED, then SENT (VK has it) or FAILED."""

    RECEIVED = "received"
    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"


# Allowed transitions. SENT is allowed after FAILED: VK's report that it has the message wins.
FLOW: dict[Status, frozenset[Status]] = {
    Status.RECEIVED: frozenset({Status.RECEIVED}),
    Status.QUEUED: frozenset({Status.QUEUED, Status.SENT, Status.FAILED}),
    Status.SENT: frozenset({Status.SENT}),
    Status.FAILED: frozenset({Status.FAILED, Status.QUEUED, Status.SENT}),
}

# Other authors: a user's id, or VK_AUTHOR_PREFIX with a VK user id.
AUTHOR_CLIENT, AUTHOR_AUTO_REPLY = "client", "auto"
# An outgoing message written in VK itself: "vk:<administrator's user id>"; "vk:0" for VK's bots.
VK_AUTHOR_PREFIX = "vk:"
POSTPONED_PREFIX = "postponed:"  # of `failure` while a message is queued; VK's code follows
CANCELED_FAILURE = "reminder_canceled"  # `failure` of a reminder that was not sent any more
# VK's flood control refuses the same text or action, not the conversation.
FLOOD_CODES = frozenset({9, 601})
HELD_FAILURES = tuple(f"{POSTPONED_PREFIX}{code}" for code in sorted(FLOOD_CODES))
# A message delivered within this time keeps the time when it was written.
MAX_DELIVERY_US = 60 * SECOND_US


@dataclass(frozen=True, slots=True)
class MessageAttachment:
    """An attachment of a message. Its URLs come from the sender and must not be trusted.

    `kind`: one of ATTACHMENT_KINDS, or "other". `title` and `detail` are the sender's or VK's own
    texts. `state`: a code of ATTACHMENT_STATES, or empty.
    """

    kind: str
    title: str = ""
    url: str = ""
    picture_url: str = ""
    detail: str = ""
    duration_s: int = 0
    size_bytes: int = 0
    state: str = ""


# Kinds of attachments that have a name in the texts. VK adds new ones without notice.
ATTACHMENT_KINDS = (
    *("photo", "video", "video_message", "clip", "video_playlist", "audio", "audio_message"),
    *("audio_playlist", "doc", "link", "market", "market_album", "gift", "sticker", "graffiti"),
    *("wall", "wall_reply", "article", "poll", "podcast", "story", "narrative", "call"),
    *("money_transfer", "money_request", "location", "mini_app", "app", "album", "note", "page"),
    *("event", "group", "artist", "curator", "donut_link", "question", "widget", "room"),
    *("channel_message", "carousel", "textlive", "situational_theme"),
)
ATTACHMENT_STATES = (
    *("call_reached", "call_canceled_by_initiator", "call_canceled_by_receiver", "call_active"),
    *("story_expired", "story_deleted", "poll_closed", "deleted"),
)


@dataclass(frozen=True, slots=True)
class TextLink:
    """A link that the sender put under the characters `start` … `end` of a message's text.

    `url` is http(s); it may differ from the text that it is under.
    """

    start: int
    end: int
    url: str


@dataclass(frozen=True, slots=True)
class NestedMessage:
    """A message that another one quotes (`kind` "reply") or forwards (`kind` "forwarded").

    `from_id` is VK's id of the author, negative for a community, 0 when VK does not say.
    `sent_at_us`: UTC microseconds, 0 when VK does not say. `is_incomplete`: VK left parts out.
    `author_name`: from the author's profile; VK does not send it with the message.
    """

    kind: str
    from_id: int = 0
    sent_at_us: int = 0
    text: str = ""
    attachments: tuple[MessageAttachment, ...] = ()
    links: tuple[TextLink, ...] = ()
    nested: tuple["NestedMessage", ...] = ()
    is_incomplete: bool = False
    is_unavailable: bool = False
    author_name: str = ""


@dataclass(frozen=True, slots=True)
class MessageContent:
    """What VK says that a message contains.

    `is_incomplete`: VK left parts of it or of a nested message out ("cropped"). `is_unavailable`:
    VK does not give the message at all, or it has expired or was deleted.
    """

    text: str = ""
    attachments: tuple[MessageAttachment, ...] = ()
    links: tuple[TextLink, ...] = ()
    nested: tuple[NestedMessage, ...] = ()
    is_incomplete: bool = False
    is_unavailable: bool = False


@dataclass(frozen=True, slots=True)
class MessageBody:
    """The part of a message that is encrypted. `keyboard` is the VK keyboard JSON that we sent.

    `vk_attachment` is what we sent in VK's notation, "photo-1_2_key". `payload` comes from a
    pressed button; the client can forge it, so it grants no rights. The other fields are those of
    `MessageContent`; `Message.is_incomplete` is outside, so that the database can find it.
    """

    text: str = ""
    attachments: tuple[MessageAttachment, ...] = ()
    keyboard: dict[str, Any] | None = None
    vk_attachment: str = ""
    payload: dict[str, Any] | None = None
    links: tuple[TextLink, ...] = ()
    nested: tuple[NestedMessage, ...] = ()
    is_unavailable: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One message. Times are UTC microseconds.

    `cmid` is VK's conversation_message_id, None until VK has the message. `position` sorts the
    messages of a conversation. Repeated requests with one `idempotency_key` create one message.
    `random_id` is VK's protection against duplicates in messages.send. `body_encrypted` decrypts to
    a MessageBody. `failure` is the error code when the status is FAILED, and why a QUEUED message
    waits: "postponed:<code>". `is_incomplete`: VK left parts of it out and must be asked for them.
    """

    id: str
    shop_id: str
    conversation_id: str
    is_outgoing: bool
    author: str
    body_encrypted: str
    written_at_us: int
    position: int
    status: Status = Status.RECEIVED
    cmid: int | None = None
    vk_id: int | None = None
    idempotency_key: str | None = None
    random_id: int = 0
    first_attempt_at_us: int | None = None  # first delivery attempt; VK may have it since then
    failure: str = ""
    edited_at_us: int | None = None
    is_incomplete: bool = False
    version: int = 0


def all_texts(body: MessageBody) -> str:
    """Return the text of a message and of the messages nested in it, for search."""
    texts, waiting = [body.text], list(body.nested)
    while waiting:
        one = waiting.pop(0)
        texts.append(one.text)
        waiting += one.nested
    return "\n".join(text for text in texts if text)


def search_stems(text: str) -> list[str]:
    """Return the distinct stems (first STEM_LENGTH letters of each word) that search compares.

    Case and «ё» are normalized; at most MAX_STEMS are returned.
    """
    folded = text.casefold().replace("ё", "е")
    stems = dict.fromkeys(word[:STEM_LENGTH] for word in _WORD_PATTERN.findall(folded))
    return list(stems)[:MAX_STEMS]


def check_transition(message: Message, new_status: Status) -> Status:
    """Return `new_status`. Raises AssertionError when FLOW does not allow it: that is a bug."""
    assert new_status in FLOW[message.status], f"{message.status} → {new_status}"
    return new_status


def random_id(message_id: str) -> int:
    """Return VK's deduplication key: the same for every attempt, between 1 and 2^31 - 1.

    VK does not deduplicate messages with `random_id` 0.
    """
    digest = hashlib.sha256(message_id.encode()).digest()
    return int.from_bytes(digest[:4], "big") % (2**31 - 1) + 1


def is_sent_by_sigma(message: Message) -> bool:
    """Return whether Sigma sent it: every message that Sigma queues has an idempotency key."""
    return message.idempotency_key is not None


def is_held(message: Message) -> bool:
    """Return whether VK's flood control delays this message only, not the others of its queue."""
    return message.status is Status.QUEUED and message.failure in HELD_FAILURES


def mark_attempted(message: Message, now_us: int) -> Change:
    """Record the time of the first delivery attempt; empty after the first attempt."""
    if message.first_attempt_at_us is not None:
        return Change()
    return Change((replace(message, first_attempt_at_us=now_us),))


def mark_delivered(
    message: Message, *, cmid: int, vk_id: int, body_encrypted: str, now_us: int
) -> Message:
    """Return the message that VK has accepted as number `cmid`. `vk_id` 0 keeps the known one.

    A message that was delayed gets the time of delivery, as VK shows it.
    """
    is_prompt = now_us - message.written_at_us < MAX_DELIVERY_US
    return replace(
        message,
        status=check_transition(message, Status.SENT),
        cmid=cmid,
        vk_id=vk_id or message.vk_id,
        position=cmid * POSITION_STEP,
        written_at_us=message.written_at_us if is_prompt else now_us,
        failure="",
        body_encrypted=body_encrypted,
    )


def mark_failed(message: Message, error_code: int) -> Message:
    """Return the message that VK has rejected permanently with this error code."""
    return replace(
        message, status=check_transition(message, Status.FAILED), failure=str(error_code)
    )


def mark_canceled(message: Message) -> Message:
    """Return a reminder that is not sent any more: it is not due now, or the invoice is paid."""
    return replace(
        message, status=check_transition(message, Status.FAILED), failure=CANCELED_FAILURE
    )


def postpone(
    message: Message, snapshot: Message, reason: str, *, is_undelivered: bool
) -> Message | None:
    """Return the message with the reason why it is not sent yet; None when nothing changes.

    `snapshot` is the message before this attempt. `is_undelivered`: the attempt certainly did not
    reach VK, so the first-attempt time that it set is cleared again.
    """
    if message.status is not Status.QUEUED:
        return None
    is_attempt_void = is_undelivered and snapshot.first_attempt_at_us is None
    postponed = replace(
        message,
        failure=f"{POSTPONED_PREFIX}{reason}",
        first_attempt_at_us=None if is_attempt_void else message.first_attempt_at_us,
    )
    return None if postponed == message else postponed


def requeue(message: Message, position: int, now_us: int) -> Message:
    """Return a failed message that is queued again, after all others.

    The `random_id` stays, so VK does not deliver the message twice.
    """
    return replace(
        message,
        status=check_transition(message, Status.QUEUED),
        failure="",
        position=position,
        written_at_us=now_us,
    )


def with_body(
    message: Message,
    body_encrypted: str,
    edited_at_us: int | None,
    *,
    is_incomplete: bool = False,
) -> Message:
    """Return the message with another body. `edited_at_us` None: the edit is not shown as one."""
    return replace(
        message,
        body_encrypted=body_encrypted,
        is_incomplete=is_incomplete,
        edited_at_us=message.edited_at_us if edited_at_us is None else edited_at_us,
    )


def completion_job(message: Message) -> Job:
    """Return the job that requests the whole message from VK."""
    return Job("message.complete", message.id, message.shop_id)


def next_completion_at_us(message: Message, now_us: int) -> int | None:
    """Return when to request an incomplete message again; None when it is whole or too old."""
    age_us = max(now_us - message.written_at_us, 0)
    if not message.is_incomplete or age_us > MAX_COMPLETION_AGE_US:
        return None
    return now_us + min(max(age_us // 4, MIN_COMPLETION_DELAY_US), MAX_COMPLETION_DELAY_US)


def with_attachments(body: MessageBody, attachments: tuple[MessageAttachment, ...]) -> MessageBody:
    """Return the body with the attachments that VK reports; an empty tuple keeps ours."""
    return replace(body, attachments=attachments or body.attachments)


def with_content(body: MessageBody, content: MessageContent) -> MessageBody:
    """Return the body with what VK says that the message contains."""
    return replace(
        body,
        text=content.text,
        attachments=content.attachments,
        links=content.links,
        nested=name_authors(content.nested, author_names(body.nested)),
        is_unavailable=content.is_unavailable,
    )


def _is_lesser_version(
    message: Message, body: MessageBody, content: MessageContent, edited_at_us: int | None
) -> bool:
    """Return whether VK's version only leaves parts out of what is stored already."""
    if not content.is_incomplete:
        return False
    if (edited_at_us or 0) <= edited_second_us(message):
        return True
    return content.text == body.text and set(content.attachments) <= set(body.attachments)


def vk_edited_body(
    message: Message,
    body: MessageBody,
    content: MessageContent,
    edited_at_us: int | None,
) -> MessageBody | None:
    """Return the body after VK's version of a stored message; None when nothing changes.

    VK's edit wins when its time is not before ours. VK's times have whole seconds. `edited_at_us`:
    None for a message that VK does not call edited. A whole version also wins over a stored one
    that has parts missing or was unavailable, an incomplete version only as a later edit.
    """
    updated = body
    if _is_lesser_version(message, body, content, edited_at_us):
        return None
    is_edit = edited_at_us is not None and edited_at_us >= edited_second_us(message)
    completes = not content.is_incomplete and (message.is_incomplete or body.is_unavailable)
    is_outdated = edited_at_us is not None and not is_edit
    if is_edit or (completes and not is_outdated):
        updated = with_content(body, content)
    if updated == body and message.is_outgoing and not any(one.url for one in body.attachments):
        updated = with_attachments(body, content.attachments)  # VK's URL of a photo that we sent
    return None if updated == body else updated


def edited_second_us(message: Message) -> int:
    """Return when the message was last edited, in whole seconds as VK's times are."""
    return (message.edited_at_us or 0) // SECOND_US * SECOND_US
