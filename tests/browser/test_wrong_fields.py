"""What was typed wrong stays, is explained beside its field, and has the focus."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import DESK, PHONE, Window, window

NEAR_PX = 64  # a hint of two lines fits between


async def explained(field: Locator, words: str) -> None:
    """The field is marked as wrong, and its explanation stands near under it and tells this."""
    await expect(field).to_have_attribute("aria-invalid", "true")
    ids = (await field.get_attribute("aria-describedby") or "").split()
    (error_id,) = [name for name in ids if name.endswith("-error")]
    error = field.page.locator(f"[id='{error_id}']")
    await expect(error).to_contain_text(words)
    at, under = await field.bounding_box(), await error.bounding_box()
    assert at is not None
    assert under is not None
    assert 0 <= under["y"] - at["y"] - at["height"] < NEAR_PX


async def _wrong_card_page(client: Window) -> None:
    """The bank's page does the same."""
    page = client.page
    await steps.type_card(page, "2200 0000 0000 0005")
    await explained(page.locator("[name=number]"), "ошибка в одной из цифр")
    await expect(page.locator("[name=expiry]")).to_have_value("12/30")
    await expect(page.locator("[name=csc]")).to_have_value("")
    await client.look("bank-wrong")
    await steps.pay_by_card(page, code="")
    await steps.type_code(page, "9999")
    await explained(page.locator("[name=code]"), "Код не подошёл")
    await client.look("code-wrong")
    await steps.type_code(page)
    await page.wait_for_url("**/r/*")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
async def test_a_client_corrects_what_was_typed_wrong(
    browser: Browser, demo: Demo, pictures: Path, scripts: bool
) -> None:
    size = {"label": "Размер", "key": "size", "kind": "select", "options": ["S", "M"]}
    made = await demo.invoice(ask=[*steps.ASK, {**size, "required": True}])
    name = f"wrong-{'scripts' if scripts else 'plain'}"
    async with window(browser, pictures, name, java_script_enabled=scripts) as client:
        page = client.page
        await page.goto(made["url"])
        email, phone = page.get_by_label("E-mail"), page.get_by_label("Телефон")
        await email.fill("irina@")
        await phone.fill("8 916 765-43")
        await page.get_by_label("Пожелания").fill("«Без» <лака>")
        await page.get_by_role("button", name="Оплатить").click()
        await expect(email).to_be_focused()
        await explained(email, "@")
        await explained(phone, "Номер короче")
        await explained(page.get_by_label("Размер"), "")
        await explained(page.get_by_label("Даю согласие"), "")
        await expect(email).to_have_value("irina@")
        await expect(phone).to_have_value("8 916 765-43")
        await expect(page.get_by_label("Пожелания")).to_have_value("«Без» <лака>")
        await client.look("pay-wrong")
        await email.fill("irina@example.ru")
        await phone.fill("8 916 765-43-21")
        await page.get_by_label("Размер").select_option("M")
        await steps.agree(page)
        await steps.to_bank(page)
        await _wrong_card_page(client)


@pytest.mark.parametrize(("name", "size"), [("phone", PHONE), ("desk", DESK)])
async def test_a_seller_corrects_what_was_typed_wrong(
    browser: Browser, demo: Demo, pictures: Path, name: str, size: dict[str, object]
) -> None:
    async with window(browser, pictures, f"seller-wrong-{name}", size) as seller:
        page = seller.page
        await page.goto(f"{demo.app}/sign-in")
        await page.locator("[name=login]").fill(demo.told["login"])
        await page.locator("[name=password]").fill("not the password")
        await page.get_by_role("button", name="Войти").click()
        await expect(page.get_by_text("E-mail или пароль не подошли")).to_be_visible()
        await expect(page.locator("[name=login]")).to_have_value(demo.told["login"])
        await seller.look("sign-in-wrong")
        await steps.sign_in(page, demo)

        await page.goto(f"{demo.app}/invoices/new")
        await steps.fill_invoice(page, "", "полторы тысячи", "Цвет", "vk.me/studio")
        await page.get_by_role("button", name="Выставить счёт").click()
        title = page.get_by_label("Название", exact=True)
        await explained(title, "")
        await explained(page.get_by_label("Сумма", exact=True), "")
        await explained(page.get_by_label("Куда вернуть после оплаты"), "")
        await expect(page.get_by_label("Сумма", exact=True)).to_have_value("полторы тысячи")
        await expect(page.get_by_label("Название поля")).to_have_value("Цвет")
        await expect(page.get_by_role("switch", name="Телефон")).to_be_checked()
        focused = page.locator(":focus")
        await expect(focused).to_contain_text("Проверьте отмеченные поля")
        await seller.look("new-invoice-wrong")
        await title.fill("Маникюр")
        await page.get_by_label("Сумма", exact=True).fill("1500")
        await page.get_by_label("Куда вернуть после оплаты").fill("https://vk.me/studio")
        await steps.issue(page)
