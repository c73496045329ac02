"""Messages and VK orders of every shape in Chromium, on a phone and a desktop, light and dark."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from sigma.services.invoice_cards import vk_orders
from sigma_sandbox.app import Sandbox
from tests import vk_shapes
from tests.browser.test_inbox import Inbox, serve
from tests.browser.windows import open_window
from tests.vk_world import open_vk_world


async def receive_everything(inbox: Inbox) -> None:
    """Receive a message of each shape, an incomplete one and a cancelled order."""
    world = inbox.world
    for body in vk_shapes.MESSAGES:
        await world.write_as_client(**body)
    await world.inject_vk_faults(
        vk_error={"on": "messages.getByConversationMessageId", "value": 15}
    )
    photos = [vk_shapes.attachment("doc")] * 5
    await world.write_as_client("Пять файлов", attachments=photos, cropped=True)
    await world.poll_events()
    group = f"communities/{world.group_id}"
    await world.call_vk_test_api(group, market="advanced")
    lines = []
    for title, price in (("Набор кистей для дизайна ногтей", 150_000), ("Пилка", 12_050)):
        item = await world.call_vk_test_api(f"{group}/items", title=title, price=price)
        lines.append([item["item_id"], 2])
    target = {"person_id": world.client_id, "group_id": world.group_id, "lines": lines}
    await world.call_vk_test_api(
        "orders", **target, comment="Позвоните за час", phone="+79001234567", address="Тверская, 1"
    )
    await world.call_vk_test_api("orders", **target, currency="GEL", status=5)
    await world.set_access_key(await world.create_access_key())
    await world.update_community(key_scopes=("manage", "messages", "market"))
    await vk_orders.fetch(world.ctx, world.community_id)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
async def test_messages_and_orders_of_every_shape_are_readable(
    browser: Browser,
    sqlite_database_url: str,
    sandbox: Sandbox,
    screenshots_dir: Path,
    width: int,
    scheme: str,
) -> None:
    size: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    async with open_vk_world(sqlite_database_url, sandbox) as world, serve(world) as inbox:
        await receive_everything(inbox)
        name = f"content-{width}-{scheme}"
        async with open_window(
            browser, screenshots_dir, name, size, shops=("sun1.example",)
        ) as window:
            page = window.page
            await inbox.sign_in(page)
            await page.goto(await inbox.conversation_url())
            bubbles = page.locator("#messages .bubble")
            await expect(bubbles).to_have_count(len(vk_shapes.MESSAGES) + 1)
            await expect(page.get_by_text("Денежный перевод: 2 500 руб.")).to_be_visible()
            await expect(page.get_by_text("Сообщение показано не полностью.")).to_be_attached()
            await window.check_page("end")
            for number in (3, 1):
                await bubbles.nth(number).scroll_into_view_if_needed()
                await page.screenshot(path=screenshots_dir / f"{name}-{number}.png")
            if width == 360:
                await page.goto(f"{page.url}#side-panel")
            await page.locator(".order").first.scroll_into_view_if_needed()
            await expect(page.locator(".order")).to_have_count(2)
            await expect(page.get_by_role("link", name="Счёт по заказу")).to_have_count(1)
            await window.check_page("orders")
