"""Payment in a real browser on a phone-sized screen, with and without JavaScript."""

import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from sigma.domain.urls import origin_of
from sigma.services.billing import payments
from sigma_sandbox.app import Sandbox
from tests.web.checkout_harness import serve_checkout
from tests.world import TestSettings, World, open_world

MIR_WITH_CODE = "2200 0000 0000 0004"
INSUFFICIENT_FUNDS = "2200 0000 0000 0053"


@pytest.fixture
async def world(sqlite_database_url: str, sandbox: Sandbox) -> AsyncIterator[World]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        settings = TestSettings(base_url=f"http://127.0.0.1:{sock.getsockname()[1]}")
        async with (
            open_world(sqlite_database_url, sandbox, settings=settings) as opened,
            serve_checkout(opened, sock),
        ):
            yield opened


@dataclass
class PhonePage:
    """A page in a phone-sized browser; `console_errors` collects console and page errors."""

    page: Page
    console_errors: list[str]

    async def open_and_fill(self, path: str) -> None:
        await self.page.goto(path)
        await self.page.get_by_label("E-mail").fill("client@example.net")
        await self.page.get_by_label("Телефон").fill("89167654321")
        await self.page.get_by_label("Пожелания").fill("без лака")
        await self.page.get_by_label("Даю согласие").check()

    async def submit(self) -> None:
        await self.page.get_by_role("button", name="Оплатить").click()
        await self.page.wait_for_url("**/bank/**")

    async def pay_with_card(self, number: str, code: str = "") -> None:
        await self.page.locator("#number").fill(number)
        await self.page.locator("#expiry").fill("12/30")
        await self.page.locator("#csc").fill("123")
        await self.page.locator("button[type=submit].primary").click()
        if code:
            await self.page.locator("[name=code]").first.fill(code)
            await self.page.locator("button[type=submit].primary").click()


@contextlib.asynccontextmanager
async def open_phone(
    browser: Browser, world: World, *, scripts: bool = True
) -> AsyncIterator[PhonePage]:
    context: BrowserContext = await browser.new_context(
        viewport={"width": 360, "height": 740},
        locale="ru-RU",
        base_url=world.ctx.settings.base_url,
        java_script_enabled=scripts,
    )
    page = await context.new_page()
    console_errors: list[str] = []
    # A header that the browser does not understand is a warning only.
    page.on(
        "console",
        lambda m: (
            console_errors.append(m.text) if m.type == "error" or "Policy" in m.text else None
        ),
    )
    page.on("pageerror", lambda error: console_errors.append(str(error)))
    yield PhonePage(page, console_errors)
    await context.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
async def test_client_pays_on_a_phone(browser: Browser, world: World, scripts: bool) -> None:
    invoice = await world.create_invoice()
    async with open_phone(browser, world, scripts=scripts) as client:
        await client.open_and_fill(f"/i/{invoice.token}")
        await client.submit()
        await client.pay_with_card(MIR_WITH_CODE, "1234")
        await client.page.wait_for_url("**/r/*")
        await expect(client.page.get_by_role("heading", name="Оплачено")).to_be_visible()
        shop_link = client.page.get_by_role("link", name="Вернуться к продавцу")
        await expect(shop_link).to_have_attribute("href", "https://vk.me/studio")
        print_button = client.page.get_by_text("Распечатать")
        await expect(print_button).to_be_visible(visible=scripts)
        assert client.console_errors == []


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
async def test_client_pays_at_an_acquirer_whose_page_has_another_origin(
    browser: Browser, world: World, scripts: bool
) -> None:
    """The strict form-action blocks a redirect of the form there: our page asks and links to it."""
    await world.move_bank_page()
    invoice = await world.create_invoice()
    async with open_phone(browser, world, scripts=scripts) as client:
        answer = await client.page.goto(f"/i/{invoice.token}")
        assert answer is not None
        assert origin_of(world.sandbox.base_url) not in answer.headers["content-security-policy"]
        await client.open_and_fill(f"/i/{invoice.token}")
        await client.page.get_by_role("button", name="Оплатить").click()
        await client.page.get_by_role("link", name="Открыть страницу банка").click()
        await client.page.wait_for_url("**/bank/**")
        await client.pay_with_card(MIR_WITH_CODE, "1234")
        await client.page.wait_for_url("**/r/*")
        await expect(client.page.get_by_role("heading", name="Оплачено")).to_be_visible()
        assert client.console_errors == []


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
async def test_waiting_page_opens_the_page_of_a_slow_acquirer_when_it_is_known(
    browser: Browser, world: World, scripts: bool
) -> None:
    invoice = await world.create_invoice()
    await world.inject_faults(cut_answer={"on": "create", "times": 99})
    async with open_phone(browser, world, scripts=scripts) as client:
        await client.open_and_fill(f"/i/{invoice.token}")
        await client.page.get_by_role("button", name="Оплатить").click()
        await expect(client.page.get_by_role("heading", level=1)).to_have_text("Уточняем у банка")
        await world.inject_faults(cut_answer=None)
        world.clock.advance(seconds=5)
        await client.page.wait_for_url("**/bank/**")
        await client.pay_with_card(MIR_WITH_CODE, "1234")
        await client.page.wait_for_url("**/r/*")
        assert client.console_errors == []


