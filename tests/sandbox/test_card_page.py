"""The hosted card page as a browser without JavaScript walks it."""

from typing import Any

import httpx
import pytest

from sigma_sandbox.app import SandboxConfig, start_sandbox
from sigma_sandbox.bank.cards import DECLINE_REASONS, TEST_CARDS
from sigma_sandbox.bank.pages import texts
from tests.sandbox.merchants import Merchant

WITH_CODE = "2200 0000 0000 0004"
NO_CODE = "2202474301322987"
BACK = "https://shop.example/back"


def filled(number: str = NO_CODE, expiry: str = "12/30", csc: str = "123") -> dict[str, str]:
    return {"number": number, "expiry": expiry, "csc": csc}


async def open_page(merchant: Merchant, **more: Any) -> tuple[str, httpx.Response]:
    made = await merchant.payment(**more)
    url = made["confirmation"]["confirmation_url"]
    return url, await merchant.http.get(url)


async def read(merchant: Merchant, url: str) -> dict[str, Any]:
    body: dict[str, Any] = (await merchant.get(f"/payments/{url.rsplit('/', 1)[1]}")).json()
    return body


async def test_the_page_says_how_much_to_whom_and_that_it_is_a_test(merchant: Merchant) -> None:
    _, shown = await open_page(merchant, description="Маникюр <b>")
    assert shown.status_code == 200
    assert "Оплатить 1\u00a0500,00\u00a0₽" in shown.text
    assert "Маникюр &lt;b&gt;" in shown.text
    assert f"Магазин № {merchant.id}" in shown.text
    assert "Тестовый банк — деньги не списываются" in shown.text
    for word in ("cc-number", "cc-exp", "cc-csc", 'inputmode="numeric"'):
        assert word in shown.text
    assert "default-src 'none'" in shown.headers["content-security-policy"]


async def test_a_card_without_code_goes_straight_back(merchant: Merchant) -> None:
    url, _ = await open_page(merchant)
    done = await merchant.http.post(url, data=filled())
    assert (done.status_code, done.headers["location"]) == (303, BACK)
    body = await read(merchant, url)
    assert (body["status"], body["payment_method"]["card"]["expiry_year"]) == ("succeeded", "2030")
    shown = await merchant.http.get(url)
    assert "Счёт оплачен" in shown.text
    assert BACK in shown.text
    again = await merchant.http.post(url, data=filled("5555555555554600"))
    assert (again.status_code, again.headers["location"]) == (303, BACK)


async def test_a_card_with_code_asks_for_it(merchant: Merchant) -> None:
    url, _ = await open_page(merchant)
    asked = await merchant.http.post(url, data=filled(WITH_CODE))
    assert (asked.status_code, asked.headers["location"]) == (303, f"{path(url)}/3ds")
    shown = await merchant.http.get(f"{url}/3ds")
    assert "код для проверки: 1234" in shown.text
    assert "Мир •• 0004" in shown.text
    assert 'autocomplete="one-time-code"' in shown.text
    assert (await read(merchant, url))["status"] == "pending"
    wrong = await merchant.http.post(f"{url}/3ds", data={"code": "1111"})
    assert (wrong.status_code, "Осталось 2 попытки" in wrong.text) == (422, True)
    done = await merchant.http.post(f"{url}/3ds", data={"code": " 1234 "})
    assert (done.status_code, done.headers["location"]) == (303, BACK)
    body = await read(merchant, url)
    assert body["authorization_details"]["three_d_secure"]["applied"] is True


@pytest.mark.parametrize("answers", [[{"decline": "1"}], [{"code": "1"}] * 3])
async def test_no_right_code_means_no_payment(
    merchant: Merchant, answers: list[dict[str, str]]
) -> None:
    url, _ = await open_page(merchant)
    await merchant.http.post(url, data=filled(WITH_CODE))
    for answer in answers:
        last = await merchant.http.post(f"{url}/3ds", data=answer)
    assert last.headers["location"] == path(url)
    assert "Оплата не подтверждена кодом" in (await merchant.http.get(url)).text
    body = await read(merchant, url)
    assert body["cancellation_details"]["reason"] == "3d_secure_failed"


async def test_a_card_that_fails_its_code_fails_with_the_right_one(merchant: Merchant) -> None:
    url, _ = await open_page(merchant)
    await merchant.http.post(url, data=filled("2200000000000012"))
    await merchant.http.post(f"{url}/3ds", data={"code": "1234"})
    body = await read(merchant, url)
    assert body["cancellation_details"]["reason"] == "3d_secure_failed"


async def test_a_decline_is_told_in_words_with_a_way_back(merchant: Merchant) -> None:
    url, _ = await open_page(merchant)
    told = await merchant.http.post(url, data=filled("2200000000000053"))
    assert told.headers["location"] == path(url)
    shown = (await merchant.http.get(url)).text
    assert "На карте не хватает денег" in shown
    assert f'href="{BACK}"' in shown
    assert "insufficient_funds" not in shown


