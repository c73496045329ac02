"""`messages.*`: what a community writes, reads and marks in its dialogs."""

import json
from itertools import islice
from typing import Any

from msgspec.structs import replace

from sigma_sandbox.vk.actions import outgoing
from sigma_sandbox.vk.actions.client_actions import PRESS_LIFE, TYPING_SHOWN
from sigma_sandbox.vk.api.request import Call, Method
from sigma_sandbox.vk.wire import serializers
from sigma_sandbox.vk.wire.errors import VkRefused, bad_param
from sigma_sandbox.vk.world.models import Community, Dialog, Json, Message

CHAT = 2_000_000_000
MAX_INT32 = 2**31 - 1
ANSWERS = ("show_snackbar", "open_link", "open_app")


def send(call: Call) -> Any:
    """A number for one `peer_id`; for `peer_ids` a list, with refusals of recipients inside."""
    community = call.community(optional=True)
    random_id = _random_id(call)
    said = _said(call, community)
    if not (said["text"] or said["attachments"] or said["template"] or call.text("sticker_id")):
        raise bad_param("message is empty or invalid")
    said["reply_to"] = call.number("reply_to", 0)
    said["admin_id"] = call.token.person_id
    peers = call.numbers("peer_ids") or call.numbers("user_ids")
    if not peers:
        return outgoing.say(call.vk, community, _peer(call), random_id, **said).id
    answers = []
    for peer_id in peers:
        answer: Json = {"peer_id": peer_id, "message_id": 0, "conversation_message_id": 0}
        try:
            message = outgoing.say(call.vk, community, peer_id, random_id, **said)
        except VkRefused as refused:
            answer["error"] = {"code": refused.code, "description": str(refused)}
        else:
            answer |= {"message_id": message.id, "conversation_message_id": message.cmid}
        answers.append(answer)
    return answers


def _random_id(call: Call) -> int:
    random_id = call.number("random_id")
    if not -MAX_INT32 - 1 <= random_id <= MAX_INT32:
        raise bad_param("random_id should be a 32-bit number")
    return random_id


def _said(call: Call, community: Community) -> Json:
    """Text, attachments, keyboard, carousel and payload. Raises VkRefused."""
    text = call.text("message")
    if len(text) > outgoing.MAX_TEXT:
        raise VkRefused(914)
    template = call.json("template")
    if template is not None and not _is_carousel(template):
        raise bad_param("template is invalid")
    if template and not community.bots_capabilities:
        raise VkRefused(912)
    payload = call.text("payload") or None
    if payload and len(payload) > 1000:
        raise bad_param("payload is too long")
    return {
        "text": text,
        "attachments": outgoing.read_attachments(call.vk, community, call.text("attachment")),
        "keyboard": outgoing.read_keyboard(community, call.text("keyboard")),
        "template": template,
        "payload": payload,
    }


def _is_carousel(template: Any) -> bool:
    """One to ten elements with up to three buttons each."""
    if not isinstance(template, dict) or template.get("type") != "carousel":
        return False
    elements = template.get("elements")
    return isinstance(elements, list) and 1 <= len(elements) <= 10


def _peer(call: Call) -> int:
    """The person meant by peer_id, user_id or domain. Raises VkRefused."""
    if domain := call.text("domain"):
        found = (one.id for one in call.vk.people.values() if one.screen_name == domain)
        person_id = next(found, None)
        if person_id is None:
            raise VkRefused(113)
        return person_id
    peer_id = call.number("peer_id" if call.text("peer_id") else "user_id")
    if peer_id > CHAT:
        raise VkRefused(917)
    return peer_id


def edit(call: Call) -> int:
    """Correct a message by `cmid` or `message_id`."""
    community = call.community(optional=True)
    message = _message(call, community, call.number("peer_id"))
    said = _said(call, community)
    del said["payload"]
    if not (said["text"] or said["attachments"] or said["template"]):
        raise bad_param("message is empty or invalid")
    if said["keyboard"] and not said["keyboard"]["inline"]:
        said["keyboard"] = None
    outgoing.rewrite(call.vk, message, **said)
    return 1


