"""The signed payment link of a conversation: link previews do not count as opening it; forged,
oversized and foreign signatures; which payments are linked to the conversation.
"""

import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Browser

from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.question import Question, QuestionKind, check_questions
from sigma.domain.messaging.card import Card
from sigma.services.billing import invoices, payments
from tests.conversation_invoices import get_card, issue_and_send, link_signature
from tests.reconciliation import find_mismatches
from tests.vk_world import VkWorld
from tests.web.checkout_harness import open_client, serve_checkout, submit_form
from tests.world import QUESTIONS


@pytest.fixture
async def client(vk_world: VkWorld) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(vk_world) as opened:
        yield opened


async def send_invoice(vk: VkWorld) -> tuple[Invoice, str, str]:
    """Send an invoice to the conversation; return it, the path of its link and the signature."""
    invoice = await issue_and_send(vk, questions=QUESTIONS)
    signature = await link_signature(vk)
    return invoice, f"/i/{invoice.token}", signature


async def payer_conversation_id(vk: VkWorld, invoice: Invoice) -> str | None:
    """Return the conversation that the only payment of this invoice is linked to, or None."""
    (row,) = (await payments.list_page(vk.ctx, vk.member, invoice_id=invoice.id)).data
    return row.payment.conversation_id


async def is_unopened(vk: VkWorld, invoice: Invoice) -> bool:
    card: Card = await get_card(vk, invoice)
    return (card.opened_at_us, card.payer_hash) == (None, "")


async def test_link_preview_request_does_not_mark_the_invoice_opened(
    vk_world: VkWorld, client: httpx.AsyncClient
) -> None:
    invoice, path, signature = await send_invoice(vk_world)
    for _ in range(3):
        page = await client.get(f"{path}?d={signature}")
        assert page.status_code == 200
        assert f'name="_d" value="{signature}"' in page.text
        assert f'data-page-view-url="{path}/seen"' in page.text
    await client.head(f"{path}?d={signature}")
    assert await is_unopened(vk_world, invoice)


async def test_browser_that_reports_opening_pays_as_the_client(
    vk_world: VkWorld, client: httpx.AsyncClient
) -> None:
    invoice, path, signature = await send_invoice(vk_world)
    await client.get(f"{path}?d={signature}")
    assert (await client.post(f"{path}/seen", data={"_d": signature})).status_code == 204
    assert (await get_card(vk_world, invoice)).opened_at_us is not None
    response = await submit_form(client, path)  # a reload: the signature is no longer in the URL
    assert response.status_code == 303
    assert await payer_conversation_id(vk_world, invoice) == (await vk_world.conversation()).id


async def test_link_opened_from_the_cabinet_is_not_reported_as_opened(
    vk_world: VkWorld, client: httpx.AsyncClient
) -> None:
    _, path, signature = await send_invoice(vk_world)
    link = f"{path}?d={signature}"
    assert signature not in (await client.get(link, headers={"sec-fetch-site": "same-origin"})).text
    for site in ("none", "same-site", "cross-site"):
        assert signature in (await client.get(link, headers={"sec-fetch-site": site})).text


async def test_second_browser_with_the_signed_link_is_another_payer(
    vk_world: VkWorld, client: httpx.AsyncClient
) -> None:
    invoice, path, signature = await send_invoice(vk_world)
    await client.get(f"{path}?d={signature}")
    await client.post(f"{path}/seen", data={"_d": signature})
    async with open_client(vk_world) as friend:
        await friend.post(f"{path}/seen", data={"_d": signature})
        response = await submit_form(friend, f"{path}?d={signature}", _d=signature)
    assert response.status_code == 303, "the payment is accepted anyway"
    assert await payer_conversation_id(vk_world, invoice) is None


async def test_submitted_form_reports_opening_without_javascript(
    vk_world: VkWorld, client: httpx.AsyncClient
) -> None:
    invoice, path, signature = await send_invoice(vk_world)
    rejected = await submit_form(client, path, _d=signature, email="not an address")
    assert rejected.status_code == 422
    assert f'name="_d" value="{signature}"' in rejected.text, "a rejected form keeps the signature"
    assert (await submit_form(client, path, _d=signature)).status_code == 303
    assert (await get_card(vk_world, invoice)).opened_at_us is not None
    assert await payer_conversation_id(vk_world, invoice) == (await vk_world.conversation()).id


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "A" * 24,
        "x" * 101,
        "é" * 10,
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
        '"><script>alert(1)</script>',
        "A" * 23 + ".",
    ],
)
async def test_forged_signature_is_ignored(
    vk_world: VkWorld, client: httpx.AsyncClient, forged: str
) -> None:
    invoice, path, _ = await send_invoice(vk_world)
    page = await client.get(path, params={"d": forged}, follow_redirects=True)
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert (await client.post(f"{path}/seen", data={"_d": forged})).status_code == 204
    assert (await submit_form(client, path, _d=forged)).status_code == 303
    assert await payer_conversation_id(vk_world, invoice) is None
    assert await is_unopened(vk_world, invoice)