async def test_client_retries_a_declined_payment_with_saved_answers(
    browser: Browser, world: World
) -> None:
    invoice = await world.create_invoice()
    async with open_phone(browser, world) as client:
        await client.open_and_fill(f"/i/{invoice.token}")
        await client.submit()
        await client.pay_with_card(INSUFFICIENT_FUNDS)
        await client.page.get_by_role("link", name="Вернуться к продавцу").click()
        await expect(client.page.get_by_text("На карте не хватает денег")).to_be_visible()
        await expect(client.page.get_by_label("E-mail")).to_have_value("client@example.net")
        await expect(client.page.get_by_label("Телефон")).to_have_value("+7 916 765-43-21")
        await expect(client.page.get_by_label("Даю согласие")).to_be_checked()
        await client.page.get_by_role("button", name="Попробовать другую карту").click()
        await client.page.wait_for_url("**/bank/**")
        await client.pay_with_card(MIR_WITH_CODE, "1234")
        await client.page.wait_for_url("**/r/*")
        assert client.console_errors == []


async def test_waiting_page_redirects_to_the_receipt_when_paid(
    browser: Browser, world: World
) -> None:
    invoice = await world.create_invoice()
    async with open_phone(browser, world) as client:
        await client.open_and_fill(f"/i/{invoice.token}")
        await client.submit()
        bank = client.page.url
        await client.page.goto(f"/i/{invoice.token}")
        await client.page.get_by_role("link", name="Проверить результат").click()
        await expect(client.page.get_by_text("Ждём подтверждения банка")).to_be_visible()
        await client.page.reload()
        await expect(client.page.get_by_text("Ждём подтверждения банка")).to_be_visible()
        await world.pay_by_provider_id(bank.split("?")[0].rpartition("/")[2])
        await client.page.wait_for_url("**/r/*")
        assert client.console_errors == []


async def test_double_tap_and_back_button_start_one_payment(browser: Browser, world: World) -> None:
    invoice = await world.create_invoice()
    async with open_phone(browser, world) as client:
        await client.open_and_fill(f"/i/{invoice.token}")
        await client.page.get_by_role("button", name="Оплатить").dblclick(no_wait_after=True)
        await client.page.wait_for_url("**/bank/**")
        await client.page.go_back()
        await expect(client.page.get_by_label("E-mail")).to_have_value("client@example.net")
        await expect(client.page.get_by_label("Даю согласие")).to_be_checked()
        await client.submit()
        listed = await payments.list_page(world.ctx, world.member, invoice_id=invoice.id)
        assert len(listed.data) == 1


async def test_first_invalid_field_gets_the_focus(browser: Browser, world: World) -> None:
    invoice = await world.create_invoice()
    async with open_phone(browser, world) as client:
        await client.open_and_fill(f"/i/{invoice.token}")
        await client.page.get_by_label("Телефон").fill("8916123456")
        await client.page.get_by_role("button", name="Оплатить").click()
        wrong = client.page.get_by_label("Телефон")
        await expect(wrong).to_be_focused()
        await expect(wrong).to_have_accessible_description(
            "Номер короче, чем нужно: в российском номере 11 цифр."
        )
        await expect(wrong).to_have_value("8916123456")
        assert await client.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
