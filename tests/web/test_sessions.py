"""The list of sessions, their limits, and keys that die with a stolen session."""

import re

from sigma.domain.accounts.member import Role
from sigma.domain.accounts.session import USE_INTERVAL_US
from sigma.services.accounts import api_keys, users
from sigma.services.accounts.tokens import hash_token
from sigma.services.authentication import session_list
from tests import leaks
from tests.vk_world import VkWorld
from tests.web.cabinet_harness import CabinetBrowser, create_key, open_browser, visible_text
from tests.web.routes import REQUIRED_PERMISSIONS, request_route
from tests.web.two_shops import create_all_objects, signed_in_actor
from tests.world import World

LOGIN = "owner@example.org"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/130.0.0.0 Safari/537.36"
)


async def test_sessions_are_listed_with_device_address_and_last_use(
    world: World, owner_browser: CabinetBrowser
) -> None:
    async with open_browser(world.ctx) as other:
        other.http.headers["user-agent"] = CHROME
        await other.sign_in(LOGIN, world.password)
        page = visible_text((await owner_browser.open("/settings/access")).text)
        assert "Chrome · Windows" in page
        assert "127.0.0.1" in page
        assert page.count("Последнее действие") == 3, "with the session of the set-up"
        assert page.count("Это устройство") == 1


async def test_one_session_is_ended_and_the_others_stay(
    world: World, owner_browser: CabinetBrowser
) -> None:
    async with open_browser(world.ctx) as other, open_browser(world.ctx) as third:
        await other.sign_in(LOGIN, world.password)
        await third.sign_in(LOGIN, world.password)
        session = await users.find_session(world.ctx, other.http.cookies["sigma_session"])
        assert session is not None
        page = await owner_browser.open("/settings/access")
        path = f"/settings/access/sessions/{session.id}/end"
        assert path in page.text
        assert (await owner_browser.submit(path)).status_code == 303
        assert (await other.open("/")).headers["location"] == "/sign-in"
        assert (await third.open("/")).status_code == 200
        assert (await owner_browser.open("/")).status_code == 200
        assert (await owner_browser.submit(path)).status_code == 404


async def test_all_other_sessions_are_ended(world: World, owner_browser: CabinetBrowser) -> None:
    async with open_browser(world.ctx) as other:
        await other.sign_in(LOGIN, world.password)
        await owner_browser.submit("/settings/access/sessions/end-others")
        assert (await other.open("/")).headers["location"] == "/sign-in"
        assert (await owner_browser.open("/")).status_code == 200


async def test_sessions_of_other_people_can_be_neither_seen_nor_ended(world: World) -> None:
    async with open_browser(world.ctx) as owner:
        await owner.sign_in(LOGIN, world.password)
        session = await users.find_session(world.ctx, owner.http.cookies["sigma_session"])
        assert session is not None
        async with signed_in_actor(world.ctx, world.shop.id, Role.ADMIN) as colleague:
            page = await colleague.request("GET", "/settings/access")
            assert session.id not in page.text
            path = f"/settings/access/sessions/{session.id}/end"
            assert (await colleague.request("POST", path)).status_code == 404
        assert (await owner.open("/")).status_code == 200


async def test_unused_session_ends(world: World, owner_browser: CabinetBrowser) -> None:
    world.clock.advance(hours=world.ctx.settings.session_idle_hours)
    assert (await owner_browser.open("/")).status_code == 200, "used in time"
    world.clock.advance(hours=world.ctx.settings.session_idle_hours, minutes=6)
    assert (await owner_browser.open("/")).headers["location"] == "/sign-in"


async def test_used_session_ends_at_its_absolute_limit(
    world: World, owner_browser: CabinetBrowser
) -> None:
    for _ in range(world.ctx.settings.session_days):
        assert (await owner_browser.open("/")).status_code == 200
        world.clock.advance(days=1)
    assert (await owner_browser.open("/")).headers["location"] == "/sign-in"


AUTOMATIC = {"x-automatic-request": "1"}  # frontend/src/automatic_requests.js


async def test_page_that_updates_itself_does_not_keep_a_session_alive(
    world: World, owner_browser: CabinetBrowser
) -> None:
    secret = owner_browser.http.cookies["sigma_session"]
    world.clock.advance(hours=40)
    await owner_browser.open("/inbox", **{"hx-request": "true"})
    await owner_browser.open("/", **AUTOMATIC)
    await owner_browser.http.post("/locale", data={"locale": "ru"}, headers=AUTOMATIC)
    session = await users.find_session(world.ctx, secret)
    assert session is not None
    assert world.ctx.now_us() - session.used_at_us > 39 * 3600 * 1_000_000
    await owner_browser.open("/inbox")
    session = await users.find_session(world.ctx, secret)
    assert session is not None
    assert world.ctx.now_us() - session.used_at_us < USE_INTERVAL_US


