"""What a VK message contains: every attachment kind, places, links, nested and cropped messages."""

from typing import Any

import pytest

from sigma.channels.vk import events
from sigma.domain.messaging.message import (
    ATTACHMENT_KINDS,
    MessageAttachment,
    MessageContent,
    NestedMessage,
    TextLink,
)
from sigma.texts import Translator
from tests import vk_schema

MESSAGE: dict[str, Any] = {
    "id": 1501,
    "date": 1767000000,
    "peer_id": 777,
    "from_id": 777,
    "out": 0,
    "text": "",
    "conversation_message_id": 12,
}
SIZES = [{"type": "x", "url": "https://sun1.example/x.jpg", "width": 604, "height": 400}]
PHOTO: dict[str, Any] = {
    "type": "photo",
    "photo": {"id": 1, "owner_id": 777, "sizes": SIZES, "text": ""},
}
PICTURE = "https://sun1.example/x.jpg"
RUBLES = {"id": 643, "name": "RUB", "title": "₽"}
SUM = {"amount": "250000", "currency": RUBLES, "text": "2 500 руб."}
IDS = {"id": 5, "owner_id": -7}

# An attachment of each kind in VK's JSON, and what must be read of it.
EXAMPLES: list[tuple[str, dict[str, Any], MessageAttachment]] = [
    ("photo", PHOTO["photo"], MessageAttachment("photo", "", PICTURE, PICTURE)),
    (
        "money_transfer",
        {"id": 1, "amount": SUM, "comment": "За маникюр", "from_id": 777, "to_id": -5},
        MessageAttachment("money_transfer", "За маникюр", detail="2 500 руб."),
    ),
    (
        "money_request",
        {"id": 1, "total_amount": {"amount": "99950", "currency": {"name": "KZT"}}},
        MessageAttachment("money_request", detail="999.50 KZT"),
    ),
    (
        "poll",
        {
            **IDS,
            "question": "Когда?",
            "answers": [{"text": "Утром"}, {"text": "Днём"}],
            "closed": True,
        },
        MessageAttachment(
            "poll", "Когда?", "https://vk.com/poll-7_5", "", "Утром · Днём", state="poll_closed"
        ),
    ),
    (
        "story",
        {**IDS, "is_expired": True, "photo": {"sizes": SIZES}},
        MessageAttachment("story", "", "https://vk.com/story-7_5", PICTURE, state="story_expired"),
    ),
    (
        "video_message",
        {**IDS, "duration": 65, "image": SIZES},
        MessageAttachment("video_message", "", "https://vk.com/video-7_5", PICTURE, duration_s=65),
    ),
    (
        "video",
        {**IDS, "type": "short_video", "title": "Ногти", "duration": 9},
        MessageAttachment("clip", "Ногти", "https://vk.com/clip-7_5", duration_s=9),
    ),
    (
        "wall",
        {"id": 3, "owner_id": -7, "text": "Акция", "attachments": [PHOTO]},
        MessageAttachment("wall", "Акция", "https://vk.com/wall-7_3", PICTURE),
    ),
    (
        "wall_reply",
        {"id": 9, "owner_id": -7, "post_id": 3, "text": "Сколько стоит?"},
        MessageAttachment("wall_reply", "Сколько стоит?", "https://vk.com/wall-7_3?reply=9"),
    ),
    (
        "market_album",
        {**IDS, "title": "Лето", "photo": {"sizes": SIZES}},
        MessageAttachment(
            "market_album", "Лето", "https://vk.com/market-7?section=album_5", PICTURE
        ),
    ),
    (
        "market_market_album",
        {**IDS, "title": "Лето"},
        MessageAttachment("market_album", "Лето", "https://vk.com/market-7?section=album_5"),
    ),
    (
        "call",
        {"initiator_id": 777, "receiver_id": -7, "state": "canceled_by_receiver", "duration": 0},
        MessageAttachment("call", state="call_canceled_by_receiver"),
    ),
    (
        "call",
        {"initiator_id": 777, "state": "reached", "duration": 61},
        MessageAttachment("call", state="call_reached", duration_s=61),
    ),
    (
        "group_call_in_progress",
        {"initiator_id": 777, "join_link": "https://vk.com/call/join/x"},
        MessageAttachment("call", url="https://vk.com/call/join/x", state="call_active"),
    ),
    (
        "mini_app",
        {"app": {"id": 51, "title": "Запись"}, "description": "Выберите время"},
        MessageAttachment("mini_app", "Запись", "https://vk.com/app51", "", "Выберите время"),
    ),
    (
        "article",
        {**IDS, "title": "Уход", "subtitle": "5 шагов", "view_url": "https://vk.com/@lak-uhod"},
        MessageAttachment("article", "Уход", "https://vk.com/@lak-uhod", "", "5 шагов"),
    ),
    (
        "podcast",
        {**IDS, "title": "Выпуск 1", "artist": "Лак", "duration": 600},
        MessageAttachment(
            "podcast", "Выпуск 1", "https://vk.com/podcast-7_5", "", "Лак", duration_s=600
        ),
    ),
    ("podcasts", {"title": "Выпуск 2"}, MessageAttachment("podcast", "Выпуск 2")),
    (
        "sticker",
        {"sticker_id": 1, "images": [{"url": "https://vk.example/s", "width": 512}]},
        MessageAttachment("sticker", picture_url="https://vk.example/s"),
    ),
    (
        "graffiti",
        {**IDS, "url": "https://vk.example/g.png"},
        MessageAttachment("graffiti", picture_url="https://vk.example/g.png"),
    ),
    (
        "gift",
        {"id": 1, "thumb_96": "https://vk.example/gift.png"},
        MessageAttachment("gift", picture_url="https://vk.example/gift.png"),
    ),
    (
        "audio_playlist",
        {**IDS, "title": "Для работы"},
        MessageAttachment("audio_playlist", "Для работы", "https://vk.com/music/playlist/-7_5"),
    ),
    (
        "event",
        {"id": 55, "text": "Мастер-класс"},
        MessageAttachment("event", "Мастер-класс", "https://vk.com/event55"),
    ),
    (
        "hologram",
        {"title": "Что-то новое", "url": "https://vk.com/new", "amount": SUM},
        MessageAttachment("other", "Что-то новое", "https://vk.com/new", "", "2 500 руб."),
    ),
    ("hologram", {}, MessageAttachment("other")),
]


