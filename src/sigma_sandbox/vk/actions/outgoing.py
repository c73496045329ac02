"""The community's side of a conversation: send and edit messages; validate their parts."""

import json
import re
from typing import Any

from msgspec.structs import replace

from sigma_sandbox.time_util import DAY_US, HOUR_US
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.wire import serializers
from sigma_sandbox.vk.wire.errors import VkApiError, invalid_param
from sigma_sandbox.vk.world.models import Attachment, Community, Json, Message

MAX_TEXT_LENGTH = 9000
MAX_ATTACHMENTS = 10
MAX_LABEL_LENGTH = 40
MAX_PAYLOAD_LENGTH = 255
RANDOM_ID_MEMORY = 100
BUTTON_COLOURS = {"primary", "secondary", "default", "positive", "negative"}
LABELLED_BUTTON_TYPES = {"text", "callback", "open_link", "open_app"}
BUTTON_TYPES = LABELLED_BUTTON_TYPES | {"location", "vkpay", "open_photo"}
EDIT_WINDOW_US = DAY_US
ATTACHMENT_PATTERN = re.compile(r"([a-z]+)(-?\d{1,12})_(\d{1,12})(?:_(\w+))?")


def send_message(
    vk: Vk, community: Community, person_id: int, random_id: int = 0, **fields: Any
) -> Message:
    """Send a message to a person as the community. Emits `message_reply`.

    A `random_id` that was used within the last hour and 100 messages returns that earlier message.
    `fields` are further fields of `Message`. Raises VkApiError: 15, 901, 936.
    """
    require_can_write(vk, community, person_id)
    for earlier in _recent_outgoing(vk, community.id, person_id) if random_id else []:
        if earlier.random_id == random_id:
            return earlier
    keyboard = fields.pop("keyboard", None)
    inline_keyboard = keyboard if keyboard and keyboard.get("inline") else None
    with vk.transaction():
        message = vk.add_message(
            community.id,
            person_id,
            is_outgoing=True,
            random_id=random_id,
            keyboard=inline_keyboard,
            **fields,
        )
        conversation = vk.get_conversation(community.id, person_id)
        input_keyboard = conversation.keyboard if keyboard is None or inline_keyboard else keyboard
        if input_keyboard is not None and not input_keyboard["buttons"]:
            input_keyboard = None
        vk.put_conversation(
            conversation, keyboard=input_keyboard, is_answered=True, typing_until_us=0
        )
        event = serializers.message_json(vk, message, is_whole=False)
        vk.emit_event(community.id, "message_reply", event)
    return message


def edit_message(vk: Vk, message: Message, *, is_by_client: bool = False, **fields: Any) -> Message:
    """Edit a message of the community, or with `is_by_client` the client's own one.

    Emits `message_edit`.

    `fields` replace the stored ones: the caller must pass the attachments and the keyboard again,
    or they are removed. Raises VkApiError: 909 after 24 hours, 920 for a message of the other side.
    """
    if message.is_outgoing == is_by_client:
        raise VkApiError(920)
    now_us = vk.now_us(message.group_id)
    if now_us - message.sent_at_us >= EDIT_WINDOW_US:
        raise VkApiError(909)
    with vk.transaction():
        message = vk.put_message(
            replace(message, edited_at_us=now_us, version=message.version + 1, **fields)
        )
        vk.put_conversation(vk.get_conversation(message.group_id, message.person_id))
        event = serializers.message_json(vk, message, is_whole=False)
        vk.emit_event(message.group_id, "message_edit", event)
    return message


def require_can_write(vk: Vk, community: Community, person_id: int) -> None:
    """Raise VkApiError (15, 901, 936) when the community may not write to the person."""
    if person_id not in vk.people:
        raise VkApiError(936)
    if not community.messages:
        raise VkApiError(15, "group messages are disabled")
    if not vk.get_conversation(community.id, person_id).is_allowed:
        raise VkApiError(901)


def _recent_outgoing(vk: Vk, group_id: int, person_id: int) -> list[Message]:
    since_us = vk.now_us(group_id) - HOUR_US
    newest = zip(
        range(RANDOM_ID_MEMORY), vk.iter_newest_messages(group_id, person_id), strict=False
    )
    return [one for _, one in newest if one.is_outgoing and one.sent_at_us > since_us]


