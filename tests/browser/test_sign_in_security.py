"""Signing in with passkeys and codes, recovery, reset and sessions in Chromium, on both sizes."""

import asyncio
import itertools
import re
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.demo import Demo, printed_code, running_serve
from tests.browser.virtual_authenticator import add_authenticator
from tests.browser.waiting import wait_until
from tests.browser.windows import DESKTOP, PHONE, Window, open_window

PASSWORD, NEW_PASSWORD = "три случайных слова", "другие случайные слова"
_numbers = itertools.count(1)
SIZES = {"phone": PHONE, "desktop": DESKTOP}

SECRET_KEY = secrets.token_urlsafe(36)


@dataclass(frozen=True)
class Installation:
    """A running `sigma serve` with an owner; passkeys work at `localhost`."""

    url: str
    login: str
    database: Path


@pytest.fixture
async def installation(tmp_path: Path, demo: Demo) -> AsyncIterator[Installation]:
    """Run `sigma serve` with the mailbox of the demo, and create the owner."""
    login = f"anna-{next(_numbers)}@example.org"
    smtp_port = int(demo.app_url.rpartition(":")[2]) + 25
    settings = {
        "SIGMA_DATABASE_URL": f"sqlite:///{tmp_path / 'sigma.db'}",
        "SIGMA_SECRET_KEY": SECRET_KEY,
        "SIGMA_SMTP_URL": f"smtp://127.0.0.1:{smtp_port}",
    }
    async with running_serve(tmp_path, settings) as app, httpx.AsyncClient() as http:
        form = {
            "code": printed_code(tmp_path),
            "shop_name": "Студия Анны",
            "name": "Анна",
            "login": login,
        }
        response = await http.post(
            f"{app}/start", data=form | {"password": PASSWORD, "locale": "ru"}
        )
        assert response.status_code == 303, response.text
        yield Installation(app.replace("127.0.0.1", "localhost"), login, tmp_path / "sigma.db")


@pytest.fixture(params=SIZES)
async def person(
    browser: Browser,
    installation: Installation,
    screenshots_dir: Path,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Window]:
    """A window of the owner, not signed in."""
    name = request.node.name
    async with open_window(
        browser,
        screenshots_dir,
        name,
        SIZES[request.param],
        base_url=installation.url,
        expected_statuses={403},  # the page that asks for a proof of identity
    ) as window:
        yield window


async def sign_in(page: Page, login: str, password: str = PASSWORD) -> None:
    await page.goto("/sign-in")
    await page.locator("[name=login]").fill(login)
    await page.locator("[name=password]").fill(password)
    await page.get_by_role("button", name="Войти", exact=True).click()


async def add_app(person: Window) -> tuple[str, list[str]]:
    """Connect an authenticator app; return its secret and the recovery codes."""
    page = person.page
    await page.goto("/settings/access")
    await page.get_by_role("button", name="Подключить приложение").click()
    await person.check_page("app")
    await page.get_by_text("Ввести вручную").click()
    secret = (await page.locator("form p.mono").inner_text()).replace(" ", "")
    await page.get_by_label("Код, который показало приложение").fill(pyotp.TOTP(secret).now())
    await page.get_by_role("button", name="Подключить", exact=True).click()
    await expect(page.get_by_role("heading", name="Резервные коды")).to_be_visible()
    await person.check_page("recovery-codes")
    codes = await page.locator(".recovery-codes li").all_inner_texts()
    await page.get_by_role("link", name="Коды сохранены").click()
    return secret, codes


async def current_code(installation: Installation, secret: str) -> str:
    """Return a code that is valid for a few seconds more, even if it was used to add the app."""
    with closing(sqlite3.connect(installation.database, timeout=10)) as database, database:
        database.execute("UPDATE authenticator_apps SET last_step = 0")
    rest_s = 30 - time.time() % 30
    if rest_s < 8:
        await asyncio.sleep(rest_s)  # nothing happens until then: the clock itself is awaited
    return pyotp.TOTP(secret).now()


