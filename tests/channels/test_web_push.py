"""Web Push: what a browser can decrypt, what a push service can verify, and its refusals."""

from collections.abc import AsyncIterator

import pytest

from sigma.channels.delivery_error import DeliveryError
from sigma.channels.push.web_push import PushClient, ServerKey, Subscription, parse_subscription
from sigma.outbound.guard import Outbound
from sigma.outbound.http import open_client
from tests.outbound.local import open_local_client
from tests.push_service import PushBrowser, PushService, decode, open_push_service

NOW_S = 1_800_000_000
KEY = ServerKey(b"\x01" * 32)
CONTACT = "mailto:admin@example.org"


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    async with open_push_service() as opened:
        yield opened


def subscription_of(browser: PushBrowser) -> Subscription:
    return parse_subscription(browser.endpoint, *browser.keys)


async def send(browser: PushBrowser, payload: bytes = b'{"title": "1"}') -> str:
    client = PushClient(open_local_client)
    try:
        return await client.send(KEY, subscription_of(browser), payload, CONTACT, NOW_S)
    finally:
        await client.close()


async def test_only_the_browser_can_read_the_message(service: PushService) -> None:
    browser, other = service.new_browser(), service.new_browser()
    assert await send(browser, '{"title": "Деньги пришли"}'.encode()) == "HTTP 201"
    (request,) = service.requests
    assert browser.read(request) == {"title": "Деньги пришли"}
    assert "Деньги".encode() not in request.body
    with pytest.raises(Exception, match="Decryption"):
        other.read(request)


async def test_request_is_signed_for_this_service_and_half_a_day(service: PushService) -> None:
    browser = service.new_browser()
    await send(browser)
    claims = service.requests[0].claims  # checks the signature
    assert claims == {
        "aud": service.origin,
        "exp": NOW_S + 12 * 3600,
        "sub": CONTACT,
        "key": KEY.public_text,
    }
    assert len(decode(KEY.public_text)) == 65


def test_server_key_is_the_same_for_the_same_secret() -> None:
    assert ServerKey(b"\x01" * 32).public_text == KEY.public_text
    assert ServerKey(b"\x02" * 32).public_text != KEY.public_text
    assert ServerKey(b"\xff" * 32).public_text


@pytest.mark.parametrize(
    ("status", "is_gone", "is_permanent"),
    [
        (404, True, True),
        (410, True, True),
        (403, True, True),
        (413, False, True),
        (400, False, True),
        (429, False, False),
        (500, False, False),
        (503, False, False),
    ],
)
async def test_refusals(
    service: PushService, status: int, *, is_gone: bool, is_permanent: bool
) -> None:
    service.statuses = [status]
    with pytest.raises(DeliveryError) as caught:
        await send(service.new_browser())
    assert caught.value.reply == f"HTTP {status}"
    assert (caught.value.is_gone, caught.value.is_permanent) == (is_gone, is_permanent)


async def test_private_endpoint_is_not_connected_to(service: PushService) -> None:
    client = PushClient(lambda certificates: open_client(Outbound(), certificates))
    subscription = subscription_of(service.new_browser())
    with pytest.raises(DeliveryError) as caught:
        await client.send(KEY, subscription, b"{}", CONTACT, NOW_S)
    await client.close()
    assert caught.value.reply == "no_connection"
    assert not caught.value.is_permanent
    assert service.requests == []


@pytest.mark.parametrize(
    ("endpoint", "p256dh", "auth"),
    [
        ("ftp://push.example/x", None, None),
        ("", None, None),
        ("https://user@push.example/x", None, None),
        (None, "AAAA", None),
        (None, "", None),
        (None, "B" * 87, None),  # no point of the curve
        (None, None, "AAAA"),
        (None, None, "не base64"),
    ],
)
def test_unusable_subscription_is_refused(
    endpoint: str | None, p256dh: str | None, auth: str | None
) -> None:
    browser = PushBrowser("https://push.example/x")
    good = (browser.endpoint, *browser.keys)
    values = [
        given if given is not None else usual
        for given, usual in zip((endpoint, p256dh, auth), good, strict=True)
    ]
    with pytest.raises(ValueError, match=r"."):
        parse_subscription(*values)
