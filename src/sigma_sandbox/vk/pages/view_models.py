"""View models of the client's pages: people, communities, services, conversations. No I/O.

URLs are relative, so the pages work under any host name of the sandbox.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

from sigma_sandbox.time_util import MOSCOW, as_datetime, to_wire
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.wire.market_json import item_price_json
from sigma_sandbox.vk.world.models import (
    Attachment,
    Community,
    Conversation,
    Json,
    MarketItem,
    Message,
    Person,
)

MONTHS = (
    *("января", "февраля", "марта", "апреля", "мая", "июня"),
    *("июля", "августа", "сентября", "октября", "ноября", "декабря"),
)
URL_PATTERN = re.compile(r"https?://[^\s<>\"«»]+")
TRAILING_PUNCTUATION = ".,;:!?)…"
ATTACHMENT_LABELS = {"doc": "Файл", "sticker": "Стикер", "audio_message": "Голосовое сообщение"}
MAX_MESSAGES = 200


@dataclass(frozen=True)
class PersonView:
    """A person in a list or in the page header."""

    id: int
    name: str
    first_name: str
    picture: str


@dataclass(frozen=True)
class ServiceCard:
    """A service in the list of services. `picture` is a URL."""

    id: int
    title: str
    description: str
    price: str
    picture: str
    url: str
    available: bool


@dataclass(frozen=True)
class AttachmentView:
    """An attachment of a message. `picture` is the URL of an image."""

    kind: str
    title: str = ""
    caption: str = ""
    price: str = ""
    url: str = ""
    picture: str = ""


@dataclass(frozen=True)
class ButtonView:
    """A button of a keyboard. `position` is "row,column".

    `is_pressable`: the sandbox supports a press of this type.
    """

    kind: str
    label: str
    color: str
    position: str
    link: str = ""
    is_pressable: bool = False


@dataclass(frozen=True)
class MessageView:
    """A message. `day` is set only for the first message of a day."""

    cmid: int
    is_mine: bool
    text: Markup
    time: str
    time_iso: str
    day: str
    is_edited: bool
    is_read: bool
    attachments: list[AttachmentView]
    keyboard: list[list[ButtonView]]


@dataclass(frozen=True)
class ConversationView:
    """A conversation as its client sees it. `version` changes whenever the page must be redrawn."""

    version: str
    messages: list[MessageView] = field(default_factory=list)
    keyboard: list[list[ButtonView]] = field(default_factory=list)
    has_start_button: bool = False
    is_typing: bool = False


def person_view(person: Person) -> PersonView:
    """Return the view of a person."""
    picture = f"/vk/pictures/people/{person.id}.svg"
    return PersonView(
        person.id, f"{person.first_name} {person.last_name}", person.first_name, picture
    )


def community_picture_url(community: Community) -> str:
    """Return the URL of a community's avatar; it changes with the avatar."""
    version = f"{community.photo_id or community.colour.lstrip('#')}-{int(community.has_photo)}"
    return f"/vk/pictures/communities/{community.id}.svg?{version}"


def community_url(community: Community) -> str:
    """Return the URL of a community's page."""
    return f"/vk/{community.screen_name or f'club{community.id}'}"


def community_context(vk: Vk, community: Community) -> dict[str, Any]:
    """Return the template context of a community."""
    return {
        "id": community.id,
        "name": community.name,
        "screen_name": community.screen_name,
        "description": community.description,
        "site": community.site if is_http_url(community.site) else "",
        "url": community_url(community),
        "picture": community_picture_url(community),
        "cover": f"/vk/covers/{community.colour.lstrip('#')}.svg",
        "has_photo": community.has_photo,
        "messages": community.messages,
        "bots": community.bots_capabilities,
        "start_button": community.bots_start_button,
        "services": community.services,
        "market": community.market != "none",
        "contacts": [_contact_context(vk, one.user_id, one) for one in community.contacts],
    }


def _contact_context(vk: Vk, user_id: int, contact: Any) -> dict[str, str]:
    person = vk.people.get(user_id)
    name = f"{person.first_name} {person.last_name}" if person else ""
    return {"name": name, "desc": contact.desc, "phone": contact.phone, "email": contact.email}


def service_count_text(count: int) -> str:
    """Return the number of services with the noun: "3 услуги"."""
    if count % 10 == 1 and count % 100 != 11:
        return f"{count}\u00a0услуга"
    few = count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14)
    return f"{count}\u00a0услуг{'и' if few else ''}"


def service_cards(vk: Vk, community: Community) -> list[ServiceCard]:
    """Return a community's services, without deleted ones."""
    return [service_card(vk, one) for one in vk.list_items(community.id) if one.availability != 1]


def service_card(vk: Vk, item: MarketItem) -> ServiceCard:
    """Return the view of a service."""
    photo = next((one for one in item.photo_ids if one in vk.photos), None)
    picture = f"/vk/pictures/{photo}" if photo else f"/vk/pictures/communities/{item.group_id}.svg"
    return ServiceCard(
        id=item.id,
        title=item.title,
        description=item.description,
        price=str(item_price_json(item)["text"]),
        picture=picture,
        url=f"/vk/service/{item.group_id}/{item.id}",
        available=item.availability == 0,
    )


def is_http_url(url: str) -> bool:
    """Return whether a URL is safe for a link: http or https, no `javascript:`."""
    return url.startswith(("http://", "https://"))


def linkify(text: str) -> Markup:
    """Escape a text and turn its URLs into links that open in a new tab."""
    output, position = Markup(), 0
    for match in URL_PATTERN.finditer(text):
        address = match[0].rstrip(TRAILING_PUNCTUATION)
        output += escape(text[position : match.start()])
        output += Markup('<a href="{0}" target="_blank" rel="noopener">{0}</a>').format(address)
        position = match.start() + len(address)
    return output + escape(text[position:])


