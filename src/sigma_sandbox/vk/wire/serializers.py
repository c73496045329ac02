"""JSON of people, communities, conversations, messages and events in the VK API.

Source: the official schema (https://github.com/VKCOM/vk-api-schema, 5.199) and https://dev.vk.com.
"""

from typing import Any

from sigma_sandbox.time_util import SECOND_US
from sigma_sandbox.vk.wire.market_json import RUB, item_json, photo_json
from sigma_sandbox.vk.world.models import Attachment, Community, Conversation, Json, Message, Person
from sigma_sandbox.vk.world.store import VkStore

CLIENT_INFO: Json = {
    "button_actions": [
        "text",
        "vkpay",
        "open_app",
        "location",
        "open_link",
        "callback",
        "open_photo",
    ],
    "keyboard": True,
    "inline_keyboard": True,
    "carousel": True,
    "lang_id": 0,
}

_CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
_LATIN_LETTERS = (
    *("a", "b", "v", "g", "d", "e", "e", "zh", "z", "i", "y", "k", "l", "m", "n", "o", "p", "r"),
    *("s", "t", "u", "f", "kh", "ts", "ch", "sh", "sch", "", "y", "", "e", "yu", "ya"),
)
_LATIN = dict(zip(_CYRILLIC, _LATIN_LETTERS, strict=True))
_LATIN |= {letter.upper(): text.capitalize() for letter, text in _LATIN.items()}


def latin(text: str) -> str:
    """Return Russian text in Latin letters, as VK writes names for other languages."""
    return "".join(_LATIN.get(letter, letter) for letter in text)


def person_json(
    store: VkStore, person: Person, fields: set[str] | None = None, lang: str = ""
) -> Json:
    """Return a profile; optional fields only when named in `fields`.

    Names are in Latin letters unless `lang` is "ru".
    """
    names = person.first_name, person.last_name
    first_name, last_name = names if lang == "ru" else map(latin, names)
    body: Json = {
        "id": person.id,
        "first_name": first_name,
        "last_name": last_name,
        "can_access_closed": True,
        "is_closed": False,
    }
    photo = f"{store.vk_url}/pictures/people/{person.id}.svg"
    more: Json = {f"photo_{size}": photo for size in ("50", "100", "200", "400_orig", "max")}
    more |= {"sex": person.sex, "screen_name": person.screen_name, "domain": person.screen_name}
    more |= {"online": 0, "has_photo": 1, "city": {"id": 1, "title": "Москва"}}
    return body | {name: value for name, value in more.items() if fields and name in fields}


def short_person_json(store: VkStore, person: Person, lang: str = "") -> Json:
    """Return a profile as sent along with messages when `extended=1`."""
    fields = {"photo_50", "photo_100", "sex", "screen_name", "online"}
    return person_json(store, person, fields, lang)


def market_settings_json(community: Community) -> Json:
    """Return a community's market settings; the type is present only while the market is on."""
    if community.market == "none":
        return {"enabled": 0}
    return {
        "enabled": 1,
        "type": community.market,
        "contact_id": -community.id,
        "main_album_id": 0,
        "price_min": "0",
        "price_max": "10000000",
        "currency": RUB,
        "currency_text": "руб.",
    }


def group_json(store: VkStore, community: Community, fields: set[str] | None = None) -> Json:
    """Return a community; optional fields only when named in `fields`."""
    photo = f"{store.vk_url}/pictures/communities/{community.id}.svg"
    contacts = [
        {"user_id": one.user_id, "desc": one.desc, "phone": one.phone, "email": one.email}
        for one in community.contacts
    ]
    more: Json = {
        "description": community.description,
        "contacts": [{k: v for k, v in one.items() if v} for one in contacts],
        "links": [],
        "site": community.site,
        "status": "",
        "activity": community.activity or "Открытая группа",
        "market": market_settings_json(community),
        "has_photo": int(community.has_photo),
        "can_message": int(community.messages),
        "is_messages_blocked": 0,
        "main_section": community.main_section,
        "secondary_section": community.secondary_section,
        "cover": {"enabled": 0},
        "counters": {"market": 0},
        "members_count": 128,
        "verified": 0,
        "online_status": online_status_json(community),
        "addresses": {"is_enabled": False},
        "age_limits": 1,
        "has_market_app": False,
        "wall": 1,
        "is_admin": 1,
        "admin_level": 3,
    }
    base: Json = {
        "id": community.id,
        "name": community.name,
        "screen_name": community.screen_name,
        "is_closed": 0,
        "type": "group",
        "photo_50": photo,
        "photo_100": photo,
        "photo_200": photo,
    }
    return base | {name: value for name, value in more.items() if fields and name in fields}


def online_status_json(community: Community) -> Json:
    """Return the online status of a community."""
    return {"status": "online" if community.is_online else "none"}


