"""An invoice from issue to partial refund, on a phone and on a desktop."""

import io
import re
from typing import Any

import pypdf
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.steps import IssuedInvoice
from tests.browser.windows import DESKTOP, PHONE, Window, open_window

TITLE = "Маникюр с покрытием"
OWN_QUESTION = "Какой цвет"
COLOR = "Вишнёвый, без блёсток"
SHOP_HOST = "shop.example"
REASON = "Клиентка перенесла половину визита"


@pytest.mark.parametrize(("name", "size"), [("phone", PHONE), ("desk", DESKTOP)])
async def test_invoice_is_issued_paid_and_partly_refunded(
    browser: Browser, demo: Demo, screenshots_dir: Any, name: str, size: dict[str, Any]
) -> None:
    email = f"irina.{name}@example.ru"
    async with (
        open_window(browser, screenshots_dir, f"seller-{name}", size) as seller,
        open_window(browser, screenshots_dir, f"client-{name}", size, shops=[SHOP_HOST]) as client,
    ):
        issued = await _issue(seller, demo)
        receipt_url = await _pay(client, issued, email)
        await _check_receipt(client, demo, email)
        await _return_to_shop(client, issued)
        await _check_receipt_mail(client, demo, email, receipt_url)
        await _check_payment_page(seller, issued, email)
        await _refund(seller)
        await _check_refund_receipt(client, demo, email, receipt_url)


async def _issue(seller: Window, demo: Demo) -> IssuedInvoice:
    page = seller.page
    await page.goto(f"{demo.app_url}/")
    await seller.check_page("sign-in")
    await steps.sign_in(page, demo)
    await seller.check_page("home")
    await page.goto(f"{demo.app_url}/invoices")
    await seller.check_page("invoices")
    await page.get_by_role(
        "link", name=re.compile("^(Выставить )?счёт", re.IGNORECASE)
    ).last.click()
    await seller.check_page("new-invoice")
    await steps.fill_invoice(
        page,
        TITLE,
        "1500",
        OWN_QUESTION,
        f"https://{SHOP_HOST}/done?order={{invoice}}&is={{status}}",
    )
    await _check_preview(page)
    await seller.check_page("new-invoice-filled")
    issued = await steps.issue_invoice(page)
    await seller.check_page("invoice")
    assert re.fullmatch(rf"{re.escape(demo.app_url)}/i/[\w-]{{16,}}", issued.payment_url)
    return issued


async def _check_preview(page: Page) -> None:
    """Check that the preview beside the form shows what was typed."""
    fold = page.locator(".preview summary")
    if not await page.locator(".preview details").evaluate("(e) => e.open"):
        await fold.click()
    preview = page.frame_locator(".preview-frame")
    await expect(preview.locator("h1")).to_have_text(TITLE)
    await expect(preview.locator("form button[type=submit]")).to_have_text("Оплатить 1 500,00 ₽")
    await expect(preview.locator("label", has_text="Телефон")).to_be_visible()
    await expect(preview.locator("label", has_text=OWN_QUESTION)).to_be_visible()


async def _pay(client: Window, issued: IssuedInvoice, email: str) -> str:
    page = client.page
    await page.goto(issued.payment_url)
    await client.check_page("pay")
    await steps.fill_answers(page, {"email": email, "phone": steps.ANSWERS["phone"]})
    await page.get_by_label(OWN_QUESTION).fill(COLOR)
    await expect(page.get_by_label("Телефон")).to_have_value(steps.ANSWERS["phone"])
    await steps.accept_consent(page)
    await expect(page.locator("form button[type=submit]")).to_have_text("Оплатить 1 500,00 ₽")
    await steps.go_to_bank(page)
    await client.check_page("bank")
    await steps.type_card(page, steps.MIR_WITH_CODE)
    await page.wait_for_url("**/3ds")
    await client.check_page("bank-code")
    await steps.type_code(page)
    await page.wait_for_url("**/r/*")
    return page.url


async def _check_receipt(client: Window, demo: Demo, email: str) -> None:
    page = client.page
    await expect(page.get_by_role("heading", level=1)).to_have_text("Оплачено")
    receipt = page.get_by_role("article")
    await expect(receipt).to_contain_text("1 500,00 ₽")
    await expect(receipt).to_contain_text(re.compile(r"2200\s?00.{4,8}0004"))
    await demo.wait_for_mail(email, 1)
    await steps.wait_for_text(page, "Квитанция отправлена на i***@example.ru")
    assert email not in await page.content()
    await client.check_page("receipt")


