"""The link from a dialog at the client's door: opened by a person, not by a chat that looks for a
preview; marks that are forged, long or of another invoice; whose payment it is.
"""

import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Browser

from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.question import Kind, Question, check_questions
from sigma.domain.messaging.card import Card
from sigma.services.billing import invoices, payments
from sigma.services.billing.payments import PaymentRow
from sigma_sandbox.app import Sandbox
from tests.dialog_money import card_of, in_dialog, mark_at_vk
from tests.vk_world import VkWorld, open_vk_world
from tests.web.test_checkout_browser import serving
from tests.web.test_checkout_pages import browser as opened_browser
from tests.web.test_checkout_pages import fill
from tests.world import ASK


@pytest.fixture
async def vk(sqlite_database_url: str, sandbox: Sandbox) -> AsyncIterator[VkWorld]:
    async with open_vk_world(sqlite_database_url, sandbox) as opened:
        yield opened


@pytest.fixture
async def client(vk: VkWorld) -> AsyncIterator[httpx.AsyncClient]:
    async with opened_browser(vk) as opened:
        yield opened


async def sent(vk: VkWorld) -> tuple[Invoice, str, str]:
    """An invoice in a dialog, the path of its link, and its mark."""
    invoice = await in_dialog(vk, questions=ASK)
    mark = await mark_at_vk(vk)
    return invoice, f"/i/{invoice.token}", mark


async def paid_by(vk: VkWorld, invoice: Invoice) -> PaymentRow:
    (row,) = (await payments.listing(vk.ctx, vk.member, invoice_id=invoice.id)).data
    return row


async def untouched(vk: VkWorld, invoice: Invoice) -> bool:
    card: Card = await card_of(vk, invoice)
    return (card.opened_at, card.payer) == (None, "")


async def test_a_chat_that_looks_for_a_preview_has_not_opened_the_link(
    vk: VkWorld, client: httpx.AsyncClient
) -> None:
    invoice, path, mark = await sent(vk)
    for _ in range(3):
        page = await client.get(f"{path}?d={mark}")
        assert page.status_code == 200
        assert f'name="_d" value="{mark}"' in page.text
        assert f'data-seen="{path}/seen"' in page.text
    await client.head(f"{path}?d={mark}")
    assert await untouched(vk, invoice)


async def test_the_browser_that_says_it_opened_the_link_is_the_clients(
    vk: VkWorld, client: httpx.AsyncClient
) -> None:
    invoice, path, mark = await sent(vk)
    await client.get(f"{path}?d={mark}")
    assert (await client.post(f"{path}/seen", data={"_d": mark})).status_code == 204
    assert (await card_of(vk, invoice)).opened_at is not None
    answer = await fill(client, path)  # the mark has left the address; he was reloading
    assert answer.status_code == 303
    assert (await paid_by(vk, invoice)).payment.conversation_id == (await vk.conversation()).id


async def test_an_operator_who_looks_from_the_cabinet_opens_nothing(
    vk: VkWorld, client: httpx.AsyncClient
) -> None:
    _, path, mark = await sent(vk)
    link = f"{path}?d={mark}"
    assert mark not in (await client.get(link, headers={"sec-fetch-site": "same-origin"})).text
    for site in ("none", "same-site", "cross-site"):
        assert mark in (await client.get(link, headers={"sec-fetch-site": site})).text


async def test_a_friend_with_the_whole_link_is_another_payer(
    vk: VkWorld, client: httpx.AsyncClient
) -> None:
    invoice, path, mark = await sent(vk)
    await client.get(f"{path}?d={mark}")
    await client.post(f"{path}/seen", data={"_d": mark})
    async with opened_browser(vk) as friend:
        await friend.post(f"{path}/seen", data={"_d": mark})
        answer = await fill(friend, f"{path}?d={mark}", _d=mark)
    assert answer.status_code == 303, "the payment is taken all the same"
    assert (await paid_by(vk, invoice)).payment.conversation_id is None


