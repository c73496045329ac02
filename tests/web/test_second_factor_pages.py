"""Pages of the second step, of «Вход и безопасность» and of the rules of a shop."""

import html
import re
from dataclasses import replace

import httpx
import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.accounts.second_factor import SecondFactorRule
from sigma.services.accounts import shops, team, users
from sigma.services.authentication.setup_codes import setup_code
from tests.authenticators import SoftwarePasskey, app_code
from tests.people import PASSWORD, add_person, other_shop
from tests.vk_world import VkWorld
from tests.web.cabinet_harness import (
    CabinetBrowser,
    field_error,
    field_value,
    open_browser,
    visible_text,
)
from tests.web.routes import REQUIRED_PERMISSIONS, request_route
from tests.web.two_shops import Actor, create_all_objects, dump_protected_rows, signed_in_actor
from tests.world import TestSettings, World

LOGIN = "owner@example.org"


async def add_app(world: World, browser: CabinetBrowser) -> tuple[str, list[str]]:
    """Connect an app on the pages; return its secret and the recovery codes. Stops the clock."""
    world.clock.stop()  # a code is valid in its own half minute only
    page = await browser.submit("/settings/access/app/new")
    assert page.status_code == 200
    secret = re.search(r'<p class="mono">([A-Z2-7 ]+)</p>', page.text)
    assert secret
    ticket = field_value(page.text, "ticket")
    wrong = await browser.submit("/settings/access/app", ticket=ticket, code="000000")
    assert wrong.status_code == 422
    assert field_value(wrong.text, "ticket") == ticket, "the QR code stays the same"
    code = app_code(world.ctx, secret[1])
    done = await browser.submit("/settings/access/app", ticket=ticket, code=code)
    assert done.status_code == 201
    codes = re.findall(r"<li>([0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4})</li>", done.text)
    assert len(codes) == 10
    await browser.open("/settings/access")
    return secret[1], codes


async def add_passkey(browser: CabinetBrowser) -> SoftwarePasskey:
    """Add a passkey on the page, with what its script sends."""
    passkey = SoftwarePasskey()
    request = (await browser.open("/settings/access/passkeys/options")).json()
    response = await browser.submit(
        "/settings/access/passkeys",
        name="Ключ",
        credential=passkey.create(request["options"]),
        ticket=request["ticket"],
    )
    assert response.status_code in (201, 303), response.text
    await browser.open("/settings/access")
    return passkey


async def sign_in_by_password(
    world: World, browser: CabinetBrowser, next_url: str = "/"
) -> httpx.Response:
    return await browser.submit("/sign-in", login=LOGIN, password=world.password, next=next_url)


async def test_password_and_code_open_the_page_that_was_wanted(
    world: World, owner_browser: CabinetBrowser
) -> None:
    secret, _ = await add_app(world, owner_browser)
    world.clock.advance(minutes=1)
    async with open_browser(world.ctx) as browser:
        half = await sign_in_by_password(world, browser, "/settings/mail?x=1")
        assert half.headers["location"] == "/sign-in/second-factor?next=%2Fsettings%2Fmail%3Fx%3D1"
        page = await browser.open(half.headers["location"])
        assert "Код из приложения" in page.text
        assert field_value(page.text, "next") == "/settings/mail?x=1"
        elsewhere = await browser.open("/settings/mail?x=1")
        assert elsewhere.headers["location"] == half.headers["location"], "the step is missing"
        wrong = await browser.submit(
            "/sign-in/second-factor", code="123456", next="/settings/mail?x=1"
        )
        assert wrong.status_code == 422
        assert field_error(wrong.text, "code").startswith("Код неверный")
        before = browser.http.cookies["sigma_session"]
        done = await browser.submit(
            "/sign-in/second-factor", code=app_code(world.ctx, secret), next="/settings/mail?x=1"
        )
        assert (done.status_code, done.headers["location"]) == (303, "/settings/mail?x=1")
        assert browser.http.cookies["sigma_session"] != before
        assert (await browser.open("/settings/mail?x=1")).status_code == 200


async def test_recovery_code_and_passkey_finish_a_sign_in(
    world: World, owner_browser: CabinetBrowser
) -> None:
    _, codes = await add_app(world, owner_browser)
    passkey = await add_passkey(owner_browser)
    for proof in ("recovery code", "passkey"):
        async with open_browser(world.ctx) as browser:
            await sign_in_by_password(world, browser)
            form = {"code": codes[0]}
            if proof == "passkey":
                request = (await browser.open("/sign-in/second-factor/options")).json()
                answer = passkey.get(request["options"])
                form = {"credential": answer, "ticket": request["ticket"]}
            done = await browser.submit("/sign-in/second-factor", **form)
            assert done.headers["location"] == "/", proof
            assert (await browser.open("/")).status_code == 200


