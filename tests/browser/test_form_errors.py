"""Form errors: the typed text stays, the error is under its field, the field has the focus."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import DESKTOP, PHONE, Window, open_window

MAX_GAP_PX = 64  # a hint of two lines fits between field and error


async def expect_error(field: Locator, text: str) -> None:
    """Check that the field is invalid and that its error, just below it, contains the text."""
    await expect(field).to_have_attribute("aria-invalid", "true")
    ids = (await field.get_attribute("aria-describedby") or "").split()
    (error_id,) = [name for name in ids if name.endswith("-error")]
    error = field.page.locator(f"[id='{error_id}']")
    await expect(error).to_contain_text(text)
    # Both positions in one call: the page may scroll to the focused field between two calls.
    gap_px = await error.evaluate(
        "(e, f) => e.getBoundingClientRect().top - f.getBoundingClientRect().bottom",
        await field.element_handle(),
    )
    assert 0 <= gap_px < MAX_GAP_PX


async def _check_card_page_errors(client: Window) -> None:
    """Check the errors of the bank's card page, then pay."""
    page = client.page
    await steps.type_card(page, "2200 0000 0000 0005")
    await expect_error(page.locator("[name=number]"), "ошибка в одной из цифр")
    await expect(page.locator("[name=expiry]")).to_have_value("12/30")
    await expect(page.locator("[name=csc]")).to_have_value("")
    await client.check_page("bank-wrong")
    await steps.pay_by_card(page, code="")
    await steps.type_code(page, "9999")
    await expect_error(page.locator("[name=code]"), "Код не подошёл")
    await client.check_page("code-wrong")
    await steps.type_code(page)
    await page.wait_for_url("**/r/*")


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
async def test_client_corrects_form_errors(
    browser: Browser, demo: Demo, screenshots_dir: Path, javascript: bool
) -> None:
    size = {"label": "Размер", "key": "size", "kind": "select", "options": ["S", "M"]}
    invoice = await demo.create_invoice(ask=[*steps.QUESTIONS, {**size, "required": True}])
    name = f"wrong-{'javascript' if javascript else 'plain'}"
    async with open_window(
        browser, screenshots_dir, name, java_script_enabled=javascript
    ) as client:
        page = client.page
        await page.goto(invoice["url"])
        email, phone = page.get_by_label("E-mail"), page.get_by_label("Телефон")
        await email.fill("irina@")
        await phone.fill("8 916 765-43")
        await page.get_by_label("Пожелания").fill("«Без» <лака>")
        await page.get_by_role("button", name="Оплатить").click()
        await expect(email).to_be_focused()
        await expect_error(email, "@")
        await expect_error(phone, "Номер короче")
        await expect_error(page.get_by_label("Размер"), "")
        await expect_error(page.get_by_label("Даю согласие"), "")
        await expect(email).to_have_value("irina@")
        await expect(phone).to_have_value("8 916 765-43")
        await expect(page.get_by_label("Пожелания")).to_have_value("«Без» <лака>")
        await client.check_page("pay-wrong")
        await email.fill("irina@example.ru")
        await phone.fill("8 916 765-43-21")
        await page.get_by_label("Размер").select_option("M")
        await steps.accept_consent(page)
        await steps.go_to_bank(page)
        await _check_card_page_errors(client)


@pytest.mark.parametrize(("name", "size"), [("phone", PHONE), ("desk", DESKTOP)])
async def test_operator_corrects_form_errors(
    browser: Browser, demo: Demo, screenshots_dir: Path, name: str, size: dict[str, object]
) -> None:
    async with open_window(browser, screenshots_dir, f"seller-wrong-{name}", size) as seller:
        page = seller.page
        await page.goto(f"{demo.app_url}/sign-in")
        await page.locator("[name=login]").fill(demo.info["login"])
        await page.locator("[name=password]").fill("not the password")
        await page.get_by_role("button", name="Войти").click()
        await expect(page.get_by_text("Неверный e-mail или пароль")).to_be_visible()
        await expect(page.locator("[name=login]")).to_have_value(demo.info["login"])
        await seller.check_page("sign-in-wrong")
        await steps.sign_in(page, demo)

        await page.goto(f"{demo.app_url}/invoices/new")
        await steps.fill_invoice(page, "", "полторы тысячи", "Цвет", "vk.me/studio")
        await page.get_by_role("button", name="Выставить счёт").click()
        title = page.get_by_label("Название", exact=True)
        await expect_error(title, "")
        await expect_error(page.get_by_label("Сумма", exact=True), "")
        await expect_error(page.get_by_label("Куда вернуть клиента после оплаты"), "")
        await expect(page.get_by_label("Сумма", exact=True)).to_have_value("полторы тысячи")
        await expect(page.get_by_label("Название поля")).to_have_value("Цвет")
        await expect(page.get_by_role("switch", name="Телефон")).to_be_checked()
        await expect(title).to_be_focused()
        await expect(page.get_by_text("Проверьте отмеченные поля")).to_be_attached()
        await seller.check_page("new-invoice-wrong")
        await title.fill("Маникюр")
        await page.get_by_label("Сумма", exact=True).fill("1500")
        await page.get_by_label("Куда вернуть клиента после оплаты").fill("https://vk.me/studio")
        await steps.issue_invoice(page)