def attachment_json(store: VkStore, attachment: Attachment) -> Json | None:
    """Return an attachment, or None when its photo or item no longer exists."""
    kind = attachment.type
    if attachment.raw is not None:
        return {"type": kind, kind: attachment.raw}
    if kind == "photo":
        photo = store.photos.get(attachment.id)
        return {"type": kind, kind: photo_json(store, photo)} if photo else None
    if kind == "market":
        item = store.items.get((-attachment.owner_id, attachment.id))
        return {"type": kind, kind: item_json(store, item)} if item else None
    title = attachment.title or attachment.url
    return {"type": kind, kind: {"url": attachment.url, "title": title, "description": ""}}


def message_json(store: VkStore, message: Message, *, is_whole: bool = True) -> Json:
    """Return a message as the community sees it.

    `is_whole` false: as in events and lists, where VK crops large messages.
    """
    attachments = [attachment_json(store, one) for one in message.attachments]
    body: Json = {
        "id": message.id,
        "date": message.sent_at_us // SECOND_US,
        "peer_id": message.person_id,
        "from_id": -message.group_id if message.is_outgoing else message.person_id,
        "out": int(message.is_outgoing),
        "version": 10_000_000 + message.version,
        "text": message.text,
        "conversation_message_id": message.cmid,
        "random_id": message.random_id,
        "important": False,
        "is_hidden": False,
        "fwd_messages": [],
        "attachments": [one for one in attachments if one],
    }
    optional = {
        "keyboard": message.keyboard,
        "template": message.template,
        "payload": message.payload,
        "ref": message.ref,
        "ref_source": message.ref_source,
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    if message.edited_at_us is not None:
        body["update_time"] = message.edited_at_us // SECOND_US
    if message.admin_id:
        body["admin_author_id"] = message.admin_id
    replied_to = store.find_message(message.group_id, message.person_id, message.reply_to)
    if replied_to is not None:
        body["reply_message"] = _nested_message_json(store, replied_to)
    body |= message.extra
    return body if is_whole or not message.is_cropped else _cropped(body)


def _cropped(body: Json) -> Json:
    """Return a message as VK gives it to bots when it is large."""
    shorter = body | {"is_cropped": True, "attachments": body["attachments"][:1]}
    forwarded = body["fwd_messages"][:1]
    shorter["fwd_messages"] = [
        one | {"attachments": one.get("attachments", [])[:1], "fwd_messages": []}
        for one in forwarded
    ]
    return shorter


def _nested_message_json(store: VkStore, message: Message) -> Json:
    """Return the short form of a message that is nested in another one."""
    names = ("id", "date", "peer_id", "from_id", "text", "conversation_message_id", "attachments")
    full = message_json(store, message)
    return {name: full[name] for name in names}


def conversation_json(store: VkStore, conversation: Conversation) -> Json:
    """Return a conversation as the community sees it; read positions are ids and cmids."""
    last = store.last_message(conversation)

    def message_id_at(cmid: int) -> int:
        message = store.find_message(conversation.group_id, conversation.person_id, cmid)
        return message.id if message else 0

    body: Json = {
        "peer": {"id": conversation.person_id, "type": "user", "local_id": conversation.person_id},
        "sort_id": {"major_id": 0, "minor_id": last.id},
        "last_message_id": last.id,
        "last_conversation_message_id": last.cmid,
        "in_read": message_id_at(conversation.in_read),
        "out_read": message_id_at(conversation.out_read),
        "in_read_cmid": conversation.in_read,
        "out_read_cmid": conversation.out_read,
        "version": 10_000_000 + conversation.version,
        "is_marked_unread": False,
        "important": False,
        "unanswered": is_unanswered(store, conversation),
        "can_write": can_write_json(store, conversation),
    }
    unread = store.count_unread(conversation)
    if unread:
        body["unread_count"] = unread
    if conversation.keyboard:
        body["current_keyboard"] = conversation.keyboard
    return body


def is_unanswered(store: VkStore, conversation: Conversation) -> bool:
    """Return whether the last message is the person's and is not marked as answered."""
    return not store.last_message(conversation).is_outgoing and not conversation.is_answered


def can_write_json(store: VkStore, conversation: Conversation) -> Json:
    """Return whether the community may write now, with VK's reason code if not."""
    if not store.communities[conversation.group_id].messages:
        return {"allowed": False, "reason": 915}
    return {"allowed": True} if conversation.is_allowed else {"allowed": False, "reason": 901}


def event_json(
    group_id: int, event_type: str, object_json: Any, event_id: str, version: str
) -> Json:
    """Return the JSON of an event. `object_json` None: an event without `object`.

    Before API version 5.103 the `object` of `message_new` was the message itself.
    """
    is_message = event_type == "message_new" and isinstance(object_json, dict)
    if is_message and tuple(map(int, version.split("."))) < (5, 103):
        object_json = object_json["message"]
    body: Json = {"group_id": group_id, "type": event_type, "event_id": event_id, "v": version}
    return body if object_json is None else body | {"object": object_json}
