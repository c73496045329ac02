"""Requests that no browser sends, with headers and paths that libraries do not expect."""

import pytest

from sigma.domain.accounts.member import Role
from tests.web.cabinet_harness import open_browser
from tests.web.test_security_headers import HTTPS_URL, https_client
from tests.web.two_shops import signed_in_actor
from tests.world import World

MALFORMED_ORIGINS = ("http://[", "http://[::1", "https://[x]", "://", "http://", "\u00e9")


@pytest.mark.parametrize("origin", MALFORMED_ORIGINS)
async def test_malformed_origin_is_a_foreign_one(world: World, origin: str) -> None:
    headers = {b"origin": origin.encode()}
    async with signed_in_actor(world.ctx, world.shop.id, Role.OWNER) as owner:
        for path in ("/sign-in", "/start", "/s/shop/svc_x", "/settings/shop", "/locale"):
            answer = await owner.http.post(path, data={"csrf": owner.csrf}, headers=headers)
            assert answer.status_code == 403, path


async def test_page_of_http_cannot_post_to_an_https_installation(world: World) -> None:
    async with https_client(world) as client:
        for origin, status in ((HTTPS_URL, 422), (HTTPS_URL.replace("https", "http"), 403)):
            answer = await client.post("/sign-in", data={"login": "x"}, headers={"origin": origin})
            assert answer.status_code == status, origin


@pytest.mark.parametrize("path", ["/static/" + "a" * 300, "/static/a/" + "b/" * 3000])
async def test_too_long_path_of_a_static_file_is_not_found(world: World, path: str) -> None:
    async with open_browser(world.ctx) as browser:
        assert (await browser.open(path)).status_code == 404