async def test_passkey_is_added_and_signs_in_without_a_password(
    person: Window, installation: Installation
) -> None:
    page = person.page
    authenticator = await add_authenticator(page)
    await sign_in(page, installation.login)
    await page.goto("/settings/access")
    await person.check_page("security")
    await page.get_by_role("textbox", name="Название").fill("Телефон")
    await page.get_by_role("button", name="Добавить ключ доступа").click()
    await expect(page.get_by_role("heading", name="Резервные коды")).to_be_visible()
    assert await authenticator.count_passkeys() == 1
    await page.get_by_role("link", name="Коды сохранены").click()
    await expect(page.locator("#passkeys").get_by_text("Телефон", exact=True)).to_be_visible()
    await person.check_page("security-passkey")
    await page.goto("/settings")
    await page.locator("main").get_by_role("button", name="Выйти").click()
    await page.wait_for_url("**/sign-in")
    await person.check_page("sign-in")
    await page.get_by_role("button", name="Вход по ключу доступа").click()
    await page.wait_for_url(f"{installation.url}/")
    await page.goto("/settings")
    await page.locator("main").get_by_role("button", name="Выйти").click()
    await page.wait_for_url("**/sign-in")
    await authenticator.set_user_verified(False)
    await page.get_by_role("button", name="Вход по ключу доступа").click()
    await expect(page.get_by_text("Не получилось")).to_be_visible()
    await person.check_page("sign-in-cancelled")
    await authenticator.set_user_verified(True)
    await sign_in(page, installation.login)
    await page.wait_for_url("**/sign-in/second-factor")
    await person.check_page("second-step-passkey")
    await page.get_by_role("button", name="Использовать ключ доступа").click()
    await page.wait_for_url(f"{installation.url}/")


async def test_app_and_recovery_code_are_the_second_step(
    person: Window, installation: Installation
) -> None:
    page = person.page
    await sign_in(page, installation.login)
    secret, codes = await add_app(person)
    await person.check_page("security-app")
    for uses_app in (True, False):
        await page.context.clear_cookies()
        await sign_in(page, installation.login)
        await page.wait_for_url("**/sign-in/second-factor")
        await person.check_page("second-step")
        await page.locator("[name=code]").fill("000000")
        await page.get_by_role("button", name="Продолжить").click()
        await expect(page.get_by_text("Код неверный")).to_be_visible()
        await person.check_page("second-step-wrong")
        proof = await current_code(installation, secret) if uses_app else codes[0]
        await page.locator("[name=code]").fill(proof)
        await page.get_by_role("button", name="Продолжить").click()
        await page.wait_for_url(f"{installation.url}/")
    await page.goto("/settings/access")
    await expect(page.get_by_text("Осталось 9 кодов")).to_be_visible()


async def test_forgotten_password_is_replaced_by_a_link_and_the_second_step_stays(
    person: Window, installation: Installation, demo: Demo
) -> None:
    page = person.page
    await sign_in(page, installation.login)
    _, codes = await add_app(person)
    await page.context.clear_cookies()
    await page.goto("/sign-in")
    await page.get_by_role("link", name="Забыли пароль?").click()
    await person.check_page("reset")
    await page.locator("[name=login]").fill(installation.login)
    await page.get_by_role("button", name="Отправить ссылку").click()
    await expect(page.get_by_text("письмо уже в пути")).to_be_visible()
    await person.check_page("reset-requested")
    await page.goto(await reset_link(demo, installation))
    await person.check_page("reset-password")
    await page.locator("[name=new]").fill("1234567890")
    await page.get_by_role("button", name="Сохранить пароль").click()
    await expect(page.get_by_text("слишком распространён")).to_be_visible()
    await person.check_page("reset-password-wrong")
    link = page.url
    await page.locator("[name=new]").fill(NEW_PASSWORD)
    await page.get_by_role("button", name="Сохранить пароль").click()
    await expect(page.get_by_text("Пароль изменён. Войдите с новым")).to_be_visible()
    await person.check_page("sign-in-after-reset")
    await sign_in(page, installation.login, NEW_PASSWORD)
    await page.wait_for_url("**/sign-in/second-factor")
    await page.locator("[name=code]").fill(codes[1])
    await page.get_by_role("button", name="Продолжить").click()
    await page.wait_for_url(f"{installation.url}/")
    async with httpx.AsyncClient() as http:
        assert (await http.get(link)).status_code == 404, "the link works once"


