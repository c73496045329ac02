"""The checkout pages: open the invoice, fill the form, pay, wait for the bank, read the receipt."""

import io
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pypdf
import pytest

from sigma.domain.money import Money
from sigma.services.accounts import shops
from sigma.services.billing import connections, invoices, payments, refunds
from sigma.services.billing.payment_details import get_details
from sigma.services.billing.refund_sync import sync_refunds
from sigma.services.checkout import checkout
from sigma.web.checkout.responses import PAYER_COOKIE
from sigma.web.cookies import page_cookie_name
from tests.web.checkout_harness import (
    ANSWERS,
    consent_box,
    form_nonce,
    open_client,
    pay,
    started_token,
    submit_form,
)
from tests.world import World

DECLINED_CARD = "2200000000000053"  # insufficient funds


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(world) as opened:
        yield opened


async def test_page_shows_seller_title_and_amount(world: World, client: httpx.AsyncClient) -> None:
    invoice = await world.create_invoice(description="<b>Суббота</b>")
    page = await client.get(f"/i/{invoice.token}")
    for text in (
        "Студия",
        "ИП Проверкин Пётр Петрович",
        "500100732259",
        "325774600000039",
        "Маникюр",
        "&lt;b&gt;Суббота&lt;/b&gt;",
        "1\u00a0500,00\u00a0₽",
        "Оплатить 1\u00a0500,00\u00a0₽",
        "Вернём деньги в течение 10 дней.",
        "https://example.com/offer",
    ):
        assert text in page.text, text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert 'type="checkbox" id="consent"' in page.text
    assert "checked" not in page.text
    assert "<script>" not in page.text
    assert "style=" not in page.text


async def test_page_loads_nothing_from_other_hosts(world: World, client: httpx.AsyncClient) -> None:
    page = await client.get(f"/i/{(await world.create_invoice()).token}")
    loaded = re.findall(r'<(?:link|script|img|iframe)[^>]+(?:href|src)="([^"]+)"', page.text)
    assert loaded
    assert [url for url in loaded if not url.startswith(("/static/", "data:,"))] == []


async def test_page_has_exactly_the_fields_of_the_invoice(
    world: World, client: httpx.AsyncClient
) -> None:
    page = await client.get(f"/i/{(await world.create_invoice()).token}")
    names = re.findall(r'<(?:input|textarea|select)[^>]+name="([^"]+)"', page.text)
    assert names == ["email", "phone", "wish", "consent", "nonce"]
    bare = await client.get(f"/i/{(await world.create_invoice(questions=())).token}")
    assert re.findall(r'<(?:input|textarea|select)[^>]+name="([^"]+)"', bare.text) == ["nonce"]


async def test_client_pays_and_sees_the_receipt(world: World, client: httpx.AsyncClient) -> None:
    invoice = await world.create_invoice()
    path = await pay(world, client, f"/i/{invoice.token}")
    await world.run_jobs()
    page = (await client.get(path)).text
    for text in (
        "Оплачено",
        "1\u00a0500,00\u00a0₽",
        "Одна тысяча пятьсот рублей 00 копеек",
        "Квитанция отправлена на c***@example.net",
        "****\u00a02987",
        "(МСК)",
        "https://vk.me/studio",
    ):
        assert text in page, text
    again = await client.get(f"/i/{invoice.token}")
    assert "Счёт оплачен" in again.text
    assert path in again.text, "the paying browser gets the link to its receipt"
    async with open_client(world) as stranger:
        other_browser = await stranger.get(f"/i/{invoice.token}")
    assert "Счёт оплачен" in other_browser.text
    assert path not in other_browser.text