def test_every_reason_has_words_in_both_languages() -> None:
    assert texts.REASONS.keys() == DECLINE_REASONS
    assert texts.RU.keys() == texts.EN.keys()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (filled(number=""), "Введите номер карты"),
        (filled(number="2200 0000"), "Номер короче"),
        (filled(number="22000000000000041"), "Номер длиннее"),
        (filled(number="2200 O000 0000 0004"), "только цифры"),
        (filled(number="2200 0000 0000 0005"), "ошибка в одной из цифр"),
        (filled(number="4242 4242 4242 4242"), "Это тестовый банк"),
        (filled(expiry="13/30"), "Введите месяц и год"),
        (filled(expiry="10/26"), "Срок этой карты прошёл"),
        (filled(expiry="01/20"), "Срок этой карты прошёл"),
        (filled(csc="12"), "Три цифры с обратной стороны"),
    ],
)
async def test_a_wrong_field_says_what_to_do_and_keeps_the_rest(
    merchant: Merchant, typed: dict[str, str], words: str
) -> None:
    url, _ = await open_page(merchant)
    await merchant.control(clock_offset_s=0)
    shown = await merchant.http.post(url, data=typed)
    assert shown.status_code == 422
    assert words in shown.text
    assert f'value="{typed["expiry"]}"' in shown.text
    assert f'value="{typed["csc"]}"' not in shown.text
    assert "4242" not in shown.text
    assert (await read(merchant, url))["status"] == "pending"


async def test_this_month_is_still_a_good_date(merchant: Merchant) -> None:
    url, _ = await open_page(merchant)
    made = (await read(merchant, url))["created_at"]
    done = await merchant.http.post(url, data=filled(expiry=f"{made[5:7]} / {made[:4]}"))
    assert done.headers["location"] == BACK


async def test_english_stays_english_to_the_end(merchant: Merchant) -> None:
    confirmation = {"type": "redirect", "return_url": BACK, "locale": "en_US"}
    url, shown = await open_page(merchant, confirmation=confirmation)
    assert "Pay RUB\u00a01,500.00" in shown.text
    assert "Test bank: no money is taken" in shown.text
    russian = await merchant.http.get(url, params={"lang": "ru"})
    assert "Оплатить" in russian.text
    told = await merchant.http.post(f"{url}?lang=ru", data=filled("2200000000000053"))
    assert told.headers["location"] == f"{path(url)}?lang=ru"
    assert "not enough money" in (await merchant.http.get(url)).text


async def test_other_states_have_their_own_words(merchant: Merchant) -> None:
    held = await merchant.paid(capture=False)
    url = f"{merchant.sandbox.base_url}/bank/checkout/"
    assert "Деньги зарезервированы" in (await merchant.http.get(url + held["id"])).text
    await merchant.post(f"/payments/{held['id']}/cancel", {})
    assert "Продавец отменил этот платёж" in (await merchant.http.get(url + held["id"])).text
    made = await merchant.payment()
    await merchant.control(clock_offset_s=3601)
    assert "Время на оплату вышло" in (await merchant.http.get(url + made["id"])).text
    late = await merchant.http.post(url + made["id"], data=filled())
    assert late.headers["location"] == f"/bank/checkout/{made['id']}"
    missing = await merchant.http.get(url + "nobody")
    assert (missing.status_code, "Такого платежа нет" in missing.text) == (404, True)


async def test_no_card_number_is_kept(merchant: Merchant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for card in TEST_CARDS:
        url, _ = await open_page(merchant)
        await merchant.http.post(url, data=filled(card.number))
    assert all(card.number not in caplog.text for card in TEST_CARDS)
    for payment in merchant.sandbox.bank.payments.values():
        assert all(card.number not in repr(payment) for card in TEST_CARDS)


async def test_the_bank_shows_shops_payments_and_answers_to_notices(merchant: Merchant) -> None:
    paid = await merchant.paid()
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


async def test_control_page_adds_and_resets() -> None:
    async with start_sandbox(SandboxConfig(base_url="")) as own, httpx.AsyncClient() as http:
        url = f"{own.base_url}/control"
        rule = {"effect": "delay_ms", "value": "250", "times": "3", "on": "create, get"}
        assert (await http.post(url, data=rule)).status_code == 303
        page = await http.get(url, headers={"Accept": "text/html"})
        assert "подождать столько миллисекунд" in page.text
        (kept,) = (await http.get(url)).json()["rules"]
        assert (kept["value"], kept["times"], kept["on"]) == (250, 3, ["create", "get"])
        wrong = await http.post(url, data={"effect": "delay_ms", "value": "soon"})
        assert wrong.status_code == 400
        await http.post(url, data={"reset": "1"})
        assert (await http.get(url)).json() == {"rules": []}
        home = await http.get(f"{own.base_url}/")
        assert all(word in home.text for word in ("Банк", "Почта", "Управление"))


def path(url: str) -> str:
    return httpx.URL(url).path
