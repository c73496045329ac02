"""Read what a VK message contains: text with links, attachments, place, nested messages.

Source: dev.vk.ru/ru/reference/objects/message. All of it comes from the sender: not trusted.
"""

import re
from typing import Any

import msgspec

from sigma.channels.vk.attachments import read_attachment
from sigma.channels.vk.fields import (
    read_flag,
    read_float,
    read_int,
    read_object,
    read_objects,
    read_text,
    read_url,
)
from sigma.domain.messaging.message import (
    MessageAttachment,
    MessageContent,
    NestedMessage,
    TextLink,
)
from sigma.domain.text_cleaning import clean_text
from sigma.domain.time_units import SECOND_US

MAX_TEXT_CHARS = 16_000
MAX_ATTACHMENTS = 20
MAX_LINKS = 100
# VK's own limits: forwarded messages of one message, of all levels together, and levels.
MAX_FORWARDED, MAX_NESTED, MAX_LEVELS = 100, 500, 45
MAX_DATE_S = 253_402_300_799  # Unix time of the last second of the year 9999
MAP_URL = "https://yandex.ru/maps/?pt={longitude},{latitude}&z=17&l=map"
_ITEM_REFERENCE = re.compile(r"(?:product|market)-(\d{1,15})_(\d{1,15})", re.ASCII)
_ITEM_PAGE_URL = re.compile(r"market/product/[\w-]{0,200}?-(\d{1,15})-(\d{1,15})(?!\d)", re.ASCII)


def read_content(message: dict[str, Any]) -> MessageContent:
    """Return the content of a message, with everything that is nested in it."""
    nested = _read_nested(message, 1, [MAX_NESTED])
    return MessageContent(
        text=read_text(message, "text", MAX_TEXT_CHARS),
        attachments=_read_attachments(message),
        links=_read_links(message),
        nested=nested,
        is_incomplete=read_flag(message, "is_cropped") or any(one.is_incomplete for one in nested),
        is_unavailable=_is_unavailable(message),
    )


def find_market_item(message: dict[str, Any], message_text: str) -> tuple[int, int] | None:
    """Return (owner id, item id) of the attached or linked market item, or None.

    The owner id of a community is negative, as in the VK API.
    """
    attached = read_objects(message, "attachments", MAX_ATTACHMENTS)
    for one in attached:
        item = read_object(one, "market")
        if read_int(item, "owner_id") and read_int(item, "id") > 0:
            return read_int(item, "owner_id"), read_int(item, "id")
    links = [read_text(read_object(one, "link"), "url", 2048) for one in attached]
    for pattern in (_ITEM_REFERENCE, _ITEM_PAGE_URL):
        if match := pattern.search("\n".join([message_text, *links])):
            return -int(match[1]), int(match[2])
    return None


def _read_attachments(message: dict[str, Any]) -> tuple[MessageAttachment, ...]:
    """Return the attachments, at most MAX_ATTACHMENTS, then the place of the message."""
    attachments = [
        read_attachment(one) for one in read_objects(message, "attachments", MAX_ATTACHMENTS)
    ]
    if geo := read_object(message, "geo"):
        attachments.append(_read_geo(geo))
    return tuple(attachments)


def _read_nested(
    message: dict[str, Any], level: int, allowance: list[int]
) -> tuple[NestedMessage, ...]:
    """Return the quoted message, then the forwarded ones, each with its own nested messages.

    `allowance` holds how many messages may still be read. What is over VK's limits is left out.
    """
    raw_messages = [("reply", one) for one in [read_object(message, "reply_message")] if one]
    forwarded = read_objects(message, "fwd_messages", MAX_FORWARDED)
    raw_messages += [("forwarded", one) for one in forwarded]
    result = []
    for kind, raw in raw_messages:
        if allowance[0] == 0:
            break
        allowance[0] -= 1
        is_too_deep = level == MAX_LEVELS
        inner = () if is_too_deep else _read_nested(raw, level + 1, allowance)
        sent_at_s = read_int(raw, "date")
        result.append(
            NestedMessage(
                kind,
                from_id=read_int(raw, "from_id"),
                sent_at_us=sent_at_s * SECOND_US if 0 < sent_at_s <= MAX_DATE_S else 0,
                text=read_text(raw, "text", MAX_TEXT_CHARS),
                attachments=_read_attachments(raw),
                links=_read_links(raw),
                nested=inner,
                is_incomplete=read_flag(raw, "is_cropped")
                or any(one.is_incomplete for one in inner),
                is_unavailable=_is_unavailable(raw),
            )
        )
    return tuple(result)


def _is_unavailable(message: dict[str, Any]) -> bool:
    return any(read_flag(message, name) for name in ("is_unavailable", "is_expired", "deleted"))


def _read_links(message: dict[str, Any]) -> tuple[TextLink, ...]:
    """Return the links of `format_data`, by positions in the cleaned text.

    VK counts in UTF-16 code units of the text that it sent. Overlapping links are left out.
    """
    raw_text, format_data = message.get("text"), message.get("format_data")
    if isinstance(format_data, str):
        try:
            format_data = msgspec.json.decode(format_data)
        except (ValueError, RecursionError):
            return ()
    items = read_objects(format_data, "items", MAX_LINKS)
    if not isinstance(raw_text, str) or not items:
        return ()
    links: list[TextLink] = []
    for one in sorted(items, key=lambda item: read_int(item, "offset")):
        offset, length = read_int(one, "offset"), read_int(one, "length")
        url = read_url(one, "url")
        if read_text(one, "type", 16) != "url" or not url or offset < 0 or length <= 0:
            continue
        start = _clean_length(raw_text, offset)
        end = _clean_length(raw_text, offset + length)
        if start < end and (not links or links[-1].end <= start):
            links.append(TextLink(start, end, url))
    return tuple(links)


def _clean_length(text: str, utf16_units: int) -> int:
    """Return how many characters of the cleaned text the first `utf16_units` of a text become."""
    encoded = text.encode("utf-16-le", "surrogatepass")[: 2 * utf16_units]
    prefix = encoded.decode("utf-16-le", "ignore")
    # A letter at the end keeps the spaces before it: they are inside of the whole text.
    return min(len(clean_text(f"{prefix}x", multiline=True)) - 1, MAX_TEXT_CHARS)


def _read_geo(geo: dict[str, Any]) -> MessageAttachment:
    """Return a place: its name or address, and a link to a map when VK gives coordinates."""
    vk_place = read_object(geo, "place")
    coordinates = _read_coordinates(geo) or _read_coordinates({"coordinates": vk_place})
    title, address = read_text(vk_place, "title").strip(), read_text(vk_place, "address").strip()
    title = title or read_text(vk_place, "city").strip()
    if not title:
        title, address = address, ""
    url, detail = "", address if address != title else ""
    if coordinates:
        latitude, longitude = (f"{one:.6f}".rstrip("0").rstrip(".") for one in coordinates)
        url = MAP_URL.format(latitude=latitude, longitude=longitude)
        detail = detail or f"{latitude}, {longitude}"
    return MessageAttachment("location", title, url, detail=detail)


def _read_coordinates(geo: dict[str, Any]) -> tuple[float, float] | None:
    """Return (latitude, longitude), given as an object or as text "55.75 37.61", or None."""
    value = geo.get("coordinates")
    if isinstance(value, str):
        parts = value.replace(",", " ").split()
        value = dict(zip(("latitude", "longitude"), parts, strict=False))
    latitude, longitude = read_float(value, "latitude"), read_float(value, "longitude")
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    return latitude, longitude
