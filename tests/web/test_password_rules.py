"""Passwords: length is the only rule, they are checked as typed, fields serve their managers."""

import re

import pytest

from sigma.domain.limits import SIGN_IN_ACCOUNT
from sigma.services.accounts import users
from sigma.services.accounts.users import MAX_PASSWORD, MIN_PASSWORD
from tests.web.cabinet_harness import CabinetBrowser, open_browser, open_empty_installation
from tests.world import World

LOGIN = "owner@example.org"


async def change(browser: CabinetBrowser, old: str, new: str) -> int:
    """Change the password in the cabinet; return the status of the response."""
    await browser.open("/settings/access")
    return (await browser.submit("/settings/access", old=old, new=new)).status_code


@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaaaaa",
        "1234567890",
        "только буквы",
        "with spaces at the end  ",
        "  Ünïcode 🗝️ пароль",
        "x" * 64,
        "x" * MAX_PASSWORD,
        "<script>alert(1)</script>",
        "line\ttab and\u00a0space",
    ],
)
async def test_any_characters_make_a_password_and_it_is_checked_as_typed(
    world: World, owner_browser: CabinetBrowser, password: str
) -> None:
    assert await change(owner_browser, world.password, password) == 303
    async with open_browser(world.ctx) as other:
        for wrong in {password[:-1], password.swapcase(), f" {password}", f"{password} "}:
            if wrong != password:
                with pytest.raises(Exception, match="unauthorized"):
                    await users.sign_in(world.ctx, LOGIN, wrong, ip="192.0.2.1")
                await world.ctx.limiter.clear(SIGN_IN_ACCOUNT, LOGIN)
        await other.sign_in(LOGIN, password)


@pytest.mark.parametrize("length", [MIN_PASSWORD - 1, MAX_PASSWORD + 1])
async def test_only_the_length_is_limited(
    world: World, owner_browser: CabinetBrowser, length: int
) -> None:
    assert MAX_PASSWORD >= 128
    assert await change(owner_browser, world.password, "a" * length) == 422
    assert await change(owner_browser, world.password, "a" * MIN_PASSWORD) == 303


async def test_longer_password_with_the_same_beginning_does_not_sign_in(
    world: World, owner_browser: CabinetBrowser
) -> None:
    password = "x" * MAX_PASSWORD
    assert await change(owner_browser, world.password, password) == 303
    for longer in (f"{password}x", f"{password}y" * 50):
        with pytest.raises(Exception, match="unauthorized"):
            await users.sign_in(world.ctx, LOGIN, longer, ip="192.0.2.1")


async def test_password_never_expires(world: World) -> None:
    for days in (100, 1000, 10_000):
        world.clock.advance(days=days)
        signed = await users.sign_in(world.ctx, LOGIN, world.password, ip="192.0.2.1")
        assert signed.user.id == world.member.actor


@pytest.mark.parametrize(
    ("path", "purposes"),
    [
        ("/start", {"password": "new-password"}),
        ("/sign-in", {"password": "current-password"}),
        ("/settings/access", {"old": "current-password", "new": "new-password"}),
    ],
)
async def test_password_fields_are_masked_and_allow_password_managers(
    sqlite_database_url: str, path: str, purposes: dict[str, str]
) -> None:
    form = {"shop_name": "Студия", "name": "", "login": LOGIN, "locale": "ru"}
    async with (
        open_empty_installation(sqlite_database_url, "http://127.0.0.1:8000") as ctx,
        open_browser(ctx) as owner,
        open_browser(ctx) as stranger,
    ):
        if path != "/start":
            await owner.submit("/start", password="correct horse", **form)
        page = await (stranger if path == "/sign-in" else owner).open(path)
    fields = re.findall(r"<input[^>]*-password[^>]*>", page.text)
    found = {name: field for field in fields for name in re.findall(r' name="(\w+)"', field)}
    assert found.keys() == purposes.keys()
    for name, field in found.items():
        assert f'autocomplete="{purposes[name]}"' in field
        assert 'type="password"' in field
        assert not re.search(r"onpaste|readonly|maxlength|pattern=|data-no-paste", field)
