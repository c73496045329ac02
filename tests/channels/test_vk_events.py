"""Events as VK tells them, and as a liar would."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.channels.vk import events
from sigma.channels.vk.users import read_person
from sigma.domain.messaging.message import Shown

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

anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda deep: (
        st.lists(deep, max_size=4) | st.dictionaries(st.text(max_size=8), deep, max_size=4)
    ),
    max_leaves=12,
)


def body(said: Any) -> bytes:
    return json.dumps(said).encode()


def message(**changed: Any) -> events.Told:
    return events.message({**MESSAGE, **changed})


def attached(*attachments: Any, **changed: Any) -> tuple[Shown, ...]:
    return message(attachments=list(attachments), **changed).attachments


def test_an_envelope_is_read() -> None:
    event = events.read(body(NEW))
    assert (event.type, event.group_id, event.event_id) == ("message_new", 123456, "b9c1d2")
    assert event.secret == "s3cr3t"
    assert event.object == NEW["object"]
    assert "s3cr3t" not in repr(event)
    assert "Sunday" not in repr(event)


def test_a_handshake_needs_no_object_and_no_number() -> None:
    event = events.read(b'{"type":"confirmation","group_id":123456}')
    assert (event.type, event.event_id, event.object) == ("confirmation", "", {})


def test_an_event_without_a_number_is_known_by_its_words() -> None:
    bare = {name: part for name, part in NEW.items() if name != "event_id"}
    again = dict(reversed(bare.items())) | {"secret": "another"}
    first, second = events.envelope(bare), events.envelope(again)
    assert len(first.event_id) == 64
    assert first.event_id == second.event_id
    other = {**bare, "object": {"message": {**MESSAGE, "text": "Other"}}}
    assert events.envelope(other).event_id != first.event_id


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"ok",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 90_000,
        body({**NEW, "type": None}),
        body({**NEW, "type": "<b>"}),
        body({**NEW, "type": "a" * 65}),
        body({**NEW, "group_id": 0}),
        body({**NEW, "group_id": -1}),
        body({**NEW, "group_id": "123456"}),
        body({**NEW, "group_id": True}),
        body({**NEW, "group_id": 10**30}),
        body({**NEW, "object": []}),
        body({**NEW, "object": None}),
        body({**NEW, "event_id": 5}),
        body({**NEW, "event_id": "a b"}),
        body({**NEW, "event_id": "a" * 65}),
        body({**NEW, "pad": "a" * 1_000_000}),
    ],
    ids=range(20),
)
def test_rubbish_is_refused(rubbish: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        events.read(rubbish)


@given(anything)
def test_whatever_is_told_is_read_or_refused(said: Any) -> None:
    for read in (events.envelope, events.payload):
        with contextlib.suppress(ValueError):
            read(said)
    forged = {**MESSAGE, "attachments": [{"type": "photo", "photo": said}, said], "geo": said}
    assert (
        events.message({**forged, "payload": said, "ref": said, "reply_message": said}).cmid == 12
    )


def test_a_message_is_read() -> None:
    told = events.message(events.read(body(NEW)).object)
    assert (told.message_id, told.cmid, told.peer_id, told.from_id) == (1501, 12, 777, 777)
    assert (told.out, told.at_us, told.random_id, told.admin_author_id) == (
        False,
        1767000000_000000,
        0,
        0,
    )
    assert told.text == "Hello, is it free on Sunday?"
    assert (told.ref, told.ref_source) == ("svc_42", "card")
    assert told.payload == {"cmd": "order", "svc": 42}
    assert told.market_item == (-123456, 9876)
    assert told.client_info == CLIENT_INFO
    assert events.buttons(told.client_info) == ("text", "open_link", "callback", "inline")
    assert "Sunday" not in repr(told)


def test_an_answer_of_ours_tells_who_wrote_it() -> None:
    told = message(from_id=-123456, out=1, admin_author_id=555, random_id=-815123, update_time=5)
    assert (told.out, told.from_id, told.admin_author_id) == (True, -123456, 555)
    assert (told.random_id, told.edited) == (-815123, True)


@pytest.mark.parametrize(
    "changed",
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
def test_a_message_without_what_decides_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"message|text"):
        message(**changed)


def test_a_text_is_kept_without_what_no_database_takes() -> None:
    assert message(text="a\x00b\nc\x1b[0m").text == "ab\nc[0m"
    assert len(message(text="a" * 50_000).text) == 16_000


def test_a_text_does_not_turn_the_line_round_that_it_stands_in() -> None:
    assert message(text="\u202eкод\u202c \u2066a\u2069 שלום").text == "код a שלום"
    names = {"first_name": "\u202eАнна", "last_name": "Иванова\u2067"}
    assert read_person({"id": 7, **names}).name == "Анна Иванова"


@pytest.mark.parametrize(
    ("said", "read"),
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
def test_a_payload_is_an_object_or_nothing(said: Any, read: dict[str, Any] | None) -> None:
    assert events.payload(said) == read
    assert message(payload=said).payload == read


def test_pictures_goods_and_links_are_shown() -> None:
    link = {"url": "https://a.example/", "title": "Page", "caption": "a.example", "photo": {}}
    assert attached(
        {"type": "photo", "photo": {"id": 1, "sizes": SIZES, "text": ""}},
        MARKET,
        {"type": "link", "link": {**link, "photo": {"sizes": SIZES}}},
    ) == (
        Shown("photo", "", "https://sun1.example/x.jpg", "https://sun1.example/m.jpg"),
        Shown(
            "market",
            "Portrait session",
            "https://vk.com/market-123456?w=product-123456_9876",
            "https://sun1.example/1.jpg",
            "4 500 ₽",
        ),
        Shown("link", "Page", "https://a.example/", "https://sun1.example/m.jpg", "a.example"),
    )


def test_files_and_voices_are_shown() -> None:
    preview = {"photo": {"sizes": [{"src": "https://sun1.example/p.png", "width": 100}]}}
    doc = {"title": "a.pdf", "ext": "pdf", "size": 1_500_000, "url": "https://vk.com/doc1_2"}
    voice = {"duration": 65, "link_mp3": "https://a.example/v.mp3", "transcript": "Алло"}
    video = {"id": 4, "owner_id": -5, "title": "Film", "duration": 5, "image": SIZES}
    assert attached(
        {"type": "doc", "doc": {**doc, "preview": preview}},
        {"type": "audio_message", "audio_message": voice},
        {"type": "video", "video": video},
        {"type": "audio", "audio": {"artist": "A", "title": "B", "duration": 60}},
    ) == (
        Shown("doc", "a.pdf", "https://vk.com/doc1_2", "https://sun1.example/p.png", "pdf 2 MB"),
        Shown("audio", "Алло", "https://a.example/v.mp3", "", "1:05"),
        Shown("video", "Film", "https://vk.com/video-5_4", "https://sun1.example/m.jpg", "0:05"),
        Shown("audio", "A – B", "", "", "1:00"),
    )


def test_stickers_posts_places_and_the_rest_are_shown() -> None:
    images = [{"url": "https://vk.example/64", "width": 64}]
    told = message(
        attachments=[
            {"type": "sticker", "sticker": {"images": images}},
            {"type": "wall", "wall": {"id": 3, "owner_id": -7, "text": "Акция"}},
            {"type": "poll", "poll": {"question": "?"}},
        ],
        reply_message={"text": "Да?", "id": 1},
        fwd_messages=[{"text": "Смотри"}],
        geo={"type": "point", "place": {"title": "Москва"}},
    )
    assert told.attachments == (
        Shown("sticker", picture="https://vk.example/64"),
        Shown("wall", "Акция", "https://vk.com/wall-7_3"),
        Shown("other", "poll"),
        Shown("other", "Да?", detail="reply"),
        Shown("other", "Смотри", detail="forwarded"),
        Shown("place", "Москва"),
    )


def test_an_address_that_is_no_page_is_not_shown() -> None:
    (link,) = attached({"type": "link", "link": {"url": "javascript:alert(1)", "title": "Page"}})
    assert link == Shown("link", "Page")
    (photo,) = attached({"type": "photo", "photo": {"sizes": [{"url": "data:x", "width": 9}]}})
    assert photo == Shown("photo")


def test_attachments_are_not_without_end() -> None:
    assert len(attached(*[MARKET] * 500)) == 20


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
def test_an_item_is_known_by_a_link_too(text: str, item: tuple[int, int] | None) -> None:
    assert message(text=text, attachments=[]).market_item == item
    link = {"type": "link", "link": {"url": text}}
    assert message(text="", attachments=[link]).market_item == item


def test_an_attached_item_counts_more_than_a_link() -> None:
    assert message(text="market-5_6").market_item == (-123456, 9876)


def test_a_pressed_button_is_read() -> None:
    said = {
        "user_id": 777,
        "peer_id": 777,
        "event_id": "0a1b2c3d",
        "payload": {"cmd": "check", "inv": "AbC"},
        "conversation_message_id": 14,
    }
    pressed = events.pressed(said)
    assert (pressed.user_id, pressed.peer_id, pressed.event_id) == (777, 777, "0a1b2c3d")
    assert (pressed.cmid, pressed.payload) == (14, {"cmd": "check", "inv": "AbC"})
    for broken in ({"user_id": -1}, {"peer_id": 0}, {"event_id": ""}, {"event_id": "a" * 129}):
        with pytest.raises(ValueError, match="message_event"):
            events.pressed({**said, **broken})


def test_consent_is_read() -> None:
    assert events.consent({"user_id": 777, "key": "inv_AbC"}) == events.Consent(777, "inv_AbC")
    assert events.consent({"user_id": 777}) == events.Consent(777)
    with pytest.raises(ValueError, match="consent"):
        events.consent({"user_id": 0})


def test_changed_settings_are_read() -> None:
    changes = {"messages": {"old_value": 0, "new_value": 1}, "title": "rubbish"}
    assert events.changes({"user_id": 555, "changes": changes}) == {"messages": 1}