async def test_use_is_stored_every_few_minutes_only(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await owner_browser.open("/")
    before = (await leaks.dump_tables(world.ctx.db))["sessions"]
    world.clock.advance(minutes=4)
    await owner_browser.open("/")
    assert (await leaks.dump_tables(world.ctx.db))["sessions"] == before
    world.clock.advance(minutes=1)
    await owner_browser.open("/")
    assert (await leaks.dump_tables(world.ctx.db))["sessions"] != before


async def test_sign_in_and_password_change_give_a_new_session_id(
    world: World, owner_browser: CabinetBrowser
) -> None:
    first = owner_browser.http.cookies["sigma_session"]
    form = {"old": world.password, "new": "новые случайные слова"}
    response = await owner_browser.submit("/settings/access", **form)
    assert response.status_code == 303
    second = owner_browser.http.cookies["sigma_session"]
    assert first != second
    assert await users.find_session(world.ctx, first) is None
    assert (await owner_browser.open("/")).status_code == 200
    await owner_browser.submit("/sign-out")
    await owner_browser.sign_in(LOGIN, "новые случайные слова")
    assert owner_browser.http.cookies["sigma_session"] not in (first, second)


async def test_sign_in_ends_the_session_that_the_browser_had(
    world: World, owner_browser: CabinetBrowser
) -> None:
    before = owner_browser.http.cookies["sigma_session"]
    await owner_browser.sign_in(LOGIN, world.password)
    assert await users.find_session(world.ctx, before) is None


async def test_every_page_of_the_cabinet_offers_to_sign_out(vk_world: VkWorld) -> None:
    ids = await create_all_objects(vk_world)
    checked = 0
    async with signed_in_actor(vk_world.ctx, vk_world.shop.id, Role.OWNER) as owner:
        for route in REQUIRED_PERMISSIONS:
            if not route.startswith("GET") or route.endswith("/live"):
                continue
            response = await request_route(owner, route, ids)
            is_page = response.headers["content-type"].startswith("text/html")
            if response.status_code == 200 and is_page and "<html" in response.text:
                assert 'action="/sign-out"' in response.text, route
                checked += 1
    assert checked > 20


async def test_session_secrets_have_256_bits_and_only_hashes_are_stored(
    world: World, owner_browser: CabinetBrowser
) -> None:
    secret = owner_browser.http.cookies["sigma_session"]
    assert re.fullmatch(r"[\w-]{43}", secret)
    rows = await leaks.dump_tables(world.ctx.db)
    assert secret not in "".join(rows.values())
    assert hash_token(secret) in rows["sessions"]


async def test_key_of_a_stolen_session_dies_with_the_password_change(
    world: World, owner_browser: CabinetBrowser
) -> None:
    _, old_secret = await api_keys.create(world.ctx, world.member, "Касса")
    world.clock.advance(days=40)
    async with open_browser(world.ctx) as thief:
        await thief.sign_in(LOGIN, world.password)
        page = await create_key(thief, "Чужой")
        assert page.status_code == 201
    async with open_browser(world.ctx) as owner:
        await owner.sign_in(LOGIN, world.password)
        page = await owner.open("/settings/access")
        assert "Отозвать мои ключи API: 2" in page.text
        since = re.search(r'name="keys_since" type="date" value="([\d-]+)"', page.text)
        assert since
        wrong = await owner.submit(
            "/settings/access",
            old=world.password,
            new="новые случайные слова",
            revoke_keys="1",
            keys_since="yesterday",
        )
        assert wrong.status_code == 422
        await owner.submit(
            "/settings/access",
            old=world.password,
            new="новые случайные слова",
            revoke_keys="1",
            keys_since=since[1],
        )
    assert (await api_keys.authenticate(world.ctx, old_secret)).shop_id == world.shop.id
    keys = {key.name: key for key in await api_keys.list_for_shop(world.ctx, world.member)}
    assert keys["Чужой"].revoked_at_us is not None
    assert keys["Чужой"].created_by == world.member.actor
    assert keys["Касса"].revoked_at_us is None


async def test_expired_and_pending_sessions_are_not_listed(world: World) -> None:
    async with open_browser(world.ctx) as old, open_browser(world.ctx) as new:
        await old.sign_in(LOGIN, world.password)
        world.clock.advance(hours=80)
        await new.sign_in(LOGIN, world.password)
        session = await users.find_session(world.ctx, new.http.cookies["sigma_session"])
        assert session is not None
        listed = await session_list.list_open(world.ctx, session)
        assert [one.id for one in listed] == [session.id]
