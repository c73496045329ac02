"""Dialogs: writing, changing what was written, reading what was missed, and whether we may.

Source: dev.vk.ru/ru/method/messages. `peer_id` of a person is the person's id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sigma.channels.vk.client import Vk, said_no, unreadable
from sigma.channels.vk.fields import flag, number, objects
from sigma.channels.vk.users import Person, read_person

MAX_TEXT = 9000
PAGE = 200
MAX_EVENT_DATA = 1000
FIRST_CHAT = 2_000_000_000  # from here on a peer is a chat of many

Keyboard = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """VK's two numbers of a message: its own, and the one inside the dialog."""

    message_id: int
    cmid: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some of `count` things, newest first, as VK says them; the people they are about."""

    count: int
    items: list[dict[str, Any]]
    people: tuple[Person, ...] = ()


async def send(
    vk: Vk,
    peer_id: int,
    text: str,
    random_id: int,
    keyboard: Keyboard | None = None,
    attachment: str = "",
) -> Sent:
    """Writes to one dialog. Raises VkError, also for what VK says about this person alone.

    The same `random_id` within an hour and a hundred messages returns the first one's numbers.
    """
    assert random_id and abs(random_id) < 2**31, "0 would send it again at every try"
    said = await vk.call(
        "messages.send",
        # With a list, even of one, VK tells the number inside the dialog.
        peer_ids=[peer_id],
        random_id=random_id,
        message=text,
        keyboard=keyboard,
        attachment=attachment or None,
    )
    ours = [one for one in objects({"sent": said}, "sent") if one.get("peer_id") == peer_id]
    if not ours:
        raise unreadable("a sent message")
    if isinstance(error := ours[0].get("error"), dict):
        raise said_no("messages.send", error)
    sent = Sent(number(ours[0], "message_id"), number(ours[0], "conversation_message_id"))
    if not sent.message_id:
        raise unreadable("a message's number")
    return sent


async def edit(
    vk: Vk,
    peer_id: int,
    cmid: int,
    text: str,
    keyboard: Keyboard | None = None,
    attachment: str = "",
) -> None:
    """Changes a message of ours whole: what is not given is taken away. Raises VkError.

    909: too late, about a day after it was written.
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


async def history(vk: Vk, peer_id: int, count: int = PAGE, offset: int = 0) -> list[dict[str, Any]]:
    """Messages of a dialog, newest first, for `events.message`. Raises VkError."""
    said = await vk.call(
        "messages.getHistory", peer_id=peer_id, count=min(count, PAGE), offset=offset
    )
    return _listed(said).items


async def since(vk: Vk, peer_id: int, cmid: int, limit: int = 2000) -> list[dict[str, Any]]:
    """Messages of a dialog after number `cmid`, oldest first; of very many only the newest `limit`.

    Raises VkError.
    """
    found: dict[int, dict[str, Any]] = {}  # what is written meanwhile shifts the pages
    for offset in range(0, limit, PAGE):
        page = await history(vk, peer_id, PAGE, offset)
        numbered = {number(one, "conversation_message_id"): one for one in page}
        found |= {n: one for n, one in numbered.items() if n > max(cmid, 0)}
        if len(page) < PAGE or min(numbered.keys() - {0}, default=0) <= cmid:
            break
    return [found[n] for n in sorted(found)]


async def conversations(
    vk: Vk,
    filter: str = "all",  # noqa: A002 - VK's word
    count: int = PAGE,
    offset: int = 0,
) -> Page:
    """Dialogs, the last written first: `conversation` and `last_message` of each. Raises VkError.

    `filter`: all, unread, unanswered, important.
    """
    said = await vk.call(
        "messages.getConversations",
        filter=filter,
        count=min(count, PAGE),
        offset=offset,
        extended=True,
        fields=("photo_100",),
    )
    return _listed(said)


async def allowed(vk: Vk, group_id: int, user_id: int) -> bool:
    """Whether this person lets the community write. Raises VkError."""
    said = await vk.call("messages.isMessagesFromGroupAllowed", group_id=group_id, user_id=user_id)
    return flag(said, "is_allowed")


async def mark_read(vk: Vk, peer_id: int, up_to_cmid: int | None = None) -> None:
    """Tells the person that the dialog is read. Raises VkError."""
    await vk.call(
        "messages.markAsRead",
        peer_id=peer_id,
        up_to_cmid=up_to_cmid,
        mark_conversation_as_read=True,
    )


async def answer_event(
    vk: Vk, event_id: str, user_id: int, peer_id: int, data: Mapping[str, Any] | None = None
) -> None:
    """Answers a pressed button within a minute: `snackbar(…)`, or nothing. Raises VkError.

    Raises ValueError("event_data") for an answer longer than VK takes.
    """
    said = msgspec.json.encode(data).decode() if data else None
    if said is not None and len(said) > MAX_EVENT_DATA:
        raise ValueError("event_data")
    await vk.call(
        "messages.sendMessageEventAnswer",
        event_id=event_id,
        user_id=user_id,
        peer_id=peer_id,
        event_data=said,
    )


def snackbar(text: str) -> dict[str, str]:
    """A few words over the dialog, as an answer to a button."""
    return {"type": "show_snackbar", "text": text[:90]}


def _listed(said: Any) -> Page:
    if not isinstance(said, dict) or not isinstance(said.get("items"), list):
        raise unreadable("a list")
    people = [read_person(one) for one in objects(said, "profiles")]
    return Page(number(said, "count"), objects(said, "items"), tuple(people))
