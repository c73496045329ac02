"""`messages.*` methods: send, edit, list and mark messages as the community."""

import json
from itertools import islice
from typing import Any

from msgspec.structs import replace

from sigma_sandbox.vk.actions import outgoing
from sigma_sandbox.vk.actions.client_actions import PRESS_TTL_US, TYPING_TTL_US
from sigma_sandbox.vk.api.request import ApiCall, ApiMethod
from sigma_sandbox.vk.wire import serializers
from sigma_sandbox.vk.wire.errors import VkApiError, invalid_param
from sigma_sandbox.vk.world.models import Community, Conversation, Json, Message

CHAT_PEER_ID_BASE = 2_000_000_000
MAX_INT32 = 2**31 - 1
EVENT_ANSWER_TYPES = ("show_snackbar", "open_link", "open_app")


def send(call: ApiCall) -> Any:
    """Send a message; return its id for one recipient, a list of results for `peer_ids`.

    Errors of single recipients are part of that list.
    """
    community = call.community(optional=True)
    random_id = _parse_random_id(call)
    content = _parse_content(call, community)
    if not (
        content["text"] or content["attachments"] or content["template"] or call.text("sticker_id")
    ):
        raise invalid_param("message is empty or invalid")
    replied_to = call.vk.find_message_by_id(community.id, call.number("reply_to", 0))
    content["reply_to"] = replied_to.cmid if replied_to else 0
    content["admin_id"] = call.access_key.person_id
    peer_ids = call.numbers("peer_ids") or call.numbers("user_ids")
    if not peer_ids:
        return outgoing.send_message(
            call.vk, community, _parse_peer_id(call), random_id, **content
        ).id
    results = []
    for peer_id in peer_ids:
        result: Json = {"peer_id": peer_id, "message_id": 0, "conversation_message_id": 0}
        try:
            message = outgoing.send_message(call.vk, community, peer_id, random_id, **content)
        except VkApiError as error:
            result["error"] = {"code": error.code, "description": str(error)}
        else:
            result |= {"message_id": message.id, "conversation_message_id": message.cmid}
        results.append(result)
    return results


def _parse_random_id(call: ApiCall) -> int:
    random_id = call.number("random_id")
    if not -MAX_INT32 - 1 <= random_id <= MAX_INT32:
        raise invalid_param("random_id should be a 32-bit number")
    return random_id


def _parse_content(call: ApiCall, community: Community) -> Json:
    """Return the validated content fields of a message. Raises VkApiError (100, 911, 912, 914)."""
    text = call.text("message")
    if len(text) > outgoing.MAX_TEXT_LENGTH:
        raise VkApiError(914)
    template = call.json("template")
    if template is not None and not _is_carousel(template):
        raise invalid_param("template is invalid")
    if template and not community.bots_capabilities:
        raise VkApiError(912)
    payload = call.text("payload") or None
    if payload and len(payload) > 1000:
        raise invalid_param("payload is too long")
    return {
        "text": text,
        "attachments": outgoing.parse_attachments(call.vk, community, call.text("attachment")),
        "keyboard": outgoing.parse_keyboard(community, call.text("keyboard")),
        "template": template,
        "payload": payload,
    }


def _is_carousel(template: Any) -> bool:
    """Return whether the template is a carousel of one to ten elements."""
    if not isinstance(template, dict) or template.get("type") != "carousel":
        return False
    elements = template.get("elements")
    return isinstance(elements, list) and 1 <= len(elements) <= 10


def _parse_peer_id(call: ApiCall) -> int:
    """Return the person id from peer_id, user_id or domain. Raises VkApiError (100, 113, 917)."""
    if domain := call.text("domain"):
        matches = (one.id for one in call.vk.people.values() if one.screen_name == domain)
        person_id = next(matches, None)
        if person_id is None:
            raise VkApiError(113)
        return person_id
    peer_id = call.number("peer_id" if call.text("peer_id") else "user_id")
    if peer_id > CHAT_PEER_ID_BASE:
        raise VkApiError(917)
    return peer_id


def edit(call: ApiCall) -> int:
    """Edit a message found by `cmid` or `message_id`."""
    community = call.community(optional=True)
    message = _require_message(call, community, call.number("peer_id"))
    content = _parse_content(call, community)
    del content["payload"]
    if not (content["text"] or content["attachments"] or content["template"]):
        raise invalid_param("message is empty or invalid")
    if content["keyboard"] and not content["keyboard"]["inline"]:
        content["keyboard"] = None
    outgoing.edit_message(call.vk, message, **content)
    return 1


