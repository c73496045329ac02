"""The client's way through the pages: open, fill, pay at the bank, wait, read the receipt."""

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
from sigma.services.checkout import checkout
from sigma_sandbox.app import Sandbox, start_sandbox
from tests.web.checkout_door import checkout_app
from tests.world import World, open_world

DECLINED = "2200000000000053"  # not enough money
FILLED = {"email": "client@example.net", "phone": "8 916 765-43-21", "wish": "без лака"}


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with start_sandbox() as running:
        yield running


@pytest.fixture
async def world(sqlite_database_url: str, sandbox: Sandbox) -> AsyncIterator[World]:
    async with open_world(sqlite_database_url, sandbox) as opened:
        yield opened


def browser(world: World, language: str = "ru") -> httpx.AsyncClient:
    """A browser with cookies of its own that follows nothing by itself."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=checkout_app(world.ctx)),
        base_url="http://127.0.0.1:8000",
        headers={"accept-language": language},
    )


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(world) as opened:
        yield opened


def nonce(page: str) -> str:
    found = re.search(r'name="nonce" value="([^"]+)"', page)
    assert found, "an open page has a form"
    return found[1]


async def fill(client: httpx.AsyncClient, path: str, **more: str) -> httpx.Response:
    """Opens the page and sends it filled."""
    page = await client.get(path)
    return await client.post(
        path, data={**FILLED, "consent": "yes", "nonce": nonce(page.text)} | more
    )


async def paid(world: World, client: httpx.AsyncClient, path: str, **more: str) -> str:
    """Fills, pays at the bank, comes back; returns the receipt's path."""
    sent = await fill(client, path, **more)
    token = client.cookies["sigma_started"]
    await world.pay_at_bank(sent.headers["location"].rpartition("/")[2].partition("?")[0])
    back = await client.get(f"{path}/wait/{token}")
    assert back.headers["location"] == f"/r/{token}"
    return f"/r/{token}"


async def test_the_page_says_who_sells_what_and_for_how_much(
    world: World, client: httpx.AsyncClient
) -> None:
    made = await world.invoice(description="<b>Суббота</b>")
    page = await client.get(f"/i/{made.token}")
    for words in (
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
        assert words in page.text, words
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert 'type="checkbox" id="consent"' in page.text
    assert "checked" not in page.text
    assert "<script>" not in page.text
    assert "style=" not in page.text


async def test_the_page_loads_nothing_from_other_hosts(
    world: World, client: httpx.AsyncClient
) -> None:
    page = await client.get(f"/i/{(await world.invoice()).token}")
    loaded = re.findall(r'<(?:link|script|img|iframe)[^>]+(?:href|src)="([^"]+)"', page.text)
    assert loaded
    assert [url for url in loaded if not url.startswith(("/static/", "data:,"))] == []


async def test_exactly_the_questions_asked_are_on_the_page(
    world: World, client: httpx.AsyncClient
) -> None:
    page = await client.get(f"/i/{(await world.invoice()).token}")
    names = re.findall(r'<(?:input|textarea|select)[^>]+name="([^"]+)"', page.text)
    assert names == ["email", "phone", "wish", "consent", "nonce"]
    bare = await client.get(f"/i/{(await world.invoice(questions=())).token}")
    assert re.findall(r'<(?:input|textarea|select)[^>]+name="([^"]+)"', bare.text) == ["nonce"]


async def test_a_client_pays_and_reads_the_receipt(world: World, client: httpx.AsyncClient) -> None:
    made = await world.invoice()
    path = await paid(world, client, f"/i/{made.token}")
    await world.work()
    page = (await client.get(path)).text
    for words in (
        "Оплачено",
        "1\u00a0500,00\u00a0₽",
        "Одна тысяча пятьсот рублей 00 копеек",
        "Чек отправлен на c***@example.net",
        "****\u00a02987",
        "(МСК)",
        "https://vk.me/studio",
    ):
        assert words in page, words
    again = await client.get(f"/i/{made.token}")
    assert "Счёт оплачен" in again.text
    assert path in again.text, "this browser finds its receipt again"
    stranger = await browser(world).get(f"/i/{made.token}")
    assert "Счёт оплачен" in stranger.text
    assert path not in stranger.text


async def test_the_receipt_is_a_pdf_too(world: World, client: httpx.AsyncClient) -> None:
    path = await paid(world, client, f"/i/{(await world.invoice()).token}")
    file = await client.get(f"{path}.pdf")
    assert file.headers["content-type"] == "application/pdf"
    pages = pypdf.PdfReader(io.BytesIO(file.content)).pages
    assert len(pages) == 1
    text = pages[0].extract_text()
    assert "ИП Проверкин Пётр Петрович" in text
    assert "500,00" in text


async def test_a_refund_shows_on_the_receipt(world: World, client: httpx.AsyncClient) -> None:
    path = await paid(world, client, f"/i/{(await world.invoice()).token}")
    seen = await checkout.seen(world.ctx, path.removeprefix("/r/"))
    await refunds.request(world.ctx, world.member, seen.payment.id, Money(50_000), "не подошло")
    await world.work()
    page = (await client.get(path)).text
    for words in ("Возвращено 500,00\u00a0₽", "−500,00\u00a0₽", "1\u00a0000,00\u00a0₽"):
        assert words in page, words


async def test_a_receipt_keeps_the_name_of_its_day(world: World, client: httpx.AsyncClient) -> None:
    path = await paid(world, client, f"/i/{(await world.invoice()).token}")
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
    slip = (await client.get(path)).text.partition("<article")[2].partition("</article>")[0]
    assert "ИП Проверкин Пётр Петрович" in slip
    assert "ИП Другой" not in slip


async def test_wrong_answers_come_back_with_words_beside_each_field(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.invoice()).token}"
    first = nonce((await client.get(path)).text)
    wrong = {"email": "client@", "phone": "8916123456", "wish": "<i>", "nonce": first}
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
    assert nonce(page.text) == first