async def reset_link(demo: Demo, installation: Installation) -> str:
    """Return the path of the link in the mail."""
    found: list[Mapping[str, Any]] = []

    async def has_arrived() -> bool:
        mails = await demo.list_mails(installation.login)
        found[:] = [mail for mail in mails if mail["subject"] == "Новый пароль для Sigma"]
        return bool(found)

    await wait_until(has_arrived)
    match = re.search(r"/sign-in/reset/[\w-]{43}", found[0]["text"])
    assert match
    return match[0]


async def test_session_of_another_device_is_found_and_ended(
    person: Window, installation: Installation, browser: Browser, screenshots_dir: Path
) -> None:
    page = person.page
    await sign_in(page, installation.login)
    async with open_window(
        browser, screenshots_dir, "other-device", DESKTOP, base_url=installation.url
    ) as other:
        await sign_in(other.page, installation.login)
        await other.page.wait_for_url(f"{installation.url}/")
        await page.goto("/settings/access#sessions")
        sessions = page.locator("#sessions li")
        await expect(sessions).to_have_count(3)  # with the one of the set-up
        await person.check_page("sessions")
        device = sessions.filter(has_text="Chrome").filter(has_not_text="Это устройство")
        await device.get_by_role("button", name="Завершить").click()
        await expect(page.get_by_text("Вход завершён")).to_be_visible()
        await expect(sessions).to_have_count(2)
        await other.page.goto("/")
        await other.page.wait_for_url("**/sign-in")


async def test_important_step_asks_for_the_password_and_keeps_the_form(
    person: Window, installation: Installation
) -> None:
    page = person.page
    await sign_in(page, installation.login)
    await page.wait_for_url(f"{installation.url}/")
    await page.goto("/settings/keys")
    await page.get_by_label("Название").fill("Бот «записи»")
    await page.locator("[name=scope]").first.check()
    make_sessions_stale(installation)
    await page.get_by_role("button", name="Создать ключ").click()
    await expect(page.get_by_role("heading", name="Подтвердите, что это вы")).to_be_visible()
    await person.check_page("confirm")
    await page.get_by_label("Пароль", exact=True).fill("не тот пароль")
    await page.get_by_role("button", name="Продолжить").click()
    await expect(page.get_by_text("Текущий пароль неверный")).to_be_visible()
    await person.check_page("confirm-wrong")
    await page.get_by_label("Пароль", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Продолжить").click()
    await expect(page.get_by_text("Ключ создан")).to_be_visible()
    await page.get_by_role("link", name="Ключ сохранён").click()
    await expect(page.get_by_text("Бот «записи»", exact=True)).to_be_visible()


async def test_second_step_and_confirmation_work_without_scripts(
    installation: Installation, browser: Browser, screenshots_dir: Path
) -> None:
    async with open_window(
        browser,
        screenshots_dir,
        "no-scripts",
        PHONE,
        base_url=installation.url,
        java_script_enabled=False,
        expected_statuses={403},
    ) as person:
        page = person.page
        await sign_in(page, installation.login)
        await page.goto("/settings/access")
        await expect(page.get_by_text("включите в браузере скрипты")).to_be_visible()
        await page.get_by_role("button", name="Подключить приложение").click()
        await page.get_by_text("Ввести вручную").click()
        secret = (await page.locator("form p.mono").inner_text()).replace(" ", "")
        await page.get_by_label("Код, который показало приложение").fill(pyotp.TOTP(secret).now())
        await page.get_by_role("button", name="Подключить", exact=True).click()
        await expect(page.locator(".recovery-codes li")).to_have_count(10)
        await page.context.clear_cookies()
        await sign_in(page, installation.login)
        await page.locator("[name=code]").fill(await current_code(installation, secret))
        await page.get_by_role("button", name="Продолжить").click()
        await page.wait_for_url(f"{installation.url}/")
        await page.goto("/settings/keys")
        await page.get_by_label("Название").fill("Касса")
        await page.locator("[name=scope]").first.check()
        make_sessions_stale(installation)
        await page.get_by_role("button", name="Создать ключ").click()
        await page.get_by_label("Пароль", exact=True).fill(PASSWORD)
        await page.get_by_role("button", name="Продолжить").click()
        await expect(page.get_by_text("Ключ создан")).to_be_visible()


def make_sessions_stale(installation: Installation) -> None:
    """Let the last proof of identity be long ago, as after ten minutes."""
    with closing(sqlite3.connect(installation.database, timeout=10)) as database, database:
        database.execute("UPDATE sessions SET authenticated_at_us = 1")