def _message(call: Call, community: Community, peer_id: int) -> Message:
    cmid = call.number("cmid", 0) or call.number("conversation_message_id", 0)
    if cmid:
        found = call.vk.message(community.id, peer_id, cmid)
    else:
        found = call.vk.message_by_id(community.id, call.number("message_id"))
    if found is None or found.person_id != peer_id:
        raise bad_param("message_id is invalid")
    return found


def get_history(call: Call) -> Json:
    """A dialog's messages, newest first unless `rev`."""
    community, vk = call.community(optional=True), call.vk
    peer_id = _peer(call)
    offset, count = call.count(20, 200)
    found = list(vk.newest(community.id, peer_id))
    if call.flag("rev"):
        found.reverse()
    shown = found
    start, cmid = call.number("start_message_id", 0), call.number("start_cmid", 0)
    if start > 0 or cmid > 0:
        first = next((n for n, m in enumerate(found) if _from(m, start, cmid, call)), len(found))
        offset = max(first + offset, 0)
    shown = found[max(offset, 0) : max(offset, 0) + count]
    body = _messages_json(call, shown, len(found), [peer_id])
    if call.flag("extended") and shown:
        dialog = vk.dialog(community.id, peer_id)
        body["conversations"] = [serializers.conversation_json(vk, dialog)]
    return body


def _from(message: Message, start: int, cmid: int, call: Call) -> bool:
    at = message.id - start if start > 0 else message.cmid - cmid
    return at >= 0 if call.flag("rev") else at <= 0


def _messages_json(call: Call, shown: list[Message], count: int, peers: list[int]) -> Json:
    body: Json = {
        "count": count,
        "items": [serializers.message_json(call.vk, one) for one in shown],
    }
    return body | _extended(call, peers)


def _extended(call: Call, peers: list[int]) -> Json:
    """`profiles` and `groups` when they are asked for."""
    if not call.flag("extended"):
        return {}
    vk = call.vk
    community = call.community(optional=True)
    people = [vk.people[one] for one in dict.fromkeys(peers) if one in vk.people]
    return {
        "profiles": [serializers.short_person_json(vk, one) for one in people],
        "groups": [serializers.group_json(vk, community)],
    }


def get_by_id(call: Call) -> Json:
    """Messages by their numbers in the community, or by `cmids` of a `peer_id`."""
    community, vk = call.community(optional=True), call.vk
    if cmids := call.numbers("cmids"):
        found = [vk.message(community.id, call.number("peer_id"), one) for one in cmids]
    else:
        call.needed("message_ids")
        found = [vk.message_by_id(community.id, one) for one in call.numbers("message_ids")]
    shown = [one for one in found if one]
    return _messages_json(call, shown, len(shown), [one.person_id for one in shown])


def get_by_cmid(call: Call) -> Json:
    """Messages by their numbers in a dialog."""
    community, peer_id = call.community(optional=True), call.number("peer_id")
    call.needed("conversation_message_ids")
    cmids = call.numbers("conversation_message_ids")
    found = [call.vk.message(community.id, peer_id, one) for one in cmids]
    shown = [one for one in found if one]
    return _messages_json(call, shown, len(shown), [peer_id])


def get_conversations(call: Call) -> Json:
    """Dialogs with their last messages, the freshest first."""
    community, vk = call.community(optional=True), call.vk
    offset, count = call.count(20, 200)
    kept = call.text("filter") or "all"
    if kept not in ("all", "archive", "important", "unanswered", "unread", "sorted_chats"):
        raise bad_param("filter is invalid")
    dialogs = vk.dialogs_of(community.id)
    unread = [one for one in dialogs if vk.unread(one)]
    if kept == "unread":
        dialogs = unread
    elif kept == "unanswered":
        dialogs = [one for one in dialogs if serializers.unanswered(vk, one)]
    elif kept != "all":
        dialogs = []
    start = call.number("start_message_id", 0)
    fresh = (one for one in dialogs if not start or vk.last_message(one).id <= start)
    shown = list(islice(fresh, offset, offset + count))
    items = [
        {
            "conversation": serializers.conversation_json(vk, one),
            "last_message": serializers.message_json(vk, vk.last_message(one)),
        }
        for one in shown
    ]
    body: Json = {"count": len(dialogs), "items": items, "unread_count": len(unread)}
    return body | _extended(call, [one.person_id for one in shown])


