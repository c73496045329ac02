"""The whole journey, on a phone and on a desk: from signing in to a receipt with its refund."""

import io
import re
from typing import Any

import pypdf
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.steps import Issued
from tests.browser.windows import DESK, PHONE, Window, window

TITLE = "Маникюр с покрытием"
OWN = "Какой цвет"
COLOUR = "Вишнёвый, без блёсток"
SHOP = "shop.example"
REASON = "Клиентка перенесла половину визита"


@pytest.mark.parametrize(("name", "size"), [("phone", PHONE), ("desk", DESK)])
async def test_an_invoice_is_issued_paid_received_and_partly_returned(
    browser: Browser, demo: Demo, pictures: Any, name: str, size: dict[str, Any]
) -> None:
    email = f"irina.{name}@example.ru"
    async with (
        window(browser, pictures, f"seller-{name}", size) as seller,
        window(browser, pictures, f"client-{name}", size, shops=[SHOP]) as client,
    ):
        issued = await _issue(seller, demo)
        receipt = await _pay(client, issued, email)
        await _check_receipt(client, demo, email)
        await _return_to_shop(client, issued)
        await _check_letter(client, demo, email, receipt)
        await _check_operation(seller, issued, email)
        await _refund(seller)
        await _check_refund(client, demo, email, receipt)


async def _issue(seller: Window, demo: Demo) -> Issued:
    page = seller.page
    await page.goto(f"{demo.app}/")
    await seller.look("sign-in")
    await steps.sign_in(page, demo)
    await seller.look("home")
    await page.goto(f"{demo.app}/invoices")
    await seller.look("invoices")
    await page.get_by_role(
        "link", name=re.compile("^(Выставить )?счёт", re.IGNORECASE)
    ).last.click()
    await seller.look("new-invoice")
    await steps.fill_invoice(
        page, TITLE, "1500", OWN, f"https://{SHOP}/done?order={{invoice}}&is={{status}}"
    )
    await _check_preview(page)
    await seller.look("new-invoice-filled")
    issued = await steps.issue(page)
    await seller.look("invoice")
    assert re.fullmatch(rf"{re.escape(demo.app)}/i/[\w-]{{16,}}", issued.link)
    return issued


async def _check_preview(page: Page) -> None:
    """The client's page beside the form follows what is typed."""
    fold = page.locator(".preview summary")
    if not await page.locator(".preview details").evaluate("(e) => e.open"):
        await fold.click()
    preview = page.frame_locator(".preview-frame")
    await expect(preview.locator("h1")).to_have_text(TITLE)
    await expect(preview.locator("form button[type=submit]")).to_have_text("Оплатить 1 500,00 ₽")
    await expect(preview.locator("label", has_text="Телефон")).to_be_visible()
    await expect(preview.locator("label", has_text=OWN)).to_be_visible()


async def _pay(client: Window, issued: Issued, email: str) -> str:
    page = client.page
    await page.goto(issued.link)
    await client.look("pay")
    await steps.answer(page, {"email": email, "phone": steps.ANSWERS["phone"]})
    await page.get_by_label(OWN).fill(COLOUR)
    await expect(page.get_by_label("Телефон")).to_have_value(steps.PHONE_SHOWN)
    await steps.agree(page)
    await expect(page.locator("form button[type=submit]")).to_have_text("Оплатить 1 500,00 ₽")
    await steps.to_bank(page)
    await client.look("bank")
    await steps.type_card(page, steps.MIR_WITH_CODE)
    await page.wait_for_url("**/3ds")
    await client.look("bank-code")
    await steps.type_code(page)
    await page.wait_for_url("**/r/*")
    return page.url


async def _check_receipt(client: Window, demo: Demo, email: str) -> None:
    page = client.page
    await expect(page.get_by_role("heading", level=1)).to_have_text("Оплачено")
    slip = page.get_by_role("article")
    await expect(slip).to_contain_text("1 500,00 ₽")
    await expect(slip).to_contain_text(re.compile(r"2200\s?00.{4,8}0004"))
    await demo.letter(email, 1)
    await steps.shown_after_reloads(page, "Чек отправлен на i***@example.ru")
    assert email not in await page.content()
    await client.look("receipt")