def _require_message(call: ApiCall, community: Community, peer_id: int) -> Message:
    cmid = call.number("cmid", 0) or call.number("conversation_message_id", 0)
    if cmid:
        message = call.vk.find_message(community.id, peer_id, cmid)
    else:
        message = call.vk.find_message_by_id(community.id, call.number("message_id"))
    if message is None or message.person_id != peer_id:
        raise invalid_param("message_id is invalid")
    return message


def get_history(call: ApiCall) -> Json:
    """Return a page of a conversation, newest first, or oldest first with `rev`."""
    community, vk = call.community(optional=True), call.vk
    peer_id = _parse_peer_id(call)
    offset, count = call.offset_and_count(20, 200)
    messages = list(vk.iter_newest_messages(community.id, peer_id))
    if call.flag("rev"):
        messages.reverse()
    page = messages
    start_id, cmid = call.number("start_message_id", 0), call.number("start_cmid", 0)
    if start_id > 0 or cmid > 0:
        start_index = next(
            (n for n, m in enumerate(messages) if _is_past_start(m, start_id, cmid, call)),
            len(messages),
        )
        offset = max(start_index + offset, 0)
    page = messages[max(offset, 0) : max(offset, 0) + count]
    body = _messages_json(call, page, len(messages), [peer_id], is_whole=False)
    if call.flag("extended") and page:
        conversation = vk.get_conversation(community.id, peer_id)
        body["conversations"] = [serializers.conversation_json(vk, conversation)]
    return body


def _is_past_start(message: Message, start_id: int, cmid: int, call: ApiCall) -> bool:
    distance = message.id - start_id if start_id > 0 else message.cmid - cmid
    return distance >= 0 if call.flag("rev") else distance <= 0


def _messages_json(
    call: ApiCall,
    messages: list[Message],
    count: int,
    peer_ids: list[int],
    *,
    is_whole: bool = True,
) -> Json:
    items = [serializers.message_json(call.vk, one, is_whole=is_whole) for one in messages]
    body: Json = {"count": count, "items": items}
    return body | _extended_json(call, peer_ids)


def _extended_json(call: ApiCall, peer_ids: list[int]) -> Json:
    """Return `profiles` and `groups` if `extended` was sent, else an empty object."""
    if not call.flag("extended"):
        return {}
    vk = call.vk
    community = call.community(optional=True)
    people = [vk.people[one] for one in dict.fromkeys(peer_ids) if one in vk.people]
    return {
        "profiles": [serializers.short_person_json(vk, one, call.text("lang")) for one in people],
        "groups": [serializers.group_json(vk, community)],
    }


def get_by_id(call: ApiCall) -> Json:
    """Return messages by their ids in the community, or by `cmids` of a `peer_id`."""
    community, vk = call.community(optional=True), call.vk
    if cmids := call.numbers("cmids"):
        found = [vk.find_message(community.id, call.number("peer_id"), one) for one in cmids]
    else:
        call.require_text("message_ids")
        found = [vk.find_message_by_id(community.id, one) for one in call.numbers("message_ids")]
    messages = [one for one in found if one]
    return _messages_json(call, messages, len(messages), [one.person_id for one in messages])


def get_by_cmid(call: ApiCall) -> Json:
    """Return messages of a conversation by their cmids."""
    community, peer_id = call.community(optional=True), call.number("peer_id")
    call.require_text("conversation_message_ids")
    cmids = call.numbers("conversation_message_ids")
    found = [call.vk.find_message(community.id, peer_id, one) for one in cmids]
    messages = [one for one in found if one]
    return _messages_json(call, messages, len(messages), [peer_id])


def get_conversations(call: ApiCall) -> Json:
    """Return a page of conversations with their last messages, latest first."""
    community, vk = call.community(optional=True), call.vk
    offset, count = call.offset_and_count(20, 200)
    filter_name = call.text("filter") or "all"
    if filter_name not in ("all", "archive", "important", "unanswered", "unread", "sorted_chats"):
        raise invalid_param("filter is invalid")
    conversations = vk.list_conversations(community.id)
    unread = [one for one in conversations if vk.count_unread(one)]
    if filter_name == "unread":
        conversations = unread
    elif filter_name == "unanswered":
        conversations = [one for one in conversations if serializers.is_unanswered(vk, one)]
    elif filter_name != "all":
        conversations = []
    start_id = call.number("start_message_id", 0)
    older = (one for one in conversations if not start_id or vk.last_message(one).id <= start_id)
    page = list(islice(older, offset, offset + count))
    items = [
        {
            "conversation": serializers.conversation_json(vk, one),
            "last_message": serializers.message_json(vk, vk.last_message(one), is_whole=False),
        }
        for one in page
    ]
    body: Json = {"count": len(conversations), "items": items, "unread_count": len(unread)}
    return body | _extended_json(call, [one.person_id for one in page])


