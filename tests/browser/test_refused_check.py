"""A button that htmx sends: a refusal is shown, although htmx drops responses with errors."""

import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from playwright.async_api import Browser, Page, expect

from sigma.store.encryption import Cipher
from sigma_sandbox.app import Sandbox
from sigma_sandbox.server import bind
from tests.web.checkout_harness import serve_checkout
from tests.world import TestSettings, World, open_world


@pytest.fixture
async def bound_socket() -> AsyncIterator[socket.socket]:
    with bind("127.0.0.1", 0) as sock:
        yield sock


@pytest.fixture
async def world(
    sqlite_database_url: str, sandbox: Sandbox, bound_socket: socket.socket
) -> AsyncIterator[World]:
    """A served shop whose acquirer secret is encrypted with a key that is lost."""
    settings = TestSettings(base_url=f"http://127.0.0.1:{bound_socket.getsockname()[1]}")
    async with open_world(sqlite_database_url, sandbox, settings=settings) as opened:
        opened.ctx = replace(opened.ctx, cipher=Cipher(["a key that has encrypted nothing here"]))
        async with serve_checkout(opened, bound_socket):
            yield opened


async def open_connection(page: Page, world: World) -> None:
    """Sign in and open the page of the acquirer connection."""
    app = world.ctx.settings.base_url
    await page.goto(f"{app}/sign-in?next=/settings/connections/{world.connection.id}")
    await page.locator("[name=login]").fill("owner@example.org")
    await page.locator("[name=password]").fill(world.password)
    await page.get_by_role("button", name="Войти").click()
    await page.wait_for_url("**/settings/connections/con_*")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
async def test_check_that_is_refused_shows_the_reason(
    browser: Browser, world: World, scripts: bool
) -> None:
    context = await browser.new_context(locale="ru-RU", java_script_enabled=scripts)
    page = await context.new_page()
    await open_connection(page, world)
    await expect(page.get_by_text("Не удалось расшифровать ключ эквайера")).to_be_visible()
    await page.get_by_role("button", name="Проверить", exact=True).click()
    await page.wait_for_url("**/check")
    await expect(page.get_by_role("heading", name="Нельзя прочитать данные")).to_be_visible()
    await context.close()