async def test_signature_of_another_invoice_is_ignored(
    vk_world: VkWorld, client: httpx.AsyncClient
) -> None:
    other, _, signature = await send_invoice(vk_world)
    invoice, path, _ = await send_invoice(vk_world)
    await client.get(f"{path}?d={signature}")
    await client.post(f"{path}/seen", data={"_d": signature})
    await client.post("/i/nobody/seen", data={"_d": signature})
    assert await is_unopened(vk_world, invoice)
    assert await is_unopened(vk_world, other)


async def test_malformed_opening_report_is_ignored(
    vk_world: VkWorld, client: httpx.AsyncClient
) -> None:
    invoice, path, signature = await send_invoice(vk_world)
    opened_url = f"{path}/seen"
    assert (await client.post(opened_url, content=b"")).status_code in (204, 400)
    assert (await client.post(opened_url, data={"_d": signature * 100})).status_code == 413
    assert (await client.post(opened_url, files={"_d": b"A" * 24})).status_code == 204
    assert (await client.post(opened_url, json={"_d": signature})).status_code in (204, 400)
    assert await is_unopened(vk_world, invoice)


async def test_void_invoice_page_does_not_report_opening(
    vk_world: VkWorld, client: httpx.AsyncClient
) -> None:
    invoice, path, signature = await send_invoice(vk_world)
    await invoices.void(vk_world.ctx, vk_world.member, invoice.id)
    page = await client.get(f"{path}?d={signature}")
    assert "data-page-view-url" not in page.text
    assert await is_unopened(vk_world, invoice)


async def test_link_without_a_signature_reports_opening_of_the_invoice_only(
    vk_world: VkWorld, client: httpx.AsyncClient
) -> None:
    invoice, path, _ = await send_invoice(vk_world)
    from_cabinet = await client.get(path, headers={"sec-fetch-site": "same-origin"})
    assert "data-page-view-url" not in from_cabinet.text
    page = await client.get(path)
    assert f'data-page-view-url="{path}/seen"' in page.text
    assert 'name="_d"' not in page.text
    stored = await invoices.get(vk_world.ctx, vk_world.member, invoice.id)
    assert stored.opened_at_us is None, "previews of links load the page without its script"
    for _ in range(2):
        assert (await client.post(f"{path}/seen", data={"_d": ""})).status_code == 204
    assert await is_unopened(vk_world, invoice)
    stored = await invoices.get(vk_world.ctx, vk_world.member, invoice.id)
    assert stored.opened_at_us is not None
    assert await find_mismatches(vk_world) == []


def test_question_key_cannot_equal_the_signature_field() -> None:
    for key in ("_d", "d_", "D"):
        problems = check_questions((Question(key, QuestionKind.TEXT, "Имя"),))
        assert bool(problems) is (key != "d_")


async def test_browser_reports_opening_and_removes_the_signature_from_the_url(
    vk_world: VkWorld, browser: Browser
) -> None:
    invoice, path, signature = await send_invoice(vk_world)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{sock.getsockname()[1]}"
        async with serve_checkout(vk_world, sock):
            await _open_link_and_pay(vk_world, browser, f"{base}{path}", signature, invoice)
    assert await payer_conversation_id(vk_world, invoice) == (await vk_world.conversation()).id


async def _open_link_and_pay(
    vk: VkWorld, browser: Browser, url: str, signature: str, invoice: Invoice
) -> None:
    async with await browser.new_context() as context:
        page = await context.new_page()
        async with page.expect_response(lambda r: r.url.endswith("/seen")) as response:
            await page.goto(f"{url}?d={signature}")
        assert (await response.value).status == 204
        assert signature not in page.url, "a copied URL must not identify the client"
        assert (await get_card(vk, invoice)).opened_at_us is not None
        await page.reload()
        assert await page.locator("[name=_d]").count() == 0
        await page.fill("[name=email]", "client@example.net")
        await page.check("[name=consent]")
        await page.click("button[type=submit]")
        await page.wait_for_url("**/bank/**")
