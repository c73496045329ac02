"""A message of a conversation: author, encrypted body, position and delivery status."""

import hashlib
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sigma.domain.change import Change
from sigma.domain.time_units import SECOND_US

MAX_TEXT = 4096  # characters; VK allows more, but it is unreadable on a phone
POSITION_STEP = 1_000_000  # gap between two VK numbers, for messages that VK has not numbered
STEM_LENGTH = 6  # letters of a word that search compares: «маникюр» finds «маникюра»
MAX_STEMS = 200
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
# A message delivered within this time keeps the time when it was written.
MAX_DELIVERY_US = 60 * SECOND_US


@dataclass(frozen=True, slots=True)
class MessageAttachment:
    """An attachment of a message. Its URLs come from the sender and must not be trusted.

    `kind`: photo, market, link, doc, video, audio, sticker, wall, location, other.
    """

    kind: str
    title: str = ""
    url: str = ""
    picture_url: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class MessageBody:
    """The part of a message that is encrypted. `keyboard` is the VK keyboard JSON that we sent.

    `vk_attachment` is what we sent in VK's notation, "photo-1_2_key". `payload` comes from a
    pressed button; the client can forge it, so it grants no rights.
    """

    text: str = ""
    attachments: tuple[MessageAttachment, ...] = ()
    keyboard: dict[str, Any] | None = None
    vk_attachment: str = ""
    payload: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message. Times are UTC microseconds.

    `cmid` is VK's conversation_message_id, None until VK has the message. `position` sorts the
    messages of a conversation. Repeated requests with one `idempotency_key` create one message.
    `random_id` is VK's protection against duplicates in messages.send. `body_encrypted` decrypts to
    a MessageBody. `failure` is the error code when the status is FAILED.
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
    version: int = 0


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
        failure=f"postponed:{reason}",
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


def with_body(message: Message, body_encrypted: str, edited_at_us: int | None) -> Message:
    """Return the message with another body. `edited_at_us` None: the edit is not shown as one."""
    return replace(
        message,
        body_encrypted=body_encrypted,
        edited_at_us=message.edited_at_us if edited_at_us is None else edited_at_us,
    )


def with_attachments(body: MessageBody, attachments: tuple[MessageAttachment, ...]) -> MessageBody:
    """Return the body with the attachments that VK reports; an empty tuple keeps ours."""
    return replace(body, attachments=attachments or body.attachments)


def vk_edited_body(
    message: Message,
    body: MessageBody,
    text: str,
    attachments: tuple[MessageAttachment, ...],
    edited_at_us: int | None,
) -> MessageBody | None:
    """Return the body after VK's version of a stored message; None when nothing changes.

    VK's edit wins when its time is not before ours. VK's times have whole seconds. `edited_at_us`:
    None for a message that VK does not call edited.
    """
    known_at_us = (message.edited_at_us or 0) // SECOND_US * SECOND_US
    updated = body
    if edited_at_us is not None and edited_at_us >= known_at_us:
        updated = replace(body, text=text, attachments=attachments)
    if updated == body and message.is_outgoing and not any(one.url for one in body.attachments):
        updated = with_attachments(body, attachments)  # VK's URL of a photo that we sent
    return None if updated == body else updated
