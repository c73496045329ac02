"""What hangs on a message, as a dialog can show it. Addresses are the sender's: never trusted."""

import re
from collections.abc import Callable
from typing import Any

from sigma.channels.vk.fields import address, inner, number, objects, text
from sigma.domain.messaging.message import Shown

MAX_SHOWN = 20
WIDE_ENOUGH = 320  # points: a picture in a dialog
VK_PAGES = "https://vk.com"
_ITEM = re.compile(r"(?:product|market)-(\d{1,15})_(\d{1,15})", re.ASCII)
_ITEM_PAGE = re.compile(r"market/product/[\w-]{0,200}?-(\d{1,15})-(\d{1,15})(?!\d)", re.ASCII)


def shown(message: dict[str, Any]) -> tuple[Shown, ...]:
    """Attachments, what was forwarded or answered, and a place on the map."""
    found = []
    for one in objects(message, "attachments", MAX_SHOWN):
        kind = text(one, "type", 32)
        show = _SHOW.get(kind)
        found.append(show(inner(one, kind)) if show else Shown("other", title=kind))
    if answered := inner(message, "reply_message"):
        found.append(Shown("other", title=text(answered, "text", 300), detail="reply"))
    found += [
        Shown("other", title=text(one, "text", 300), detail="forwarded")
        for one in objects(message, "fwd_messages", MAX_SHOWN)
    ]
    if geo := inner(message, "geo"):
        found.append(Shown("place", title=text(inner(geo, "place"), "title")))
    return tuple(found[:MAX_SHOWN])


def item_named(message: dict[str, Any], words: str) -> tuple[int, int] | None:
    """The market item that a message is about, attached or linked to: whose, and which."""
    attached = objects(message, "attachments", MAX_SHOWN)
    for one in attached:
        item = inner(one, "market")
        if number(item, "owner_id") and number(item, "id") > 0:
            return number(item, "owner_id"), number(item, "id")
    links = [text(inner(one, "link"), "url", 2048) for one in attached]
    for pattern in (_ITEM, _ITEM_PAGE):
        if found := pattern.search("\n".join([words, *links])):
            return -int(found[1]), int(found[2])
    return None


def _photo(said: dict[str, Any]) -> Shown:
    sizes = objects(said, "sizes", 50) or [inner(said, "orig_photo")]
    return Shown("photo", text(said, "text"), _widest(sizes), _fitting(sizes))


def _market(said: dict[str, Any]) -> Shown:
    owner, item_id = number(said, "owner_id"), number(said, "id")
    url = f"{VK_PAGES}/market{owner}?w=product{owner}_{item_id}" if owner and item_id else ""
    price = text(inner(said, "price"), "text", 64)
    return Shown("market", text(said, "title"), url, address(said, "thumb_photo"), price)


def _link(said: dict[str, Any]) -> Shown:
    picture = _fitting(objects(inner(said, "photo"), "sizes", 50))
    return Shown("link", text(said, "title"), address(said, "url"), picture, text(said, "caption"))


def _doc(said: dict[str, Any]) -> Shown:
    sizes = objects(inner(inner(said, "preview"), "photo"), "sizes", 50)
    detail = f"{text(said, 'ext', 16)} {_bytes(number(said, 'size'))}".strip()
    return Shown("doc", text(said, "title"), address(said, "url"), _fitting(sizes), detail)


def _video(said: dict[str, Any]) -> Shown:
    owner, video_id = number(said, "owner_id"), number(said, "id")
    url = f"{VK_PAGES}/video{owner}_{video_id}" if owner and video_id else ""
    picture = _fitting(objects(said, "image", 50))
    return Shown("video", text(said, "title"), url, picture, _minutes(number(said, "duration")))


def _voice(said: dict[str, Any]) -> Shown:
    url = address(said, "link_mp3") or address(said, "link_ogg")
    words = text(said, "transcript", 1000)
    return Shown("audio", words, url, detail=_minutes(number(said, "duration")))


def _audio(said: dict[str, Any]) -> Shown:
    title = f"{text(said, 'artist')} – {text(said, 'title')}".strip(" –")
    return Shown("audio", title, address(said, "url"), detail=_minutes(number(said, "duration")))


def _sticker(said: dict[str, Any]) -> Shown:
    return Shown("sticker", picture=_fitting(objects(said, "images", 50)))


def _graffiti(said: dict[str, Any]) -> Shown:
    return Shown("sticker", picture=address(said, "url"))


def _gift(said: dict[str, Any]) -> Shown:
    return Shown("sticker", picture=address(said, "thumb_256"))


def _wall(said: dict[str, Any]) -> Shown:
    owner = number(said, "owner_id") or number(said, "to_id") or number(said, "from_id")
    post_id = number(said, "id")
    url = f"{VK_PAGES}/wall{owner}_{post_id}" if owner and post_id else ""
    return Shown("wall", text(said, "text", 300), url)


_SHOW: dict[str, Callable[[dict[str, Any]], Shown]] = {
    "photo": _photo,
    "market": _market,
    "link": _link,
    "doc": _doc,
    "video": _video,
    "audio_message": _voice,
    "audio": _audio,
    "sticker": _sticker,
    "graffiti": _graffiti,
    "gift": _gift,
    "wall": _wall,
}


def _source(size: dict[str, Any]) -> str:
    return address(size, "url") or address(size, "src")


def _widest(sizes: list[dict[str, Any]]) -> str:
    return _source(max(sizes, key=_width, default={}))


def _fitting(sizes: list[dict[str, Any]]) -> str:
    """The smallest picture that is wide enough, else the widest."""
    enough = [one for one in sizes if _width(one) >= WIDE_ENOUGH]
    return _source(min(enough, key=_width)) if enough else _widest(sizes)


def _width(size: dict[str, Any]) -> int:
    return number(size, "width")


def _minutes(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02}" if 0 < seconds < 360_000 else ""


def _bytes(size: int) -> str:
    for unit, step in (("MB", 1_000_000), ("KB", 1_000)):
        if size >= step:
            return f"{size / step:.0f} {unit}"
    return f"{size} B" if size > 0 else ""