async def test_paid_page_shows_refunds_to_the_payer_only(
    world: World, client: httpx.AsyncClient
) -> None:
    invoice = await world.create_invoice()
    token = (await pay(world, client, f"/i/{invoice.token}")).rpartition("/")[2]
    payment = (await checkout.get_public(world.ctx, token)).payment

    async def refund(minor: int) -> str:
        await world.refund_at_bank(payment, minor)
        await sync_refunds(world.ctx, payment.id)
        return (await client.get(f"/i/{invoice.token}")).text.replace("\u00a0", " ")

    part = await refund(500_00)
    assert "Счёт оплачен" in part
    assert "Возвращено 500,00 ₽" in part
    rest = await refund(1_000_00)
    assert "Деньги возвращены" in rest
    assert "Возвращено 1 500,00 ₽" in rest
    assert "Счёт оплачен" not in rest
    async with open_client(world) as stranger:
        other_browser = await stranger.get(f"/i/{invoice.token}")
    assert "Возвращено" not in other_browser.text, "a stranger reads nothing of another's payment"


async def test_receipt_is_available_as_pdf(world: World, client: httpx.AsyncClient) -> None:
    path = await pay(world, client, f"/i/{(await world.create_invoice()).token}")
    file = await client.get(f"{path}.pdf")
    assert re.fullmatch(
        r'inline; filename="[\w-]+\.pdf"', file.headers["content-disposition"], re.ASCII
    )
    assert file.headers["content-type"] == "application/pdf"
    pages = pypdf.PdfReader(io.BytesIO(file.content)).pages
    assert len(pages) == 1
    text = pages[0].extract_text()
    assert "ИП Проверкин Пётр Петрович" in text
    assert "500,00" in text


async def test_receipt_shows_a_refund(world: World, client: httpx.AsyncClient) -> None:
    path = await pay(world, client, f"/i/{(await world.create_invoice()).token}")
    view = await checkout.get_public(world.ctx, path.removeprefix("/r/"))
    await refunds.request(world.ctx, world.member, view.payment.id, Money(50_000), "не подошло")
    await world.run_jobs()
    page = (await client.get(path)).text
    for text in ("Возвращено 500,00\u00a0₽", "−500,00\u00a0₽", "1\u00a0000,00\u00a0₽"):
        assert text in page, text


async def test_receipt_keeps_the_seller_of_the_payment_date(
    world: World, client: httpx.AsyncClient
) -> None:
    path = await pay(world, client, f"/i/{(await world.create_invoice()).token}")
    await shops.save_seller(
        world.ctx,
        world.member,
        name="Другая",
        seller=replace(world.shop.seller, full_name="ИП Другой"),
        tz="Europe/Moscow",
        accent="",
        return_url="",
        consent_text="",
    )
    receipt_html = (await client.get(path)).text.partition("<article")[2].partition("</article>")[0]
    assert "ИП Проверкин Пётр Петрович" in receipt_html
    assert "ИП Другой" not in receipt_html


async def test_invalid_answers_show_an_error_beside_each_field(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.create_invoice()).token}"
    nonce_value = form_nonce((await client.get(path)).text)
    wrong = {"email": "client@", "phone": "8916123456", "wish": "<i>", "nonce": nonce_value}
    page = await client.post(path, data=wrong)
    assert page.status_code == 422
    assert "11 цифр" in page.text
    assert 'value="client@"' in page.text
    assert "&lt;i&gt;" in page.text
    assert re.search(
        r'name="email"[^>]+aria-invalid="true"[^>]+email-error[^>]+autofocus', page.text
    )
    assert page.text.count("autofocus") == 1
    assert "Без согласия" in page.text
    assert form_nonce(page.text) == nonce_value


async def test_declined_payment_shows_the_reason_and_keeps_the_answers(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.create_invoice()).token}"
    submitted = await submit_form(client, path)
    payment_token = started_token(client, path)
    await world.pay_by_provider_id(
        urlsplit(submitted.headers["location"]).path.rpartition("/")[2], DECLINED_CARD
    )
    returned = await client.get(f"{path}/wait/{payment_token}")
    assert returned.status_code == 303
    page = (await client.get(returned.headers["location"])).text
    assert "На карте не хватает денег" in page
    assert 'value="client@example.net"' in page
    assert 'value="+7 916 765-43-21"' in page
    assert "без лака" in page
    assert '<details class="pay-answers">' in page
    assert "Попробовать другую карту" in page
    assert "Оплатить 1" not in page
    assert consent_box(page)[1]
    await pay(world, client, path)