def keyboard_rows(keyboard: Json | None) -> list[list[ButtonView]]:
    """Return the rows of buttons of a VK keyboard."""
    rows = (keyboard or {}).get("buttons") or []
    return [
        [_button_view(button, f"{row},{column}") for column, button in enumerate(buttons)]
        for row, buttons in enumerate(rows)
    ]


def _button_view(button: Json, position: str) -> ButtonView:
    action = button.get("action") or {}
    kind = str(action.get("type", "text"))
    link = str(action.get("link") or "")
    labels = {"location": "Отправить местоположение", "vkpay": "Оплатить через VK Pay"}
    return ButtonView(
        kind=kind,
        label=str(action.get("label") or labels.get(kind, "Кнопка")),
        color=str(button.get("color") or "") if kind in ("text", "callback") else "",
        position=position,
        link=link if kind == "open_link" and is_http_url(link) else "",
        is_pressable=kind in ("text", "callback"),
    )


def conversation_view(vk: Vk, community: Community, conversation: Conversation) -> ConversationView:
    """Return the view of a conversation."""
    messages = vk.list_messages(community.id, conversation.person_id)[-MAX_MESSAGES:]
    return ConversationView(
        version=view_version(community, conversation),
        messages=list(_message_views(vk, messages, conversation)),
        keyboard=keyboard_rows(conversation.keyboard) if community.messages else [],
        has_start_button=not messages
        and community.messages
        and community.bots_capabilities
        and community.bots_start_button,
        is_typing=vk.is_typing(community.id, conversation.person_id),
    )


def view_version(community: Community, conversation: Conversation) -> str:
    """Return a text that changes whenever the conversation's page must be redrawn."""
    switches = community.messages, community.bots_capabilities, community.bots_start_button
    flags = "".join(str(int(one)) for one in switches)
    return f"{conversation.person_id}-{conversation.version}-{flags}"


def _message_views(
    vk: Vk, messages: list[Message], conversation: Conversation
) -> Iterator[MessageView]:
    previous_day = ""
    # «прочитано» is shown only under the person's last message that the community has read.
    last_read_cmid = max(
        (m.cmid for m in messages if not m.is_outgoing and m.cmid <= conversation.in_read),
        default=0,
    )
    for one in messages:
        day = format_day(one.sent_at_us)
        yield MessageView(
            cmid=one.cmid,
            is_mine=not one.is_outgoing,
            text=linkify(one.text),
            time=format_time(one.sent_at_us),
            time_iso=to_wire(one.sent_at_us),
            day="" if day == previous_day else day,
            is_edited=one.edited_at_us is not None,
            is_read=not one.is_outgoing and one.cmid == last_read_cmid,
            attachments=[
                *(_attachment_view(vk, a) for a in one.attachments),
                *_carousel_views(one.template),
            ],
            keyboard=keyboard_rows(one.keyboard),
        )
        previous_day = day


def _attachment_view(vk: Vk, attachment: Attachment) -> AttachmentView:
    if attachment.type == "photo" and attachment.id in vk.photos:
        address = f"/vk/pictures/{attachment.id}"
        return AttachmentView("photo", url=address, picture=address)
    if attachment.type == "market" and (-attachment.owner_id, attachment.id) in vk.items:
        item = service_card(vk, vk.items[-attachment.owner_id, attachment.id])
        return AttachmentView("market", item.title, "", item.price, item.url, item.picture)
    if attachment.type == "link" and is_http_url(attachment.url):
        return AttachmentView(
            "link",
            attachment.title or attachment.url,
            attachment.url if attachment.title else "",
            url=attachment.url,
        )
    return AttachmentView(
        attachment.type, attachment.title or ATTACHMENT_LABELS.get(attachment.type, "Вложение")
    )


def _carousel_views(template: Json | None) -> Iterator[AttachmentView]:
    for element in (template or {}).get("elements") or []:
        link = str((element.get("action") or {}).get("link") or "")
        title, caption = str(element.get("title", "")), str(element.get("description", ""))
        yield AttachmentView("carousel", title, caption, url=link if is_http_url(link) else "")


def format_time(time_us: int) -> str:
    """Format as "14:05", Moscow time."""
    return as_datetime(time_us).astimezone(MOSCOW).strftime("%H:%M")


def format_day(time_us: int) -> str:
    """Format as "24 ноября 2026", Moscow time."""
    local_time = as_datetime(time_us).astimezone(MOSCOW)
    return f"{local_time.day}\u00a0{MONTHS[local_time.month - 1]} {local_time.year}"


def conversation_rows(vk: Vk, person: Person) -> list[dict[str, Any]]:
    """Return a person's conversations for the list, latest first."""
    conversations = [
        one for one in vk.conversations.values() if one.person_id == person.id and one.last_cmid
    ]
    conversations.sort(key=lambda one: vk.last_message(one).sent_at_us, reverse=True)
    return [_conversation_row(vk, one) for one in conversations]


def _conversation_row(vk: Vk, conversation: Conversation) -> dict[str, Any]:
    community, last = vk.communities[conversation.group_id], vk.last_message(conversation)
    text = last.text or (last.attachments and "Вложение") or "Сообщение"
    messages = vk.list_messages(conversation.group_id, conversation.person_id)
    return {
        "community": {
            "id": community.id,
            "name": community.name,
            "picture": community_picture_url(community),
        },
        "last": text if last.is_outgoing else f"Вы: {text}",
        "time": format_time(last.sent_at_us),
        "unread": sum(
            1 for one in messages if one.is_outgoing and one.cmid > conversation.out_read
        ),
    }
