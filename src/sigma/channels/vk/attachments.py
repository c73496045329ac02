"""Convert the attachments of a VK message. Their URLs come from the sender and are not trusted.

Source: dev.vk.ru/ru/reference/objects/message.
"""

import re
from collections.abc import Callable
from typing import Any

from sigma.channels.vk.fields import read_int, read_object, read_objects, read_text, read_url
from sigma.domain.messaging.message import MessageAttachment

MAX_ATTACHMENTS = 20
MIN_WIDTH_PX = 320  # CSS pixels: the width of a picture in a conversation
VK_SITE_URL = "https://vk.com"
_ITEM_REFERENCE = re.compile(r"(?:product|market)-(\d{1,15})_(\d{1,15})", re.ASCII)
_ITEM_PAGE_URL = re.compile(r"market/product/[\w-]{0,200}?-(\d{1,15})-(\d{1,15})(?!\d)", re.ASCII)


def read_attachments(message: dict[str, Any]) -> tuple[MessageAttachment, ...]:
    """Return attachments, then the quoted message, forwarded messages and the geo position.

    At most MAX_ATTACHMENTS of them.
    """
    attachments = []
    for one in read_objects(message, "attachments", MAX_ATTACHMENTS):
        kind = read_text(one, "type", 32)
        reader = _READERS.get(kind)
        attachments.append(
            reader(read_object(one, kind)) if reader else MessageAttachment("other", title=kind)
        )
    if quoted := read_object(message, "reply_message"):
        attachments.append(
            MessageAttachment("other", title=read_text(quoted, "text", 300), detail="reply")
        )
    attachments += [
        MessageAttachment("other", title=read_text(one, "text", 300), detail="forwarded")
        for one in read_objects(message, "fwd_messages", MAX_ATTACHMENTS)
    ]
    if geo := read_object(message, "geo"):
        attachments.append(
            MessageAttachment("location", title=read_text(read_object(geo, "place"), "title"))
        )
    return tuple(attachments[:MAX_ATTACHMENTS])


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


def _photo(raw: dict[str, Any]) -> MessageAttachment:
    sizes = read_objects(raw, "sizes", 50) or [read_object(raw, "orig_photo")]
    return MessageAttachment(
        "photo", read_text(raw, "text"), _widest_url(sizes), _fitting_url(sizes)
    )


def _market(raw: dict[str, Any]) -> MessageAttachment:
    owner, item_id = read_int(raw, "owner_id"), read_int(raw, "id")
    url = f"{VK_SITE_URL}/market{owner}?w=product{owner}_{item_id}" if owner and item_id else ""
    price = read_text(read_object(raw, "price"), "text", 64)
    return MessageAttachment(
        "market", read_text(raw, "title"), url, read_url(raw, "thumb_photo"), price
    )


def _link(raw: dict[str, Any]) -> MessageAttachment:
    picture = _fitting_url(read_objects(read_object(raw, "photo"), "sizes", 50))
    return MessageAttachment(
        "link", read_text(raw, "title"), read_url(raw, "url"), picture, read_text(raw, "caption")
    )


def _doc(raw: dict[str, Any]) -> MessageAttachment:
    sizes = read_objects(read_object(read_object(raw, "preview"), "photo"), "sizes", 50)
    detail = f"{read_text(raw, 'ext', 16)} {_format_size(read_int(raw, 'size'))}".strip()
    return MessageAttachment(
        "doc", read_text(raw, "title"), read_url(raw, "url"), _fitting_url(sizes), detail
    )


def _video(raw: dict[str, Any]) -> MessageAttachment:
    owner, video_id = read_int(raw, "owner_id"), read_int(raw, "id")
    url = f"{VK_SITE_URL}/video{owner}_{video_id}" if owner and video_id else ""
    picture = _fitting_url(read_objects(raw, "image", 50))
    return MessageAttachment(
        "video", read_text(raw, "title"), url, picture, _format_duration(read_int(raw, "duration"))
    )


def _voice_message(raw: dict[str, Any]) -> MessageAttachment:
    url = read_url(raw, "link_mp3") or read_url(raw, "link_ogg")
    transcript = read_text(raw, "transcript", 1000)
    return MessageAttachment(
        "audio", transcript, url, detail=_format_duration(read_int(raw, "duration"))
    )


def _audio(raw: dict[str, Any]) -> MessageAttachment:
    title = f"{read_text(raw, 'artist')} – {read_text(raw, 'title')}".strip(" –")
    return MessageAttachment(
        "audio", title, read_url(raw, "url"), detail=_format_duration(read_int(raw, "duration"))
    )


def _sticker(raw: dict[str, Any]) -> MessageAttachment:
    return MessageAttachment("sticker", picture_url=_fitting_url(read_objects(raw, "images", 50)))


def _graffiti(raw: dict[str, Any]) -> MessageAttachment:
    return MessageAttachment("sticker", picture_url=read_url(raw, "url"))


def _gift(raw: dict[str, Any]) -> MessageAttachment:
    return MessageAttachment("sticker", picture_url=read_url(raw, "thumb_256"))


def _wall(raw: dict[str, Any]) -> MessageAttachment:
    owner = read_int(raw, "owner_id") or read_int(raw, "to_id") or read_int(raw, "from_id")
    post_id = read_int(raw, "id")
    url = f"{VK_SITE_URL}/wall{owner}_{post_id}" if owner and post_id else ""
    return MessageAttachment("wall", read_text(raw, "text", 300), url)


_READERS: dict[str, Callable[[dict[str, Any]], MessageAttachment]] = {
    "photo": _photo,
    "market": _market,
    "link": _link,
    "doc": _doc,
    "video": _video,
    "audio_message": _voice_message,
    "audio": _audio,
    "sticker": _sticker,
    "graffiti": _graffiti,
    "gift": _gift,
    "wall": _wall,
}


def _size_url(size: dict[str, Any]) -> str:
    return read_url(size, "url") or read_url(size, "src")


def _widest_url(sizes: list[dict[str, Any]]) -> str:
    return _size_url(max(sizes, key=_width, default={}))


def _fitting_url(sizes: list[dict[str, Any]]) -> str:
    """Return the URL of the smallest picture of at least MIN_WIDTH_PX, else of the widest."""
    enough = [one for one in sizes if _width(one) >= MIN_WIDTH_PX]
    return _size_url(min(enough, key=_width)) if enough else _widest_url(sizes)


def _width(size: dict[str, Any]) -> int:
    return read_int(size, "width")


def _format_duration(duration_s: int) -> str:
    return f"{duration_s // 60}:{duration_s % 60:02}" if 0 < duration_s < 360_000 else ""


def _format_size(size_bytes: int) -> str:
    for unit, step in (("MB", 1_000_000), ("KB", 1_000)):
        if size_bytes >= step:
            return f"{size_bytes / step:.0f} {unit}"
    return f"{size_bytes} B" if size_bytes > 0 else ""
