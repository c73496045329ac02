"""What the client's pages show of people, communities, services and dialogs. Pure.

Addresses are relative, so the pages work under whatever name the sandbox is opened.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

from sigma_sandbox.time_util import MOSCOW, as_datetime, to_wire
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.wire.market_json import price_json
from sigma_sandbox.vk.world.models import Attachment, Community, Dialog, Item, Json, Message, Person

MONTHS = (
    *("января", "февраля", "марта", "апреля", "мая", "июня"),
    *("июля", "августа", "сентября", "октября", "ноября", "декабря"),
)
WEB = re.compile(r"https?://[^\s<>\"«»]+")
NOT_OF_A_LINK = ".,;:!?)…"
KIND_WORDS = {"doc": "Файл", "sticker": "Стикер", "audio_message": "Голосовое сообщение"}
LAST_SHOWN = 200


@dataclass(frozen=True)
class Face:
    """A person or a community in a list."""

    id: int
    name: str
    first_name: str
    picture: str


@dataclass(frozen=True)
class Card:
    """A service as its card shows it."""

    id: int
    title: str
    description: str
    price: str
    picture: str
    url: str
    available: bool


@dataclass(frozen=True)
class Shown:
    """An attachment of a message."""

    kind: str
    title: str = ""
    caption: str = ""
    price: str = ""
    url: str = ""
    picture: str = ""


@dataclass(frozen=True)
class Key:
    """A button; `place` is "row,column" and `works` says that a press does something here."""

    kind: str
    label: str
    color: str
    place: str
    link: str = ""
    works: bool = False


@dataclass(frozen=True)
class Bubble:
    """A message as it is drawn; `day` stands above the first message of a day."""

    cmid: int
    mine: bool
    text: Markup
    time: str
    iso: str
    day: str
    edited: bool
    read: bool
    attachments: list[Shown]
    keyboard: list[list[Key]]


@dataclass(frozen=True)
class Feed:
    """A dialog as its client sees it now; `mark` changes with everything that is shown."""

    mark: str
    messages: list[Bubble] = field(default_factory=list)
    keyboard: list[list[Key]] = field(default_factory=list)
    start: bool = False
    typing: bool = False


def person_face(person: Person) -> Face:
    """A person."""
    picture = f"/vk/pictures/people/{person.id}.svg"
    return Face(person.id, f"{person.first_name} {person.last_name}", person.first_name, picture)


def club_picture(club: Community) -> str:
    """Where the community's avatar is; the address changes with the avatar."""
    mark = f"{club.photo_id or club.colour.lstrip('#')}-{int(club.has_photo)}"
    return f"/vk/pictures/communities/{club.id}.svg?{mark}"


def club_url(club: Community) -> str:
    """The community's page."""
    return f"/vk/{club.screen_name or f'club{club.id}'}"


def club_page(vk: Vk, club: Community) -> dict[str, Any]:
    """Everything the pages of a community tell about it."""
    return {
        "id": club.id,
        "name": club.name,
        "screen_name": club.screen_name,
        "description": club.description,
        "site": club.site if is_web(club.site) else "",
        "url": club_url(club),
        "picture": club_picture(club),
        "cover": f"/vk/covers/{club.colour.lstrip('#')}.svg",
        "has_photo": club.has_photo,
        "messages": club.messages,
        "bots": club.bots_capabilities,
        "start_button": club.bots_start_button,
        "services": club.services,
        "market": club.market != "none",
        "contacts": [_contact(vk, one.user_id, one) for one in club.contacts],
    }


def _contact(vk: Vk, user_id: int, contact: Any) -> dict[str, str]:
    person = vk.people.get(user_id)
    name = f"{person.first_name} {person.last_name}" if person else ""
    return {"name": name, "desc": contact.desc, "phone": contact.phone, "email": contact.email}


def offers(count: int) -> str:
    """ "3 услуги"."""
    if count % 10 == 1 and count % 100 != 11:
        return f"{count}\u00a0услуга"
    few = count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14)
    return f"{count}\u00a0услуг{'и' if few else ''}"


def cards(vk: Vk, club: Community) -> list[Card]:
    """The services to leaf through: everything the community has not taken away."""
    return [card(vk, one) for one in vk.items_of(club.id) if one.availability != 1]


def card(vk: Vk, item: Item) -> Card:
    """One service."""
    photo = next((one for one in item.photo_ids if one in vk.pictures), None)
    picture = f"/vk/pictures/{photo}" if photo else f"/vk/pictures/communities/{item.group_id}.svg"
    return Card(
        id=item.id,
        title=item.title,
        description=item.description,
        price=str(price_json(item)["text"]),
        picture=picture,
        url=f"/vk/service/{item.group_id}/{item.id}",
        available=item.availability == 0,
    )


def is_web(address: str) -> bool:
    """May this address stand in a link? Schemes that run something may not."""
    return address.startswith(("http://", "https://"))


