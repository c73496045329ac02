"""Push in Chromium: the button subscribes, the message is encrypted, the worker displays it.

Chromium subscribes only at Google's own service, so `PushManager.subscribe` gives the subscription
of a service on this machine; what that service gets is decrypted and handed to the real service
worker, as the browser does with it.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, CDPSession, Page, expect

from sigma.domain.notifications.kind import Way
from sigma.services.notifications import settings
from tests.push_service import PushBrowser, PushService, open_push_service
from tests.services.live_server import serve_sigma
from tests.vk_world import VkWorld

NOTIFICATIONS = "navigator.serviceWorker.ready.then((r) => r.getNotifications())"


@pytest.fixture
async def push_service() -> AsyncIterator[PushService]:
    """A push service on this machine."""
    async with open_push_service() as opened:
        yield opened


@asynccontextmanager
async def open_cabinet(
    browser: Browser, world: VkWorld, width: int, device: PushBrowser
) -> AsyncIterator[tuple[Page, str]]:
    """Open the notification page, signed in as the owner, in a browser that can subscribe."""
    async with serve_sigma(world) as ctx:
        url = ctx.settings.base_url
        context = await browser.new_context(
            viewport={"width": width, "height": 800}, locale="ru-RU", base_url=url
        )
        await context.grant_permissions(["notifications"], origin=url)
        p256dh, auth = device.keys
        subscription = {"endpoint": device.endpoint, "keys": {"p256dh": p256dh, "auth": auth}}
        await context.add_init_script(
            "PushManager.prototype.subscribe = async (options) => {"
            " sessionStorage.pushKey = options.applicationServerKey.length;"
            f" return {{ toJSON: () => ({json.dumps(subscription)}) }}; }};"
        )
        page = await context.new_page()
        await page.goto("/sign-in")
        await page.locator("[name=login]").fill("owner@example.org")
        await page.locator("[name=password]").fill(world.password)
        await page.locator("button.primary").click()
        await page.wait_for_url(f"{url}/")
        await page.goto("/settings/notifications")
        yield page, url
        await context.close()


async def deliver(cdp: CDPSession, url: str, payload: dict[str, Any]) -> None:
    """Give a message to the service worker, as the browser does after decrypting it."""
    registration_id: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def remember(event: dict[str, Any]) -> None:
        for one in event["registrations"]:
            if one["scopeURL"] == f"{url}/" and not registration_id.done():
                registration_id.set_result(one["registrationId"])

    cdp.on("ServiceWorker.workerRegistrationUpdated", remember)
    await cdp.send("ServiceWorker.enable")
    message = {
        "origin": url,
        "registrationId": await asyncio.wait_for(registration_id, 10),
        "data": json.dumps(payload),
    }
    await cdp.send("ServiceWorker.deliverPushMessage", message)
    await cdp.send("ServiceWorker.disable")


async def displayed(page: Page) -> list[dict[str, Any]]:
    """Return the notifications that the browser displays."""
    fields = "({title: n.title, body: n.body, url: n.data.url})"
    found: list[dict[str, Any]] = await page.evaluate(
        f"{NOTIFICATIONS}.then((all) => all.map((n) => {fields}))"
    )
    return found


@pytest.mark.parametrize("width", [360, 1440])
async def test_push_is_switched_on_and_displayed_once(
    browser: Browser, vk_world: VkWorld, push_service: PushService, width: int
) -> None:
    device = push_service.new_browser()
    async with open_cabinet(browser, vk_world, width, device) as (page, url):
        await page.get_by_role("button", name="Включить в этом браузере").click()
        await expect(page.get_by_text("Уведомления в этом браузере включены")).to_be_visible()
        assert await page.evaluate("sessionStorage.pushKey") == "65"
        await expect(page.locator("[name=payment_received-push]")).to_be_checked()
        await page.locator("#way-push").get_by_role("button", name="Проверить").click()
        await expect(page.get_by_text("Браузер: принято. Ответ: HTTP 201")).to_be_visible()
        await vk_world.complete_payment()
        await vk_world.run_jobs()
        _, payload = push_service.payloads(device)
        cdp = await page.context.new_cdp_session(page)
        await deliver(cdp, url, payload)
        await deliver(cdp, url, payload)  # a repeated message has the same tag
        await page.wait_for_function(f"{NOTIFICATIONS}.then((all) => all.length)")
        assert await displayed(page) == [
            {
                "title": "Деньги пришли: 1\u00a0500,00\u00a0₽",
                "body": "Счёт № 1\nСтудия",
                "url": payload["url"],
            }
        ]
        overflow = "document.documentElement.scrollWidth - innerWidth"
        assert await page.evaluate(overflow) <= 0


async def test_signature_names_this_server_and_the_key_of_the_page(
    browser: Browser, vk_world: VkWorld, push_service: PushService
) -> None:
    device = push_service.new_browser()
    async with open_cabinet(browser, vk_world, 920, device) as (page, _):
        current = await settings.get(vk_world.ctx, vk_world.member)
        await page.get_by_role("button", name="Включить в этом браузере").click()
        await expect(page.get_by_text("Уведомления в этом браузере включены")).to_be_visible()
        await settings.send_test(vk_world.ctx, vk_world.member, Way.PUSH)
        (request,) = push_service.requests
        claims = request.claims
        assert claims["aud"] == push_service.origin
        assert claims["key"] == current.push_key
        assert claims["sub"] == "mailto:sigma@example.com"
        now_s = vk_world.ctx.now_us() // 1_000_000
        assert now_s < claims["exp"] <= now_s + 24 * 3600
        assert request.headers["content-encoding"] == "aes128gcm"
        assert request.headers["ttl"] == "86400"


async def test_denied_permission_is_explained(
    browser: Browser, vk_world: VkWorld, push_service: PushService
) -> None:
    device = push_service.new_browser()
    async with open_cabinet(browser, vk_world, 360, device) as (page, _):
        await page.context.clear_permissions()
        await page.evaluate("Notification.requestPermission = async () => 'denied'")
        await page.get_by_role("button", name="Включить в этом браузере").click()
        await expect(page.locator("[data-push-error]")).to_contain_text("Браузер запретил")


async def test_unread_count_is_in_title_and_icon_and_sounds_on_request(
    browser: Browser, vk_world: VkWorld, push_service: PushService
) -> None:
    device = push_service.new_browser()
    async with open_cabinet(browser, vk_world, 1440, device) as (page, _):
        await page.get_by_label("Звук на открытой странице").check()
        await page.get_by_role("button", name="Сохранить").click()
        await expect(page.get_by_text("Настройки уведомлений сохранены")).to_be_visible()
        await expect(page).to_have_title("Уведомления · Студия")
        await page.goto("/inbox")
        await page.locator("body").click()
        await page.wait_for_function(
            "performance.getEntriesByName(location.origin + '/inbox/unread').length > 0"
        )
        await vk_world.write_as_client("Здравствуйте")
        await vk_world.poll_events()
        await expect(page).to_have_title("(1) Диалоги · Студия")
        await expect(page.locator("link[data-favicon]")).to_have_attribute("type", "image/png")
        await expect(page.locator("html")).to_have_attribute("data-sounds-played", "1")


async def test_manifest_and_icons_make_the_cabinet_installable(
    browser: Browser, vk_world: VkWorld, push_service: PushService
) -> None:
    async with open_cabinet(browser, vk_world, 360, push_service.new_browser()) as (page, url):
        cdp = await page.context.new_cdp_session(page)
        found = await cdp.send("Page.getAppManifest")
        assert found["errors"] == []
        manifest = json.loads(found["data"])
        assert manifest["start_url"] == "/"
        for one in manifest["icons"]:
            response = await page.request.get(f"{url}{one['src']}")
            assert response.status == 200
        problems = await cdp.send("Page.getInstallabilityErrors")
        assert [one["errorId"] for one in problems["installabilityErrors"]] in (
            [],
            ["in-incognito"],
        )
