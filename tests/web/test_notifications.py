"""The page «Уведомления»: what each role can choose, saving, tests, the bot, installable app."""

import json
import re

import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.limits import NOTIFICATION_TESTS
from sigma.domain.notifications.kind import Kind, Way
from sigma.services.notifications import settings
from tests.people import PASSWORD, add_person
from tests.vk_world import VkWorld
from tests.web.cabinet_harness import (
    CabinetBrowser,
    field_error,
    open_browser,
    visible_text,
)

URL = "/settings/notifications"
FORM = {
    "payment_received-email": "1",
    "client_message-telegram": "1",
    "quiet": "1",
    "quiet_from": "23:30",
    "quiet_until": "07:15",
    "quiet_tz": "Asia/Yekaterinburg",
    "digest": "15",
    "sound": "1",
}


async def test_choices_are_saved_and_displayed(
    vk_world: VkWorld, vk_owner_browser: CabinetBrowser
) -> None:
    response = await vk_owner_browser.submit(URL, **FORM)
    assert response.status_code == 303
    stored = (await settings.get(vk_world.ctx, vk_world.member)).preferences
    assert stored.choices == {
        (Kind.PAYMENT_RECEIVED, Way.EMAIL),
        (Kind.CLIENT_MESSAGE, Way.TELEGRAM),
    }
    assert stored.quiet is not None
    assert (stored.quiet.from_min, stored.quiet.until_min) == (23 * 60 + 30, 7 * 60 + 15)
    assert (stored.quiet.tz, stored.digest_minutes) == ("Asia/Yekaterinburg", 15)
    assert stored.has_sound
    page = (await vk_owner_browser.http.get(URL)).text
    assert 'name="payment_received-email" value="1" checked' in page
    assert 'value="23:30"' in page
    assert "Настройки уведомлений сохранены" in visible_text(page)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"quiet_from": "25:00"}, "quiet_from"),
        ({"quiet_until": "утро"}, "quiet_until"),
        ({"quiet_until": "23:30"}, "quiet_until"),
        ({"quiet_tz": "Луна"}, "quiet_tz"),
        ({"quiet_tz": "../etc/passwd"}, "quiet_tz"),
        ({"quiet_tz": ""}, "quiet_tz"),
        ({"digest": "7"}, "digest"),
        ({"digest": "9" * 50}, "digest"),
    ],
)
async def test_wrong_form_is_displayed_as_typed(
    vk_world: VkWorld, vk_owner_browser: CabinetBrowser, changed: dict[str, str], field: str
) -> None:
    response = await vk_owner_browser.submit(URL, **(FORM | changed))
    assert response.status_code == 422
    assert field_error(response.text, field)
    assert 'name="payment_received-email" value="1" checked' in response.text
    stored = (await settings.get(vk_world.ctx, vk_world.member)).preferences
    assert stored.choices == frozenset()


async def test_without_quiet_hours_their_times_do_not_matter(
    vk_world: VkWorld, vk_owner_browser: CabinetBrowser
) -> None:
    form = {name: value for name, value in FORM.items() if name != "quiet"}
    response = await vk_owner_browser.submit(URL, **(form | {"quiet_from": "никогда"}))
    assert response.status_code == 303
    assert (await settings.get(vk_world.ctx, vk_world.member)).preferences.quiet is None


async def test_viewer_is_offered_only_what_the_role_may_see(vk_world: VkWorld) -> None:
    viewer = await add_person(vk_world.ctx, vk_world.shop.id, "viewer@example.org", Role.VIEWER)
    async with open_browser(vk_world.ctx) as browser:
        await browser.sign_in("viewer@example.org", PASSWORD)
        page = (await browser.http.get(URL)).text
        assert "payment_received-push" in page
        for hidden in ("client_message-", "key_broken-", 'name="token"'):
            assert hidden not in page
        await browser.submit(URL, **FORM)
    stored = (await settings.get(vk_world.ctx, viewer)).preferences
    assert stored.choices == {(Kind.PAYMENT_RECEIVED, Way.EMAIL)}


async def test_test_button_displays_the_answer_of_the_mail_server(
    vk_owner_browser: CabinetBrowser,
) -> None:
    await vk_owner_browser.submit(f"{URL}/test", way="email")
    page = visible_text((await vk_owner_browser.http.get(URL)).text)
    assert "Почта: принято. Ответ: 2.0.0 OK" in page
    await vk_owner_browser.submit(f"{URL}/test", way="telegram")
    page = visible_text((await vk_owner_browser.http.get(URL)).text)
    assert "Telegram: не отправлено. Ответ: не подключено" in page


