"""The bank's card page over HTTP, as a browser without JavaScript uses it."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from sigma_sandbox.app import SandboxConfig, start_sandbox
from sigma_sandbox.bank.cards import TEST_CARDS
from sigma_sandbox.bank.pages import texts
from sigma_sandbox.faults import DECLINE_REASONS
from tests.sandbox.merchants import Merchant, NoticeReceiver

CARD_WITH_CODE = "2200 0000 0000 0004"
CARD_WITHOUT_CODE = "2202474301322987"
RETURN_URL = "https://shop.example/back"


def card_form(
    number: str = CARD_WITHOUT_CODE, expiry: str = "12/30", csc: str = "123"
) -> dict[str, str]:
    return {"number": number, "expiry": expiry, "csc": csc}


async def open_page(merchant: Merchant, **more: Any) -> tuple[str, httpx.Response]:
    """Create a payment; return the URL of its card page and the page."""
    created = await merchant.create_payment(**more)
    url = created["confirmation"]["confirmation_url"]
    return url, await merchant.http.get(url)


async def read_payment(merchant: Merchant, url: str) -> dict[str, Any]:
    """Return the payment of a card page from the API."""
    body: dict[str, Any] = (await merchant.get(f"/payments/{url.rsplit('/', 1)[1]}")).json()
    return body


async def test_page_shows_amount_shop_and_test_notice(merchant: Merchant) -> None:
    _, page = await open_page(merchant, description="Маникюр <b>")
    assert page.status_code == 200
    assert "Оплатить 1\u00a0500,00\u00a0₽" in page.text
    assert "Маникюр &lt;b&gt;" in page.text
    assert f"Магазин № {merchant.id}" in page.text
    assert "Тестовый банк — деньги не списываются" in page.text
    for attribute in ("cc-number", "cc-exp", "cc-csc", 'inputmode="numeric"'):
        assert attribute in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_card_without_code_returns_to_shop_at_once(merchant: Merchant) -> None:
    url, _ = await open_page(merchant)
    done = await merchant.http.post(url, data=card_form())
    assert (done.status_code, done.headers["location"]) == (303, RETURN_URL)
    body = await read_payment(merchant, url)
    assert (body["status"], body["payment_method"]["card"]["expiry_year"]) == ("succeeded", "2030")
    page = await merchant.http.get(url)
    assert "Счёт оплачен" in page.text
    assert RETURN_URL in page.text
    again = await merchant.http.post(url, data=card_form("5555555555554600"))
    assert (again.status_code, again.headers["location"]) == (303, RETURN_URL)


async def test_card_with_code_is_paid_after_right_code(merchant: Merchant) -> None:
    url, _ = await open_page(merchant)
    response = await merchant.http.post(url, data=card_form(CARD_WITH_CODE))
    assert (response.status_code, response.headers["location"]) == (303, f"{url_path(url)}/3ds")
    page = await merchant.http.get(f"{url}/3ds")
    assert "код для проверки: 1234" in page.text
    assert "Мир •• 0004" in page.text
    assert 'autocomplete="one-time-code"' in page.text
    assert (await read_payment(merchant, url))["status"] == "pending"
    wrong = await merchant.http.post(f"{url}/3ds", data={"code": "1111"})
    assert (wrong.status_code, "Осталось 2 попытки" in wrong.text) == (422, True)
    done = await merchant.http.post(f"{url}/3ds", data={"code": " 1234 "})
    assert (done.status_code, done.headers["location"]) == (303, RETURN_URL)
    body = await read_payment(merchant, url)
    assert body["authorization_details"]["three_d_secure"]["applied"] is True


@pytest.mark.parametrize("answers", [[{"decline": "1"}], [{"code": "1"}] * 3])
async def test_declined_or_wrong_code_declines_payment(
    merchant: Merchant, answers: list[dict[str, str]]
) -> None:
    url, _ = await open_page(merchant)
    await merchant.http.post(url, data=card_form(CARD_WITH_CODE))
    responses = [await merchant.http.post(f"{url}/3ds", data=answer) for answer in answers]
    assert responses[-1].headers["location"] == url_path(url)
    assert "Оплата не подтверждена кодом" in (await merchant.http.get(url)).text
    body = await read_payment(merchant, url)
    assert body["cancellation_details"]["reason"] == "3d_secure_failed"


async def test_card_failing_3ds_is_declined_despite_right_code(merchant: Merchant) -> None:
    url, _ = await open_page(merchant)
    await merchant.http.post(url, data=card_form("2200000000000012"))
    await merchant.http.post(f"{url}/3ds", data={"code": "1234"})
    body = await read_payment(merchant, url)
    assert body["cancellation_details"]["reason"] == "3d_secure_failed"


async def test_decline_is_explained_with_link_to_shop(merchant: Merchant) -> None:
    url, _ = await open_page(merchant)
    declined = await merchant.http.post(url, data=card_form("2200000000000053"))
    assert declined.headers["location"] == url_path(url)
    page = (await merchant.http.get(url)).text
    assert "На карте не хватает денег" in page
    assert f'href="{RETURN_URL}"' in page
    assert "insufficient_funds" not in page


def test_every_decline_reason_has_text_in_both_languages() -> None:
    assert texts.DECLINE_TEXTS.keys() == DECLINE_REASONS
    assert {card.decline_reason for card in TEST_CARDS} - {None} <= DECLINE_REASONS
    assert texts.RU.keys() == texts.EN.keys()


@pytest.mark.parametrize(
    ("form", "error"),
    [
        (card_form(number=""), "Введите номер карты"),
        (card_form(number="2200 0000"), "Номер короче"),
        (card_form(number="22000000000000041"), "Номер длиннее"),
        (card_form(number="2200 O000 0000 0004"), "только цифры"),
        (card_form(number="2200 0000 0000 0005"), "ошибка в одной из цифр"),
        (card_form(number="4242 4242 4242 4242"), "Это тестовый банк"),
        (card_form(expiry="13/30"), "Введите месяц и год"),
        (card_form(expiry="10/26"), "Срок этой карты прошёл"),
        (card_form(expiry="01/20"), "Срок этой карты прошёл"),
        (card_form(csc="12"), "Три цифры с обратной стороны"),
    ],
)
async def test_invalid_field_has_error_and_other_fields_are_kept(
    merchant: Merchant, form: dict[str, str], error: str
) -> None:
    url, _ = await open_page(merchant)
    await merchant.inject_faults(clock_offset_s=0)
    page = await merchant.http.post(url, data=form)
    assert page.status_code == 422
    assert error in page.text
    assert f'value="{form["expiry"]}"' in page.text
    assert f'value="{form["csc"]}"' not in page.text
    assert "4242" not in page.text
    assert (await read_payment(merchant, url))["status"] == "pending"


async def test_card_expiring_this_month_is_accepted(merchant: Merchant) -> None:
    url, _ = await open_page(merchant)
    created = (await read_payment(merchant, url))["created_at"]
    done = await merchant.http.post(url, data=card_form(expiry=f"{created[5:7]} / {created[:4]}"))
    assert done.headers["location"] == RETURN_URL


async def test_language_of_payment_is_preserved_after_decline(merchant: Merchant) -> None:
    confirmation = {"type": "redirect", "return_url": RETURN_URL, "locale": "en_US"}
    url, page = await open_page(merchant, confirmation=confirmation)
    assert "Pay RUB\u00a01,500.00" in page.text
    assert "Test bank: no money is taken" in page.text
    russian = await merchant.http.get(url, params={"lang": "ru"})
    assert "Оплатить" in russian.text
    declined = await merchant.http.post(f"{url}?lang=ru", data=card_form("2200000000000053"))
    assert declined.headers["location"] == f"{url_path(url)}?lang=ru"
    assert "not enough money" in (await merchant.http.get(url)).text


async def test_page_of_finished_payment_shows_its_state(merchant: Merchant) -> None:
    held = await merchant.complete_payment(capture=False)
    url = f"{merchant.sandbox.base_url}/bank/checkout/"
    assert "Деньги зарезервированы" in (await merchant.http.get(url + held["id"])).text
    await merchant.post(f"/payments/{held['id']}/cancel", {})
    assert "Продавец отменил этот платёж" in (await merchant.http.get(url + held["id"])).text
    created = await merchant.create_payment()
    await merchant.inject_faults(clock_offset_s=3601)
    assert "Время на оплату вышло" in (await merchant.http.get(url + created["id"])).text
    late = await merchant.http.post(url + created["id"], data=card_form())
    assert late.headers["location"] == f"/bank/checkout/{created['id']}"
    missing = await merchant.http.get(url + "nobody")
    assert (missing.status_code, "Такого платежа нет" in missing.text) == (404, True)


async def test_card_number_is_neither_logged_nor_stored(
    merchant: Merchant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for card in TEST_CARDS:
        url, _ = await open_page(merchant)
        await merchant.http.post(url, data=card_form(card.number))
    assert all(card.number not in caplog.text for card in TEST_CARDS)
    for payment in merchant.sandbox.bank.payments.values():
        assert all(card.number not in repr(payment) for card in TEST_CARDS)


async def test_bank_pages_list_shops_and_payments_and_save_notification_url(
    merchant: Merchant,
) -> None:
    paid = await merchant.complete_payment()
    base = merchant.sandbox.base_url
    assert f"Магазин № {merchant.id}" in (await merchant.http.get(f"{base}/bank/")).text
    url = f"{base}/bank/shops/{merchant.id}"
    assert paid["id"] in (await merchant.http.get(url)).text
    wrong = await merchant.http.post(url, data={"notification_url": "ftp://x"})
    assert (wrong.status_code, "Адрес начинается с http" in wrong.text) == (422, True)
    saved = await merchant.http.post(url, data={"notification_url": "http://127.0.0.1:9/x"})
    assert saved.status_code == 303
    assert "http://127.0.0.1:9/x" in (await merchant.http.get(url)).text
    shop = f"{base}/bank/test/shops/{merchant.id}"
    await merchant.http.post(shop, json={"name": "Студия", "notification_url": None})
    assert "Студия" in (await merchant.http.get(url)).text


async def test_shop_page_lists_refunds_and_notices(
    merchant: Merchant, notice_receiver: NoticeReceiver
) -> None:
    paid = await merchant.complete_payment("1500.00")
    part = {"payment_id": paid["id"], "amount": {"value": "500.00", "currency": "RUB"}}
    await merchant.post("/refunds", part)
    await notice_receiver.wait_for_notices(2)
    url = f"{merchant.sandbox.base_url}/bank/shops/{merchant.id}"
    deadline_s = time.monotonic() + 3
    # The bank stores the response after the receiver has sent it.
    while (page := (await merchant.http.get(url)).text).count("Доставлено") < 2:
        assert time.monotonic() < deadline_s, page
        await asyncio.sleep(0.01)
    assert "Возврат 500,00\u00a0₽: выполнен" in page
    assert "Возвращён частично" in page
    assert "payment.succeeded" in page
    assert "refund.succeeded" in page
    assert '<span class="muted small num">200</span>' in page


async def test_control_page_adds_and_removes_fault_rules() -> None:
    async with start_sandbox(SandboxConfig(base_url="")) as sandbox, httpx.AsyncClient() as http:
        url = f"{sandbox.base_url}/control"
        rule = {"effect": "delay_ms", "value": "250", "times": "3", "on": "create, get"}
        assert (await http.post(url, data=rule)).status_code == 303
        page = await http.get(url, headers={"Accept": "text/html"})
        assert "подождать столько миллисекунд" in page.text
        (saved,) = (await http.get(url)).json()["rules"]
        assert (saved["value"], saved["times"], saved["on"]) == (250, 3, ["create", "get"])
        wrong = await http.post(url, data={"effect": "delay_ms", "value": "soon"})
        assert wrong.status_code == 400
        await http.post(url, data={"reset": "1"})
        assert (await http.get(url)).json() == {"rules": []}
        home = await http.get(f"{sandbox.base_url}/")
        assert all(title in home.text for title in ("Банк", "Почта", "Управление"))


def url_path(url: str) -> str:
    return httpx.URL(url).path