def content_of(**changes: Any) -> MessageContent:
    return events.parse_message({**MESSAGE, **changes}).content


@pytest.mark.parametrize(("vk_type", "raw", "expected"), EXAMPLES)
def test_attachment_of_each_kind_is_read(
    vk_type: str, raw: dict[str, Any], expected: MessageAttachment
) -> None:
    assert content_of(attachments=[{"type": vk_type, vk_type: raw}]).attachments == (expected,)


@pytest.mark.parametrize("locale", ["ru", "en"])
def test_every_type_of_the_official_schema_has_a_name(locale: str) -> None:
    translator = Translator(locale)
    for vk_type in (*vk_schema.attachment_types(), *vk_schema.LIVE_ATTACHMENT_TYPES):
        (attachment,) = content_of(attachments=[{"type": vk_type, vk_type: {}}]).attachments
        is_known = attachment.kind in ATTACHMENT_KINDS
        assert is_known == (vk_type != "hologram"), vk_type
    for kind in (*ATTACHMENT_KINDS, "other"):
        name = translator.t(f"inbox.kind.{kind}")
        assert name != kind
        assert (locale == "ru") == any("а" <= letter <= "я" for letter in name.lower()), name


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "ftp://a.b"]
)
@pytest.mark.parametrize("vk_type", ["link", "mini_app", "article", "hologram", "doc", "curator"])
def test_only_web_addresses_become_links(vk_type: str, url: str) -> None:
    raw = dict.fromkeys(("url", "view_url", "link", "share_url"), url)
    (attachment,) = content_of(attachments=[{"type": vk_type, vk_type: raw}]).attachments
    assert attachment.url == ""


@pytest.mark.parametrize(
    ("geo", "expected"),
    [
        (
            {
                "type": "point",
                "coordinates": {"latitude": 55.7558, "longitude": 37.6173},
                "place": {"title": "Студия", "address": "Тверская, 1"},
            },
            MessageAttachment(
                "location",
                "Студия",
                "https://yandex.ru/maps/?pt=37.6173,55.7558&z=17&l=map",
                detail="Тверская, 1",
            ),
        ),
        (
            {"coordinates": {"latitude": -33, "longitude": 151.2}},
            MessageAttachment(
                "location",
                url="https://yandex.ru/maps/?pt=151.2,-33&z=17&l=map",
                detail="-33, 151.2",
            ),
        ),
        (
            {"coordinates": "59.93 30.31", "place": {"city": "Санкт-Петербург"}},
            MessageAttachment(
                "location",
                "Санкт-Петербург",
                "https://yandex.ru/maps/?pt=30.31,59.93&z=17&l=map",
                detail="59.93, 30.31",
            ),
        ),
        (
            {"place": {"address": "Невский, 2", "latitude": 59.9, "longitude": 30.3}},
            MessageAttachment(
                "location",
                "Невский, 2",
                "https://yandex.ru/maps/?pt=30.3,59.9&z=17&l=map",
                detail="59.9, 30.3",
            ),
        ),
        (
            {"coordinates": {"latitude": 955, "longitude": 37}, "place": {"title": "Москва"}},
            MessageAttachment("location", "Москва"),
        ),
    ],
)
def test_place_has_a_name_and_a_map_link(geo: dict[str, Any], expected: MessageAttachment) -> None:
    assert content_of(geo=geo).attachments == (expected,)


def link_item(offset: int, length: int, url: str = "https://lak.example/") -> dict[str, Any]:
    return {"type": "url", "offset": offset, "length": length, "url": url}


