"""Parse VK events: envelopes, messages, pressed buttons. Any of it may be forged or malformed.

Source: dev.vk.ru/ru/api/community-events/json-schema. A malformed required field raises
ValueError; a malformed optional field is left empty.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sigma.channels.vk.fields import read_flag, read_int, read_object, read_text
from sigma.channels.vk.message_content import MAX_DATE_S, find_market_item, read_content
from sigma.domain.messaging.message import MessageAttachment, MessageContent
from sigma.domain.time_units import SECOND_US

MAX_BODY_BYTES = 1_000_000
MAX_PAYLOAD_BYTES = 4096
MAX_REF_CHARS = 64
MAX_ID = 2**53
MAX_CMID = 2**31  # VK's limit; message positions are computed from it
MAX_TYPE_CHARS = 64
_BUTTON_KIND = re.compile(r"[a-z][a-z_]{0,63}", re.ASCII)
_EVENT_ID = re.compile(r"[\x21-\x7e]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    """An event envelope. `event_id` is the same in every repeat.

    The caller must compare `secret` with the connection's own.
    """

    type: str
    group_id: int
    event_id: str
    secret: str = field(default="", repr=False)
    object: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class VkMessage:
    """A message. `message_id`, `random_id` and `admin_author_id` are 0 where VK gives none.

    `cmid` is VK's `conversation_message_id`, the message's number within the conversation.
    `payload` can be forged by the sender: treat it as a request, never as a fact.
    `market_item`: (owner id, item id). `is_edited`: edited after sending, at `edited_at_us`
    (0 if never). `client_info`: abilities of the client's app, see `supported_buttons`.
    """

    message_id: int
    cmid: int
    peer_id: int
    from_id: int
    is_outgoing: bool
    sent_at_us: int
    content: MessageContent = field(repr=False)
    payload: dict[str, Any] | None = field(default=None, repr=False)
    ref: str = ""
    ref_source: str = ""
    random_id: int = 0
    admin_author_id: int = 0
    market_item: tuple[int, int] | None = None
    is_edited: bool = False
    edited_at_us: int = 0
    client_info: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def text(self) -> str:
        """The text of the message itself."""
        return self.content.text

    @property
    def attachments(self) -> tuple[MessageAttachment, ...]:
        """The attachments of the message itself."""
        return self.content.attachments


@dataclass(frozen=True, slots=True)
class ButtonPress:
    """A press of a callback button. `event_id` is valid for a reply during one minute."""

    user_id: int
    peer_id: int
    event_id: str
    cmid: int
    payload: dict[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class MessagePermission:
    """A user allowed or forbade messages. `key`: the text passed when permission was requested."""

    user_id: int
    key: str = ""


def parse_body(body: bytes) -> ParsedEvent:
    """Parse the body of a Callback API request. Raises ValueError."""
    if len(body) > MAX_BODY_BYTES:
        raise ValueError("too large")
    try:
        raw = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    return parse_event(raw)


def parse_event(raw: Any) -> ParsedEvent:
    """Parse an envelope that is already decoded, as in a long-poll response. Raises ValueError.

    Only the community and the type must be readable. The object of an event that has another shape
    becomes empty, an unusable `event_id` is replaced: VK repeats what is refused, and stops calling
    a URL that refuses often.
    """
    kind, group_id = read_text(raw, "type", MAX_TYPE_CHARS).strip(), read_int(raw, "group_id")
    if not kind or not 0 < group_id < MAX_ID:
        raise ValueError("envelope")
    event_id = raw.get("event_id", "")
    is_usable = isinstance(event_id, str) and _EVENT_ID.fullmatch(event_id)
    if not is_usable:
        # Old API versions send no event_id: a hash of the content identifies the event instead.
        event_id = "" if kind == "confirmation" else _content_hash(raw)
    return ParsedEvent(
        kind, group_id, event_id, read_text(raw, "secret", 256), read_object(raw, "object")
    )


def _content_hash(raw: dict[str, Any]) -> str:
    without_secret = {name: part for name, part in raw.items() if name != "secret"}
    canonical = msgspec.json.encode(without_secret, order="deterministic")
    return hashlib.sha256(canonical).hexdigest()


def parse_message(raw: dict[str, Any]) -> VkMessage:
    """Parse a message from message_new, message_reply, message_edit or the history.

    Raises ValueError.
    """
    raw_message = raw["message"] if isinstance(raw.get("message"), dict) else raw
    cmid, peer_id = (
        read_int(raw_message, "conversation_message_id"),
        read_int(raw_message, "peer_id"),
    )
    from_id, date_s = read_int(raw_message, "from_id"), read_int(raw_message, "date")
    if (
        not 0 < cmid < MAX_CMID
        or not (_is_peer_id(peer_id) and _is_peer_id(from_id))
        or not 0 < date_s <= MAX_DATE_S
    ):
        raise ValueError("message")
    if not isinstance(raw_message.get("text", ""), str):
        raise ValueError("text")
    content = read_content(raw_message)
    return VkMessage(
        message_id=read_int(raw_message, "id"),
        cmid=cmid,
        peer_id=peer_id,
        from_id=from_id,
        is_outgoing=read_flag(raw_message, "out"),
        sent_at_us=date_s * SECOND_US,
        content=content,
        payload=parse_payload(raw_message.get("payload")),
        ref=_single_row(raw_message, "ref"),
        ref_source=_single_row(raw_message, "ref_source"),
        random_id=read_int(raw_message, "random_id"),
        admin_author_id=read_int(raw_message, "admin_author_id"),
        market_item=find_market_item(raw_message, content.text),
        is_edited=read_int(raw_message, "update_time") > 0,
        edited_at_us=min(max(read_int(raw_message, "update_time"), 0), MAX_DATE_S) * SECOND_US,
        client_info=read_object(raw, "client_info"),
    )


def parse_button_press(raw: dict[str, Any]) -> ButtonPress:
    """Parse the object of message_event. Raises ValueError."""
    user_id, peer_id = read_int(raw, "user_id"), read_int(raw, "peer_id")
    event_id = read_text(raw, "event_id", 129)
    if (
        user_id <= 0
        or not _is_peer_id(user_id)
        or not _is_peer_id(peer_id)
        or not 0 < len(event_id) <= 128
    ):
        raise ValueError("message_event")
    cmid = read_int(raw, "conversation_message_id")
    return ButtonPress(user_id, peer_id, event_id, cmid, parse_payload(raw.get("payload")))


def parse_message_permission(raw: dict[str, Any]) -> MessagePermission:
    """Parse the object of message_allow or message_deny. Raises ValueError."""
    user_id = read_int(raw, "user_id")
    if user_id <= 0 or not _is_peer_id(user_id):
        raise ValueError("consent")
    return MessagePermission(user_id, read_text(raw, "key", 256))


def parse_payload(raw: Any) -> dict[str, Any] | None:
    """Return a button's payload, given as an object or as JSON text; None for anything else.

    The sender can forge it, so it proves nothing.
    """
    try:
        encoded = raw.encode() if isinstance(raw, str) else msgspec.json.encode(raw)
        decoded = msgspec.json.decode(encoded) if len(encoded) <= MAX_PAYLOAD_BYTES else None
    except (ValueError, TypeError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


def changed_settings(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the new values of group_change_settings by setting name."""
    changed = read_object(raw, "changes")
    return {
        name: change.get("new_value")
        for name, change in changed.items()
        if isinstance(change, dict)
    }


def supported_buttons(client_info: dict[str, Any]) -> tuple[str, ...]:
    """Return the button kinds the client's app supports, plus "inline" for inline keyboards."""
    actions = client_info.get("button_actions")
    names = [one for one in actions if isinstance(one, str)] if isinstance(actions, list) else []
    known = [
        one[:32]
        for one in names[:20]
        if read_flag(client_info, "keyboard") and _BUTTON_KIND.fullmatch(one)
    ]
    return (*known, *(("inline",) if read_flag(client_info, "inline_keyboard") else ()))


def _is_peer_id(peer_id: int) -> bool:
    """Return whether the number can be the id of a user, a community or a chat."""
    return 0 < abs(peer_id) < MAX_ID


def _single_row(raw: dict[str, Any], name: str) -> str:
    return " ".join(read_text(raw, name, MAX_REF_CHARS).split())
