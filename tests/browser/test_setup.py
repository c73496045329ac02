"""Setup of a new installation: shop, legal details, acquirer, first invoice and payment."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser import steps
from tests.browser.demo import Demo, printed_code, running_serve
from tests.browser.windows import PHONE, Window, open_window

LOGIN, PASSWORD = "anna@example.ru", "три случайных слова"

SECRET_KEY = secrets.token_urlsafe(36)


@pytest.fixture
async def new_app(tmp_path: Path) -> AsyncIterator[str]:
    """Run `sigma serve` with an empty SQLite file; yield its URL."""
    settings = {
        "SIGMA_DATABASE_URL": f"sqlite:///{tmp_path / 'sigma.db'}",
        "SIGMA_SECRET_KEY": SECRET_KEY,
        "SIGMA_OUTBOUND_ALLOW": "127.0.0.1",  # the sandbox bank
    }
    async with running_serve(tmp_path, settings) as app:
        yield app


async def test_first_visitor_creates_shop_connects_acquirer_and_gets_paid(
    browser: Browser, demo: Demo, new_app: str, screenshots_dir: Path, tmp_path: Path
) -> None:
    async with open_window(browser, screenshots_dir, "first", PHONE) as owner:
        await _create_shop(owner, new_app, printed_code(tmp_path))
        await _fill_legal_details(owner)
        await _connect_acquirer(owner, demo)
        page = owner.page
        await page.goto(f"{new_app}/")
        await owner.check_page("home-connected")
        await page.get_by_role("link", name="Выставить", exact=True).click()
        await steps.fill_invoice(page, "Первый счёт", "100", "Пожелание", "https://vk.me/studio")
        issued = await steps.issue_invoice(page)
        await owner.check_page("first-invoice")
        await page.goto(issued.payment_url)
        await owner.check_page("first-pay")
        await steps.fill_answers(page, {"email": "first@example.ru", "phone": "89167654321"})
        await page.get_by_label("Пожелание").fill("Нет")
        await steps.accept_consent(page)
        await steps.go_to_bank(page)
        await steps.pay_by_card(page)
        await page.wait_for_url("**/r/*")
        await owner.check_page("first-receipt")
        await page.goto(f"{new_app}/")
        await expect(page.get_by_text("До первой оплаты")).to_be_hidden()
        await owner.check_page("home-paid")


async def _create_shop(owner: Window, new_app: str, setup_code: str) -> None:
    page = owner.page
    await page.goto(f"{new_app}/")
    await page.wait_for_url("**/start")
    await owner.check_page("start")
    await page.get_by_label("Код установки").fill(setup_code)
    await page.get_by_label("Название магазина").fill("Студия Анны")
    await page.get_by_label("Ваше имя").fill("Анна")
    await page.locator("[name=login]").fill(LOGIN)
    await page.locator("[name=password]").fill("коротко")
    await page.get_by_role("button", name="Создать магазин").click()
    await expect(page.get_by_label("Название магазина")).to_have_value("Студия Анны")
    await owner.check_page("start-wrong")
    await page.locator("[name=password]").fill(PASSWORD)
    await page.get_by_role("button", name="Создать магазин").click()
    await page.wait_for_url(f"{new_app}/")
    await owner.check_page("home-empty")


async def _fill_legal_details(owner: Window) -> None:
    page = owner.page
    await page.get_by_role("link", name="Заполнить", exact=True).click()
    await owner.check_page("requisites")
    await page.get_by_text("Индивидуальный предприниматель").click()
    await page.locator("[name=full_name]").fill("ИП Иванова Анна Петровна")
    await page.locator("[name=inn]").fill("500100732259")
    await page.locator("[name=ogrn]").fill("325774600000039")
    await page.locator("[name=address]").fill("117312, Москва, ул. Вавилова, 19")
    await page.locator("[name=phone]").fill("8 916 123-45-67")
    await page.locator("[name=email]").fill("anna@example.ru")
    await page.locator("[name=refund_terms]").fill("Вернём деньги в течение 10 дней.")
    await page.get_by_role("button", name="Сохранить").click()
    await expect(page.get_by_text("Магазин сохранён")).to_be_visible()
    await owner.check_page("requisites-saved")


async def _connect_acquirer(owner: Window, demo: Demo) -> None:
    page = owner.page
    await page.goto(f"{page.url.partition('/settings')[0]}/")
    await page.get_by_role("link", name="Подключить", exact=True).click()
    await page.get_by_role("link", name="Подключить эквайера").click()
    await owner.check_page("connect")
    await page.locator("[name=account]").fill("100777")
    await page.locator("[name=secret]").fill("live_wrong_key")
    await page.locator("summary", has_text="Дополнительно").click()
    await page.locator("[name=base_url]").fill(f"{demo.bank_url}/v3")
    await page.get_by_role("button", name="Подключить и проверить").click()
    await expect(page.get_by_text("сохранено, но пока не работает")).to_be_visible()
    await expect(page.get_by_text("Неверный номер магазина или секретный ключ")).to_be_visible()
    await owner.check_page("connected-wrong")
    await page.locator("[name=secret]").fill("test_right_key")
    await page.get_by_role("button", name="Сохранить и проверить").click()
    await expect(page.get_by_text("отвечает, ключ верный")).to_be_visible()
    async with page.expect_response("**/check"):  # the text before and after is the same
        await page.get_by_role("button", name="Проверить", exact=True).click()
    await expect(page.get_by_text("отвечает, ключ верный")).to_be_visible()
    await owner.check_page("connected")
