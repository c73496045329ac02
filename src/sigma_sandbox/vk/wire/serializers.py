"""People, communities, dialogs and messages as VKontakte's API writes them. Pure.

Source: the official schema (VKCOM/vk-api-schema, 5.199) and dev.vk.com.
"""

from sigma_sandbox.time_util import SECOND
from sigma_sandbox.vk.wire.market_json import RUB, item_json, photo_json
from sigma_sandbox.vk.world.models import Attachment, Community, Dialog, Json, Message, Person
from sigma_sandbox.vk.world.store import Books

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


def person_json(books: Books, person: Person, fields: set[str] | None = None) -> Json:
    """A profile; photos only when asked for."""
    body: Json = {
        "id": person.id,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "can_access_closed": True,
        "is_closed": False,
    }
    photo = f"{books.root}/pictures/people/{person.id}.svg"
    more: Json = {f"photo_{size}": photo for size in ("50", "100", "200", "400_orig", "max")}
    more |= {"sex": person.sex, "screen_name": person.screen_name, "domain": person.screen_name}
    more |= {"online": 0, "has_photo": 1, "city": {"id": 1, "title": "Москва"}}
    return body | {name: value for name, value in more.items() if fields and name in fields}


def short_person_json(books: Books, person: Person) -> Json:
    """A profile as it accompanies messages with `extended=1`."""
    return person_json(books, person, {"photo_50", "photo_100", "sex", "screen_name", "online"})


def market_json(community: Community) -> Json:
    """A community's shop; the type comes only while it is on."""
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


def group_json(books: Books, community: Community, fields: set[str] | None = None) -> Json:
    """A community; what is not basic comes only when asked for in `fields`."""
    photo = f"{books.root}/pictures/communities/{community.id}.svg"
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
        "market": market_json(community),
        "has_photo": int(community.has_photo),
        "can_message": int(community.messages),
        "is_messages_blocked": 0,
        "main_section": community.main_section,
        "secondary_section": community.secondary_section,
        "cover": {"enabled": 0},
        "counters": {"market": 0},
        "members_count": 128,
        "verified": 0,
        "online_status": online_json(community),
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


def online_json(community: Community) -> Json:
    """Is somebody there to answer?"""
    return {"status": "online" if community.online else "none"}


def attachment_json(books: Books, attachment: Attachment) -> Json | None:
    """One attachment; None when what it pointed at is gone."""
    kind = attachment.type
    if attachment.raw is not None:
        return {"type": kind, kind: attachment.raw}
    if kind == "photo":
        picture = books.pictures.get(attachment.id)
        return {"type": kind, kind: photo_json(books, picture)} if picture else None
    if kind == "market":
        item = books.items.get((-attachment.owner_id, attachment.id))
        return {"type": kind, kind: item_json(books, item)} if item else None
    title = attachment.title or attachment.url
    return {"type": kind, kind: {"url": attachment.url, "title": title, "description": ""}}


def message_json(books: Books, message: Message, own: bool = True) -> Json:
    """A message; `own` shows what only the community may know (random_id)."""
    shown = [attachment_json(books, one) for one in message.attachments]
    body: Json = {
        "id": message.id,
        "date": message.at // SECOND,
        "peer_id": message.person_id,
        "from_id": -message.group_id if message.out else message.person_id,
        "out": int(message.out),
        "version": 10_000_000 + message.version,
        "text": message.text,
        "conversation_message_id": message.cmid,
        "random_id": message.random_id if own else 0,
        "important": False,
        "is_hidden": False,
        "fwd_messages": [],
        "attachments": [one for one in shown if one],
    }
    optional = {
        "keyboard": message.keyboard,
        "template": message.template,
        "payload": message.payload,
        "ref": message.ref,
        "ref_source": message.ref_source,
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    if message.edited_at is not None:
        body["update_time"] = message.edited_at // SECOND
    if message.admin_id:
        body["admin_author_id"] = message.admin_id
    answered = books.message(message.group_id, message.person_id, message.reply_to)
    if answered is not None:
        body["reply_message"] = _foreign(books, answered)
    return body


def _foreign(books: Books, message: Message) -> Json:
    """A message inside another one."""
    kept = ("id", "date", "peer_id", "from_id", "text", "conversation_message_id", "attachments")
    full = message_json(books, message)
    return {name: full[name] for name in kept}


def conversation_json(books: Books, dialog: Dialog) -> Json:
    """A dialog as the community sees it; read marks are message ids and cmids."""
    last = books.last_message(dialog)

    def marked(cmid: int) -> int:
        message = books.message(dialog.group_id, dialog.person_id, cmid)
        return message.id if message else 0

    body: Json = {
        "peer": {"id": dialog.person_id, "type": "user", "local_id": dialog.person_id},
        "sort_id": {"major_id": 0, "minor_id": last.id},
        "last_message_id": last.id,
        "last_conversation_message_id": last.cmid,
        "in_read": marked(dialog.in_read),
        "out_read": marked(dialog.out_read),
        "in_read_cmid": dialog.in_read,
        "out_read_cmid": dialog.out_read,
        "version": 10_000_000 + dialog.version,
        "is_marked_unread": False,
        "important": False,
        "unanswered": unanswered(books, dialog),
        "can_write": can_write(books, dialog),
    }
    unread = books.unread(dialog)
    if unread:
        body["unread_count"] = unread
    if dialog.keyboard:
        body["current_keyboard"] = dialog.keyboard
    return body


def unanswered(books: Books, dialog: Dialog) -> bool:
    """Is the last word the person's, and nobody marked it answered?"""
    return not books.last_message(dialog).out and not dialog.answered


def can_write(books: Books, dialog: Dialog) -> Json:
    """May the community write now, and if not, why."""
    if not books.communities[dialog.group_id].messages:
        return {"allowed": False, "reason": 915}
    return {"allowed": True} if dialog.allowed else {"allowed": False, "reason": 901}