async def test_a_decline_says_why_and_the_answers_are_kept(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.invoice()).token}"
    sent = await fill(client, path)
    started = client.cookies["sigma_started"]
    await world.pay_at_bank(urlsplit(sent.headers["location"]).path.rpartition("/")[2], DECLINED)
    back = await client.get(f"{path}/wait/{started}")
    assert back.status_code == 303
    page = (await client.get(back.headers["location"])).text
    assert "На карте не хватает денег" in page
    assert 'value="client@example.net"' in page
    assert 'value="+7 916 765-43-21"' in page
    assert "без лака" in page
    await paid(world, client, path)


async def test_a_double_click_is_one_payment(world: World, client: httpx.AsyncClient) -> None:
    made = await world.invoice()
    page = await client.get(f"/i/{made.token}")
    form = {**FILLED, "consent": "yes", "nonce": nonce(page.text)}
    one = await client.post(f"/i/{made.token}", data=form)
    two = await client.post(f"/i/{made.token}", data=form)
    assert one.headers["location"] == two.headers["location"]
    found = await payments.listing(world.ctx, world.member, invoice_id=made.id)
    assert len(found.data) == 1


async def test_a_browser_without_cookies_pays_once_too(world: World) -> None:
    made = await world.invoice()
    page = await browser(world).get(f"/i/{made.token}")
    form = {**FILLED, "consent": "yes", "nonce": nonce(page.text)}
    for _ in range(2):
        await browser(world).post(f"/i/{made.token}", data=form)
    found = await payments.listing(world.ctx, world.member, invoice_id=made.id)
    assert len(found.data) == 1


async def test_the_payers_secret_is_kept_from_scripts_and_from_other_pages(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.invoice()).token}"
    cookie = (await client.get(path)).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert f"path={path.lower()}" in cookie


async def test_another_browser_sees_nobodys_answers(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.invoice()).token}"
    await fill(client, path)
    assert "client@example.net" in (await client.get(path)).text
    assert "client@example.net" not in (await browser(world).get(path)).text


async def test_a_lost_answer_leads_to_waiting_and_then_to_the_bank(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.invoice()).token}"
    await world.control(cut_answer={"on": "create", "times": 1})
    sent = await fill(client, path)
    assert sent.status_code == 303
    waiting = sent.headers["location"]
    assert waiting.startswith(f"{path}/wait/")
    await world.control(cut_answer={"on": "create", "times": 99})
    world.clock.move(seconds=5)
    page = (await client.get(waiting)).text
    assert "Уточняем у банка" in page
    assert '<meta http-equiv="refresh"' in page
    assert (await client.get(f"{waiting}/state")).json() == {"state": "unknown", "go": None}
    await world.control(cut_answer=None)
    world.clock.move(seconds=5)
    assert (await client.get(f"{waiting}/state")).json() == {"state": "pending", "go": None}
    assert "Вернуться на страницу банка" in (await client.get(waiting)).text


