"""VK messages, photos, profiles and long poll over real HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sigma.channels.vk import keyboard, long_poll, messages, photos, users
from sigma.channels.vk.client import VkClient
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError, RetryLaterError, VkError
from sigma.channels.vk.users import VkProfile
from tests.channels.vk_server import ACCESS_KEY, VkServer, json_response, open_vk
from tests.providers.scripted_server import http_response

PNG = b"\x89PNG\r\n\x1a\n picture"


@pytest.fixture
async def vk_and_server() -> AsyncIterator[tuple[VkClient, VkServer]]:
    async with open_vk() as pair:
        yield pair


def history_page(*cmids: int) -> dict[str, Any]:
    items = [{"id": 1000 + n, "conversation_message_id": n} for n in cmids]
    return {"count": len(items), "items": items}


async def test_send_returns_message_id_and_cmid(
    vk_and_server: tuple[VkClient, VkServer],
) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses([{"peer_id": 777, "message_id": 1502, "conversation_message_id": 13}])
    buttons = keyboard.inline_keyboard(
        [[keyboard.link_button("Оплатить", "https://pay.example/i/A")]]
    )
    sent = await messages.send(vk, 777, "Счёт", -815123, buttons, "photo-1_2_key")
    assert sent == messages.SentMessage(1502, 13)
    ((method, form),) = vk_server.calls
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
    ("code", "error_class"),
    [
        (901, PermanentError),
        (902, PermanentError),
        (6, RetryLaterError),
        (9, RetryLaterError),
        (5, NeedsOwnerError),
    ],
)
async def test_error_for_single_peer_is_raised(
    vk_and_server: tuple[VkClient, VkServer], code: int, error_class: type[VkError]
) -> None:
    vk, vk_server = vk_and_server
    error = {"code": code, "description": "Can't send messages"}
    peer_result = {"peer_id": 777, "message_id": 0, "conversation_message_id": 0, "error": error}
    vk_server.queue_responses([peer_result])
    with pytest.raises(VkError) as caught:
        await messages.send(vk, 777, "Счёт", 5)
    assert (type(caught.value), caught.value.code) == (error_class, code)
    assert caught.value.detail == "Can't send messages"


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
async def test_send_response_without_ids_means_message_may_have_been_sent(
    vk_and_server: tuple[VkClient, VkServer], answer: Any
) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses(answer)
    with pytest.raises(RetryLaterError) as caught:
        await messages.send(vk, 777, "Счёт", 5)
    assert caught.value.is_outcome_unknown


async def test_random_id_must_be_nonzero_int32(vk_and_server: tuple[VkClient, VkServer]) -> None:
    vk, vk_server = vk_and_server
    for random_id in (0, 2**31):
        with pytest.raises(AssertionError):
            await messages.send(vk, 777, "Счёт", random_id)
    assert vk_server.requests == []


async def test_message_is_edited_by_cmid(vk_and_server: tuple[VkClient, VkServer]) -> None:
    vk, vk_server = vk_and_server
    await messages.edit(vk, 777, 13, "Оплачено", keyboard.inline_keyboard([]))
    assert vk_server.calls == [
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


async def test_missed_messages_are_read_page_by_page_oldest_first(
    vk_and_server: tuple[VkClient, VkServer],
) -> None:
    vk, vk_server = vk_and_server
    # A message arrives between the two pages, so the second page repeats number 301.
    vk_server.queue_responses(
        history_page(*range(500, 300, -1)), history_page(*range(301, 101, -1))
    )
    missed = await messages.fetch_since(vk, 777, 250)
    assert [item["conversation_message_id"] for item in missed] == list(range(251, 501))
    assert [form["offset"] for _, form in vk_server.calls] == ["0", "200"]


async def test_short_history_is_read_in_one_call(vk_and_server: tuple[VkClient, VkServer]) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses(history_page(2, 1), history_page())
    assert len(await messages.fetch_since(vk, 777, 0)) == 2
    assert await messages.fetch_since(vk, 777, 0) == []
    assert len(vk_server.requests) == 2


async def test_history_is_read_up_to_limit(vk_and_server: tuple[VkClient, VkServer]) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses(
        history_page(*range(900, 700, -1)), history_page(*range(700, 500, -1))
    )
    missed = await messages.fetch_since(vk, 777, 0, limit=400)
    assert (missed[0]["conversation_message_id"], len(missed)) == (501, 400)


async def test_conversations_are_listed_with_profiles(
    vk_and_server: tuple[VkClient, VkServer],
) -> None:
    vk, vk_server = vk_and_server
    anna = {"id": 777, "first_name": "Анна", "last_name": "К", "photo_100": "https://a.example/1"}
    vk_server.queue_responses({"count": 9, "items": [{"conversation": {}}], "profiles": [anna]})
    page = await messages.list_conversations(vk, "unread", 50, 100)
    assert (page.total_count, page.items) == (9, [{"conversation": {}}])
    assert page.profiles == (VkProfile(777, "Анна К", "https://a.example/1"),)
    assert vk_server.calls[0][1] == {
        "filter": "unread",
        "count": "50",
        "offset": "100",
        "extended": "1",
        "fields": "photo_100",
    }
    vk_server.queue_responses({"count": 1})
    with pytest.raises(RetryLaterError):
        await messages.list_conversations(vk)


async def test_read_marks_button_answers_and_permission_checks_are_sent(
    vk_and_server: tuple[VkClient, VkServer],
) -> None:
    vk, vk_server = vk_and_server
    await messages.mark_read(vk, 777)
    await messages.answer_button_press(vk, "0a1b", 777, 777, messages.snackbar("Спасибо"))
    await messages.answer_button_press(vk, "0a1b", 777, 777)
    vk_server.queue_responses({"is_allowed": 1}, {"is_allowed": 0})
    assert await messages.is_messaging_allowed(vk, 123456, 777)
    assert not await messages.is_messaging_allowed(vk, 123456, 777)
    assert vk_server.calls[:3] == [
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
        await messages.answer_button_press(vk, "0a1b", 777, 777, {"text": "b" * 1000})


async def test_profiles_of_users_and_communities_are_fetched_by_id(
    vk_and_server: tuple[VkClient, VkServer],
) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses(
        [{"id": 777, "first_name": "Анна", "last_name": "К", "photo_100": "javascript:1"}]
    )
    vk_server.queue_responses(
        {"groups": [{"id": 5, "name": "Студия", "photo_100": "https://a.example/5"}]}
    )
    profiles = await users.fetch_profiles(vk, [777, -5, 777])
    assert profiles == [
        VkProfile(777, "Анна К", ""),
        VkProfile(-5, "Студия", "https://a.example/5"),
    ]
    assert vk_server.calls == [
        ("users.get", {"user_ids": "777", "fields": "photo_100"}),
        ("groups.getById", {"group_ids": "5"}),
    ]
    assert "Анна" not in repr(profiles)
    assert await users.fetch_profiles(vk, []) == []


async def test_photo_is_uploaded_and_saved(vk_and_server: tuple[VkClient, VkServer]) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses({"upload_url": f"{vk_server.url}/upload?to=1", "album_id": 1})
    vk_server.responses.append(http_response(200, b'{"server":8,"photo":"[{}]","hash":"h"}'))
    vk_server.queue_responses([{"id": 2, "owner_id": -1, "access_key": "key"}])
    assert await photos.upload_message_photo(vk, 777, PNG, "card.png") == "photo-1_2_key"
    assert b'name="photo"; filename="card.png"' in vk_server.requests[1].body
    assert b"image/png" in vk_server.requests[1].body
    assert ACCESS_KEY not in str(vk_server.requests[1])
    assert vk_server.requests[2].form == {"photo": "[{}]", "server": "8", "hash": "h"}


async def test_unreadable_photo_is_refused_permanently(
    vk_and_server: tuple[VkClient, VkServer],
) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses({"upload_url": f"{vk_server.url}/upload"})
    vk_server.responses.append(http_response(200, b'{"server":8,"photo":"[]","hash":"h"}'))
    with pytest.raises(PermanentError, match="129"):
        await photos.upload_message_photo(vk, 777, PNG)
    with pytest.raises(ValueError, match="photo"):
        await photos.upload_message_photo(vk, 777, b"<svg/>")


@pytest.mark.parametrize("upload_url", ["file:///etc/passwd", "gopher://a/", "", 5, "http://"])
async def test_photo_is_uploaded_only_to_http_url(
    vk_and_server: tuple[VkClient, VkServer], upload_url: object
) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses({"upload_url": upload_url})
    with pytest.raises(RetryLaterError):
        await photos.upload_message_photo(vk, 777, PNG)
    assert len(vk_server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [http_response(500, b""), http_response(200, b"<h1>"), http_response(200, b"[1]"), b""],
)
async def test_failed_upload_is_retryable(
    vk_and_server: tuple[VkClient, VkServer], answer: bytes
) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses({"upload_url": f"{vk_server.url}/upload"})
    vk_server.responses.append(answer)
    with pytest.raises(RetryLaterError):
        await photos.upload_message_photo(vk, 777, PNG)


async def test_long_poll_request_and_response(vk_and_server: tuple[VkClient, VkServer]) -> None:
    vk, vk_server = vk_and_server
    update = {"type": "message_new", "event_id": "a", "group_id": 123456, "object": {}}
    vk_server.responses.append(json_response({"ts": "1820350345", "updates": [update, "rubbish"]}))
    result = await long_poll.poll(vk, f"{vk_server.url}/lp", "poll-key", "1820350344")
    assert result == long_poll.PollResult("1820350345", (update,))
    assert vk_server.requests[0].http_method == "GET"
    assert vk_server.requests[0].query == {
        "act": ["a_check"],
        "key": ["poll-key"],
        "ts": ["1820350344"],
        "wait": ["25"],
    }
    assert "authorization" not in vk_server.requests[0].headers


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"failed": 1, "ts": 30}, long_poll.PollResult("30", failure_code=1)),
        ({"failed": 2}, long_poll.PollResult("7", failure_code=2)),
        ({"failed": 3}, long_poll.PollResult("7", failure_code=3)),
        ({"ts": 8, "updates": []}, long_poll.PollResult("8")),
    ],
)
async def test_long_poll_failure_code_is_returned(
    vk_and_server: tuple[VkClient, VkServer], answer: dict[str, Any], expected: long_poll.PollResult
) -> None:
    vk, vk_server = vk_and_server
    vk_server.responses.append(json_response(answer))
    assert await long_poll.poll(vk, f"{vk_server.url}/lp", "k", "7") == expected


@pytest.mark.parametrize(
    "answer",
    [http_response(502, b""), http_response(200, b"<h1>"), json_response({"ts": "1"}), b""],
)
async def test_failed_long_poll_is_retryable(
    vk_and_server: tuple[VkClient, VkServer], answer: bytes
) -> None:
    vk, vk_server = vk_and_server
    vk_server.responses.append(answer)
    with pytest.raises(RetryLaterError):
        await long_poll.poll(vk, f"{vk_server.url}/lp", "k", "7")
