"""VK client: encoding of calls, retries, error classes, SSRF guard, secrecy."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest

from sigma.channels.vk import groups, market, messages
from sigma.channels.vk.client import VkClient, VkClients
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError, RetryLaterError, VkError
from sigma.domain.catalogue.market_item import MarketItemDraft
from sigma.outbound.guard import Outbound
from sigma.outbound.http import open_client
from tests.channels.vk_server import (
    ACCESS_KEY,
    NO_RESPONSE,
    FakeTime,
    VkServer,
    json_response,
    open_clients,
    run_vk_server,
    vk_connection,
)
from tests.outbound.local import open_local_client
from tests.providers.scripted_server import http_response

PAGE = b"<!doctype html><h1>Somebody else</h1>"
MESSAGE_TEXT = "Здравствуйте, Анна!"


@pytest.fixture
async def vk_server() -> AsyncIterator[VkServer]:
    async with run_vk_server() as vk_server:
        yield vk_server


@pytest.fixture
def fake_clock() -> FakeTime:
    return FakeTime()


@pytest.fixture
async def all_clients(fake_clock: FakeTime) -> AsyncIterator[VkClients]:
    async with open_clients(fake_clock) as opened:
        yield opened


@pytest.fixture
def vk(all_clients: VkClients, vk_server: VkServer) -> VkClient:
    return all_clients.for_key(vk_connection(vk_server), ACCESS_KEY)


async def test_call_is_a_form_post_with_access_key_only_in_header(
    vk: VkClient, vk_server: VkServer
) -> None:
    vk_server.queue_responses({"ok": 1})
    answer = await vk.call(
        "groups.edit",
        group_id=123456,
        title="Студия & сад",
        market=True,
        contacts=False,
        market_country=[1, 2],
        age_limits=None,
        price=Decimal("10.50"),
        keyboard={"label": "Оплатить"},
    )
    assert answer == {"ok": 1}
    (request,) = vk_server.requests
    assert (request.http_method, request.target) == ("POST", "/vk/method/groups.edit")
    assert request.headers["authorization"] == f"Bearer {ACCESS_KEY}"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert ACCESS_KEY.encode() not in request.body
    assert request.form == {
        "group_id": "123456",
        "title": "Студия & сад",
        "market": "1",
        "contacts": "0",
        "market_country": "1,2",
        "price": "10.50",
        "keyboard": '{"label":"Оплатить"}',
    }


@pytest.mark.parametrize("value", [1.5, b"bytes", object()])
async def test_ambiguous_parameter_type_is_refused(
    vk: VkClient, vk_server: VkServer, value: object
) -> None:
    with pytest.raises(TypeError, match="price cannot be"):
        await vk.call("market.add", price=value)
    assert vk_server.requests == []


async def test_api_url_defaults_to_vk(all_clients: VkClients) -> None:
    with_url = vk_connection(VkServer(), api_url="https://api.vk.ru/")
    without_settings = replace(with_url, settings={})
    assert (
        all_clients.for_key(with_url, ACCESS_KEY).base_url
        == all_clients.for_key(without_settings, ACCESS_KEY).base_url
        == "https://api.vk.ru"
    )


@pytest.mark.parametrize(
    ("codes", "error_class"),
    [
        ((1, 6, 9, 10, 29, 32, 36), RetryLaterError),
        ((5, 14, 17, 24, 28, 42, 703, 1117, 3609), NeedsOwnerError),
        (
            (3, 7, 8, 15, 18, 20, 23, 30, 37, 40, 43, 100, 103, 104, 113, 125, 203, 205),
            PermanentError,
        ),
        (
            (900, 901, 902, 909, 911, 912, 914, 917, 932, 936, 943, 945, 950, 987, 1021),
            PermanentError,
        ),
        ((1260, 1403, 1409, 1436, 1438, 1525, 1526, 2000, 77_777, -1), PermanentError),
    ],
)
async def test_vk_error_code_decides_between_retry_owner_and_permanent(
    vk: VkClient, vk_server: VkServer, codes: tuple[int, ...], error_class: type[VkError]
) -> None:
    for code in codes:
        vk_server.responses.clear()
        vk_server.queue_errors(code, times=4)
        with pytest.raises(VkError) as caught:
            await vk.call("messages.send", peer_ids=[777], random_id=5)
        assert (type(caught.value), caught.value.code, str(caught.value)) == (
            error_class,
            code,
            f"vk {code}",
        )


async def test_error_27_is_permanent_for_market_and_needs_owner_for_messages(
    vk: VkClient, vk_server: VkServer
) -> None:
    vk_server.queue_errors(27, times=2)
    with pytest.raises(PermanentError):
        await vk.call("market.get", owner_id=-123456)
    with pytest.raises(NeedsOwnerError):
        await vk.call("messages.getConversations")


async def test_rate_limit_errors_carry_retry_delay(vk: VkClient, vk_server: VkServer) -> None:
    retry_after_s = {}
    for code in (6, 9, 29):
        vk_server.queue_errors(code, times=4)
        with pytest.raises(RetryLaterError) as caught:
            await vk.call("messages.send", peer_ids=[777], random_id=5)
        vk_server.responses.clear()
        retry_after_s[code] = caught.value.retry_after_s
        assert not caught.value.is_outcome_unknown
    assert retry_after_s == {6: 1.0, 9: 600.0, 29: 10_800.0}


async def test_error_details_are_stored_without_key_and_absent_from_repr(
    vk: VkClient, vk_server: VkServer
) -> None:
    vk_server.queue_errors(
        5, error_subcode=1130, error_msg=f"User\nauthorization failed: {ACCESS_KEY} (4)"
    )
    with pytest.raises(NeedsOwnerError) as caught:
        await vk.call("groups.getById")
    assert caught.value.subcode == 1130
    assert caught.value.detail == "User authorization failed: … (4)"
    assert "authorization" not in f"{caught.value} {caught.value!r}"
    vk_server.queue_errors(100, error_msg="a" * 5000)
    with pytest.raises(PermanentError) as caught_long:
        await vk.call("groups.getById")
    assert len(caught_long.value.detail) == 300


@pytest.mark.parametrize(
    "failure", [1, 6, 10, b"", http_response(502, PAGE), json_response({}, 503)]
)
async def test_transient_failure_is_retried_with_identical_request(
    vk: VkClient, vk_server: VkServer, fake_clock: FakeTime, failure: int | bytes
) -> None:
    if isinstance(failure, bytes):
        vk_server.responses += [failure] * 2
    else:
        vk_server.queue_errors(failure, times=2)
    vk_server.queue_responses([{"peer_id": 777, "message_id": 1502, "conversation_message_id": 13}])
    sent = await messages.send(vk, 777, MESSAGE_TEXT, -815123)
    assert (sent.message_id, sent.cmid) == (1502, 13)
    assert len(vk_server.requests) == 3
    assert vk_server.requests[0].body == vk_server.requests[1].body == vk_server.requests[2].body
    assert vk_server.requests[0].form["random_id"] == "-815123"
    assert fake_clock.sleeps == ([1.0, 1.0] if failure == 6 else [0.3, 0.6])


@pytest.mark.parametrize("code", [9, 29, 32, 36, 5, 14, 901, 100])
async def test_non_transient_error_is_not_retried(
    vk: VkClient, vk_server: VkServer, code: int
) -> None:
    vk_server.queue_errors(code)
    with pytest.raises(VkError):
        await vk.call("messages.send", peer_ids=[777], random_id=5)
    assert len(vk_server.requests) == 1


async def test_call_gives_up_after_three_retries(
    all_clients: VkClients, vk_server: VkServer, fake_clock: FakeTime
) -> None:
    vk = all_clients.for_key(vk_connection(vk_server, timeout_s=10), ACCESS_KEY)
    vk_server.queue_errors(10, times=9)
    with pytest.raises(RetryLaterError):
        await vk.call("messages.send", peer_ids=[777], random_id=5)
    assert len(vk_server.requests) == 4
    assert fake_clock.sleeps == [0.3, 0.6, 1.2]


async def test_retry_pauses_have_jitter(vk_server: VkServer, fake_clock: FakeTime) -> None:
    opened = VkClients(
        open_local_client, clock=fake_clock.clock, sleep=fake_clock.sleep, jitter=lambda: 1.0
    )
    vk_server.queue_errors(10)
    await opened.for_key(vk_connection(vk_server), ACCESS_KEY).call("groups.getById")
    await opened.close()
    assert fake_clock.sleeps == [pytest.approx(0.45)]


async def test_retries_stop_when_call_timeout_is_used_up(
    all_clients: VkClients, vk_server: VkServer, fake_clock: FakeTime
) -> None:
    vk = all_clients.for_key(vk_connection(vk_server, timeout_s=0.5), ACCESS_KEY)
    vk_server.queue_errors(10, times=9)
    with pytest.raises(RetryLaterError):
        await vk.call("groups.getById")
    assert fake_clock.sleeps == [0.3, 0.6]  # after that the call timeout was used up


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        http_response(500, PAGE),
        http_response(200, PAGE),
        http_response(200, b""),
        http_response(200, b"[]"),
        http_response(200, b"[" * 90_000),
        http_response(200, b'{"error": {}}'),
        http_response(200, b'{"error": {"error_code": "901"}}'),
        http_response(200, b'{"error": "no"}'),
        http_response(200, b"{}", "content-encoding: gzip"),
        http_response(200, b"{}"),
        http_response(302, b"", "location: http://127.0.0.1:1/"),
        http_response(404, PAGE),
        json_response({"response": 1}, 404),
        json_response({"response": [1]})[:-3],
        http_response(200, b'{"response":1}' + b" " * 9_000_000),
    ],
    ids=range(17),
)
async def test_unreadable_response_means_call_may_have_been_executed(
    vk: VkClient, vk_server: VkServer, answer: bytes
) -> None:
    vk_server.responses = [answer] * 4
    with pytest.raises(RetryLaterError) as caught:
        await vk.call("messages.send", peer_ids=[777], random_id=5, message=MESSAGE_TEXT)
    assert caught.value.is_outcome_unknown
    assert len(vk_server.requests) == 4
    for secret in (ACCESS_KEY, MESSAGE_TEXT, vk_server.url):
        assert secret not in f"{caught.value} {caught.value!r} {caught.value.detail}"


async def test_missing_response_times_out(all_clients: VkClients, vk_server: VkServer) -> None:
    vk_server.responses = [NO_RESPONSE] * 4
    vk = all_clients.for_key(vk_connection(vk_server, timeout_s=0.1), ACCESS_KEY)
    with pytest.raises(RetryLaterError) as caught:
        await vk.call("messages.send", peer_ids=[777], random_id=5)
    assert caught.value.is_outcome_unknown
    assert caught.value.detail == "no answer"


@pytest.mark.parametrize("root", ["http://127.0.0.1:1", "ftp://127.0.0.1", "http://x:99999", ""])
async def test_request_that_was_never_sent_is_not_lost(
    all_clients: VkClients, vk_server: VkServer, root: str
) -> None:
    vk = all_clients.for_key(vk_connection(vk_server, api_url=root), ACCESS_KEY)
    with pytest.raises(RetryLaterError) as caught:
        await vk.call("messages.send", peer_ids=[777], random_id=5)
    assert not caught.value.is_outcome_unknown
    assert vk_server.requests == []


async def test_error_after_lost_attempt_is_still_marked_lost(
    vk: VkClient, vk_server: VkServer
) -> None:
    vk_server.responses = [http_response(502, PAGE)]
    vk_server.queue_errors(5)
    with pytest.raises(NeedsOwnerError) as caught:
        await vk.call("messages.send", peer_ids=[777], random_id=5)
    assert caught.value.is_outcome_unknown


async def test_429_response_carries_retry_delay(vk: VkClient, vk_server: VkServer) -> None:
    vk_server.responses = [http_response(429, PAGE, "retry-after: 90")]
    with pytest.raises(RetryLaterError) as caught:
        await vk.call("groups.getById")
    assert caught.value.retry_after_s == 90
    assert len(vk_server.requests) == 1


async def test_non_idempotent_call_is_not_retried_after_lost_response(
    vk: VkClient, vk_server: VkServer
) -> None:
    vk_server.responses = [http_response(502, PAGE)]
    with pytest.raises(RetryLaterError) as caught:
        await groups.add_callback_server(vk, 123456, "https://shop.example/h", "Sigma", "s3cr3t")
    assert caught.value.is_outcome_unknown
    draft = MarketItemDraft("Портрет", "Час, двадцать снимков", None, photo_id=1)
    vk_server.responses = [http_response(502, PAGE)]
    with pytest.raises(RetryLaterError):
        await market.add_item(vk, 123456, draft)
    assert len(vk_server.requests) == 2


async def test_non_idempotent_call_is_retried_after_rate_limit_error(
    vk: VkClient, vk_server: VkServer
) -> None:
    vk_server.queue_errors(6)
    vk_server.queue_responses({"server_id": 4})
    assert await groups.add_callback_server(vk, 1, "https://shop.example/h", "Sigma", "s3cr3t") == 4


async def test_access_key_and_message_text_are_not_logged(
    vk: VkClient, vk_server: VkServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    vk_server.queue_errors(10)
    await vk.call("messages.send", peer_ids=[777], random_id=5, message=MESSAGE_TEXT)
    assert len(vk_server.requests) == 2
    assert ACCESS_KEY not in caplog.text
    assert "Анна" not in caplog.text
    assert ACCESS_KEY not in repr(vk)


async def test_cookies_are_not_shared_between_communities(
    all_clients: VkClients, vk_server: VkServer
) -> None:
    vk_server.responses = [http_response(200, b'{"response":1}', "set-cookie: who=first; path=/")]
    await all_clients.for_key(vk_connection(vk_server), ACCESS_KEY).call("groups.getById")
    await all_clients.for_key(vk_connection(vk_server), "another").call("groups.getById")
    assert "cookie" not in vk_server.requests[1].headers


async def test_clients_reopen_after_close(all_clients: VkClients, vk_server: VkServer) -> None:
    await all_clients.for_key(vk_connection(vk_server), ACCESS_KEY).call("groups.getById")
    await all_clients.close()
    assert (
        await all_clients.for_key(vk_connection(vk_server), ACCESS_KEY).call("groups.getById") == 1
    )


PRIVATE = (
    *("http://sun1.userapi.com/a.jpg", "https://127.0.0.1/a", "https://10.1.2.3/a"),
    *("https://169.254.169.254/latest/meta-data", "https://[::1]/a", "https://[::ffff:10.0.0.1]/a"),
    *("https://localhost/a", "https://database/a", "https://db.internal/a", "https://127.1/a"),
    *("https://0x7f.0x1/a", "https://2130706433/a", "https://printer.local./a", "file:///a", ""),
)


@pytest.mark.parametrize("url", PRIVATE)
async def test_non_public_url_in_response_of_vk_is_refused(fake_clock: FakeTime, url: str) -> None:
    """The URL may be of a photo, an upload server or a long poll server."""
    strict = VkClients(partial(open_client, Outbound()), clock=fake_clock.clock)
    vk = strict.for_key(vk_connection(VkServer(), api_url="https://api.vk.ru"), ACCESS_KEY)
    for request in (
        vk.download(url),
        vk.upload(url, "photo", b"data", "a.jpg", "image/jpeg"),
        vk.long_poll(url, {"act": "a_check"}, 1),
    ):
        with pytest.raises(RetryLaterError) as caught:
            await request
        assert caught.value.detail == "no answer"
        assert not caught.value.is_outcome_unknown
    await strict.close()


async def test_local_vk_may_return_local_url(all_clients: VkClients, vk_server: VkServer) -> None:
    vk = all_clients.for_key(vk_connection(vk_server), ACCESS_KEY)
    vk_server.responses = [http_response(200, b"picture")]
    assert await vk.download(f"{vk_server.url}/a.jpg") == b"picture"
