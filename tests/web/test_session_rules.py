"""Sessions: long random secrets, a new one at each sign-in, sign-out on every page."""

import re

from sigma.domain.accounts.member import Role
from sigma.services.accounts import users
from tests.vk_world import VkWorld
from tests.web.cabinet_harness import CabinetBrowser
from tests.web.routes import REQUIRED_PERMISSIONS, request_route
from tests.web.test_security_headers import with_values
from tests.web.two_shops import create_all_objects, signed_in_actor
from tests.world import World

LOGIN = "owner@example.org"


async def test_session_secrets_are_long_and_never_repeat(world: World) -> None:
    secrets = set()
    for _ in range(20):
        signed = await users.sign_in(world.ctx, LOGIN, world.password, ip="192.0.2.1")
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", signed.secret), "256 bits as URL-safe base64"
        secrets.add(signed.secret)
        for cut in (signed.secret[:-1], signed.secret.swapcase()):
            assert await users.find_session(world.ctx, cut) is None
    assert len(secrets) == 20
    # Each position has many values: no part is a counter or a constant.
    for position in range(42):
        assert len({secret[position] for secret in secrets}) > 4, position


async def test_sign_in_ends_the_former_session_of_the_browser(
    world: World, anonymous_browser: CabinetBrowser
) -> None:
    await anonymous_browser.sign_in(LOGIN, world.password)
    former = anonymous_browser.http.cookies["sigma_session"]
    elsewhere = await users.sign_in(world.ctx, LOGIN, world.password, ip="192.0.2.1")
    await anonymous_browser.submit("/sign-in", login=LOGIN, password="wrong", next="/")
    assert await users.find_session(world.ctx, former), "a wrong password ends nothing"
    await anonymous_browser.sign_in(LOGIN, world.password)
    assert anonymous_browser.http.cookies["sigma_session"] != former
    assert await users.find_session(world.ctx, former) is None
    assert await users.find_session(world.ctx, elsewhere.secret), "another browser stays signed in"


async def test_every_page_of_the_cabinet_offers_to_sign_out(vk_world: VkWorld) -> None:
    ids = await create_all_objects(vk_world)
    pages = 0
    async with signed_in_actor(vk_world.ctx, vk_world.shop.id, Role.OWNER) as owner:
        for route in REQUIRED_PERMISSIONS:
            if not route.startswith("GET ") or route.endswith("/live"):
                continue
            response = await request_route(owner, route, with_values(route, ids))
            if response.status_code == 200 and "<html" in response.text:
                pages += 1
                assert 'action="/sign-out"' in response.text, route
    assert pages > 20