@pytest.mark.parametrize(
    ("text", "items", "expected"),
    [
        ("Прайс тут", [link_item(6, 3)], ["тут"]),
        ("💅💅 Прайс тут", [link_item(5, 5), link_item(11, 3)], ["Прайс", "тут"]),  # UTF-16 units
        ("a\x00b\u202eпрайс", [link_item(4, 5)], ["прайс"]),  # removed characters move the text
        ("Прайс", [link_item(0, 5, "javascript:alert(1)")], []),
        ("Прайс", [{"type": "bold", "offset": 0, "length": 5}], []),
        ("Прайс тут", [link_item(0, 7), link_item(3, 4)], ["Прайс т"]),  # overlapping
        ("Прайс", [link_item(-1, 3), link_item(50, 3), link_item(1, 0)], []),
    ],
)
def test_links_under_the_text_are_found(
    text: str, items: list[dict[str, Any]], expected: list[str]
) -> None:
    content = content_of(text=text, format_data={"version": "1", "items": items})
    assert [content.text[one.start : one.end] for one in content.links] == expected
    assert all(one.url == "https://lak.example/" for one in content.links)


def test_format_data_may_be_json_text() -> None:
    text = '{"version":1,"items":[{"type":"url","offset":0,"length":1,"url":"https://a.example/"}]}'
    assert content_of(text="x", format_data=text).links == (TextLink(0, 1, "https://a.example/"),)
    assert content_of(text="x", format_data="{").links == ()


def test_forwarded_and_quoted_messages_are_read_at_every_level() -> None:
    voice = {"type": "audio_message", "audio_message": {"link_mp3": "https://a.example/v.mp3"}}
    inner = {"from_id": -5, "text": "В глубине", "attachments": [voice], "date": 1767000000}
    quoted = {"from_id": 777, "text": "Да?", "attachments": [PHOTO]}
    forwarded = {"from_id": 8, "text": "", "fwd_messages": [inner], "reply_message": quoted}
    content = content_of(fwd_messages=[forwarded], reply_message={"from_id": 9, "text": "Ответ"})
    attached = MessageAttachment("audio_message", url="https://a.example/v.mp3")
    photo = MessageAttachment("photo", "", PICTURE, PICTURE)
    assert content.nested == (
        NestedMessage("reply", 9, text="Ответ"),
        NestedMessage(
            "forwarded",
            8,
            nested=(
                NestedMessage(
                    "reply",
                    777,
                    text="Да?",
                    attachments=(photo,),
                ),
                NestedMessage(
                    "forwarded", -5, 1767000000_000000, "В глубине", attachments=(attached,)
                ),
            ),
        ),
    )


def deep_message(levels: int, **innermost: Any) -> dict[str, Any]:
    raw: dict[str, Any] = {"from_id": 1, "text": f"уровень {levels}", **innermost}
    for level in range(levels - 1, 0, -1):
        raw = {"from_id": 1, "text": f"уровень {level}", "fwd_messages": [raw]}
    return raw


def test_nesting_is_read_to_the_depth_of_vk_and_not_deeper() -> None:
    nested, depth = content_of(fwd_messages=[deep_message(60)]).nested, 0
    while nested:
        depth, nested = depth + 1, nested[0].nested
    assert depth == 45


def test_number_of_nested_messages_is_limited() -> None:
    wide = [{"text": str(n), "fwd_messages": [{"text": "x"}] * 90} for n in range(90)]
    nested = content_of(fwd_messages=wide).nested
    assert sum(1 + len(one.nested) for one in nested) == 500


@pytest.mark.parametrize(
    "changes",
    [
        {"is_cropped": True},
        {"fwd_messages": [{"text": "x", "is_cropped": True}]},
        {"reply_message": {"text": "x", "is_cropped": True}},
        {"fwd_messages": [deep_message(3, is_cropped=True)]},
        {"fwd_messages": [{"text": "a"}, {"text": "b", "is_cropped": True}]},
    ],
)
def test_message_with_any_cropped_part_is_incomplete(changes: dict[str, Any]) -> None:
    assert content_of(**changes).is_incomplete
    assert not content_of(text="целое", fwd_messages=[deep_message(3)]).is_incomplete


@pytest.mark.parametrize("flag", ["is_unavailable", "is_expired", "deleted"])
def test_unavailable_message_is_recognized(flag: str) -> None:
    assert content_of(**{flag: 1 if flag == "deleted" else True}).is_unavailable
    (nested,) = content_of(fwd_messages=[{"text": "", flag: True}]).nested
    assert nested.is_unavailable
    assert not content_of(**{flag: False}).is_unavailable


def test_content_does_not_appear_in_logs() -> None:
    parsed = events.parse_message(
        {**MESSAGE, "text": "секрет", "fwd_messages": [{"text": "тайна"}]}
    )
    assert "секрет" not in repr(parsed)
    assert "тайна" not in repr(parsed)
