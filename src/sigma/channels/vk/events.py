"""What VK tells us: envelopes, messages, pressed buttons. All of it may be forged or strange.

Source: dev.vk.ru/ru/api/community-events/json-schema. What decides must be readable, or ValueError;
what only decorates is left out when it is strange.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sigma.channels.vk.attachments import item_named, shown
from sigma.channels.vk.fields import flag, inner, number, text
from sigma.domain.messaging.message import Shown

MAX_BODY_BYTES = 1_000_000
MAX_TEXT = 16_000
MAX_PAYLOAD = 4096
MAX_REF = 64
MAX_ID = 2**53
MAX_CMID = 2**31  # VK's own limit; places between messages are counted from it
SECOND_US = 1_000_000
LATEST_S = 253_402_300_799  # the last second of the year 9999
_TYPE = re.compile(r"[a-z][a-z_]{0,63}", re.ASCII)
_EVENT_ID = re.compile(r"[\x21-\x7e]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Event:
    """An envelope. `event_id` is the same at every repeat; the caller compares `secret`."""

    type: str
    group_id: int
    event_id: str
    secret: str = field(default="", repr=False)
    object: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Told:
    """A message. `message_id`, `random_id` and `admin_author_id` are 0 where VK tells none.

    `payload` is typed by whoever can write: a wish, never a fact. `market_item`: whose, and which.
    `edited`: it was changed since, at `edited_us`. `client_info`: what the client's app can show,
    see `buttons`.
    """

    message_id: int
    cmid: int
    peer_id: int
    from_id: int
    out: bool
    at_us: int
    text: str = field(repr=False)
    attachments: tuple[Shown, ...] = field(default=(), repr=False)
    payload: dict[str, Any] | None = field(default=None, repr=False)
    ref: str = ""
    ref_source: str = ""
    random_id: int = 0
    admin_author_id: int = 0
    market_item: tuple[int, int] | None = None
    edited: bool = False
    edited_us: int = 0
    client_info: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Pressed:
    """A callback button was pressed. `event_id` is good for an answer during a minute."""

    user_id: int
    peer_id: int
    event_id: str
    cmid: int
    payload: dict[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Consent:
    """A person allowed or forbade writing; `key` is what was given when we asked."""

    user_id: int
    key: str = ""


def read(body: bytes) -> Event:
    """An envelope as VK posts it. Raises ValueError."""
    if len(body) > MAX_BODY_BYTES:
        raise ValueError("too large")
    try:
        said = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    return envelope(said)


def envelope(said: Any) -> Event:
    """An envelope as the long poll brings it. Raises ValueError."""
    kind, group_id = text(said, "type", 65), number(said, "group_id")
    if not _TYPE.fullmatch(kind) or not 0 < group_id < MAX_ID:
        raise ValueError("envelope")
    thing = said.get("object", {})
    if not isinstance(thing, dict):
        raise ValueError("object")
    event_id = said.get("event_id", "")
    if not isinstance(event_id, str) or (event_id and not _EVENT_ID.fullmatch(event_id)):
        raise ValueError("event_id")
    if not event_id and kind != "confirmation":
        # Old API versions do not number events; the same words are then the same event.
        bare = {name: part for name, part in said.items() if name != "secret"}
        words = msgspec.json.encode(bare, order="deterministic")
        event_id = hashlib.sha256(words).hexdigest()
    return Event(kind, group_id, event_id, text(said, "secret", 256), thing)


def message(said: dict[str, Any]) -> Told:
    """A message of message_new, message_reply, message_edit or the history. Raises ValueError."""
    told = said["message"] if isinstance(said.get("message"), dict) else said
    cmid, peer_id = number(told, "conversation_message_id"), number(told, "peer_id")
    from_id, at = number(told, "from_id"), number(told, "date")
    if not 0 < cmid < MAX_CMID or not (_who(peer_id) and _who(from_id)) or not 0 < at <= LATEST_S:
        raise ValueError("message")
    if not isinstance(told.get("text", ""), str):
        raise ValueError("text")
    words = text(told, "text", MAX_TEXT)
    return Told(
        message_id=number(told, "id"),
        cmid=cmid,
        peer_id=peer_id,
        from_id=from_id,
        out=flag(told, "out"),
        at_us=at * SECOND_US,
        text=words,
        attachments=shown(told),
        payload=payload(told.get("payload")),
        ref=_one_line(told, "ref"),
        ref_source=_one_line(told, "ref_source"),
        random_id=number(told, "random_id"),
        admin_author_id=number(told, "admin_author_id"),
        market_item=item_named(told, words),
        edited=number(told, "update_time") > 0,
        edited_us=min(max(number(told, "update_time"), 0), LATEST_S) * SECOND_US,
        client_info=inner(said, "client_info"),
    )


def pressed(said: dict[str, Any]) -> Pressed:
    """The object of message_event. Raises ValueError."""
    user_id, peer_id = number(said, "user_id"), number(said, "peer_id")
    event_id = text(said, "event_id", 129)
    if user_id <= 0 or not _who(user_id) or not _who(peer_id) or not 0 < len(event_id) <= 128:
        raise ValueError("message_event")
    cmid = number(said, "conversation_message_id")
    return Pressed(user_id, peer_id, event_id, cmid, payload(said.get("payload")))


def consent(said: dict[str, Any]) -> Consent:
    """The object of message_allow and message_deny. Raises ValueError."""
    user_id = number(said, "user_id")
    if user_id <= 0 or not _who(user_id):
        raise ValueError("consent")
    return Consent(user_id, text(said, "key", 256))


def payload(said: Any) -> dict[str, Any] | None:
    """A button's payload, an object or JSON of one in a text; None when it is neither.

    Anybody can forge it: it is a wish and proves nothing.
    """
    try:
        packed = said.encode() if isinstance(said, str) else msgspec.json.encode(said)
        found = msgspec.json.decode(packed) if len(packed) <= MAX_PAYLOAD else None
    except (ValueError, TypeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def changes(said: dict[str, Any]) -> dict[str, Any]:
    """What group_change_settings says is new: a setting's name and its value."""
    told = inner(said, "changes")
    return {name: told[name].get("new_value") for name in told if isinstance(told[name], dict)}


def buttons(client: dict[str, Any]) -> tuple[str, ...]:
    """What a client's app can show: kinds of buttons, and "inline" for those in a message."""
    actions = client.get("button_actions")
    names = [one for one in actions if isinstance(one, str)] if isinstance(actions, list) else []
    known = [one[:32] for one in names[:20] if flag(client, "keyboard") and _TYPE.fullmatch(one)]
    return (*known, *(("inline",) if flag(client, "inline_keyboard") else ()))


def _who(number_of: int) -> bool:
    """Whether it can be a person, a community or a chat."""
    return 0 < abs(number_of) < MAX_ID


def _one_line(said: dict[str, Any], name: str) -> str:
    return " ".join(text(said, name, MAX_REF).split())
