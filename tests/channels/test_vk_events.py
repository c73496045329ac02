"""Parsing of VK events: documented ones and hostile ones."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.channels.vk import events
from sigma.channels.vk.users import parse_profile
from sigma.domain.messaging.message import MessageAttachment

MARKET = {
    "type": "market",
    "market": {
        "id": 9876,
        "owner_id": -123456,
        "title": "Portrait session",
        "description": "1 hour, 20 photos",
        "price": {"amount": "450000", "currency": {"name": "RUB"}, "text": "4 500 ₽"},
        "availability": 0,
        "thumb_photo": "https://sun1.example/1.jpg",
    },
}
MESSAGE: dict[str, Any] = {
    "id": 1501,
    "date": 1767000000,
    "peer_id": 777,
    "from_id": 777,
    "out": 0,
    "version": 10000123,
    "text": "Hello, is it free on Sunday?",
    "conversation_message_id": 12,
    "random_id": 0,
    "important": False,
    "is_hidden": False,
    "fwd_messages": [],
    "ref": "svc_42",
    "ref_source": "card",
    "payload": '{"cmd":"order","svc":42}',
    "attachments": [MARKET],
}
CLIENT_INFO = {
    "button_actions": ["text", "open_link", "callback"],
    "keyboard": True,
    "inline_keyboard": True,
    "carousel": True,
    "lang_id": 0,
}
NEW = {
    "type": "message_new",
    "event_id": "b9c1d2",
    "v": "5.199",
    "group_id": 123456,
    "secret": "s3cr3t",
    "object": {"message": MESSAGE, "client_info": CLIENT_INFO},
}
SIZES = [
    {"type": "s", "url": "https://sun1.example/s.jpg", "width": 75, "height": 50},
    {"type": "x", "url": "https://sun1.example/x.jpg", "width": 604, "height": 400},
    {"type": "m", "url": "https://sun1.example/m.jpg", "width": 320, "height": 200},
]

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda deep: (
        st.lists(deep, max_size=4) | st.dictionaries(st.text(max_size=8), deep, max_size=4)
    ),
    max_leaves=12,
)


def json_bytes(raw: Any) -> bytes:
    return json.dumps(raw).encode()


def message(**changes: Any) -> events.VkMessage:
    return events.parse_message({**MESSAGE, **changes})


def attachments_of(*attachments: Any, **changes: Any) -> tuple[MessageAttachment, ...]:
    return message(attachments=list(attachments), **changes).attachments


def test_event_envelope_is_parsed() -> None:
    event = events.parse_body(json_bytes(NEW))
    assert (event.type, event.group_id, event.event_id) == ("message_new", 123456, "b9c1d2")
    assert event.secret == "s3cr3t"
    assert event.object == NEW["object"]
    assert "s3cr3t" not in repr(event)
    assert "Sunday" not in repr(event)


def test_confirmation_event_needs_no_object_and_no_event_id() -> None:
    event = events.parse_body(b'{"type":"confirmation","group_id":123456}')
    assert (event.type, event.event_id, event.object) == ("confirmation", "", {})


def test_event_without_id_gets_hash_of_its_content() -> None:
    without_id = {name: part for name, part in NEW.items() if name != "event_id"}
    again = dict(reversed(without_id.items())) | {"secret": "another"}
    first, second = events.parse_event(without_id), events.parse_event(again)
    assert len(first.event_id) == 64
    assert first.event_id == second.event_id
    other = {**without_id, "object": {"message": {**MESSAGE, "text": "Other"}}}
    assert events.parse_event(other).event_id != first.event_id


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"ok",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 90_000,
        json_bytes({**NEW, "type": None}),
        json_bytes({**NEW, "group_id": 0}),
        json_bytes({**NEW, "group_id": -1}),
        json_bytes({**NEW, "group_id": "123456"}),
        json_bytes({**NEW, "group_id": True}),
        json_bytes({**NEW, "group_id": 10**30}),
        json_bytes({**NEW, "pad": "a" * 1_000_000}),
    ],
    ids=range(13),
)
def test_malformed_event_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        events.parse_body(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"object": []},
        {"object": None},
        {"object": "text"},
        {"object": [{"message": MESSAGE}]},
        {"object": 10**30},
        {"object": {}},
        {"event_id": 5},
        {"event_id": "a b"},
        {"event_id": "a" * 65},
        {"event_id": None},
    ],
)
def test_event_with_an_odd_body_is_parsed(changes: dict[str, Any]) -> None:
    event = events.parse_body(json_bytes({**NEW, **changes}))
    assert (event.type, event.group_id, event.secret) == ("message_new", 123456, "s3cr3t")
    assert event.object == ({} if "object" in changes else NEW["object"])
    assert event.event_id == "b9c1d2" if "object" in changes else len(event.event_id) == 64
    assert events.parse_body(json_bytes({**NEW, **changes})).event_id == event.event_id


@pytest.mark.parametrize("kind", ["Message_New2", "donut.v2", "X", "<b>", "wall-post", "a" * 100])
def test_event_of_any_type_is_parsed(kind: str) -> None:
    event = events.parse_body(json_bytes({**NEW, "type": kind}))
    assert event.type == kind[:64]


def test_event_with_huge_numbers_is_parsed() -> None:
    huge = {"message": {**MESSAGE, "id": 10**30, "peer_id": 2**64, "date": -(10**25)}}
    assert events.parse_body(json_bytes({**NEW, "object": huge})).object == huge
    without_id = {name: part for name, part in NEW.items() if name != "event_id"}
    assert len(events.parse_body(json_bytes({**without_id, "object": huge})).event_id) == 64


@given(json_values)
def test_any_json_is_parsed_or_refused(raw: Any) -> None:
    for parse in (events.parse_event, events.parse_payload):
        with contextlib.suppress(ValueError):
            parse(raw)
    hostile = {**MESSAGE, "attachments": [{"type": "photo", "photo": raw}, raw], "geo": raw}
    assert (
        events.parse_message({**hostile, "payload": raw, "ref": raw, "reply_message": raw}).cmid
        == 12
    )


def test_message_is_parsed() -> None:
    parsed = events.parse_message(events.parse_body(json_bytes(NEW)).object)
    assert (parsed.message_id, parsed.cmid, parsed.peer_id, parsed.from_id) == (1501, 12, 777, 777)
    assert (parsed.is_outgoing, parsed.sent_at_us, parsed.random_id, parsed.admin_author_id) == (
        False,
        1767000000_000000,
        0,
        0,
    )
    assert parsed.text == "Hello, is it free on Sunday?"
    assert (parsed.ref, parsed.ref_source) == ("svc_42", "card")
    assert parsed.payload == {"cmd": "order", "svc": 42}
    assert parsed.market_item == (-123456, 9876)
    assert parsed.client_info == CLIENT_INFO
    assert events.supported_buttons(parsed.client_info) == (
        "text",
        "open_link",
        "callback",
        "inline",
    )
    assert "Sunday" not in repr(parsed)


def test_outgoing_message_names_its_author() -> None:
    parsed = message(from_id=-123456, out=1, admin_author_id=555, random_id=-815123, update_time=5)
    assert (parsed.is_outgoing, parsed.from_id, parsed.admin_author_id) == (True, -123456, 555)
    assert (parsed.random_id, parsed.is_edited) == (-815123, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"conversation_message_id": 0},
        {"conversation_message_id": "12"},
        {"conversation_message_id": True},
        {"conversation_message_id": 2**31},
        {"conversation_message_id": 2**62},
        {"peer_id": 0},
        {"peer_id": 10**17},
        {"from_id": None},
        {"date": 0},
        {"date": -5},
        {"date": 10**12},
        {"text": None},
        {"text": ["a"]},
    ],
)
def test_message_without_required_field_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"message|text"):
        message(**changes)


def test_control_characters_are_removed_and_text_is_truncated() -> None:
    assert message(text="a\x00b\nc\x1b[0m").text == "ab\nc[0m"
    assert len(message(text="a" * 50_000).text) == 16_000


def test_invisible_characters_are_removed_and_emoji_stay() -> None:
    assert message(text="\ufeff\u3164 Привет\u200b, 👨\u200d👩\u200d👧\x85!").text == (
        "Привет, 👨\u200d👩\u200d👧\n!"
    )
    assert message(text="\u3164\u2800").text == ""


def test_bidi_control_characters_are_removed() -> None:
    assert message(text="\u202eкод\u202c \u2066a\u2069 שלום").text == "код a שלום"
    names = {"first_name": "\u202eАнна", "last_name": "Иванова\u2067"}
    assert parse_profile({"id": 7, **names}).name == "Анна Иванова"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('{"command":"start"}', {"command": "start"}),
        ({"cmd": "check", "inv": "AbC"}, {"cmd": "check", "inv": "AbC"}),
        ("", None),
        ("not JSON", None),
        ('"text"', None),
        ("[1]", None),
        ([1], None),
        (None, None),
        (5, None),
        ("[" * 90_000, None),
        (json.dumps({"a": "b" * 5000}), None),
        ({"a": "b" * 5000}, None),
    ],
)
def test_payload_is_an_object_or_none(raw: Any, expected: dict[str, Any] | None) -> None:
    assert events.parse_payload(raw) == expected
    assert message(payload=raw).payload == expected


def test_photos_market_items_and_links_become_attachments() -> None:
    link = {"url": "https://a.example/", "title": "Page", "caption": "a.example", "photo": {}}
    assert attachments_of(
        {"type": "photo", "photo": {"id": 1, "sizes": SIZES, "text": ""}},
        MARKET,
        {"type": "link", "link": {**link, "photo": {"sizes": SIZES}}},
    ) == (
        MessageAttachment("photo", "", "https://sun1.example/x.jpg", "https://sun1.example/m.jpg"),
        MessageAttachment(
            "market",
            "Portrait session",
            "https://vk.com/market-123456?w=product-123456_9876",
            "https://sun1.example/1.jpg",
            "4 500 ₽",
        ),
        MessageAttachment(
            "link", "Page", "https://a.example/", "https://sun1.example/m.jpg", "a.example"
        ),
    )


def test_files_audio_and_video_become_attachments() -> None:
    preview = {"photo": {"sizes": [{"src": "https://sun1.example/p.png", "width": 100}]}}
    doc = {"title": "a.pdf", "ext": "pdf", "size": 1_500_000, "url": "https://vk.com/doc1_2"}
    voice = {"duration": 65, "link_mp3": "https://a.example/v.mp3", "transcript": "Алло"}
    video = {"id": 4, "owner_id": -5, "title": "Film", "duration": 5, "image": SIZES}
    assert attachments_of(
        {"type": "doc", "doc": {**doc, "preview": preview}},
        {"type": "audio_message", "audio_message": voice},
        {"type": "video", "video": video},
        {"type": "audio", "audio": {"artist": "A", "title": "B", "duration": 60}},
    ) == (
        MessageAttachment(
            "doc",
            "a.pdf",
            "https://vk.com/doc1_2",
            "https://sun1.example/p.png",
            "pdf",
            size_bytes=1_500_000,
        ),
        MessageAttachment("audio_message", "Алло", "https://a.example/v.mp3", duration_s=65),
        MessageAttachment(
            "video", "Film", "https://vk.com/video-5_4", "https://sun1.example/m.jpg", duration_s=5
        ),
        MessageAttachment("audio", "A – B", duration_s=60),
    )


def test_attachment_url_that_is_not_http_is_dropped() -> None:
    (link,) = attachments_of(
        {"type": "link", "link": {"url": "javascript:alert(1)", "title": "Page"}}
    )
    assert link == MessageAttachment("link", "Page")
    (photo,) = attachments_of(
        {"type": "photo", "photo": {"sizes": [{"url": "data:x", "width": 9}]}}
    )
    assert photo == MessageAttachment("photo")


def test_attachment_count_is_limited() -> None:
    assert len(attachments_of(*[MARKET] * 500)) == 20


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("https://vk.com/market-123456?w=product-123456_9876", (-123456, 9876)),
        ("https://vk.com/market/product/portrait-1-hour-123456-9876", (-123456, 9876)),
        ("это market-5_6?", (-5, 6)),
        ("https://vk.com/market-123456", None),
        ("price is 5_6", None),
    ],
)
def test_market_item_is_recognized_by_link(text: str, item: tuple[int, int] | None) -> None:
    assert message(text=text, attachments=[]).market_item == item
    link = {"type": "link", "link": {"url": text}}
    assert message(text="", attachments=[link]).market_item == item


def test_attached_market_item_wins_over_link() -> None:
    assert message(text="market-5_6").market_item == (-123456, 9876)


def test_button_press_is_parsed() -> None:
    raw = {
        "user_id": 777,
        "peer_id": 777,
        "event_id": "0a1b2c3d",
        "payload": {"cmd": "check", "inv": "AbC"},
        "conversation_message_id": 14,
    }
    pressed = events.parse_button_press(raw)
    assert (pressed.user_id, pressed.peer_id, pressed.event_id) == (777, 777, "0a1b2c3d")
    assert (pressed.cmid, pressed.payload) == (14, {"cmd": "check", "inv": "AbC"})
    for broken in ({"user_id": -1}, {"peer_id": 0}, {"event_id": ""}, {"event_id": "a" * 129}):
        with pytest.raises(ValueError, match="message_event"):
            events.parse_button_press({**raw, **broken})


def test_message_consent_is_parsed() -> None:
    assert events.parse_message_permission(
        {"user_id": 777, "key": "inv_AbC"}
    ) == events.MessagePermission(777, "inv_AbC")
    assert events.parse_message_permission({"user_id": 777}) == events.MessagePermission(777)
    with pytest.raises(ValueError, match="consent"):
        events.parse_message_permission({"user_id": 0})


def test_settings_change_is_parsed() -> None:
    changes = {"messages": {"old_value": 0, "new_value": 1}, "title": "rubbish"}
    assert events.changed_settings({"user_id": 555, "changes": changes}) == {"messages": 1}
