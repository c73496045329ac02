"""Connecting a VK community: access key, confirmation, checklist, revoked key, disconnecting."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import steps, vk_steps
from tests.browser.demo import Demo
from tests.browser.windows import DESKTOP, PHONE, Window, open_window

NAME = "Мастерская Зари"


@dataclass(frozen=True)
class NewCommunity:
    """A new community at the sandbox VK; `page` is its owner's browser there."""

    page: Page
    url: str


@pytest.fixture
async def community(browser: Browser, demo: Demo) -> AsyncIterator[NewCommunity]:
    """Create a community at VK; all its features are off."""
    context = await browser.new_context(locale="ru-RU")
    page = await context.new_page()
    await page.goto(f"{demo.info['sandbox_url']}/vk/create")
    await page.get_by_label("Название").fill(NAME)
    await page.get_by_role("button", name="Создать").click()
    await page.wait_for_url("**/manage")
    yield NewCommunity(page, page.url.removesuffix("/manage"))
    await context.close()


async def make_key(community: NewCommunity, *rights: str) -> str:
    """Create an access key with these rights on VK's page; return the key."""
    page = community.page
    await page.goto(f"{community.url}/tokens")
    for right in ("manage", "messages", "photos", "market"):
        checkbox = page.locator(f"#new-key [name={right}]")
        await checkbox.set_checked(right in rights, force=True)
    await page.get_by_role("button", name="Создать ключ").click()
    return await page.get_by_label("Новый ключ").input_value()


async def test_new_community_is_connected_and_completes_checklist(
    browser: Browser, demo: Demo, screenshots_dir: Path, community: NewCommunity
) -> None:
    async with open_window(browser, screenshots_dir, "connect", PHONE) as owner:
        page = owner.page
        await steps.sign_in(page, demo)
        await page.goto(f"{demo.app_url}/settings")
        await owner.check_page("more")
        await page.get_by_role("link", name="ВКонтакте").click()
        await page.wait_for_url("**/vk")
        await owner.check_page("list")
        await page.get_by_role("link", name="Подключить сообщество").click()
        await _open_access_key_link(owner, community)
        await _paste(page, "это не ключ")
        await expect(page.locator("#key-error")).to_contain_text("не похоже на ключ")
        await owner.check_page("guide-wrong")
        await _paste(page, await make_key(community, "messages"))
        await expect(page.get_by_text("Этому ключу не хватает прав")).to_be_visible()
        await owner.check_page("confirm-missing")
        await page.get_by_role("link", name="Вставить другой ключ").click()
        key = await make_key(community, "manage", "messages", "photos")
        await _paste(page, key)
        await expect(page.get_by_text(NAME)).to_be_visible()
        await owner.check_page("confirm")
        await page.get_by_role("button", name="Подключить", exact=True).click()
        await page.wait_for_url(re.compile(r"/vk/con_\w+$"))
        await expect(page.get_by_text("Проверьте, готово ли оно")).to_be_visible()
        await expect(page.get_by_text("ВКонтакте отвечает, ключ работает")).to_be_visible()
        assert key not in await page.content()
        await owner.check_page("connected")
        await _complete_checklist(owner, community)
        await _revoke_and_replace_key(owner, demo, community)
        await _disconnect(owner)


async def _open_access_key_link(owner: Window, community: NewCommunity) -> None:
    page = owner.page
    await owner.check_page("guide")
    await page.get_by_label("Адрес сообщества").fill(community.url)
    await page.get_by_role("button", name="Показать ссылку").click()
    link = page.get_by_role("link", name="Открыть «Ключи доступа»")
    await expect(link).to_have_attribute("href", f"{community.url}/tokens")


async def _paste(page: Page, key: str) -> None:
    await page.locator("[name=key]").fill(key)
    await page.get_by_role("button", name="Проверить ключ").click()