async def test_double_submit_starts_one_payment(world: World, client: httpx.AsyncClient) -> None:
    invoice = await world.create_invoice()
    page = await client.get(f"/i/{invoice.token}")
    form = {**ANSWERS, "consent": "yes", "nonce": form_nonce(page.text)}
    first = await client.post(f"/i/{invoice.token}", data=form)
    second = await client.post(f"/i/{invoice.token}", data=form)
    assert first.headers["location"] == second.headers["location"]
    listed = await payments.list_page(world.ctx, world.member, invoice_id=invoice.id)
    assert len(listed.data) == 1


async def test_double_submit_without_cookies_starts_one_payment(world: World) -> None:
    invoice = await world.create_invoice()
    async with open_client(world) as stranger:
        page = await stranger.get(f"/i/{invoice.token}")
    form = {**ANSWERS, "consent": "yes", "nonce": form_nonce(page.text)}
    for _ in range(2):
        async with open_client(world) as stranger:
            await stranger.post(f"/i/{invoice.token}", data=form)
    listed = await payments.list_page(world.ctx, world.member, invoice_id=invoice.id)
    assert len(listed.data) == 1


async def test_payer_cookie_is_http_only_and_belongs_to_the_invoice(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.create_invoice()).token}"
    cookie = (await client.get(path)).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert cookie.startswith(page_cookie_name(PAYER_COOKIE, path.removeprefix("/i/")))


async def test_saved_answers_are_hidden_from_another_browser(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.create_invoice()).token}"
    await submit_form(client, path)
    assert "client@example.net" in (await client.get(path)).text
    async with open_client(world) as stranger:
        assert "client@example.net" not in (await stranger.get(path)).text


async def test_lost_acquirer_response_leads_to_the_waiting_page_then_the_bank(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.create_invoice()).token}"
    await world.inject_faults(cut_answer={"on": "create", "times": 1})
    submitted = await submit_form(client, path)
    assert submitted.status_code == 303
    wait_url = submitted.headers["location"]
    assert wait_url.startswith(f"{path}/wait/")
    wait_url, _, opens_bank = wait_url.partition("?")
    assert opens_bank == "go=1"
    await world.inject_faults(cut_answer={"on": "create", "times": 99})
    world.clock.advance(seconds=5)
    page = (await client.get(wait_url)).text
    assert "Уточняем у банка" in page
    assert '<meta http-equiv="refresh"' in page
    assert (await client.get(f"{wait_url}/state")).json() == {"state": "unknown", "go": None}
    await world.inject_faults(cut_answer=None)
    world.clock.advance(seconds=5)
    assert (await client.get(f"{wait_url}/state")).json() == {"state": "pending", "go": None}
    assert "Вернуться на страницу оплаты" in (await client.get(wait_url)).text
    bank_url = (await client.get(f"{wait_url}/state?{opens_bank}")).json()["go"]
    assert bank_url.startswith(world.sandbox.base_url)
    page = (await client.get(f"{wait_url}?{opens_bank}")).text
    assert f'<meta http-equiv="refresh" content="0; url={bank_url}">' in page


async def test_waiting_page_of_another_invoice_is_not_found(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.create_invoice()).token}"
    await submit_form(client, path)
    payment_token = started_token(client, path)
    other = await world.create_invoice()
    assert (await client.get(f"/i/{other.token}/wait/{payment_token}")).status_code == 404
    page = (await client.get(f"/i/{other.token}?payment={payment_token}")).text
    assert "Проверить результат" not in page