async def test_passkey_signs_in_on_the_first_page(
    world: World, owner_browser: CabinetBrowser
) -> None:
    passkey = await add_passkey(owner_browser)
    async with open_browser(world.ctx) as browser:
        page = await browser.open("/sign-in")
        assert "/sign-in/passkey/options" in page.text
        request = (await browser.open("/sign-in/passkey/options")).json()
        form = {"credential": passkey.get(request["options"]), "ticket": request["ticket"]}
        done = await browser.submit("/sign-in/passkey", **form, next="/payments")
        assert (done.status_code, done.headers["location"]) == (303, "/payments")
        again = await browser.submit("/sign-in/passkey", **form, next="/payments")
        assert again.status_code == 422
        assert "Страница была открыта слишком долго" in again.text


async def test_second_step_without_a_sign_in_leads_to_the_first_page(
    world: World, owner_browser: CabinetBrowser, anonymous_browser: CabinetBrowser
) -> None:
    response = await owner_browser.open("/sign-in/second-factor")
    assert response.headers["location"] == "/"
    async with open_browser(world.ctx) as stranger:
        for path in ("/sign-in/second-factor", "/sign-in/second-factor/options"):
            assert (await stranger.open(path)).headers["location"] == "/sign-in"
        response = await stranger.submit("/sign-in/second-factor", code="123456")
        assert response.headers["location"] == "/sign-in"


