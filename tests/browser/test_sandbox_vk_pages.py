"""The sandbox VK in Chromium: services, a live conversation, keyboard buttons, access keys."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, expect

from sigma_sandbox.app import Sandbox
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.world.images import draw_photo
from sigma_sandbox.vk.world.models import Community
from tests.browser import vk_steps
from tests.browser.windows import DESKTOP, open_window

PAY_HOST = "pay.example"
OWNER = 1001
LONG_TITLE = "Превосходительнейшее-многочасовое-наращивание с дизайном каждого ногтя и уходом, " * 2
KEYBOARD = {
    "inline": True,
    "buttons": [
        [
            {
                "action": {
                    "type": "open_link",
                    "label": "Оплатить 2 200 ₽",
                    "link": f"https://{PAY_HOST}/i",
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
    """A community at the sandbox VK that answers every pressed callback button at once."""

    vk: Vk
    community: Community
    base_url: str

    def send(self, text: str, **more: Any) -> None:
        """Send a message to the first client."""
        person = self.vk.list_clients()[0]
        self.vk.add_message(self.community.id, person.id, is_outgoing=True, text=text, **more)

    def received(self) -> list[tuple[str, str | None, str | None]]:
        """Return text, payload and ref of the first client's messages, oldest first."""
        messages = self.vk.list_messages(self.community.id, self.vk.list_clients()[0].id)
        return [(m.text, m.payload, m.ref) for m in messages if not m.is_outgoing]


@pytest.fixture
async def studio(sandbox: Sandbox) -> AsyncIterator[Studio]:
    vk = sandbox.vk
    community = vk.add_community(
        "Студия «Вечер»",
        OWNER,
        description="Маникюр у метро",
        messages=True,
        bots_capabilities=True,
        services=True,
    )
    for title, more in (("Маникюр", {"price_minor": 220_000}), (LONG_TITLE, {"price_type": 3})):
        photo = vk.add_photo(-community.id, *draw_photo("#7c6bb0"))
        vk.add_item(
            community.id, title, "Полтора часа.", is_service=True, photo_ids=[photo.id], **more
        )

    def answer_press(sender: Community, event: str, event_object: dict[str, Any]) -> None:
        if sender.id == community.id and event == "message_event":
            answer = {"type": "show_snackbar", "text": "Деньги ещё не пришли"}
            vk.put_button_press(replace(vk.button_presses[event_object["event_id"]], answer=answer))

    vk.event_listeners.append(answer_press)
    yield Studio(vk, community, f"{sandbox.base_url}/vk")
    vk.event_listeners.remove(answer_press)


async def test_client_opens_service_writes_and_presses_buttons(
    browser: Browser, studio: Studio, screenshots_dir: Path
) -> None:
    async with open_window(browser, screenshots_dir, "vk-client", shops=[PAY_HOST]) as client:
        page = client.page
        await page.goto(f"{studio.base_url}/")
        await client.check_page("home")
        await page.get_by_role("link", name=studio.community.name).last.click()
        await client.check_page("community")
        await page.get_by_role("link", name="Маникюр").click()
        await page.get_by_role("link", name="Превосходительнейшее").click()
        await client.check_page("service")
        await page.get_by_role("link", name="Маникюр").click()
        await page.get_by_role("link", name="Написать об услуге").click()
        await client.check_page("conversation-with-service")
        await vk_steps.write_as_client(page, "Есть время вечером?")
        await expect(page.locator("#attached")).to_have_count(0)
        studio.send("Есть в семь. Счёт:", keyboard=KEYBOARD)
        pay = page.get_by_role("link", name="Оплатить 2 200 ₽")
        await expect(pay).to_be_visible()
        await page.get_by_role("button", name="Проверить").click()
        await expect(page.get_by_role("status")).to_have_text("Деньги ещё не пришли")
        await page.get_by_role("button", name="Вопрос").click()
        await expect(page.locator(".vk-message.mine").last).to_contain_text("Вопрос")
        await client.check_page("conversation")
        async with page.expect_popup() as popup:
            await pay.click()
        payment_page = await popup.value
        await expect(payment_page).to_have_url(f"https://{PAY_HOST}/i")
    assert studio.received() == [
        ("Есть время вечером?", None, None),
        ("Вопрос", '{"cmd":"ask"}', None),
    ]


async def test_link_with_ref_opens_conversation_usable_by_keyboard(
    browser: Browser, studio: Studio, screenshots_dir: Path
) -> None:
    community = replace(studio.vk.communities[studio.community.id], bots_start_button=True)
    studio.vk.put_community(community)
    async with open_window(browser, screenshots_dir, "vk-ref", size=DESKTOP) as client:
        page = client.page
        await page.goto(f"{studio.base_url}/me/{community.screen_name}?ref=svc_1&ref_source=post")
        await client.check_page("empty")
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
        await client.check_page("message-sent")
    assert studio.received() == [
        ("Начать", '{"command":"start"}', "svc_1"),
        ("Здравствуйте", None, None),
    ]


async def test_owner_creates_access_key_without_javascript(
    browser: Browser, studio: Studio, screenshots_dir: Path
) -> None:
    async with open_window(
        browser, screenshots_dir, "vk-owner", java_script_enabled=False
    ) as owner:
        page = owner.page
        await page.goto(f"{studio.base_url}/club{studio.community.id}/manage")
        await owner.check_page("manage")
        await page.get_by_label("Описание").fill("Маникюр и тишина")
        await page.get_by_role("button", name="Сохранить описание").click()
        await expect(page.get_by_role("status")).to_have_text("Описание сохранено.")
        await page.get_by_role("link", name="Ключи доступа").click()
        await page.get_by_label("Товары").check()
        await page.get_by_role("button", name="Создать ключ").click()
        key = await page.locator(".vk-token-value").first.input_value()
        await owner.check_page("tokens")
    token = studio.vk.access_keys[key]
    assert (token.group_id, token.rights) == (
        studio.community.id,
        ["manage", "messages", "photos", "market"],
    )
    assert studio.vk.communities[studio.community.id].description == "Маникюр и тишина"