async def test_early_return_from_the_bank_shows_the_waiting_page(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.create_invoice()).token}"
    await submit_form(client, path)
    payment_token = started_token(client, path)
    page = await client.get(f"{path}/wait/{payment_token}")
    assert "Ждём подтверждения банка" in page.text
    receipt = await client.get(f"/r/{payment_token}")
    assert receipt.headers["location"] == f"{path}/wait/{payment_token}"


async def test_closed_invoice_shows_its_reason_and_contacts(
    world: World, client: httpx.AsyncClient
) -> None:
    void_invoice = await world.create_invoice()
    await invoices.void(world.ctx, world.member, void_invoice.id)
    expired_invoice = await world.create_invoice(expires_at_us=world.ctx.now_us() + 60_000_000)
    full_invoice = await world.create_invoice(max_payments=2, questions=())
    for _ in range(2):
        async with open_client(world) as payer_client:
            await pay(world, payer_client, f"/i/{full_invoice.token}")
    world.clock.advance(minutes=2)
    cases = (
        (void_invoice, "Продавец отменил счёт"),
        (expired_invoice, "Срок оплаты истёк"),
        (full_invoice, "Все оплаты приняты"),
    )
    for invoice, text in cases:
        page = (await client.get(f"/i/{invoice.token}")).text
        assert text in page
        assert "https://vk.me/studio" in page
        assert "mailto:shop@example.com" in page
        assert "<form" not in page
        late = await client.post(
            f"/i/{invoice.token}", data={**ANSWERS, "consent": "yes", "nonce": "n"}
        )
        assert late.status_code == 409
        assert text in late.text


async def test_page_without_an_active_connection_shows_a_notice(
    world: World, client: httpx.AsyncClient
) -> None:
    invoice = await world.create_invoice()
    await connections.set_active(world.ctx, world.member, world.connection.id, False)
    page = (await client.get(f"/i/{invoice.token}")).text
    assert "Оплата пока не работает" in page


async def test_unknown_link_shows_a_not_found_page(client: httpx.AsyncClient) -> None:
    for path in ("/i/nothing", "/r/nothing", "/r/nothing.pdf", "/i/nothing/wait/nothing"):
        page = await client.get(path)
        assert page.status_code == 404
        assert "Счёт не найден" in page.text


async def test_chosen_english_is_remembered(world: World, client: httpx.AsyncClient) -> None:
    path = f"/i/{(await world.create_invoice()).token}"
    assert "Pay ₽1,500.00" in (await client.get(f"{path}?lang=en")).text
    page = (await client.get(path)).text
    assert 'lang="en"' in page
    assert "Pay ₽1,500.00" in page


async def test_accent_colour_is_served_as_a_style_sheet(client: httpx.AsyncClient) -> None:
    sheet = await client.get("/accent/ff0000.css")
    assert sheet.headers["content-type"].startswith("text/css")
    assert "--accent:light-dark(#" in sheet.text
    assert (await client.get("/accent/ff0000;}.css")).status_code == 404


async def test_rejected_acquirer_credentials_show_a_clear_message(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.create_invoice()).token}"
    await world.set_acquirer_secret("live_wrong")
    page = await submit_form(client, path)
    if page.status_code == 303:
        page = await client.get(page.headers["location"])
    assert "деньги не списаны" in page.text.lower() or "Уточняем у банка" in page.text


async def test_consent_is_stored_in_the_language_of_the_page(
    world: World, client: httpx.AsyncClient
) -> None:
    invoice = await world.create_invoice()
    page = (await client.get(f"/i/{invoice.token}?lang=en")).text
    client.cookies.clear()  # a browser that stores no cookies
    action = page.partition('<form class="pay-form card" method="post" action="')[2].partition('"')[
        0
    ]
    form = {**ANSWERS, "consent": "yes", "nonce": form_nonce(page)}
    await client.post(action, data=form)
    (row,) = (await payments.list_page(world.ctx, world.member, invoice_id=invoice.id)).data
    details = await get_details(world.ctx, world.member, row.payment.id)
    assert details.consents[0].text in page.replace("&#39;", "'")