async def test_without_scripts_the_form_itself_says_it(
    vk: VkWorld, client: httpx.AsyncClient
) -> None:
    invoice, path, mark = await sent(vk)
    wrong = await fill(client, path, _d=mark, email="not an address")
    assert wrong.status_code == 422
    assert f'name="_d" value="{mark}"' in wrong.text, "a page sent back keeps its mark"
    assert (await fill(client, path, _d=mark)).status_code == 303
    assert (await card_of(vk, invoice)).opened_at is not None
    assert (await paid_by(vk, invoice)).payment.conversation_id == (await vk.conversation()).id


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "A" * 16,
        "x" * 101,
        "é" * 10,
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
        '"><script>alert(1)</script>',
        "A" * 15 + ".",
        "\x00",
    ],
)
async def test_a_forged_mark_is_a_page_like_any_other(
    vk: VkWorld, client: httpx.AsyncClient, forged: str
) -> None:
    invoice, path, _ = await sent(vk)
    page = await client.get(path, params={"d": forged})
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert (await client.post(f"{path}/seen", data={"_d": forged})).status_code == 204
    assert (await fill(client, path, _d=forged)).status_code == 303
    assert (await paid_by(vk, invoice)).payment.conversation_id is None
    assert await untouched(vk, invoice)


async def test_a_mark_of_another_invoice_opens_nothing(
    vk: VkWorld, client: httpx.AsyncClient
) -> None:
    other, _, mark = await sent(vk)
    invoice, path, _ = await sent(vk)
    await client.get(f"{path}?d={mark}")
    await client.post(f"{path}/seen", data={"_d": mark})
    await client.post("/i/nobody/seen", data={"_d": mark})
    assert await untouched(vk, invoice)
    assert await untouched(vk, other)


async def test_what_is_no_mark_at_all_is_not_read(vk: VkWorld, client: httpx.AsyncClient) -> None:
    invoice, path, mark = await sent(vk)
    seen = f"{path}/seen"
    assert (await client.post(seen, content=b"")).status_code in (204, 400)
    assert (await client.post(seen, data={"_d": mark * 100})).status_code == 413
    assert (await client.post(seen, files={"_d": b"A" * 16})).status_code == 204
    assert (await client.post(seen, json={"_d": mark})).status_code in (204, 400)
    assert await untouched(vk, invoice)


async def test_a_page_that_cannot_be_paid_says_nothing_of_opening(
    vk: VkWorld, client: httpx.AsyncClient
) -> None:
    invoice, path, mark = await sent(vk)
    await invoices.void(vk.ctx, vk.member, invoice.id)
    page = await client.get(f"{path}?d={mark}")
    assert "data-seen" not in page.text
    assert await untouched(vk, invoice)


async def test_the_plain_link_says_nothing_of_opening(
    vk: VkWorld, client: httpx.AsyncClient
) -> None:
    invoice, path, _ = await sent(vk)
    page = await client.get(path)
    assert "data-seen" not in page.text
    assert 'name="_d"' not in page.text
    assert await untouched(vk, invoice)


def test_no_question_can_be_called_like_the_mark() -> None:
    for key in ("_d", "d_", "D"):
        problems = check_questions((Question(key, Kind.TEXT, "Имя"),))
        assert bool(problems) is (key != "d_")


async def test_a_real_browser_opens_the_link_and_hides_the_mark(
    vk: VkWorld, browser: Browser
) -> None:
    invoice, path, mark = await sent(vk)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with serving(vk, taken):
            await _opens_and_pays(vk, browser, f"{base}{path}", mark, invoice)
    assert (await paid_by(vk, invoice)).payment.conversation_id == (await vk.conversation()).id


async def _opens_and_pays(
    vk: VkWorld, browser: Browser, url: str, mark: str, invoice: Invoice
) -> None:
    async with await browser.new_context() as context:
        page = await context.new_page()
        async with page.expect_response(lambda r: r.url.endswith("/seen")) as answer:
            await page.goto(f"{url}?d={mark}")
        assert (await answer.value).status == 204
        assert mark not in page.url, "who copies the address on is another payer"
        assert (await card_of(vk, invoice)).opened_at is not None
        await page.reload()
        assert await page.locator("[name=_d]").count() == 0
        await page.fill("[name=email]", "client@example.net")
        await page.check("[name=consent]")
        await page.click("button[type=submit]")
        await page.wait_for_url("**/bank/**")