async def _return_to_shop(client: Window, issued: Issued) -> None:
    await client.page.get_by_role("link", name="Вернуться в магазин").click()
    await expect(client.page.get_by_role("heading")).to_have_text("Студия")
    invoice_id = issued.page.rpartition("/")[2]
    assert client.page.url == f"https://{SHOP}/done?order={invoice_id}&is=captured"


async def _check_letter(client: Window, demo: Demo, email: str, receipt: str) -> None:
    letter = await demo.letter(email, 1)
    for part in (letter["html"], letter["text"]):
        assert "1 500,00 ₽" in _plain(part)
        assert TITLE in part
        assert receipt in part
    (attached,) = letter["attachments"]
    assert attached["content_type"] == "application/pdf"
    pages = pypdf.PdfReader(io.BytesIO(await demo.file(attached))).pages
    text = _plain(" ".join(page.extract_text() for page in pages))
    assert "1 500,00 ₽" in text
    assert await _seller(client.page, receipt) in text
    await client.page.goto(f"{demo.told['sandbox_url']}/mail/")
    await client.page.get_by_role("link", name=re.compile(email)).first.click()
    await client.look("letter")


async def _seller(page: Page, receipt: str) -> str:
    """The full name of the seller, as the receipt tells it."""
    await page.goto(receipt)
    return _plain(await page.get_by_role("article").locator("strong").first.inner_text())


def _plain(text: str) -> str:
    """A text with usual spaces only."""
    return re.sub(r"\s+", " ", text)


async def _check_operation(seller: Window, issued: Issued, email: str) -> None:
    page = seller.page
    await steps.open_operation(page, issued)
    await steps.shown_after_reloads(page, "Отправлено")
    await seller.look("operation")
    content = page.get_by_role("main")
    for label, value in {"E-mail": email, "Телефон": steps.PHONE_SHOWN, OWN: COLOUR}.items():
        shown = content.locator("dl > div").filter(has=page.get_by_text(label, exact=True))
        await expect(shown.filter(has_text=value)).to_be_visible()
    for text in (
        "Согласие на обработку данных",
        "Клиент заполнил поля и перешёл к оплате",
        "Деньги списаны",
        "i***@example.ru",
    ):
        await expect(content.get_by_text(text).first).to_be_visible()
    await expect(content).to_contain_text(re.compile(r"2200\s?00.{4,8}0004"))
    await page.goto(f"{page.url.partition('/payments/')[0]}/payments")
    await seller.look("operations")
    await page.go_back()


async def _refund(seller: Window) -> None:
    page = seller.page
    await page.locator("summary", has_text="Вернуть деньги").click()
    await seller.look("refund-form")
    await page.locator("summary", has_text="Вернуть деньги").click()
    await steps.ask_refund(page, "500", REASON)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Проверьте возврат")
    await expect(page.get_by_role("main")).to_contain_text("1 000,00 ₽")
    await seller.look("refund-sure")
    await page.get_by_role("button", name="Вернуть 500,00 ₽").click()
    await page.wait_for_url("**/payments/pay_*")
    await steps.shown_after_reloads(page, "Возвращён частично")
    await expect(page.get_by_text(REASON).first).to_be_visible()
    await seller.look("operation-refunded")


async def _check_refund(client: Window, demo: Demo, email: str, receipt: str) -> None:
    page = client.page
    letter = await demo.letter(email, 2)
    assert "Возврат 500,00 ₽" in _plain(letter["subject"])
    await page.goto(receipt)
    await expect(page.get_by_text("Возвращено 500,00 ₽")).to_be_visible()
    slip = page.get_by_role("article")
    await expect(slip.get_by_text("Итого после возвратов")).to_be_visible()
    await expect(slip).to_contain_text("1 000,00 ₽")
    await client.look("receipt-refunded")
