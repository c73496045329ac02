"""Convert one attachment of a VK message. Its texts and URLs are the sender's: not trusted.

Sources: dev.vk.ru/ru/reference/objects/message, and VKCOM/vk-api-schema messages/objects.json,
which lacks kinds that VK sends (money_transfer, mini_app, story …): their fields are read
tolerantly. A kind that is not known here becomes "other" with the texts that it has.
"""

from collections.abc import Callable
from typing import Any

from sigma.channels.vk.fields import (
    read_flag,
    read_int,
    read_object,
    read_objects,
    read_text,
    read_url,
)
from sigma.domain.messaging.message import ATTACHMENT_STATES, MessageAttachment

MIN_WIDTH_PX = 320  # CSS pixels: the width of a picture in a conversation
MAX_TEXT_CHARS = 1000
MAX_POLL_ANSWERS = 20
VK_SITE_URL = "https://vk.com"
# Other names of the same kind.
_ALIASES = {
    "podcasts": "podcast",
    "podcast_episode": "podcast",
    "market_market_album": "market_album",
    "posted_photo": "photo",
    "short_video": "clip",
    "ugc_sticker": "sticker",
    "sticker_pack_preview": "sticker",
    "group_call_in_progress": "call",
    "photos_list": "album",
    "pretty_cards": "carousel",
    "channel_stub": "channel_message",
    "textpost": "wall",
    "textpost_publish": "wall",
    "story_reaction": "story",
}
_TITLE_FIELDS = ("title", "name", "question", "text", "description", "caption", "message")
_URL_FIELDS = ("url", "view_url", "link", "share_url", "join_link", "vk_join_link", "init_url")


def read_attachment(raw: dict[str, Any]) -> MessageAttachment:
    """Convert an element of `attachments`: its `type`, and the object under that name."""
    vk_type = read_text(raw, "type", 32)
    content = read_object(raw, vk_type)
    kind = _ALIASES.get(vk_type, vk_type)
    if reader := _READERS.get(kind):
        return reader(content)
    if make_url := _URL_MAKERS.get(kind):
        return _common(kind, content, make_url(content))
    return _common(kind if kind in _PLAIN_KINDS else "other", content)


def _common(kind: str, raw: dict[str, Any], url: str = "") -> MessageAttachment:
    """Return what can be read of an object whose fields are not documented."""
    own_urls = (read_url(raw, name) for name in _URL_FIELDS)
    title = next((text for name in _TITLE_FIELDS if (text := _text(raw, name))), "")
    return MessageAttachment(
        kind,
        title,
        url or next((one for one in own_urls if one), ""),
        _any_picture_url(raw),
        _sum_text(raw),
    )


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


def _market_album(raw: dict[str, Any]) -> MessageAttachment:
    owner, album_id = read_int(raw, "owner_id"), read_int(raw, "id")
    url = f"{VK_SITE_URL}/market{owner}?section=album_{album_id}" if owner and album_id else ""
    return MessageAttachment("market_album", read_text(raw, "title"), url, _any_picture_url(raw))


def _link(raw: dict[str, Any]) -> MessageAttachment:
    picture = _fitting_url(read_objects(read_object(raw, "photo"), "sizes", 50))
    return MessageAttachment(
        "link",
        read_text(raw, "title"),
        read_url(raw, "url"),
        picture,
        read_text(raw, "caption") or read_text(raw, "description"),
    )


def _doc(raw: dict[str, Any]) -> MessageAttachment:
    sizes = read_objects(read_object(read_object(raw, "preview"), "photo"), "sizes", 50)
    return MessageAttachment(
        "doc",
        read_text(raw, "title"),
        read_url(raw, "url"),
        _fitting_url(sizes),
        read_text(raw, "ext", 16),
        size_bytes=max(read_int(raw, "size"), 0),
    )


def _video(raw: dict[str, Any]) -> MessageAttachment:
    """Read a video. Its `type` distinguishes video messages and clips from ordinary videos."""
    kind = _ALIASES.get(read_text(raw, "type", 32), read_text(raw, "type", 32))
    return MessageAttachment(
        kind if kind in ("video_message", "clip") else "video",
        read_text(raw, "title"),
        _page_url("clip" if kind == "clip" else "video", raw),
        _any_picture_url(raw),
        duration_s=_duration_s(raw),
    )


def _voice_message(raw: dict[str, Any]) -> MessageAttachment:
    url = read_url(raw, "link_mp3") or read_url(raw, "link_ogg")
    transcript = read_text(raw, "transcript", MAX_TEXT_CHARS)
    return MessageAttachment("audio_message", transcript, url, duration_s=_duration_s(raw))