def get_conversations_by_id(call: ApiCall) -> Json:
    """Return the conversations with these people; those without messages are left out."""
    community, vk = call.community(optional=True), call.vk
    call.require_text("peer_ids")
    conversations = [vk.get_conversation(community.id, one) for one in call.numbers("peer_ids")]
    items = [serializers.conversation_json(vk, one) for one in conversations if one.last_cmid]
    body: Json = {"count": len(items), "items": items}
    return body | _extended_json(call, [one.person_id for one in conversations])


def _require_conversation(call: ApiCall) -> Conversation:
    community = call.community(optional=True)
    conversation = call.vk.get_conversation(community.id, call.number("peer_id"))
    if conversation.person_id not in call.vk.people:
        raise invalid_param("peer_id is invalid")
    return conversation


def mark_as_read(call: ApiCall) -> int:
    """Mark the person's messages as read, up to a message or all of them."""
    conversation = _require_conversation(call)
    cmid = call.number("up_to_cmid", 0)
    if start_id := call.number("start_message_id", 0):
        message = call.vk.find_message_by_id(conversation.group_id, start_id)
        cmid = message.cmid if message else 0
    cmid = min(cmid or conversation.last_cmid, conversation.last_cmid)
    if cmid > conversation.in_read:
        call.vk.put_conversation(conversation, in_read=cmid)
    return 1


def mark_as_answered(call: ApiCall) -> int:
    """Mark a conversation as answered, or with `answered=0` as not answered."""
    call.vk.put_conversation(
        _require_conversation(call), is_answered=call.flag("answered") is not False
    )
    return 1


def set_activity(call: ApiCall) -> int:
    """Show "печатает…" to the person for ten seconds."""
    if call.text("type") not in ("", "typing", "audiomessage", "photo", "file", "video"):
        raise invalid_param("type is invalid")
    community = call.community(optional=True)
    peer_id = call.number("peer_id" if call.text("peer_id") else "user_id")
    outgoing.require_can_write(call.vk, community, peer_id)
    until_us = call.vk.now_us(community.id) + TYPING_TTL_US
    call.vk.put_conversation(
        call.vk.get_conversation(community.id, peer_id), typing_until_us=until_us
    )
    return 1


def is_allowed(call: ApiCall) -> Json:
    """Return whether the community may write to this person."""
    community = call.community()
    return {
        "is_allowed": int(
            bool(call.vk.get_conversation(community.id, call.number("user_id")).is_allowed)
        )
    }


def send_event_answer(call: ApiCall) -> int:
    """Answer a press of a callback button: once, within a minute of the press."""
    group_id = call.access_key.group_id
    button_press = call.vk.button_presses.get(call.require_text("event_id"))
    ids = call.number("user_id"), call.number("peer_id")
    if (
        button_press is None
        or button_press.group_id != group_id
        or set(ids) != {button_press.person_id}
    ):
        raise invalid_param("event_id is invalid")
    if (
        button_press.answer is not None
        or call.vk.now_us(group_id) - button_press.pressed_at_us > PRESS_TTL_US
    ):
        raise invalid_param("event_id is expired")
    data = call.json("event_data")
    if data is not None and (
        not isinstance(data, dict)
        or data.get("type") not in EVENT_ANSWER_TYPES
        or len(json.dumps(data, ensure_ascii=False)) > 1000
        or (data["type"] == "show_snackbar" and not 1 <= len(str(data.get("text", ""))) <= 90)
    ):
        raise invalid_param("event_data is invalid")
    call.vk.put_button_press(replace(button_press, answer=data or {}))
    call.vk.put_conversation(call.vk.get_conversation(group_id, button_press.person_id))
    return 1


METHODS = {
    "messages.send": ApiMethod(send, "messages", "messages"),
    "messages.edit": ApiMethod(edit, "messages", "messages"),
    "messages.getHistory": ApiMethod(get_history, "messages", "messages"),
    "messages.getById": ApiMethod(get_by_id, "messages", "messages"),
    "messages.getByConversationMessageId": ApiMethod(get_by_cmid, "messages", "messages"),
    "messages.getConversations": ApiMethod(get_conversations, "messages", "messages"),
    "messages.getConversationsById": ApiMethod(get_conversations_by_id, "messages", "messages"),
    "messages.markAsRead": ApiMethod(mark_as_read, "messages", "messages"),
    "messages.markAsAnsweredConversation": ApiMethod(mark_as_answered, "messages", "messages"),
    "messages.setActivity": ApiMethod(set_activity, "messages", "messages"),
    "messages.isMessagesFromGroupAllowed": ApiMethod(is_allowed, "messages", "messages"),
    "messages.sendMessageEventAnswer": ApiMethod(send_event_answer, "messages"),
}