def linked(text: str) -> Markup:
    """A text with its web addresses as links that open in a new tab."""
    out, at = Markup(), 0
    for found in WEB.finditer(text):
        address = found[0].rstrip(NOT_OF_A_LINK)
        out += escape(text[at : found.start()])
        out += Markup('<a href="{0}" target="_blank" rel="noopener">{0}</a>').format(address)
        at = found.start() + len(address)
    return out + escape(text[at:])


def keys(keyboard: Json | None) -> list[list[Key]]:
    """The rows of a keyboard."""
    rows = (keyboard or {}).get("buttons") or []
    return [
        [_key(button, f"{row},{column}") for column, button in enumerate(buttons)]
        for row, buttons in enumerate(rows)
    ]


def _key(button: Json, place: str) -> Key:
    action = button.get("action") or {}
    kind = str(action.get("type", "text"))
    link = str(action.get("link") or "")
    words = {"location": "Отправить местоположение", "vkpay": "Оплатить через VK Pay"}
    return Key(
        kind=kind,
        label=str(action.get("label") or words.get(kind, "Кнопка")),
        color=str(button.get("color") or "") if kind in ("text", "callback") else "",
        place=place,
        link=link if kind == "open_link" and is_web(link) else "",
        works=kind in ("text", "callback"),
    )


def feed(vk: Vk, club: Community, dialog: Dialog) -> Feed:
    """The dialog with everything that is drawn of it."""
    known = vk.messages(club.id, dialog.person_id)[-LAST_SHOWN:]
    return Feed(
        mark=mark(club, dialog),
        messages=list(_bubbles(vk, known, dialog)),
        keyboard=keys(dialog.keyboard) if club.messages else [],
        start=not known and club.messages and club.bots_capabilities and club.bots_start_button,
        typing=vk.is_typing(club.id, dialog.person_id),
    )


def mark(club: Community, dialog: Dialog) -> str:
    """Changes when the dialog has to be drawn again."""
    switches = club.messages, club.bots_capabilities, club.bots_start_button
    return f"{dialog.person_id}-{dialog.version}-{''.join(str(int(one)) for one in switches)}"


def _bubbles(vk: Vk, messages: list[Message], dialog: Dialog) -> Iterator[Bubble]:
    before = ""
    # The word stands under the last of one's own messages that the community has read.
    seen = max((m.cmid for m in messages if not m.out and m.cmid <= dialog.in_read), default=0)
    for one in messages:
        day = day_words(one.at)
        yield Bubble(
            cmid=one.cmid,
            mine=not one.out,
            text=linked(one.text),
            time=clock_words(one.at),
            iso=to_wire(one.at),
            day="" if day == before else day,
            edited=one.edited_at is not None,
            read=not one.out and one.cmid == seen,
            attachments=[*(_shown(vk, a) for a in one.attachments), *_carousel(one.template)],
            keyboard=keys(one.keyboard),
        )
        before = day


def _shown(vk: Vk, one: Attachment) -> Shown:
    if one.type == "photo" and one.id in vk.pictures:
        address = f"/vk/pictures/{one.id}"
        return Shown("photo", url=address, picture=address)
    if one.type == "market" and (-one.owner_id, one.id) in vk.items:
        item = card(vk, vk.items[-one.owner_id, one.id])
        return Shown("market", item.title, "", item.price, item.url, item.picture)
    if one.type == "link" and is_web(one.url):
        return Shown("link", one.title or one.url, one.url if one.title else "", url=one.url)
    return Shown(one.type, one.title or KIND_WORDS.get(one.type, "Вложение"))


def _carousel(template: Json | None) -> Iterator[Shown]:
    for element in (template or {}).get("elements") or []:
        link = str((element.get("action") or {}).get("link") or "")
        title, caption = str(element.get("title", "")), str(element.get("description", ""))
        yield Shown("carousel", title, caption, url=link if is_web(link) else "")


def clock_words(at: int) -> str:
    """ "14:05", Moscow time."""
    return as_datetime(at).astimezone(MOSCOW).strftime("%H:%M")


def day_words(at: int) -> str:
    """ "24 ноября 2026", Moscow time."""
    moment = as_datetime(at).astimezone(MOSCOW)
    return f"{moment.day}\u00a0{MONTHS[moment.month - 1]} {moment.year}"


def dialogs(vk: Vk, person: Person) -> list[dict[str, Any]]:
    """A person's dialogs, the freshest first."""
    own = [one for one in vk.dialogs.values() if one.person_id == person.id and one.last_cmid]
    own.sort(key=lambda one: vk.last_message(one).at, reverse=True)
    return [_dialog_row(vk, one) for one in own]


def _dialog_row(vk: Vk, dialog: Dialog) -> dict[str, Any]:
    club, last = vk.communities[dialog.group_id], vk.last_message(dialog)
    words = last.text or (last.attachments and "Вложение") or "Сообщение"
    fresh = vk.messages(dialog.group_id, dialog.person_id)
    return {
        "club": {"id": club.id, "name": club.name, "picture": club_picture(club)},
        "last": words if last.out else f"Вы: {words}",
        "time": clock_words(last.at),
        "unread": sum(1 for one in fresh if one.out and one.cmid > dialog.out_read),
    }