async def _complete_checklist(owner: Window, community: NewCommunity) -> None:
    page = owner.page
    messages = page.locator("#item-messages")
    await messages.get_by_role("button", name="Включить сообщения и ботов").click()
    await expect(messages).to_contain_text("Включены")
    await expect(page.locator("#item-bots")).to_contain_text("кнопки под сообщениями работают")
    # A checklist older than a minute reloads itself, which would clear the field.
    await expect(page.locator("#list")).not_to_have_attribute("hx-trigger", "load")
    description = page.get_by_label("Описание сообщества")
    await description.fill("Маникюр на Чистых прудах, каждый день с 10 до 21.")
    await page.get_by_role("button", name="Сохранить описание").click()
    await expect(page.locator("#item-description")).to_contain_text("Заполнено")
    await page.get_by_role("button", name="Да, услуги включены").click()
    await expect(page.locator("#item-services")).to_contain_text("вы это подтвердили")
    await owner.check_page("half-done")
    await vk_steps.complete_vk_profile(community.page, community.url)
    await page.get_by_role("button", name="Проверить снова").click()
    await expect(page.locator("#list")).to_contain_text("Готово 9 из 9")
    await owner.check_page("ready")
    await community.page.goto(f"{community.url}/manage")
    await expect(community.page.locator("#description")).to_have_value(re.compile("Чистых прудах"))


async def _revoke_and_replace_key(owner: Window, demo: Demo, community: NewCommunity) -> None:
    page = owner.page
    await community.page.goto(f"{community.url}/tokens")
    revoke = community.page.get_by_role("button", name="Отозвать")
    for left in reversed(range(await revoke.count())):
        await revoke.first.click()
        await expect(revoke).to_have_count(left)
    await page.get_by_role("button", name="Проверить связь").click()
    await expect(page.locator("#checked")).to_contain_text("Ключ отозван")
    community_url = page.url.partition("#")[0].partition("?")[0]
    await page.goto(f"{demo.app_url}/")
    await expect(page.get_by_text(f"«{NAME}»: ключ отозван")).to_be_visible()
    await owner.check_page("key-revoked-bar")
    await page.get_by_role("link", name="Исправить").click()
    await page.wait_for_url(f"{community_url}#key")
    await owner.check_page("broken")
    await page.get_by_label("Новый ключ").fill(await make_key(community, "manage", "messages"))
    await page.get_by_role("button", name="Заменить ключ").click()
    await expect(page.get_by_text("Ключ заменён")).to_be_visible()
    await expect(page.locator(".error-bar")).to_have_count(0)
    await owner.check_page("key-replaced")


async def _disconnect(owner: Window) -> None:
    page = owner.page
    await page.locator("summary", has_text="Отключить сообщество").click()
    await owner.check_page("disconnect")
    await page.get_by_role("button", name="Отключить", exact=True).click()
    await expect(page.get_by_text(f"Сообщество «{NAME}» отключено")).to_be_visible()


async def test_community_page_on_desktop_switches_delivery_method(
    browser: Browser, demo: Demo, screenshots_dir: Path
) -> None:
    async with open_window(browser, screenshots_dir, "connect-desk", DESKTOP) as owner:
        page = owner.page
        await steps.sign_in(page, demo)
        await page.get_by_role("link", name="ВКонтакте").click()
        await page.locator(".index-one", has_text="Студия «Лак»").click()
        await expect(page.locator("#state img")).to_be_visible()
        await owner.check_page("demo")
        await page.get_by_text("Callback", exact=True).click()
        await page.locator("#delivery").get_by_role("button", name="Сохранить").click()
        # Callbacks to a local address work here, because the sandbox VK is on this machine too.
        await expect(page.locator("#delivery")).to_contain_text("сама отправляет нам")
        await owner.check_page("callback")
        await page.get_by_text("Long Poll", exact=True).click()
        await page.locator("#delivery").get_by_role("button", name="Сохранить").click()
        await expect(page.locator("#delivery")).to_contain_text("сама запрашивает новые события")
