"""The community's side of a dialog: say and correct, and what may not be said."""

import json
import re
from typing import Any

from msgspec.structs import replace

from sigma_sandbox.time_util import DAY, HOUR
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.wire import serializers
from sigma_sandbox.vk.wire.errors import VkRefused, bad_param
from sigma_sandbox.vk.world.models import Attachment, Community, Json, Message

MAX_TEXT = 9000
MAX_ATTACHMENTS = 10
MAX_LABEL = 40
MAX_PAYLOAD = 255
REMEMBERED = 100
COLOURS = {"primary", "secondary", "default", "positive", "negative"}
LABELLED = {"text", "callback", "open_link", "open_app"}
KINDS = LABELLED | {"location", "vkpay", "open_photo"}
EDITABLE_FOR = DAY
ATTACHMENT = re.compile(r"([a-z]+)(-?\d{1,12})_(\d{1,12})(?:_(\w+))?")


def say(vk: Vk, community: Community, person_id: int, random_id: int = 0, **fields: Any) -> Message:
    """The community writes to a person; the same `random_id` within the last hour and hundred
    messages gives the first message again. Raises VkRefused (901, 912, 936, 15)."""
    check_may_write(vk, community, person_id)
    for known in _recent(vk, community.id, person_id) if random_id else []:
        if known.random_id == random_id:
            return known
    keyboard = fields.pop("keyboard", None)
    inline = keyboard if keyboard and keyboard.get("inline") else None
    with vk.together():
        message = vk.add_message(
            community.id, person_id, out=True, random_id=random_id, keyboard=inline, **fields
        )
        dialog = vk.dialog(community.id, person_id)
        under = dialog.keyboard if keyboard is None or inline else keyboard
        if under is not None and not under["buttons"]:
            under = None
        vk.put_dialog(dialog, keyboard=under, answered=True, typing_until=0)
        vk.tell(community.id, "message_reply", serializers.message_json(vk, message))
    return message


def rewrite(vk: Vk, message: Message, **fields: Any) -> Message:
    """The community corrects its message. What is not given again (keyboard, attachments) goes.

    Raises VkRefused: 909 after a day, 920 for what is not the community's.
    """
    if not message.out:
        raise VkRefused(920)
    now = vk.now(message.group_id)
    if now - message.at >= EDITABLE_FOR:
        raise VkRefused(909)
    with vk.together():
        message = vk.put_message(
            replace(message, edited_at=now, version=message.version + 1, **fields)
        )
        vk.put_dialog(vk.dialog(message.group_id, message.person_id))
        vk.tell(message.group_id, "message_edit", serializers.message_json(vk, message))
    return message


def check_may_write(vk: Vk, community: Community, person_id: int) -> None:
    """Raises VkRefused when the community may not write to the person now."""
    if person_id not in vk.people:
        raise VkRefused(936)
    if not community.messages:
        raise VkRefused(15, "group messages are disabled")
    if not vk.dialog(community.id, person_id).allowed:
        raise VkRefused(901)


def _recent(vk: Vk, group_id: int, person_id: int) -> list[Message]:
    since = vk.now(group_id) - HOUR
    newest = zip(range(REMEMBERED), vk.newest(group_id, person_id), strict=False)
    return [one for _, one in newest if one.out and one.at > since]


def read_attachments(vk: Vk, community: Community, said: str) -> list[Attachment]:
    """ "photo-1_2_key,market-1_9": what hangs on a message. Raises VkRefused (100)."""
    found = [_attachment(vk, community, one.strip()) for one in said.split(",") if one.strip()]
    if len(found) > MAX_ATTACHMENTS:
        raise bad_param("too many attachments")
    return found


def _attachment(vk: Vk, community: Community, said: str) -> Attachment:
    if said.startswith(("http://", "https://")):
        return Attachment(type="link", url=said)
    parts = ATTACHMENT.fullmatch(said)
    if parts is None:
        raise bad_param(f"attachment is invalid: {said[:40]}")
    kind, owner_id, thing_id, key = parts[1], int(parts[2]), int(parts[3]), parts[4]
    picture = vk.pictures.get(thing_id)
    own = owner_id == -community.id
    if kind == "photo" and picture and picture.owner_id == owner_id:
        if own or key == picture.access_key:
            return Attachment(type=kind, owner_id=owner_id, id=thing_id)
    elif kind == "market" and (-owner_id, thing_id) in vk.items:
        return Attachment(type=kind, owner_id=owner_id, id=thing_id)
    raise bad_param(f"attachment is invalid: {said[:40]}")


def read_keyboard(community: Community, said: str) -> Json | None:
    """A keyboard as it is kept; None when none was sent. Raises VkRefused (911, 912)."""
    if not said:
        return None
    try:
        keyboard = json.loads(said)
        _write_payloads(keyboard)
        wrong = _wrong_keyboard(keyboard)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise VkRefused(911, "keyboard should be a valid JSON object") from error
    if wrong:
        raise VkRefused(911, wrong)
    if not community.bots_capabilities and keyboard["buttons"]:
        raise VkRefused(912)
    keyboard = {"one_time": False, "inline": False, "author_id": -community.id} | keyboard
    return dict(keyboard)


def _write_payloads(keyboard: Any) -> None:
    """A payload may come as an object instead of its text; VK keeps the text."""
    for row in keyboard["buttons"]:
        for action in (button["action"] for button in row):
            if isinstance(action.get("payload"), dict):
                action["payload"] = json.dumps(action["payload"], ensure_ascii=False)


def _wrong_keyboard(keyboard: Any) -> str | None:
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
    wrong = (_wrong_button(button) for row in rows for button in row)
    return next((one for one in wrong if one), None)


def _wrong_button(button: Any) -> str | None:
    action = button["action"]
    kind, label, payload = action["type"], action.get("label"), action.get("payload")
    if kind not in KINDS or set(button) - {"action", "color"}:
        return "unknown button type"
    if kind in LABELLED and not 1 <= len(str(label or "")) <= MAX_LABEL:
        return f"label should have from 1 to {MAX_LABEL} characters"
    if "color" in button and (kind not in ("text", "callback") or button["color"] not in COLOURS):
        return "color is invalid"
    if kind == "open_link" and not str(action["link"]).startswith(("http://", "https://")):
        return "link is invalid"
    if payload is None:
        return None
    if not isinstance(payload, str) or len(payload) > MAX_PAYLOAD:
        return f"payload should be a string of {MAX_PAYLOAD} characters at most"
    return None if isinstance(json.loads(payload), dict) else "payload should be a JSON object"