def _audio(raw: dict[str, Any]) -> MessageAttachment:
    title = f"{read_text(raw, 'artist')} – {read_text(raw, 'title')}".strip(" –")
    return MessageAttachment("audio", title, read_url(raw, "url"), duration_s=_duration_s(raw))


def _sticker(raw: dict[str, Any]) -> MessageAttachment:
    return MessageAttachment("sticker", picture_url=_fitting_url(read_objects(raw, "images", 50)))


def _graffiti(raw: dict[str, Any]) -> MessageAttachment:
    return MessageAttachment("graffiti", picture_url=read_url(raw, "url"))


def _gift(raw: dict[str, Any]) -> MessageAttachment:
    picture = next((url for name in _THUMBS if (url := read_url(raw, name))), "")
    return MessageAttachment("gift", picture_url=picture)


def _wall(raw: dict[str, Any]) -> MessageAttachment:
    owner = read_int(raw, "owner_id") or read_int(raw, "to_id") or read_int(raw, "from_id")
    post_id = read_int(raw, "id")
    url = f"{VK_SITE_URL}/wall{owner}_{post_id}" if owner and post_id else ""
    pictures = [
        picture
        for one in read_objects(raw, "attachments", 10)
        if (picture := read_attachment(one).picture_url)
    ]
    return MessageAttachment("wall", _text(raw, "text"), url, pictures[0] if pictures else "")


def _wall_reply(raw: dict[str, Any]) -> MessageAttachment:
    owner, post_id, reply_id = (read_int(raw, name) for name in ("owner_id", "post_id", "id"))
    url = f"{VK_SITE_URL}/wall{owner}_{post_id}?reply={reply_id}" if owner and post_id else ""
    state = "deleted" if read_flag(raw, "deleted") else ""
    return MessageAttachment("wall_reply", _text(raw, "text"), url, state=state)


def _poll(raw: dict[str, Any]) -> MessageAttachment:
    answers = [read_text(one, "text", 100) for one in read_objects(raw, "answers")]
    return MessageAttachment(
        "poll",
        read_text(raw, "question"),
        _page_url("poll", raw),
        detail=" · ".join(answer for answer in answers[:MAX_POLL_ANSWERS] if answer),
        state="poll_closed" if read_flag(raw, "closed") else "",
    )


def _story(raw: dict[str, Any]) -> MessageAttachment:
    picture = _any_picture_url(raw) or _any_picture_url(read_object(raw, "video"))
    is_gone = read_flag(raw, "is_deleted"), read_flag(raw, "is_expired")
    state = "story_deleted" if is_gone[0] else "story_expired" if is_gone[1] else ""
    return MessageAttachment("story", "", _page_url("story", raw), picture, state=state)


def _call(raw: dict[str, Any]) -> MessageAttachment:
    url = read_url(raw, "join_link") or read_url(raw, "vk_join_link")
    state = f"call_{read_text(raw, 'state', 32)}" if raw.get("state") else "call_active"
    return MessageAttachment(
        "call",
        url=url,
        duration_s=_duration_s(raw),
        state=state if state in ATTACHMENT_STATES else "",
    )


def _mini_app(raw: dict[str, Any]) -> MessageAttachment:
    app = read_object(raw, "app") or raw
    app_id = read_int(app, "id") or read_int(raw, "app_id")
    page_url = f"{VK_SITE_URL}/app{app_id}" if app_id > 0 else ""
    picture = next((url for name in _ICONS if (url := read_url(app, name))), "")
    return MessageAttachment(
        "mini_app",
        _text(app, "title") or _text(raw, "title"),
        read_url(raw, "url") or read_url(raw, "link") or page_url,
        picture,
        _text(raw, "description") or _text(raw, "button_text"),
    )


def _article(raw: dict[str, Any]) -> MessageAttachment:
    url = read_url(raw, "view_url") or read_url(raw, "url")
    picture = _any_picture_url(raw)
    return MessageAttachment("article", _text(raw, "title"), url, picture, _text(raw, "subtitle"))


def _podcast(raw: dict[str, Any]) -> MessageAttachment:
    info = read_object(raw, "podcast_info")
    picture = _fitting_url(read_objects(read_object(info, "cover"), "sizes", 50))
    return MessageAttachment(
        "podcast",
        _text(raw, "title"),
        _page_url("podcast", raw),
        picture,
        read_text(raw, "artist"),
        duration_s=_duration_s(raw),
    )


def _money(kind: str) -> Callable[[dict[str, Any]], MessageAttachment]:
    """Return the reader of a transfer or of a request for money: the sum is what matters."""

    def read(raw: dict[str, Any]) -> MessageAttachment:
        url = read_url(raw, "accept_url") or read_url(raw, "init_url") or read_url(raw, "url")
        comment = _text(raw, "comment") or _text(raw, "message")
        return MessageAttachment(kind, comment, url, detail=_sum_text(raw))

    return read