async def test_sign_in_can_be_left_for_another_person(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await add_app(world, owner_browser)
    async with open_browser(world.ctx) as browser:
        await sign_in_by_password(world, browser)
        response = await browser.submit("/sign-in/second-factor/cancel")
        assert response.headers["location"] == "/sign-in"
        assert (await browser.open("/sign-in/second-factor")).headers["location"] == "/sign-in"


async def test_session_without_its_second_step_opens_no_route(vk_world: VkWorld) -> None:
    theirs = await create_all_objects(vk_world)
    async with open_browser(vk_world.ctx) as owner:
        await owner.sign_in(LOGIN, vk_world.password)
        await add_app(vk_world, owner)
    before = await dump_protected_rows(vk_world.ctx)
    async with open_browser(vk_world.ctx) as browser:
        await sign_in_by_password(vk_world, browser)
        pending = await users.find_pending_session(
            vk_world.ctx, browser.http.cookies["sigma_session"]
        )
        assert pending is not None
        half_signed_in = Actor(browser.http, pending.csrf)
        for route in REQUIRED_PERMISSIONS:
            response = await request_route(half_signed_in, route, theirs)
            assert response.status_code == 303, route
            assert response.headers["location"].startswith("/sign-in/second-factor"), route
    assert await dump_protected_rows(vk_world.ctx) == before


@pytest.fixture
async def demanding_world(world: World) -> World:
    """A shop that demands an authenticator app or a passkey of its members."""
    await shops.save_security_rules(
        world.ctx,
        world.member,
        second_factor_rule=SecondFactorRule.ANY,
        refund_confirmation=None,
    )
    return world


async def test_member_without_a_factor_is_led_to_add_one(demanding_world: World) -> None:
    world = demanding_world
    async with open_browser(world.ctx) as browser:
        done = await sign_in_by_password(world, browser)
        assert done.headers["location"] == "/"
        for path in ("/", "/payments", "/settings/keys"):
            assert (await browser.open(path)).headers["location"] == "/settings/access"
        refused = await browser.submit("/settings/keys", name="Бот")
        assert refused.headers["location"] == "/settings/access"
        page = await browser.open("/settings/access")
        assert "просит включить второй шаг" in visible_text(page.text)
        assert 'action="/settings/access/rules"' not in page.text
        rules = {"second_factor_rule": "optional", "refund_confirmation": ""}
        refused = await browser.submit("/settings/access/rules", **rules)
        assert refused.headers["location"] == "/settings/access"
        shop = await shops.get(world.ctx, world.member)
        assert shop.second_factor_rule is SecondFactorRule.ANY, "the demand stays"
        await add_app(world, browser)
        assert (await browser.open("/payments")).status_code == 200


async def test_rule_leads_sessions_that_are_open_already(
    world: World, owner_browser: CabinetBrowser
) -> None:
    response = await owner_browser.submit(
        "/settings/access/rules", second_factor_rule="passkey", refund_confirmation=""
    )
    assert response.status_code == 303
    await add_app(world, owner_browser)
    page = await owner_browser.open("/payments")
    assert page.headers["location"] == "/settings/access", "an app is no passkey"
    await add_passkey(owner_browser)
    assert (await owner_browser.open("/payments")).status_code == 200


async def test_rules_are_checked_and_stored(world: World, owner_browser: CabinetBrowser) -> None:
    wrong = await owner_browser.submit(
        "/settings/access/rules", second_factor_rule="sometimes", refund_confirmation="5000"
    )
    assert wrong.status_code == 422
    wrong = await owner_browser.submit(
        "/settings/access/rules", second_factor_rule="optional", refund_confirmation="много"
    )
    assert field_error(wrong.text, "refund_confirmation").startswith("Введите сумму")
    await owner_browser.submit(
        "/settings/access/rules", second_factor_rule="optional", refund_confirmation="5 000,50"
    )
    page = await owner_browser.open("/settings/access")
    assert field_value(page.text, "refund_confirmation") == "5000,50"
    async with signed_in_actor(world.ctx, world.shop.id, Role.VIEWER) as viewer:
        assert "Правила магазина" not in (await viewer.request("GET", "/settings/access")).text


async def test_recovery_codes_are_shown_once_and_can_be_printed(
    world: World, owner_browser: CabinetBrowser
) -> None:
    _, codes = await add_app(world, owner_browser)
    page = await owner_browser.open("/settings/access")
    assert "Осталось 10 кодов" in visible_text(page.text)
    assert not [code for code in codes if code in page.text]
    renewed = await owner_browser.submit("/settings/access/recovery-codes")
    assert renewed.status_code == 201
    assert "Распечатать" in renewed.text
    assert not [code for code in codes if code in renewed.text]


async def test_qr_code_holds_the_address_of_the_secret(
    world: World, owner_browser: CabinetBrowser
) -> None:
    page = await owner_browser.submit("/settings/access/app/new")
    picture = re.search(r'<img class="qr-code" src="(data:image/svg\+xml[^"]+)"', page.text)
    assert picture
    assert "svg" in html.unescape(picture[1])


async def test_passkeys_are_hidden_where_they_cannot_work(world: World) -> None:
    ctx = replace(world.ctx, settings=TestSettings(base_url="http://192.0.2.1:8000"))
    async with open_browser(ctx) as browser:
        assert "passkey" not in (await browser.open("/sign-in")).text
        await browser.sign_in(LOGIN, world.password)
        page = await browser.open("/settings/access")
        assert "нужен адрес с https" in page.text
        response = await browser.open("/settings/access/passkeys/options")
        assert response.status_code == 422


async def test_removed_factors_are_gone_from_the_page(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await add_app(world, owner_browser)
    await add_passkey(owner_browser)
    page = await owner_browser.open("/settings/access")
    removal = re.search(r'action="(/settings/access/passkeys/psk_\w+/remove)"', page.text)
    assert removal
    await owner_browser.submit(removal[1])
    await owner_browser.submit("/settings/access/app/remove")
    page = await owner_browser.open("/settings/access")
    assert "psk_" not in page.text
    assert "Подключить приложение" in page.text
    assert "Резервные коды" not in visible_text(page.text)
    assert setup_code(world.ctx) not in page.text


async def test_member_without_a_factor_may_switch_to_another_shop(demanding_world: World) -> None:
    world = demanding_world
    shop_id = await other_shop(world)
    async with open_browser(world.ctx) as browser:
        await sign_in_by_password(world, browser)
        assert (await browser.open("/payments")).headers["location"] == "/settings/access"
        page = await browser.open("/shops")
        assert page.status_code == 200
        assert "Второй" in page.text
        switched = await browser.submit("/shops/switch", shop=shop_id)
        assert (switched.status_code, switched.headers["location"]) == (303, "/")
        assert (await browser.open("/payments")).status_code == 200, "it demands less"


async def test_member_without_a_factor_may_leave_the_shop(demanding_world: World) -> None:
    world = demanding_world
    await add_person(world.ctx, world.shop.id, "b@example.org", Role.VIEWER)
    async with open_browser(world.ctx) as browser:
        await browser.sign_in("b@example.org", PASSWORD)
        await browser.open("/settings/access")
        assert (await browser.open("/")).headers["location"] == "/settings/access"
        left = await browser.submit("/settings/leave")
        assert (left.status_code, left.headers["location"]) == (303, "/sign-in?note=left")
    found = await team.get(world.ctx, world.member)
    assert [one.login for one in found.members.data] == [LOGIN]


async def test_installation_requires_a_second_factor_whatever_the_shop_says(world: World) -> None:
    assert world.shop.second_factor_rule is SecondFactorRule.OPTIONAL
    strict = replace(world.ctx, settings=TestSettings(is_second_factor_required=True))
    async with open_browser(strict) as browser:
        await sign_in_by_password(world, browser)
        for path in ("/", "/payments", "/settings/keys"):
            assert (await browser.open(path)).headers["location"] == "/settings/access"
        assert "обязателен для всех" in (await browser.open("/settings/access")).text
        await add_app(world, browser)
        assert (await browser.open("/payments")).status_code == 200
        page = await browser.open("/settings/access")
        assert 'value="optional"' not in page.text
        weaker = await browser.submit(
            "/settings/access/rules", second_factor_rule="optional", refund_confirmation=""
        )
        assert weaker.status_code == 422
        totp = await browser.submit(
            "/settings/access/rules", second_factor_rule="totp", refund_confirmation=""
        )
        assert totp.status_code == 303
