"""VK API `messages`: send, edit and mark messages, read the history, check permissions.

Source: dev.vk.ru/ru/method/messages. The `peer_id` of a user is the user's id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sigma.channels.vk.client import VkClient, error_from_object, unreadable_response
from sigma.channels.vk.fields import read_flag, read_int, read_objects
from sigma.channels.vk.users import VkProfile, parse_profile

PAGE_SIZE = 200
MAX_EVENT_DATA_CHARS = 1000
FIRST_CHAT_PEER_ID = 2_000_000_000  # peer ids from here on are group chats

Keyboard = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SentMessage:
    """VK's two numbers of a message: global, and within the conversation (`cmid`)."""

    message_id: int
    cmid: int


@dataclass(frozen=True, slots=True)
class VkPage:
    """Part of a list of `total_count` raw VK objects, newest first, with the related profiles."""

    total_count: int
    items: list[dict[str, Any]]
    profiles: tuple[VkProfile, ...] = ()


async def send(
    vk: VkClient,
    peer_id: int,
    text: str,
    random_id: int,
    keyboard: Keyboard | None = None,
    attachment: str = "",
) -> SentMessage:
    """Send a message to one conversation. Raises VkError, also for an error of this recipient.

    A repeated `random_id` (within an hour and a hundred messages) sends nothing and returns the
    numbers of the first message.
    """
    assert random_id and abs(random_id) < 2**31, "0 disables VK's deduplication"
    response = await vk.call(
        "messages.send",
        # VK returns `conversation_message_id` only for a list of recipients.
        peer_ids=[peer_id],
        random_id=random_id,
        message=text,
        keyboard=keyboard,
        attachment=attachment or None,
    )
    results = [
        one for one in read_objects({"sent": response}, "sent") if one.get("peer_id") == peer_id
    ]
    if not results:
        raise unreadable_response("a sent message")
    if isinstance(error := results[0].get("error"), dict):
        raise error_from_object("messages.send", error)
    sent = SentMessage(
        read_int(results[0], "message_id"), read_int(results[0], "conversation_message_id")
    )
    if not sent.message_id:
        raise unreadable_response("a message's number")
    return sent


async def edit(
    vk: VkClient,
    peer_id: int,
    cmid: int,
    text: str,
    keyboard: Keyboard | None = None,
    attachment: str = "",
) -> None:
    """Replace the whole content of our message; omitted parts are removed. Raises VkError.

    Code 909: too late to edit, about a day after sending.
    """
    await vk.call(
        "messages.edit",
        peer_id=peer_id,
        cmid=cmid,
        message=text,
        keyboard=keyboard,
        attachment=attachment or None,
        keep_forward_messages=True,
    )


async def fetch_history(
    vk: VkClient, peer_id: int, count: int = PAGE_SIZE, offset: int = 0
) -> list[dict[str, Any]]:
    """Return messages of a conversation, newest first, for `events.parse_message`.

    Raises VkError.
    """
    response = await vk.call(
        "messages.getHistory", peer_id=peer_id, count=min(count, PAGE_SIZE), offset=offset
    )
    return _parse_page(response).items


async def fetch_message(vk: VkClient, peer_id: int, cmid: int) -> dict[str, Any] | None:
    """Return one message for `events.parse_message`, or None when VK does not give it.

    Events and lists may leave parts of a message out (`is_cropped`); this method gives all of it.
    Asked by `cmid`: VK gives some messages no global id. Raises VkError.
    """
    response = await vk.call(
        "messages.getByConversationMessageId", peer_id=peer_id, conversation_message_ids=[cmid]
    )
    return next(
        (
            one
            for one in _parse_page(response).items
            if read_int(one, "conversation_message_id") == cmid
        ),
        None,
    )


async def fetch_since(
    vk: VkClient, peer_id: int, cmid: int, limit: int = 2000
) -> list[dict[str, Any]]:
    """Return messages with a number above `cmid`, oldest first; at most the newest `limit`.

    Raises VkError.
    """
    # By number: a message that arrives meanwhile shifts the pages, so they may overlap.
    by_cmid: dict[int, dict[str, Any]] = {}
    for offset in range(0, limit, PAGE_SIZE):
        page = await fetch_history(vk, peer_id, PAGE_SIZE, offset)
        page_by_cmid = {read_int(one, "conversation_message_id"): one for one in page}
        by_cmid |= {n: one for n, one in page_by_cmid.items() if n > max(cmid, 0)}
        if len(page) < PAGE_SIZE or min(page_by_cmid.keys() - {0}, default=0) <= cmid:
            break
    return [by_cmid[n] for n in sorted(by_cmid)]


async def list_conversations(
    vk: VkClient,
    filter: str = "all",  # noqa: A002 - VK's parameter name
    count: int = PAGE_SIZE,
    offset: int = 0,
) -> VkPage:
    """Return conversations by last message, newest first.

    Each item has `conversation` and `last_message`. `filter`: all, unread, unanswered, important.
    Raises VkError.
    """
    response = await vk.call(
        "messages.getConversations",
        filter=filter,
        count=min(count, PAGE_SIZE),
        offset=offset,
        extended=True,
        fields=("photo_100",),
    )
    return _parse_page(response)


async def is_messaging_allowed(vk: VkClient, group_id: int, user_id: int) -> bool:
    """Return whether the user allows messages from the community. Raises VkError."""
    response = await vk.call(
        "messages.isMessagesFromGroupAllowed", group_id=group_id, user_id=user_id
    )
    return read_flag(response, "is_allowed")


async def mark_read(vk: VkClient, peer_id: int, up_to_cmid: int | None = None) -> None:
    """Mark the conversation as read, visibly for the user. Raises VkError."""
    await vk.call(
        "messages.markAsRead",
        peer_id=peer_id,
        up_to_cmid=up_to_cmid,
        mark_conversation_as_read=True,
    )


async def answer_button_press(
    vk: VkClient, event_id: str, user_id: int, peer_id: int, data: Mapping[str, Any] | None = None
) -> None:
    """Reply to a button press within a minute, with `snackbar(…)` or nothing. Raises VkError.

    Raises ValueError("event_data") when the reply exceeds VK's limit.
    """
    event_data = msgspec.json.encode(data).decode() if data else None
    if event_data is not None and len(event_data) > MAX_EVENT_DATA_CHARS:
        raise ValueError("event_data")
    await vk.call(
        "messages.sendMessageEventAnswer",
        event_id=event_id,
        user_id=user_id,
        peer_id=peer_id,
        event_data=event_data,
    )


def snackbar(text: str) -> dict[str, str]:
    """Return a reply to a button press: a notice of at most 90 characters."""
    return {"type": "show_snackbar", "text": text[:90]}


def _parse_page(raw: Any) -> VkPage:
    if not isinstance(raw, dict) or not isinstance(raw.get("items"), list):
        raise unreadable_response("a list")
    profiles = [parse_profile(one) for one in read_objects(raw, "profiles")]
    return VkPage(read_int(raw, "count"), read_objects(raw, "items"), tuple(profiles))