async def test_test_button_has_a_limit(vk_owner_browser: CabinetBrowser) -> None:
    for _ in range(NOTIFICATION_TESTS.amount):
        response = await vk_owner_browser.submit(f"{URL}/test", way="telegram")
        assert response.status_code == 303
    response = await vk_owner_browser.submit(f"{URL}/test", way="telegram")
    assert response.status_code == 429
    assert response.headers["retry-after"]
    assert "Что сообщать" in visible_text(response.text)


@pytest.mark.parametrize("way", ["", "sms", "email"])
async def test_unknown_way_cannot_be_linked(vk_owner_browser: CabinetBrowser, way: str) -> None:
    response = await vk_owner_browser.submit(f"{URL}/link", way=way)
    assert response.status_code == 400


async def test_code_page_names_the_community_and_the_code(
    vk_world: VkWorld, vk_owner_browser: CabinetBrowser
) -> None:
    await vk_owner_browser.submit(f"{URL}/link", way="vk")
    response = await vk_owner_browser.open(f"{URL}/link/vk")
    code = response.text.split('value="sigma-')[1][:10]
    assert "Студия «Лак»" in visible_text(response.text)
    await vk_world.write_as_client(f"sigma-{code}")
    await vk_world.poll_events()
    page = visible_text((await vk_owner_browser.http.get(URL)).text)
    assert "Подключить ещё" in page


async def test_bot_with_a_wrong_token_is_refused_beside_the_field(
    vk_world: VkWorld, vk_owner_browser: CabinetBrowser
) -> None:
    api_url = f"{vk_world.sandbox.base_url}/telegram"
    for token, text in (
        ("нет", "Токен выглядит так"),
        ("1234567:" + "revoked" * 5, "Telegram не принял токен: 401 Unauthorized"),
    ):
        response = await vk_owner_browser.submit(f"{URL}/telegram", token=token, api_url=api_url)
        assert response.status_code == 422
        assert text in (field_error(response.text, "token") or "")
        assert "revoked" not in response.text
    good = "1234567:" + "a" * 35
    response = await vk_owner_browser.submit(f"{URL}/telegram", token=good, api_url=api_url)
    assert response.status_code == 303
    page = (await vk_owner_browser.http.get(URL)).text
    assert "Бот @sandbox_1234567_bot подключён" in visible_text(page)
    assert good not in page
    response = await vk_owner_browser.submit(f"{URL}/telegram/remove")
    assert response.status_code == 303
    assert "sandbox_1234567_bot" not in (await vk_owner_browser.http.get(URL)).text


async def test_unread_endpoint_counts_and_names_the_sound(
    vk_world: VkWorld, vk_owner_browser: CabinetBrowser
) -> None:
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    assert (await vk_owner_browser.http.get("/inbox/unread")).json() == {
        "unread": 1,
        "sound": False,
    }
    await vk_owner_browser.submit(URL, **FORM)
    answer = await vk_owner_browser.http.get("/inbox/unread")
    assert answer.json() == {"unread": 1, "sound": True}


async def test_app_is_described_to_browsers(anonymous_browser: CabinetBrowser) -> None:
    manifest = json.loads((await anonymous_browser.http.get("/app/manifest.webmanifest")).text)
    for one in manifest["icons"]:
        icon = await anonymous_browser.http.get(one["src"])
        assert (icon.status_code, icon.headers["content-type"]) == (200, "image/png")
    worker = await anonymous_browser.http.get("/service-worker.js")
    assert worker.headers["content-type"].startswith("text/javascript")
    assert worker.headers["cache-control"] == "no-cache"
    assert "showNotification" in worker.text
    assert (await anonymous_browser.http.get("/app/no.png")).status_code == 404


async def test_page_of_the_link_code_may_be_reloaded(
    vk_world: VkWorld, vk_owner_browser: CabinetBrowser
) -> None:
    made = await vk_owner_browser.submit(f"{URL}/link", way="vk")
    assert (made.status_code, made.headers["location"]) == (303, f"{URL}/link/vk")
    pages = [(await vk_owner_browser.open(f"{URL}/link/vk")).text for _ in range(2)]
    codes = {re.findall(r"sigma-[a-z0-9]{10}", page)[0] for page in pages}
    assert len(codes) == 1
    await vk_world.write_as_client(codes.pop(), await vk_world.create_client())
    await vk_world.poll_events()
    used = await vk_owner_browser.http.get(f"{URL}/link/vk")
    assert (used.status_code, used.headers["location"]) == (303, f"{URL}#way-vk")
    assert (await vk_owner_browser.http.get(f"{URL}/link/email")).status_code == 404