async def _return_to_shop(client: Window, issued: IssuedInvoice) -> None:
    await client.page.get_by_role("link", name="Вернуться к продавцу").click()
    await expect(client.page.get_by_role("heading")).to_have_text("Студия")
    invoice_id = issued.page_url.rpartition("/")[2]
    assert client.page.url == f"https://{SHOP_HOST}/done?order={invoice_id}&is=captured"


async def _check_receipt_mail(client: Window, demo: Demo, email: str, receipt_url: str) -> None:
    mail = await demo.wait_for_mail(email, 1)
    for part in (mail["html"], mail["text"]):
        assert "1 500,00 ₽" in _with_plain_spaces(part)
        assert TITLE in part
        assert receipt_url in part
    (attachment,) = mail["attachments"]
    assert attachment["content_type"] == "application/pdf"
    pages = pypdf.PdfReader(io.BytesIO(await demo.download(attachment))).pages
    text = _with_plain_spaces(" ".join(page.extract_text() for page in pages))
    assert "1 500,00 ₽" in text
    assert await _seller_name(client.page, receipt_url) in text
    await client.page.goto(f"{demo.info['sandbox_url']}/mail/")
    await client.page.get_by_role("link", name=re.compile(email)).first.click()
    await client.check_page("mail")


async def _seller_name(page: Page, receipt_url: str) -> str:
    """Return the seller's full name on the receipt."""
    await page.goto(receipt_url)
    return _with_plain_spaces(
        await page.get_by_role("article").locator("strong").first.inner_text()
    )


def _with_plain_spaces(text: str) -> str:
    """Return the text with every run of whitespace replaced by one space."""
    return re.sub(r"\s+", " ", text)


async def _check_payment_page(seller: Window, issued: IssuedInvoice, email: str) -> None:
    page = seller.page
    await steps.open_payment(page, issued)
    await steps.wait_for_text(page, "Отправлено")
    await seller.check_page("payment")
    content = page.get_by_role("main")
    for label, value in {
        "E-mail": email,
        "Телефон": steps.FORMATTED_PHONE,
        OWN_QUESTION: COLOR,
    }.items():
        row = content.locator("dl > div").filter(has=page.get_by_text(label, exact=True))
        await expect(row.filter(has_text=value)).to_be_visible()
    for text in (
        "Согласие на обработку данных",
        "Клиент заполнил поля и перешёл к оплате",
        "Деньги списаны",
        "i***@example.ru",
    ):
        await expect(content.get_by_text(text).first).to_be_visible()
    await expect(content).to_contain_text(re.compile(r"2200\s?00.{4,8}0004"))
    await page.goto(f"{page.url.partition('/payments/')[0]}/payments")
    await seller.check_page("payments")
    await page.go_back()


async def _refund(seller: Window) -> None:
    page = seller.page
    await page.locator("summary", has_text="Вернуть деньги").click()
    await seller.check_page("refund-form")
    await page.locator("summary", has_text="Вернуть деньги").click()
    await steps.fill_refund_form(page, "500", REASON)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Проверьте возврат")
    await expect(page.get_by_role("main")).to_contain_text("1 000,00 ₽")
    await seller.check_page("refund-confirm")
    await page.get_by_role("button", name="Вернуть 500,00 ₽").click()
    await page.wait_for_url("**/payments/pay_*")
    await steps.wait_for_text(page, "Возвращён частично")
    await expect(page.get_by_text(REASON).first).to_be_visible()
    await seller.check_page("payment-refunded")


async def _check_refund_receipt(client: Window, demo: Demo, email: str, receipt_url: str) -> None:
    page = client.page
    mail = await demo.wait_for_mail(email, 2)
    assert "Возврат 500,00 ₽" in _with_plain_spaces(mail["subject"])
    await page.goto(receipt_url)
    await expect(page.get_by_text("Возвращено 500,00 ₽")).to_be_visible()
    receipt = page.get_by_role("article")
    await expect(receipt.get_by_text("Итого после возвратов")).to_be_visible()
    await expect(receipt).to_contain_text("1 000,00 ₽")
    await client.check_page("receipt-refunded")
