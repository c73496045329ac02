"""Writing to a dialog and reading it over a real line."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sigma.channels.vk import keyboard, long_poll, messages, photos, users
from sigma.channels.vk.client import Vk
from sigma.channels.vk.errors import Final, Later, NeedsPerson, VkError
from sigma.channels.vk.users import Person
from tests.channels.vk_line import KEY, Line, said, talking
from tests.providers.lines import http

PNG = b"\x89PNG\r\n\x1a\n picture"


@pytest.fixture
async def wire() -> AsyncIterator[tuple[Vk, Line]]:
    async with talking() as pair:
        yield pair


def told(*cmids: int) -> dict[str, Any]:
    items = [{"id": 1000 + n, "conversation_message_id": n} for n in cmids]
    return {"count": len(items), "items": items}


async def test_a_letter_is_sent_so_that_its_number_in_the_dialog_comes_back(
    wire: tuple[Vk, Line],
) -> None:
    vk, line = wire
    line.say([{"peer_id": 777, "message_id": 1502, "conversation_message_id": 13}])
    buttons = keyboard.inline([[keyboard.open_link("Оплатить", "https://pay.example/i/A")]])
    sent = await messages.send(vk, 777, "Счёт", -815123, buttons, "photo-1_2_key")
    assert sent == messages.Sent(1502, 13)
    ((method, form),) = line.asked
    assert method == "messages.send"
    assert form == {
        "peer_ids": "777",
        "random_id": "-815123",
        "message": "Счёт",
        "attachment": "photo-1_2_key",
        "keyboard": '{"one_time":false,"inline":true,"buttons":[[{"action":{"type":"open_link",'
        '"label":"Оплатить","link":"https://pay.example/i/A"}}]]}',
    }


@pytest.mark.parametrize(
    ("code", "kind"), [(901, Final), (902, Final), (6, Later), (9, Later), (5, NeedsPerson)]
)
async def test_a_refusal_about_the_person_alone_is_a_refusal(
    wire: tuple[Vk, Line], code: int, kind: type[VkError]
) -> None:
    vk, line = wire
    error = {"code": code, "description": "Can't send messages"}
    no = {"peer_id": 777, "message_id": 0, "conversation_message_id": 0, "error": error}
    line.say([no])
    with pytest.raises(VkError) as refused:
        await messages.send(vk, 777, "Счёт", 5)
    assert (type(refused.value), refused.value.code) == (kind, code)
    assert refused.value.words == "Can't send messages"


@pytest.mark.parametrize(
    "answer",
    [
        1502,
        [],
        [{"peer_id": 778, "message_id": 1, "conversation_message_id": 1}],
        [{"peer_id": 777}],
        [{"peer_id": 777, "message_id": 0}],
        [{"peer_id": 777, "error": {"code": "901"}}],
    ],
)
async def test_an_answer_without_the_numbers_may_mean_that_it_was_sent(
    wire: tuple[Vk, Line], answer: Any
) -> None:
    vk, line = wire
    line.say(answer)
    with pytest.raises(Later) as lost:
        await messages.send(vk, 777, "Счёт", 5)
    assert lost.value.lost


async def test_a_letter_without_a_number_of_ours_is_a_mistake(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    for random_id in (0, 2**31):
        with pytest.raises(AssertionError):
            await messages.send(vk, 777, "Счёт", random_id)
    assert line.heard == []


async def test_a_letter_is_edited_by_its_number_in_the_dialog(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    await messages.edit(vk, 777, 13, "Оплачено", keyboard.inline([]))
    assert line.asked == [
        (
            "messages.edit",
            {
                "peer_id": "777",
                "cmid": "13",
                "message": "Оплачено",
                "keyboard": '{"one_time":false,"inline":true,"buttons":[]}',
                "keep_forward_messages": "1",
            },
        )
    ]


async def test_what_was_missed_is_read_page_by_page_oldest_first(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    # While the first page was read another message came, so the second begins with one known.
    line.say(told(*range(500, 300, -1)), told(*range(301, 101, -1)))
    missed = await messages.since(vk, 777, 250)
    assert [one["conversation_message_id"] for one in missed] == list(range(251, 501))
    assert [form["offset"] for _, form in line.asked] == ["0", "200"]


async def test_a_short_dialog_is_read_at_once(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    line.say(told(2, 1), told())
    assert len(await messages.since(vk, 777, 0)) == 2
    assert await messages.since(vk, 777, 0) == []
    assert len(line.heard) == 2


async def test_only_so_much_is_read_back(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    line.say(told(*range(900, 700, -1)), told(*range(700, 500, -1)))
    missed = await messages.since(vk, 777, 0, limit=400)
    assert (missed[0]["conversation_message_id"], len(missed)) == (501, 400)


async def test_dialogs_come_with_their_people(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    anna = {"id": 777, "first_name": "Анна", "last_name": "К", "photo_100": "https://a.example/1"}
    line.say({"count": 9, "items": [{"conversation": {}}], "profiles": [anna]})
    page = await messages.conversations(vk, "unread", 50, 100)
    assert (page.count, page.items) == (9, [{"conversation": {}}])
    assert page.people == (Person(777, "Анна К", "https://a.example/1"),)
    assert line.asked[0][1] == {
        "filter": "unread",
        "count": "50",
        "offset": "100",
        "extended": "1",
        "fields": "photo_100",
    }
    line.say({"count": 1})
    with pytest.raises(Later):
        await messages.conversations(vk)


async def test_small_signs_are_sent(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    await messages.mark_read(vk, 777)
    await messages.answer_event(vk, "0a1b", 777, 777, messages.snackbar("Спасибо"))
    await messages.answer_event(vk, "0a1b", 777, 777)
    line.say({"is_allowed": 1}, {"is_allowed": 0})
    assert await messages.allowed(vk, 123456, 777)
    assert not await messages.allowed(vk, 123456, 777)
    assert line.asked[:3] == [
        ("messages.markAsRead", {"peer_id": "777", "mark_conversation_as_read": "1"}),
        (
            "messages.sendMessageEventAnswer",
            {
                "event_id": "0a1b",
                "user_id": "777",
                "peer_id": "777",
                "event_data": '{"type":"show_snackbar","text":"Спасибо"}',
            },
        ),
        (
            "messages.sendMessageEventAnswer",
            {"event_id": "0a1b", "user_id": "777", "peer_id": "777"},
        ),
    ]
    with pytest.raises(ValueError, match="event_data"):
        await messages.answer_event(vk, "0a1b", 777, 777, {"text": "b" * 1000})


async def test_people_and_communities_are_asked_for_by_number(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    line.say([{"id": 777, "first_name": "Анна", "last_name": "К", "photo_100": "javascript:1"}])
    line.say({"groups": [{"id": 5, "name": "Студия", "photo_100": "https://a.example/5"}]})
    found = await users.profiles(vk, [777, -5, 777])
    assert found == [Person(777, "Анна К", ""), Person(-5, "Студия", "https://a.example/5")]
    assert line.asked == [
        ("users.get", {"user_ids": "777", "fields": "photo_100", "lang": "ru"}),
        ("groups.getById", {"group_ids": "5"}),
    ]
    assert "Анна" not in repr(found)
    assert await users.profiles(vk, []) == []


async def test_a_picture_is_given_to_the_upload_server_and_named(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    line.say({"upload_url": f"{line.url}/upload?to=1", "album_id": 1})
    line.answers.append(http(200, b'{"server":8,"photo":"[{}]","hash":"h"}'))
    line.say([{"id": 2, "owner_id": -1, "access_key": "key"}])
    assert await photos.message_photo(vk, 777, PNG, "card.png") == "photo-1_2_key"
    assert b'name="photo"; filename="card.png"' in line.heard[1].body
    assert b"image/png" in line.heard[1].body
    assert KEY not in str(line.heard[1])
    assert line.heard[2].form == {"photo": "[{}]", "server": "8", "hash": "h"}


async def test_a_picture_that_vk_cannot_read_is_refused_for_good(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    line.say({"upload_url": f"{line.url}/upload"})
    line.answers.append(http(200, b'{"server":8,"photo":"[]","hash":"h"}'))
    with pytest.raises(Final, match="129"):
        await photos.message_photo(vk, 777, PNG)
    with pytest.raises(ValueError, match="photo"):
        await photos.message_photo(vk, 777, b"<svg/>")


@pytest.mark.parametrize("where", ["file:///etc/passwd", "gopher://a/", "", 5, "http://"])
async def test_pictures_are_given_to_web_addresses_only(
    wire: tuple[Vk, Line], where: object
) -> None:
    vk, line = wire
    line.say({"upload_url": where})
    with pytest.raises(Later):
        await photos.message_photo(vk, 777, PNG)
    assert len(line.heard) == 1


@pytest.mark.parametrize("answer", [http(500, b""), http(200, b"<h1>"), http(200, b"[1]"), b""])
async def test_a_broken_upload_is_for_later(wire: tuple[Vk, Line], answer: bytes) -> None:
    vk, line = wire
    line.say({"upload_url": f"{line.url}/upload"})
    line.answers.append(answer)
    with pytest.raises(Later):
        await photos.message_photo(vk, 777, PNG)


async def test_events_are_asked_for(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    update = {"type": "message_new", "event_id": "a", "group_id": 123456, "object": {}}
    line.answers.append(said({"ts": "1820350345", "updates": [update, "rubbish"]}))
    batch = await long_poll.check(vk, f"{line.url}/lp", "poll-key", "1820350344")
    assert batch == long_poll.Batch("1820350345", (update,))
    assert line.heard[0].verb == "GET"
    assert line.heard[0].query == {
        "act": ["a_check"],
        "key": ["poll-key"],
        "ts": ["1820350344"],
        "wait": ["25"],
    }
    assert "authorization" not in line.heard[0].headers


@pytest.mark.parametrize(
    ("answer", "batch"),
    [
        ({"failed": 1, "ts": 30}, long_poll.Batch("30", failed=1)),
        ({"failed": 2}, long_poll.Batch("7", failed=2)),
        ({"failed": 3}, long_poll.Batch("7", failed=3)),
        ({"ts": 8, "updates": []}, long_poll.Batch("8")),
    ],
)
async def test_a_failed_poll_says_what_to_renew(
    wire: tuple[Vk, Line], answer: dict[str, Any], batch: long_poll.Batch
) -> None:
    vk, line = wire
    line.answers.append(said(answer))
    assert await long_poll.check(vk, f"{line.url}/lp", "k", "7") == batch


@pytest.mark.parametrize("answer", [http(502, b""), http(200, b"<h1>"), said({"ts": "1"}), b""])
async def test_a_broken_poll_is_for_later(wire: tuple[Vk, Line], answer: bytes) -> None:
    vk, line = wire
    line.answers.append(answer)
    with pytest.raises(Later):
        await long_poll.check(vk, f"{line.url}/lp", "k", "7")
