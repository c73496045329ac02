"""A community from scratch: a key made at VK, pasted, confirmed, and the checklist passed."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import DESK, PHONE, Window, window

EMPTY = "Мастерская Зари"


@dataclass(frozen=True)
class Club:
    """A new community, and its owner's own browser at VK."""

    page: Page
    address: str


@pytest.fixture
async def club(browser: Browser, demo: Demo) -> AsyncIterator[Club]:
    """The owner makes a community at VK; everything in it is off."""
    context = await browser.new_context(locale="ru-RU")
    page = await context.new_page()
    await page.goto(f"{demo.told['sandbox_url']}/vk/create")
    await page.get_by_label("Название").fill(EMPTY)
    await page.get_by_role("button", name="Создать").click()
    await page.wait_for_url("**/manage")
    yield Club(page, page.url.removesuffix("/manage"))
    await context.close()


async def make_key(club: Club, *rights: str) -> str:
    """Makes an access key on VK's own page, with these rights ticked."""
    page = club.page
    await page.goto(f"{club.address}/tokens")
    for right in ("manage", "messages", "photos", "market"):
        box = page.locator(f"#new-key [name={right}]")
        await box.set_checked(right in rights, force=True)
    await page.get_by_role("button", name="Создать ключ").click()
    return await page.get_by_label("Новый ключ").input_value()


async def fill_in_vk(club: Club) -> None:
    """What only the owner can do there: avatar and contact."""
    page = club.page
    await page.goto(f"{club.address}/manage")
    await page.locator("#avatar [name=drawn]").first.check(force=True)
    await page.get_by_role("button", name="Сохранить аватар").click()
    await page.locator("#contact [name=phone]").fill("+7 900 765-43-21")
    await page.get_by_role("button", name="Сохранить контакт").click()


async def test_a_community_is_connected_from_scratch_and_passes_the_checklist(
    browser: Browser, demo: Demo, pictures: Path, club: Club
) -> None:
    async with window(browser, pictures, "connect", PHONE) as owner:
        page = owner.page
        await steps.sign_in(page, demo)
        await page.goto(f"{demo.app}/settings")
        await owner.look("more")
        await page.get_by_role("link", name="ВКонтакте").click()
        await page.wait_for_url("**/vk")
        await owner.look("list")
        await page.get_by_role("link", name="Подключить сообщество").click()
        await _find_the_place_for_keys(owner, club)
        await _paste(page, "это не ключ")
        await expect(page.locator("#key-error")).to_contain_text("не похоже на ключ")
        await owner.look("guide-wrong")
        await _paste(page, await make_key(club, "messages"))
        await expect(page.get_by_text("С этим ключом не получится")).to_be_visible()
        await owner.look("confirm-missing")
        await page.get_by_role("link", name="Вставить другой ключ").click()
        key = await make_key(club, "manage", "messages", "photos")
        await _paste(page, key)
        await expect(page.get_by_text(EMPTY)).to_be_visible()
        await owner.look("confirm")
        await page.get_by_role("button", name="Подключить", exact=True).click()
        await page.wait_for_url(re.compile(r"/vk/con_\w+$"))
        await expect(page.get_by_text("Осталось проверить")).to_be_visible()
        await expect(page.get_by_text("ВКонтакте отвечает, ключ работает")).to_be_visible()
        assert key not in await page.content()
        await owner.look("connected")
        await _pass_the_checklist(owner, club)
        await _break_and_mend(owner, demo, club)
        await _disconnect(owner)


async def _find_the_place_for_keys(owner: Window, club: Club) -> None:
    page = owner.page
    await owner.look("guide")
    await page.get_by_label("Адрес сообщества").fill(club.address)
    await page.get_by_role("button", name="Показать ссылку").click()
    link = page.get_by_role("link", name="Открыть «Ключи доступа»")
    await expect(link).to_have_attribute("href", f"{club.address}/tokens")


async def _paste(page: Page, key: str) -> None:
    await page.locator("[name=key]").fill(key)
    await page.get_by_role("button", name="Проверить ключ").click()


async def _pass_the_checklist(owner: Window, club: Club) -> None:
    page = owner.page
    point = page.locator("#item-messages")
    await point.get_by_role("button", name="Включить сообщения и ботов").click()
    await expect(point).to_contain_text("Включены")
    await expect(page.locator("#item-bots")).to_contain_text("кнопки под сообщениями работают")
    description = page.get_by_label("Описание сообщества")
    await description.fill("Маникюр на Чистых прудах, каждый день с 10 до 21.")
    await page.get_by_role("button", name="Записать описание").click()
    await expect(page.locator("#item-description")).to_contain_text("Заполнено")
    await page.get_by_role("button", name="Да, услуги включены").click()
    await expect(page.locator("#item-services")).to_contain_text("вы это подтвердили")
    await owner.look("half-done")
    await fill_in_vk(club)
    await page.get_by_role("button", name="Проверить снова").click()
    await expect(page.locator("#list")).to_contain_text("Готово 9 из 9")
    await owner.look("ready")
    await club.page.goto(f"{club.address}/manage")
    await expect(club.page.locator("#description")).to_have_value(re.compile("Чистых прудах"))


async def _break_and_mend(owner: Window, demo: Demo, club: Club) -> None:
    page = owner.page
    await club.page.goto(f"{club.address}/tokens")
    while await club.page.get_by_role("button", name="Отозвать").count():
        await club.page.get_by_role("button", name="Отозвать").first.click()
    await page.get_by_role("button", name="Проверить связь").click()
    await expect(page.locator("#checked")).to_contain_text("Ключ отозван")
    community = page.url.partition("#")[0].partition("?")[0]
    await page.goto(f"{demo.app}/")
    await expect(page.get_by_text(f"«{EMPTY}»: ключ отозван")).to_be_visible()
    await owner.look("bar")
    await page.get_by_role("link", name="Исправить").click()
    await page.wait_for_url(f"{community}#key")
    await owner.look("broken")
    await page.get_by_label("Новый ключ").fill(await make_key(club, "manage", "messages"))
    await page.get_by_role("button", name="Заменить ключ").click()
    await expect(page.get_by_text("Ключ заменён")).to_be_visible()
    await expect(page.locator(".trouble-bar")).to_have_count(0)
    await owner.look("mended")


async def _disconnect(owner: Window) -> None:
    page = owner.page
    await page.locator("summary", has_text="Отключить сообщество").click()
    await owner.look("disconnect")
    await page.get_by_role("button", name="Отключить", exact=True).click()
    await expect(page.get_by_text(f"Сообщество «{EMPTY}» отключено")).to_be_visible()


async def test_a_desk_shows_the_community_of_the_demo(
    browser: Browser, demo: Demo, pictures: Path
) -> None:
    async with window(browser, pictures, "connect-desk", DESK) as owner:
        page = owner.page
        await steps.sign_in(page, demo)
        await page.get_by_role("link", name="ВКонтакте").click()
        await page.locator(".index-one", has_text="Студия «Лак»").click()
        await expect(page.locator("#state img")).to_be_visible()
        await owner.look("demo")
        await page.get_by_text("ВКонтакте шлёт события нам").click()
        await page.get_by_role("button", name="Сохранить способ").click()
        # The demo's address is on this machine, and so is its VK: it can call.
        await expect(page.locator("#delivery")).to_contain_text("сама сообщает нам")
        await owner.look("callback")
        await page.get_by_text("Мы спрашиваем ВКонтакте", exact=True).click()
        await page.get_by_role("button", name="Сохранить способ").click()
        await expect(page.locator("#delivery")).to_contain_text("непрерывно спрашиваем")
