"""Calls to VK: what is said on the wire, what is tried again, which refusal means what."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest

from sigma.channels.vk import groups, market, messages
from sigma.channels.vk.client import Clients, Vk
from sigma.channels.vk.errors import Final, Later, NeedsPerson, VkError
from sigma.channels.vk.fields import public
from tests.channels.vk_line import KEY, SILENCE, Line, Time, clients, connection, listening, said
from tests.providers.lines import http

PAGE = b"<!doctype html><h1>Somebody else</h1>"
LETTER = "Здравствуйте, Анна!"


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with listening() as line:
        yield line


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def all_clients(time: Time) -> AsyncIterator[Clients]:
    async with clients(time) as made:
        yield made


@pytest.fixture
def vk(all_clients: Clients, line: Line) -> Vk:
    return all_clients.of(connection(line), KEY)


async def test_a_call_is_a_form_with_the_key_in_a_header_only(vk: Vk, line: Line) -> None:
    line.say({"ok": 1})
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
    (heard,) = line.heard
    assert (heard.verb, heard.target) == ("POST", "/vk/method/groups.edit")
    assert heard.headers["authorization"] == f"Bearer {KEY}"
    assert heard.headers["content-type"] == "application/x-www-form-urlencoded"
    assert KEY.encode() not in heard.body
    assert heard.form == {
        "group_id": "123456",
        "title": "Студия & сад",
        "market": "1",
        "contacts": "0",
        "market_country": "1,2",
        "price": "10.50",
        "keyboard": '{"label":"Оплатить"}',
    }


@pytest.mark.parametrize("value", [1.5, b"bytes", object()])
async def test_a_value_with_no_one_spelling_is_not_sent(vk: Vk, line: Line, value: object) -> None:
    with pytest.raises(TypeError, match="price cannot be"):
        await vk.call("market.add", price=value)
    assert line.heard == []


async def test_without_settings_it_is_vk_itself_that_is_asked(all_clients: Clients) -> None:
    plain = connection(Line(), api_url="https://api.vk.ru/")
    bare = replace(plain, settings={})
    assert all_clients.of(plain, KEY).root == all_clients.of(bare, KEY).root == "https://api.vk.ru"


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        ((1, 6, 9, 10, 29, 32, 36), Later),
        ((5, 14, 17, 24, 28, 42, 703, 1117, 3609), NeedsPerson),
        ((3, 7, 8, 15, 18, 20, 23, 30, 37, 40, 43, 100, 103, 104, 113, 125, 203, 205), Final),
        ((900, 901, 902, 909, 911, 912, 914, 917, 932, 936, 943, 945, 950, 987, 1021), Final),
        ((1260, 1403, 1409, 1436, 1438, 1525, 1526, 2000, 77_777, -1), Final),
    ],
)
async def test_each_refusal_is_later_or_for_a_person_or_final(
    vk: Vk, line: Line, codes: tuple[int, ...], kind: type[VkError]
) -> None:
    for code in codes:
        line.answers.clear()
        line.refuse(code, times=4)
        with pytest.raises(VkError) as no:
            await vk.call("messages.send", peer_ids=[777], random_id=5)
        assert (type(no.value), no.value.code, str(no.value)) == (kind, code, f"vk {code}")


async def test_a_method_closed_to_communities_is_final_but_closed_messages_mean_the_key(
    vk: Vk, line: Line
) -> None:
    line.refuse(27, times=2)
    with pytest.raises(Final):
        await vk.call("market.get", owner_id=-123456)
    with pytest.raises(NeedsPerson):
        await vk.call("messages.getConversations")


async def test_how_long_to_wait_is_said_with_later(vk: Vk, line: Line) -> None:
    waits = {}
    for code in (6, 9, 29):
        line.refuse(code, times=4)
        with pytest.raises(Later) as no:
            await vk.call("messages.send", peer_ids=[777], random_id=5)
        line.answers.clear()
        waits[code] = no.value.retry_after_s
        assert not no.value.lost
    assert waits == {6: 1.0, 9: 600.0, 29: 10_800.0}


async def test_subcode_and_words_are_kept_but_not_told(vk: Vk, line: Line) -> None:
    line.refuse(5, error_subcode=1130, error_msg=f"User\nauthorization failed: {KEY} (4)")
    with pytest.raises(NeedsPerson) as no:
        await vk.call("groups.getById")
    assert no.value.subcode == 1130
    assert no.value.words == "User authorization failed: … (4)"
    assert "authorization" not in f"{no.value} {no.value!r}"
    line.refuse(100, error_msg="a" * 5000)
    with pytest.raises(Final) as no_end:
        await vk.call("groups.getById")
    assert len(no_end.value.words) == 300


@pytest.mark.parametrize("trouble", [1, 6, 10, b"", http(502, PAGE), said({}, 503)])
async def test_a_short_trouble_is_met_by_the_same_words(
    vk: Vk, line: Line, time: Time, trouble: int | bytes
) -> None:
    if isinstance(trouble, bytes):
        line.answers += [trouble] * 2
    else:
        line.refuse(trouble, times=2)
    line.say([{"peer_id": 777, "message_id": 1502, "conversation_message_id": 13}])
    sent = await messages.send(vk, 777, LETTER, -815123)
    assert (sent.message_id, sent.cmid) == (1502, 13)
    assert len(line.heard) == 3
    assert line.heard[0].body == line.heard[1].body == line.heard[2].body
    assert line.heard[0].form["random_id"] == "-815123"
    assert time.slept == ([1.0, 1.0] if trouble == 6 else [0.3, 0.6])


@pytest.mark.parametrize("code", [9, 29, 32, 36, 5, 14, 901, 100])
async def test_what_haste_cannot_help_is_not_tried_again(vk: Vk, line: Line, code: int) -> None:
    line.refuse(code)
    with pytest.raises(VkError):
        await vk.call("messages.send", peer_ids=[777], random_id=5)
    assert len(line.heard) == 1


async def test_after_three_more_tries_it_is_left_for_later(
    all_clients: Clients, line: Line, time: Time
) -> None:
    vk = all_clients.of(connection(line, timeout_s=10), KEY)
    line.refuse(10, times=9)
    with pytest.raises(Later):
        await vk.call("messages.send", peer_ids=[777], random_id=5)
    assert len(line.heard) == 4
    assert time.slept == [0.3, 0.6, 1.2]


async def test_pauses_differ_so_that_all_do_not_come_back_at_once(line: Line, time: Time) -> None:
    made = Clients(clock=time.clock, sleep=time.sleep, jitter=lambda: 1.0)
    line.refuse(10)
    await made.of(connection(line), KEY).call("groups.getById")
    await made.close()
    assert time.slept == [pytest.approx(0.45)]


async def test_a_slow_vk_is_not_hurried(all_clients: Clients, line: Line, time: Time) -> None:
    vk = all_clients.of(connection(line, timeout_s=0.5), KEY)
    line.refuse(10, times=9)
    with pytest.raises(Later):
        await vk.call("groups.getById")
    assert time.slept == [0.3, 0.6]  # then more than a call's time was gone


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        http(500, PAGE),
        http(200, PAGE),
        http(200, b""),
        http(200, b"[]"),
        http(200, b"[" * 90_000),
        http(200, b'{"error": {}}'),
        http(200, b'{"error": {"error_code": "901"}}'),
        http(200, b'{"error": "no"}'),
        http(200, b"{}", "content-encoding: gzip"),
        http(200, b"{}"),
        http(302, b"", "location: http://127.0.0.1:1/"),
        http(404, PAGE),
        said({"response": 1}, 404),
        said({"response": [1]})[:-3],
        http(200, b'{"response":1}' + b" " * 9_000_000),
    ],
    ids=range(17),
)
async def test_an_unreadable_answer_may_mean_that_it_was_done(
    vk: Vk, line: Line, answer: bytes
) -> None:
    line.answers = [answer] * 4
    with pytest.raises(Later) as lost:
        await vk.call("messages.send", peer_ids=[777], random_id=5, message=LETTER)
    assert lost.value.lost
    assert len(line.heard) == 4
    for secret in (KEY, LETTER, line.url):
        assert secret not in f"{lost.value} {lost.value!r} {lost.value.words}"


async def test_silence_is_waited_for_no_longer_than_told(all_clients: Clients, line: Line) -> None:
    line.answers = [SILENCE] * 4
    vk = all_clients.of(connection(line, timeout_s=0.1), KEY)
    with pytest.raises(Later) as lost:
        await vk.call("messages.send", peer_ids=[777], random_id=5)
    assert lost.value.lost
    assert lost.value.words == "no answer in time"


@pytest.mark.parametrize("root", ["http://127.0.0.1:1", "ftp://127.0.0.1", "http://x:99999", ""])
async def test_what_never_left_is_not_lost(all_clients: Clients, line: Line, root: str) -> None:
    vk = all_clients.of(connection(line, api_url=root), KEY)
    with pytest.raises(Later) as later:
        await vk.call("messages.send", peer_ids=[777], random_id=5)
    assert not later.value.lost
    assert line.heard == []


async def test_an_earlier_try_may_have_been_done_whatever_the_last_one_says(
    vk: Vk, line: Line
) -> None:
    line.answers = [http(502, PAGE)]
    line.refuse(5)
    with pytest.raises(NeedsPerson) as no:
        await vk.call("messages.send", peer_ids=[777], random_id=5)
    assert no.value.lost


async def test_a_busy_gateway_says_when_to_come_back(vk: Vk, line: Line) -> None:
    line.answers = [http(429, PAGE, "retry-after: 90")]
    with pytest.raises(Later) as later:
        await vk.call("groups.getById")
    assert later.value.retry_after_s == 90
    assert len(line.heard) == 1


async def test_what_would_be_made_twice_is_not_tried_again_when_it_may_be_done(
    vk: Vk, line: Line
) -> None:
    line.answers = [http(502, PAGE)]
    with pytest.raises(Later) as lost:
        await groups.add_callback(vk, 123456, "https://shop.example/h", "Sigma", "s3cr3t")
    assert lost.value.lost
    draft = market.Draft("Портрет", "Час, двадцать снимков", None, photo_id=1)
    line.answers = [http(502, PAGE)]
    with pytest.raises(Later):
        await market.add(vk, 123456, draft)
    assert len(line.heard) == 2


async def test_too_fast_means_not_done_so_even_that_is_tried_again(vk: Vk, line: Line) -> None:
    line.refuse(6)
    line.say({"server_id": 4})
    assert await groups.add_callback(vk, 1, "https://shop.example/h", "Sigma", "s3cr3t") == 4


async def test_the_key_and_the_letter_are_in_no_log(
    vk: Vk, line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    line.refuse(10)
    await vk.call("messages.send", peer_ids=[777], random_id=5, message=LETTER)
    assert len(line.heard) == 2
    assert KEY not in caplog.text
    assert "Анна" not in caplog.text
    assert KEY not in repr(vk)


async def test_cookies_of_one_community_are_not_sent_for_another(
    all_clients: Clients, line: Line
) -> None:
    line.answers = [http(200, b'{"response":1}', "set-cookie: who=first; path=/")]
    await all_clients.of(connection(line), KEY).call("groups.getById")
    await all_clients.of(connection(line), "another").call("groups.getById")
    assert "cookie" not in line.heard[1].headers


async def test_closed_clients_open_anew(all_clients: Clients, line: Line) -> None:
    await all_clients.of(connection(line), KEY).call("groups.getById")
    await all_clients.close()
    assert await all_clients.of(connection(line), KEY).call("groups.getById") == 1


PRIVATE = (
    *("http://sun1.userapi.com/a.jpg", "https://127.0.0.1/a", "https://10.1.2.3/a"),
    *("https://169.254.169.254/latest/meta-data", "https://[::1]/a", "https://[::ffff:10.0.0.1]/a"),
    *("https://localhost/a", "https://database/a", "https://db.internal/a", "https://127.1/a"),
    *("https://0x7f.0x1/a", "https://2130706433/a", "https://printer.local./a", "file:///a", ""),
)


@pytest.mark.parametrize("url", PRIVATE)
async def test_vk_itself_names_no_house_of_our_own_network(all_clients: Clients, url: str) -> None:
    """Whatever an answer names: a picture, an upload server, a long poll."""
    vk = all_clients.of(connection(Line(), api_url="https://api.vk.ru"), KEY)
    for asking in (
        vk.download(url),
        vk.upload(url, "photo", b"data", "a.jpg", "image/jpeg"),
        vk.listen(url, {"act": "a_check"}, 1),
    ):
        with pytest.raises(Later) as later:
            await asking
        assert later.value.words == "bad address"
        assert not later.value.lost


def test_public_addresses_are_those_of_the_world() -> None:
    for url in (
        *("https://sun9-1.userapi.com/a.jpg", "https://lp.vk.ru/whp/1", "https://93.184.215.14/"),
        "https://pu.vk.com./c1/ss/upload.php",
    ):
        assert public(url), url


async def test_a_stand_names_addresses_of_its_own(all_clients: Clients, line: Line) -> None:
    vk = all_clients.of(connection(line), KEY)
    line.answers = [http(200, b"picture")]
    assert await vk.download(f"{line.url}/a.jpg") == b"picture"
