"""Sigma just installed: a browser comes to an empty database and leaves with an issued invoice."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser import steps
from tests.browser.demo import Demo, running_serve
from tests.browser.windows import PHONE, Window, window

LOGIN, PASSWORD = "anna@example.ru", "три случайных слова"


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[str]:
    """`sigma serve` over an empty SQLite file; gives its address."""
    settings = {
        "SIGMA_DATABASE_URL": f"sqlite:///{tmp_path / 'sigma.db'}",
        "SIGMA_SECRET_KEY": "a secret of thirty-two characters or more",
    }
    async with running_serve(tmp_path, settings) as app:
        yield app


async def test_the_first_browser_makes_the_shop_connects_the_bank_and_issues_an_invoice(
    browser: Browser, demo: Demo, fresh: str, pictures: Path
) -> None:
    async with window(browser, pictures, "first", PHONE) as owner:
        await _make_shop(owner, fresh)
        await _fill_requisites(owner)
        await _connect(owner, demo)
        page = owner.page
        await page.goto(f"{fresh}/")
        await owner.look("home-connected")
        await page.get_by_role("link", name="Выставить", exact=True).click()
        await steps.fill_invoice(page, "Первый счёт", "100", "Пожелание", "https://vk.me/studio")
        issued = await steps.issue(page)
        await owner.look("first-invoice")
        await page.goto(issued.link)
        await owner.look("first-pay")
        await steps.answer(page, {"email": "first@example.ru", "phone": "89167654321"})
        await page.get_by_label("Пожелание").fill("Нет")
        await steps.agree(page)
        await steps.to_bank(page)
        await steps.pay_by_card(page)
        await page.wait_for_url("**/r/*")
        await owner.look("first-receipt")
        await page.goto(f"{fresh}/")
        await expect(page.get_by_text("До первой оплаты")).to_be_hidden()
        await owner.look("home-paid")


async def _make_shop(owner: Window, fresh: str) -> None:
    page = owner.page
    await page.goto(f"{fresh}/")
    await page.wait_for_url("**/start")
    await owner.look("start")
    await page.get_by_label("Название магазина").fill("Студия Анны")
    await page.get_by_label("Ваше имя").fill("Анна")
    await page.locator("[name=login]").fill(LOGIN)
    await page.locator("[name=password]").fill("коротко")
    await page.get_by_role("button", name="Создать магазин").click()
    await expect(page.get_by_label("Название магазина")).to_have_value("Студия Анны")
    await owner.look("start-wrong")
    await page.locator("[name=password]").fill(PASSWORD)
    await page.get_by_role("button", name="Создать магазин").click()
    await page.wait_for_url(f"{fresh}/")
    await owner.look("home-empty")


async def _fill_requisites(owner: Window) -> None:
    page = owner.page
    await page.get_by_role("link", name="Заполнить", exact=True).click()
    await owner.look("requisites")
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
    await owner.look("requisites-saved")


async def _connect(owner: Window, demo: Demo) -> None:
    page = owner.page
    await page.goto(f"{page.url.partition('/settings')[0]}/")
    await page.get_by_role("link", name="Подключить", exact=True).click()
    await page.get_by_role("link", name="Подключить эквайера").click()
    await owner.look("connect")
    await page.locator("[name=account]").fill("100777")
    await page.locator("[name=secret]").fill("live_wrong_key")
    await page.locator("summary", has_text="Дополнительно").click()
    await page.locator("[name=base_url]").fill(f"{demo.bank}/v3")
    await page.get_by_role("button", name="Подключить и проверить").click()
    await expect(page.get_by_text("сохранено, но пока не работает")).to_be_visible()
    await expect(page.get_by_text("не подходят друг к другу")).to_be_visible()
    await owner.look("connected-wrong")
    await page.locator("[name=secret]").fill("test_right_key")
    await page.get_by_role("button", name="Сохранить и проверить").click()
    await expect(page.get_by_text("отвечает, ключ подходит")).to_be_visible()
    await page.get_by_role("button", name="Проверить", exact=True).click()
    await expect(page.get_by_text("отвечает, ключ подходит")).to_be_visible()
    await owner.look("connected")