_READERS: dict[str, Callable[[dict[str, Any]], MessageAttachment]] = {
    "photo": _photo,
    "market": _market,
    "market_album": _market_album,
    "link": _link,
    "doc": _doc,
    "video": _video,
    "video_message": lambda raw: _video({**raw, "type": "video_message"}),
    "clip": lambda raw: _video({**raw, "type": "clip"}),
    "audio_message": _voice_message,
    "audio": _audio,
    "sticker": _sticker,
    "graffiti": _graffiti,
    "gift": _gift,
    "wall": _wall,
    "wall_reply": _wall_reply,
    "poll": _poll,
    "story": _story,
    "call": _call,
    "mini_app": _mini_app,
    "app_action": _mini_app,
    "article": _article,
    "podcast": _podcast,
    "money_transfer": _money("money_transfer"),
    "money_request": _money("money_request"),
}
# Kinds that are read by their usual fields, with the page that VK has for them.
_URL_MAKERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "app": lambda raw: f"{VK_SITE_URL}/app{raw['id']}" if read_int(raw, "id") > 0 else "",
    "album": lambda raw: _page_url("album", raw),
    "audio_playlist": lambda raw: _page_url("music/playlist/", raw),
    "video_playlist": lambda raw: _page_url("video/playlist/", raw),
    "event": lambda raw: f"{VK_SITE_URL}/event{raw['id']}" if read_int(raw, "id") > 0 else "",
    "group": lambda raw: (
        f"{VK_SITE_URL}/club{group_id}" if (group_id := read_int(raw, "group_id")) > 0 else ""
    ),
}
_PLAIN_KINDS = {
    *("narrative", "note", "page", "artist", "curator", "donut_link", "question", "widget"),
    *("room", "channel_message", "carousel", "textlive", "situational_theme"),
}
_THUMBS = ("thumb_512", "thumb_256", "thumb_96", "thumb_48")
_ICONS = ("icon_278", "icon_150", "icon_139", "icon_75", "icon_576")


def _text(raw: dict[str, Any], name: str) -> str:
    return read_text(raw, name, MAX_TEXT_CHARS).strip()


def _page_url(prefix: str, raw: dict[str, Any]) -> str:
    """Return VK's page of an object, such as https://vk.com/video-1_2, or "" without its ids."""
    owner, object_id = read_int(raw, "owner_id"), read_int(raw, "id")
    return f"{VK_SITE_URL}/{prefix}{owner}_{object_id}" if owner and object_id > 0 else ""


def _sum_text(raw: dict[str, Any]) -> str:
    """Return the sum of money of an object as VK writes it: "2 500 руб.", or "" without one.

    A bare number is left out: whether it counts roubles or kopecks is documented nowhere.
    """
    for name in ("amount", "total_amount", "transferred_amount", "sum", "price"):
        value = raw.get(name)
        if isinstance(value, str) and not value.strip().isdigit():
            return read_text(raw, name, 64)
        if not isinstance(value, dict):
            continue
        if text := read_text(value, "text", 64):
            return text
        currency = read_text(read_object(value, "currency"), "name", 8)
        digits = str(value.get("amount", ""))[:20]
        if digits.isascii() and digits.isdigit():  # hundredths, as all prices of VK
            return f"{int(digits) // 100}.{int(digits) % 100:02} {currency}".strip()
    return ""


def _size_url(size: dict[str, Any]) -> str:
    return read_url(size, "url") or read_url(size, "src")


def _widest_url(sizes: list[dict[str, Any]]) -> str:
    return _size_url(max(sizes, key=_width, default={}))


def _fitting_url(sizes: list[dict[str, Any]]) -> str:
    """Return the URL of the smallest picture of at least MIN_WIDTH_PX, else of the widest."""
    enough = [one for one in sizes if _width(one) >= MIN_WIDTH_PX]
    return _size_url(min(enough, key=_width)) if enough else _widest_url(sizes)


def _any_picture_url(raw: dict[str, Any]) -> str:
    """Return the picture of an object under any name that VK uses for it."""
    for holder in (raw, *(read_object(raw, name) for name in ("photo", "thumb", "cover"))):
        for name in ("image", "sizes", "images", "photo", "first_frame", "icon"):
            if url := _fitting_url(read_objects(holder, name, 50)):
                return url
    return read_url(raw, "thumb_photo") or read_url(raw, "photo_url") or read_url(raw, "image_url")


def _width(size: dict[str, Any]) -> int:
    return read_int(size, "width")


def _duration_s(raw: dict[str, Any]) -> int:
    duration_s = read_int(raw, "duration")
    return duration_s if 0 < duration_s < 360_000 else 0