def get_conversations_by_id(call: Call) -> Json:
    """Dialogs of these people, those that exist."""
    community, vk = call.community(optional=True), call.vk
    call.needed("peer_ids")
    dialogs = [vk.dialog(community.id, one) for one in call.numbers("peer_ids")]
    shown = [serializers.conversation_json(vk, one) for one in dialogs if one.last_cmid]
    body: Json = {"count": len(shown), "items": shown}
    return body | _extended(call, [one.person_id for one in dialogs])


def _dialog(call: Call) -> Dialog:
    community = call.community(optional=True)
    dialog = call.vk.dialog(community.id, call.number("peer_id"))
    if dialog.person_id not in call.vk.people:
        raise bad_param("peer_id is invalid")
    return dialog


def mark_as_read(call: Call) -> int:
    """The community has seen the person's messages, up to one of them or all."""
    dialog = _dialog(call)
    cmid = call.number("up_to_cmid", 0)
    if start := call.number("start_message_id", 0):
        message = call.vk.message_by_id(dialog.group_id, start)
        cmid = message.cmid if message else 0
    cmid = min(cmid or dialog.last_cmid, dialog.last_cmid)
    if cmid > dialog.in_read:
        call.vk.put_dialog(dialog, in_read=cmid)
    return 1


def mark_as_answered(call: Call) -> int:
    """The dialog needs no answer (or needs one after all)."""
    call.vk.put_dialog(_dialog(call), answered=call.flag("answered") is not False)
    return 1


def set_activity(call: Call) -> int:
    """The person sees "печатает…" for ten seconds."""
    if call.text("type") not in ("", "typing", "audiomessage", "photo", "file", "video"):
        raise bad_param("type is invalid")
    community = call.community(optional=True)
    peer_id = call.number("peer_id" if call.text("peer_id") else "user_id")
    outgoing.check_may_write(call.vk, community, peer_id)
    until = call.vk.now(community.id) + TYPING_SHOWN
    call.vk.put_dialog(call.vk.dialog(community.id, peer_id), typing_until=until)
    return 1


def is_allowed(call: Call) -> Json:
    """May the community write to this person?"""
    community = call.community()
    return {"is_allowed": int(bool(call.vk.dialog(community.id, call.number("user_id")).allowed))}


def answer_event(call: Call) -> int:
    """What a pressed callback button shows; once, within a minute."""
    group_id = call.token.group_id
    press = call.vk.presses.get(call.needed("event_id"))
    asked = call.number("user_id"), call.number("peer_id")
    if press is None or press.group_id != group_id or set(asked) != {press.person_id}:
        raise bad_param("event_id is invalid")
    if press.answer is not None or call.vk.now(group_id) - press.at > PRESS_LIFE:
        raise bad_param("event_id is expired")
    data = call.json("event_data")
    if data is not None and (
        not isinstance(data, dict)
        or data.get("type") not in ANSWERS
        or len(json.dumps(data, ensure_ascii=False)) > 1000
        or (data["type"] == "show_snackbar" and not 1 <= len(str(data.get("text", ""))) <= 90)
    ):
        raise bad_param("event_data is invalid")
    call.vk.put_press(replace(press, answer=data or {}))
    call.vk.put_dialog(call.vk.dialog(group_id, press.person_id))
    return 1


METHODS = {
    "messages.send": Method(send, "messages", "messages"),
    "messages.edit": Method(edit, "messages", "messages"),
    "messages.getHistory": Method(get_history, "messages", "messages"),
    "messages.getById": Method(get_by_id, "messages", "messages"),
    "messages.getByConversationMessageId": Method(get_by_cmid, "messages", "messages"),
    "messages.getConversations": Method(get_conversations, "messages", "messages"),
    "messages.getConversationsById": Method(get_conversations_by_id, "messages", "messages"),
    "messages.markAsRead": Method(mark_as_read, "messages", "messages"),
    "messages.markAsAnsweredConversation": Method(mark_as_answered, "messages", "messages"),
    "messages.setActivity": Method(set_activity, "messages", "messages"),
    "messages.isMessagesFromGroupAllowed": Method(is_allowed, "messages", "messages"),
    "messages.sendMessageEventAnswer": Method(answer_event, "messages"),
}
