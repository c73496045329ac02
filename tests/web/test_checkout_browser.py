"""The client's way in a real browser, on a phone, with scripts and without."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, expect

from sigma.services.billing import payments
from sigma_sandbox.app import Sandbox, start_sandbox
from tests.web.checkout_door import checkout_app
from tests.world import TestSettings, World, open_world

MIR_WITH_CODE = "2200 0000 0000 0004"
NO_MONEY = "2200 0000 0000 0053"


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with start_sandbox() as running:
        yield running


@contextlib.asynccontextmanager
async def serving(world: World, taken: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(checkout_app(world.ctx), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[taken]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
        await asyncio.sleep(0.01)
    yield
    server.should_exit = True
    await running


@pytest.fixture
async def world(sqlite_database_url: str, sandbox: Sandbox) -> AsyncIterator[World]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings = TestSettings(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        async with (
            open_world(sqlite_database_url, sandbox, settings=settings) as opened,
            serving(opened, taken),
        ):
            yield opened


@dataclass
class Client:
    """A phone with its browser; `complaints` are what the browser's console said."""

    page: Page
    complaints: list[str]

    async def fill(self, path: str) -> None:
        await self.page.goto(path)
        await self.page.get_by_label("E-mail").fill("client@example.net")
        await self.page.get_by_label("Телефон").fill("89167654321")
        await self.page.get_by_label("Пожелания").fill("без лака")
        await self.page.get_by_label("Даю согласие").check()

    async def send(self) -> None:
        await self.page.get_by_role("button", name="Оплатить").click()
        await self.page.wait_for_url("**/bank/**")

    async def card(self, number: str, code: str = "") -> None:
        await self.page.locator("#number").fill(number)
        await self.page.locator("#expiry").fill("12/30")
        await self.page.locator("#csc").fill("123")
        await self.page.locator("button[type=submit].primary").click()
        if code:
            await self.page.locator("[name=code]").first.fill(code)
            await self.page.locator("button[type=submit].primary").click()


@contextlib.asynccontextmanager
async def phone(browser: Browser, world: World, *, scripts: bool = True) -> AsyncIterator[Client]:
    context: BrowserContext = await browser.new_context(
        viewport={"width": 360, "height": 740},
        locale="ru-RU",
        base_url=world.ctx.settings.base_url,
        java_script_enabled=scripts,
    )
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield Client(page, complaints)
    await context.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
async def test_a_client_pays_on_a_phone(browser: Browser, world: World, scripts: bool) -> None:
    made = await world.invoice()
    async with phone(browser, world, scripts=scripts) as client:
        await client.fill(f"/i/{made.token}")
        await client.send()
        await client.card(MIR_WITH_CODE, "1234")
        await client.page.wait_for_url("**/r/*")
        await expect(client.page.get_by_role("heading", name="Оплачено")).to_be_visible()
        shop = client.page.get_by_role("link", name="Вернуться в магазин")
        await expect(shop).to_have_attribute("href", "https://vk.me/studio")
        printing = client.page.get_by_text("Распечатать")
        await expect(printing).to_be_visible(visible=scripts)
        assert client.complaints == []


async def test_a_declined_client_tries_another_card_with_the_same_answers(
    browser: Browser, world: World
) -> None:
    made = await world.invoice()
    async with phone(browser, world) as client:
        await client.fill(f"/i/{made.token}")
        await client.send()
        await client.card(NO_MONEY)
        await client.page.get_by_role("link", name="Вернуться к продавцу").click()
        await expect(client.page.get_by_text("На карте не хватает денег")).to_be_visible()
        await expect(client.page.get_by_label("E-mail")).to_have_value("client@example.net")
        await expect(client.page.get_by_label("Телефон")).to_have_value("+7 916 765-43-21")
        await client.page.get_by_label("Даю согласие").check()
        await client.send()
        await client.card(MIR_WITH_CODE, "1234")
        await client.page.wait_for_url("**/r/*")
        assert client.complaints == []


async def test_the_waiting_page_goes_on_by_itself(browser: Browser, world: World) -> None:
    made = await world.invoice()
    async with phone(browser, world) as client:
        await client.fill(f"/i/{made.token}")
        await client.send()
        bank = client.page.url
        await client.page.goto(f"/i/{made.token}")
        await client.page.get_by_role("link", name="Проверить результат").click()
        await expect(client.page.get_by_text("Ждём подтверждения банка")).to_be_visible()
        await client.page.reload()
        await expect(client.page.get_by_text("Ждём подтверждения банка")).to_be_visible()
        await world.pay_at_bank(bank.split("?")[0].rpartition("/")[2])
        await client.page.wait_for_url("**/r/*", timeout=10_000)
        assert client.complaints == []


async def test_a_double_tap_and_the_back_button_leave_one_unfinished_payment(
    browser: Browser, world: World
) -> None:
    made = await world.invoice()
    async with phone(browser, world) as client:
        await client.fill(f"/i/{made.token}")
        await client.page.get_by_role("button", name="Оплатить").dblclick(no_wait_after=True)
        await client.page.wait_for_url("**/bank/**")
        await client.page.go_back()
        await expect(client.page.get_by_label("E-mail")).to_have_value("client@example.net")
        await client.page.get_by_label("Даю согласие").check()
        await client.send()
        found = await payments.listing(world.ctx, world.member, invoice_id=made.id)
        assert len(found.data) == 1


async def test_a_wrong_field_is_in_sight_and_has_the_focus(browser: Browser, world: World) -> None:
    made = await world.invoice()
    async with phone(browser, world) as client:
        await client.fill(f"/i/{made.token}")
        await client.page.get_by_label("Телефон").fill("8916123456")
        await client.page.get_by_role("button", name="Оплатить").click()
        wrong = client.page.get_by_label("Телефон")
        await expect(wrong).to_be_focused()
        await expect(wrong).to_have_accessible_description(
            "Номер короче, чем нужно: в российском номере 11 цифр."
        )
        await expect(wrong).to_have_value("8916123456")
        assert await client.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