async def test_the_waiting_page_of_one_invoice_is_not_that_of_another(
    world: World, client: httpx.AsyncClient
) -> None:
    await fill(client, f"/i/{(await world.invoice()).token}")
    started = client.cookies["sigma_started"]
    other = await world.invoice()
    assert (await client.get(f"/i/{other.token}/wait/{started}")).status_code == 404
    page = (await client.get(f"/i/{other.token}?payment={started}")).text
    assert "Проверить результат" not in page


async def test_coming_back_early_is_not_paid(world: World, client: httpx.AsyncClient) -> None:
    path = f"/i/{(await world.invoice()).token}"
    await fill(client, path)
    started = client.cookies["sigma_started"]
    page = await client.get(f"{path}/wait/{started}")
    assert "Ждём подтверждения банка" in page.text
    assert (await client.get(f"/r/{started}")).headers["location"] == f"{path}/wait/{started}"


async def test_each_closed_state_has_its_own_words_and_a_way_out(
    world: World, client: httpx.AsyncClient
) -> None:
    void = await world.invoice()
    await invoices.void(world.ctx, world.member, void.id)
    expired = await world.invoice(expires_at=world.ctx.now() + 60_000_000)
    many = await world.invoice(max_payments=2, questions=())
    for _ in range(2):
        async with browser(world) as another:
            await paid(world, another, f"/i/{many.token}")
    world.clock.move(minutes=2)
    said = (
        (void, "Продавец отменил счёт"),
        (expired, "Срок оплаты прошёл"),
        (many, "Все оплаты приняты"),
    )
    for made, words in said:
        page = (await client.get(f"/i/{made.token}")).text
        assert words in page
        assert "https://vk.me/studio" in page
        assert "mailto:shop@example.com" in page
        assert "<form" not in page
        late = await client.post(
            f"/i/{made.token}", data={**FILLED, "consent": "yes", "nonce": "n"}
        )
        assert late.status_code == 409
        assert words in late.text


async def test_a_shop_without_an_acquirer_says_so(world: World, client: httpx.AsyncClient) -> None:
    made = await world.invoice()
    await connections.switch(world.ctx, world.member, world.connection.id, False)
    page = (await client.get(f"/i/{made.token}")).text
    assert "Оплата пока не работает" in page


async def test_nothing_behind_a_link_is_a_kind_page(client: httpx.AsyncClient) -> None:
    for path in ("/i/nothing", "/r/nothing", "/r/nothing.pdf", "/i/nothing/wait/nothing"):
        page = await client.get(path)
        assert page.status_code == 404
        assert "Такого счёта нет" in page.text


async def test_english_is_chosen_once_and_remembered(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.invoice()).token}"
    assert "Pay ₽1,500.00" in (await client.get(f"{path}?lang=en")).text
    page = (await client.get(path)).text
    assert 'lang="en"' in page
    assert "Pay ₽1,500.00" in page


async def test_a_shops_colour_is_a_style_sheet_of_its_own(client: httpx.AsyncClient) -> None:
    sheet = await client.get("/accent/ff0000.css")
    assert sheet.headers["content-type"].startswith("text/css")
    assert "--accent:light-dark(#" in sheet.text
    assert (await client.get("/accent/ff0000;}.css")).status_code == 404


async def test_wrong_credentials_at_the_acquirer_are_told_kindly(
    world: World, client: httpx.AsyncClient
) -> None:
    path = f"/i/{(await world.invoice()).token}"
    await connections.save(
        world.ctx,
        world.member,
        world.connection.id,
        provider="yookassa",
        title="",
        account=world.account,
        secret="live_wrong",
        settings=world.connection.settings,
    )
    sent = await fill(client, path)
    page = sent if sent.status_code != 303 else await client.get(sent.headers["location"])
    assert "деньги не списаны" in page.text.lower() or "Уточняем у банка" in page.text


async def test_the_language_of_the_page_is_the_language_of_the_consent(
    world: World, client: httpx.AsyncClient
) -> None:
    made = await world.invoice()
    page = (await client.get(f"/i/{made.token}?lang=en")).text
    client.cookies.clear()  # a browser that keeps none
    action = page.partition('<form class="pay-form card" method="post" action="')[2].partition('"')[
        0
    ]
    form = {**FILLED, "consent": "yes", "nonce": nonce(page)}
    await client.post(action, data=form)
    (row,) = (await payments.listing(world.ctx, world.member, invoice_id=made.id)).data
    details = await payments.details(world.ctx, world.member, row.payment.id)
    assert details.consents[0].text in page.replace("&#39;", "'")