def parse_attachments(vk: Vk, community: Community, raw: str) -> list[Attachment]:
    """Parse "photo-1_2_key,market-1_9". Raises VkApiError (100)."""
    attachments = [
        _parse_attachment(vk, community, one.strip()) for one in raw.split(",") if one.strip()
    ]
    if len(attachments) > MAX_ATTACHMENTS:
        raise invalid_param("too many attachments")
    return attachments


def _parse_attachment(vk: Vk, community: Community, raw: str) -> Attachment:
    if raw.startswith(("http://", "https://")):
        return Attachment(type="link", url=raw)
    match = ATTACHMENT_PATTERN.fullmatch(raw)
    if match is None:
        raise invalid_param(f"attachment is invalid: {raw[:40]}")
    kind, owner_id, object_id, access_key = match[1], int(match[2]), int(match[3]), match[4]
    photo = vk.photos.get(object_id)
    is_own = owner_id == -community.id
    if kind == "photo" and photo and photo.owner_id == owner_id:
        if is_own or access_key == photo.access_key:
            return Attachment(type=kind, owner_id=owner_id, id=object_id)
    elif kind == "market" and (-owner_id, object_id) in vk.items:
        return Attachment(type=kind, owner_id=owner_id, id=object_id)
    raise invalid_param(f"attachment is invalid: {raw[:40]}")


def parse_keyboard(community: Community, raw: str) -> Json | None:
    """Parse and check the `keyboard` parameter; return None when it is empty.

    Raises VkApiError: 911 for a malformed one, 912 when bot features are off.
    """
    if not raw:
        return None
    try:
        keyboard = json.loads(raw)
        _encode_payloads(keyboard)
        problem = _keyboard_problem(keyboard)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise VkApiError(911, "keyboard should be a valid JSON object") from error
    if problem:
        raise VkApiError(911, problem)
    if not community.bots_capabilities and keyboard["buttons"]:
        raise VkApiError(912)
    keyboard = {"one_time": False, "inline": False, "author_id": -community.id} | keyboard
    return dict(keyboard)


def _encode_payloads(keyboard: Any) -> None:
    """Convert payloads sent as objects to JSON strings, in place, as VK does."""
    for row in keyboard["buttons"]:
        for action in (button["action"] for button in row):
            if isinstance(action.get("payload"), dict):
                action["payload"] = json.dumps(action["payload"], ensure_ascii=False)


def _keyboard_problem(keyboard: Any) -> str | None:
    rows, inline = keyboard["buttons"], bool(keyboard.get("inline"))
    total = sum(len(row) for row in rows)
    if set(keyboard) - {"one_time", "inline", "buttons"}:
        return "unknown field"
    if inline and keyboard.get("one_time"):
        return "inline keyboard can not be one_time"
    if len(rows) > (6 if inline else 10) or total > (10 if inline else 40):
        return "too many buttons"
    if not all(1 <= len(row) <= 5 for row in rows):
        return "a row should have from 1 to 5 buttons"
    problems = (_button_problem(button) for row in rows for button in row)
    return next((one for one in problems if one), None)


def _button_problem(button: Any) -> str | None:
    action = button["action"]
    button_type, label, payload = action["type"], action.get("label"), action.get("payload")
    if button_type not in BUTTON_TYPES or set(button) - {"action", "color"}:
        return "unknown button type"
    if button_type in LABELLED_BUTTON_TYPES and not 1 <= len(str(label or "")) <= MAX_LABEL_LENGTH:
        return f"label should have from 1 to {MAX_LABEL_LENGTH} characters"
    if "color" in button and (
        button_type not in ("text", "callback") or button["color"] not in BUTTON_COLOURS
    ):
        return "color is invalid"
    if button_type == "open_link" and not str(action["link"]).startswith(("http://", "https://")):
        return "link is invalid"
    if payload is None:
        return None
    if not isinstance(payload, str) or len(payload) > MAX_PAYLOAD_LENGTH:
        return f"payload should be a string of {MAX_PAYLOAD_LENGTH} characters at most"
    return None if isinstance(json.loads(payload), dict) else "payload should be a JSON object"
