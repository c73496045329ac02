"""The client's view of VKontakte on a phone: services, a dialog that lives, buttons that work."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, Page, expect

from sigma_sandbox.app import Sandbox
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.world.models import Community
from sigma_sandbox.vk.world.pictures import draw_photo
from tests.browser.windows import DESK, window

PAY = "pay.example"
OWNER = 1001
LONG = "Превосходительнейшее-многочасовое-наращивание с дизайном каждого ногтя и уходом, " * 2
BUTTONS = {
    "inline": True,
    "buttons": [
        [
            {
                "action": {
                    "type": "open_link",
                    "label": "Оплатить 2 200 ₽",
                    "link": f"https://{PAY}/i",
                }
            }
        ],
        [
            {"action": {"type": "callback", "label": "Проверить", "payload": '{"cmd":"check"}'}},
            {"action": {"type": "text", "label": "Вопрос", "payload": '{"cmd":"ask"}'}},
        ],
    ],
}


@dataclass(frozen=True)
class Studio:
    """A community whose program answers every pressed button at once."""

    vk: Vk
    club: Community
    base: str

    def says(self, text: str, **more: Any) -> None:
        person = self.vk.clients()[0]
        self.vk.add_message(self.club.id, person.id, out=True, text=text, **more)

    def heard(self) -> list[tuple[str, str | None, str | None]]:
        said = self.vk.messages(self.club.id, self.vk.clients()[0].id)
        return [(m.text, m.payload, m.ref) for m in said if not m.out]


@pytest.fixture
async def studio(sandbox: Sandbox) -> AsyncIterator[Studio]:
    vk = sandbox.vk
    club = vk.add_community(
        "Студия «Вечер»",
        OWNER,
        description="Маникюр у метро",
        messages=True,
        bots_capabilities=True,
        services=True,
    )
    for title, more in (("Маникюр", {"price": 220_000}), (LONG, {"price_type": 3})):
        photo = vk.add_picture(-club.id, *draw_photo("#7c6bb0"))
        vk.add_item(club.id, title, "Полтора часа.", service=True, photo_ids=[photo.id], **more)

    def answer(told: Community, event: str, thing: dict[str, Any]) -> None:
        if told.id == club.id and event == "message_event":
            words = {"type": "show_snackbar", "text": "Деньги ещё не пришли"}
            vk.put_press(replace(vk.presses[thing["event_id"]], answer=words))

    vk.on_event.append(answer)
    yield Studio(vk, club, f"{sandbox.base_url}/vk")
    vk.on_event.remove(answer)


async def send(page: Page, words: str) -> None:
    await page.get_by_label("Сообщение", exact=True).fill(words)
    await page.get_by_role("button", name="Отправить").click()
    await expect(page.locator(".vk-message.mine").last).to_contain_text(words)


async def test_a_client_leafs_services_writes_and_presses_buttons(
    browser: Browser, studio: Studio, pictures: Path
) -> None:
    async with window(browser, pictures, "vk-client", shops=[PAY]) as client:
        page = client.page
        await page.goto(f"{studio.base}/")
        await client.look("home")
        await page.get_by_role("link", name=studio.club.name).last.click()
        await client.look("club")
        await page.get_by_role("link", name="Маникюр").click()
        await page.get_by_role("link", name="Превосходительнейшее").click()
        await client.look("service")
        await page.get_by_role("link", name="Маникюр").click()
        await page.get_by_role("link", name="Написать об услуге").click()
        await client.look("dialog-with-service")
        await send(page, "Есть время вечером?")
        await expect(page.locator("#attached")).to_have_count(0)
        studio.says("Есть в семь. Счёт:", keyboard=BUTTONS)
        pay = page.get_by_role("link", name="Оплатить 2 200 ₽")
        await expect(pay).to_be_visible()
        await page.get_by_role("button", name="Проверить").click()
        await expect(page.get_by_role("status")).to_have_text("Деньги ещё не пришли")
        await page.get_by_role("button", name="Вопрос").click()
        await expect(page.locator(".vk-message.mine").last).to_contain_text("Вопрос")
        await client.look("dialog")
        async with page.expect_popup() as opening:
            await pay.click()
        opened = await opening.value
        await opened.wait_for_load_state()
        assert opened.url == f"https://{PAY}/i"
    assert studio.heard() == [
        ("Есть время вечером?", None, None),
        ("Вопрос", '{"cmd":"ask"}', None),
    ]


async def test_a_link_with_ref_leads_into_the_dialog_with_keys_only(
    browser: Browser, studio: Studio, pictures: Path
) -> None:
    club = replace(studio.vk.communities[studio.club.id], bots_start_button=True)
    studio.vk.put_community(club)
    async with window(browser, pictures, "vk-ref", size=DESK) as client:
        page = client.page
        await page.goto(f"{studio.base}/me/{club.screen_name}?ref=svc_1&ref_source=post")
        await client.look("empty")
        start = page.get_by_role("button", name="Начать")
        await start.focus()
        await page.keyboard.press("Enter")
        await expect(start).to_have_count(0)
        text = page.get_by_label("Сообщение", exact=True)
        await text.focus()
        await page.keyboard.type("Здравствуйте")
        await page.keyboard.press("Enter")
        await expect(page.locator(".vk-message.mine").last).to_contain_text("Здравствуйте")
        await expect(text).to_be_focused()
        await expect(text).to_have_value("")
        await client.look("written")
    assert studio.heard() == [
        ("Начать", '{"command":"start"}', "svc_1"),
        ("Здравствуйте", None, None),
    ]


async def test_an_owner_makes_a_key_without_scripts(
    browser: Browser, studio: Studio, pictures: Path
) -> None:
    async with window(browser, pictures, "vk-owner", java_script_enabled=False) as owner:
        page = owner.page
        await page.goto(f"{studio.base}/club{studio.club.id}/manage")
        await owner.look("manage")
        await page.get_by_label("Описание").fill("Маникюр и тишина")
        await page.get_by_role("button", name="Сохранить описание").click()
        await expect(page.get_by_role("status")).to_have_text("Описание сохранено.")
        await page.get_by_role("link", name="Ключи доступа").click()
        await page.get_by_label("Товары").check()
        await page.get_by_role("button", name="Создать ключ").click()
        key = await page.locator(".vk-token-value").first.input_value()
        await owner.look("tokens")
    token = studio.vk.tokens[key]
    assert (token.group_id, token.rights) == (
        studio.club.id,
        ["manage", "messages", "photos", "market"],
    )
    assert studio.vk.communities[studio.club.id].description == "Маникюр и тишина"
