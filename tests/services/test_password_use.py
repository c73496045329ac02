"""Passwords are verified as typed, long ones too, and never expire."""

import pytest

from sigma.domain.accounts.password import MAX_PASSWORD
from sigma.domain.errors import RefusedError
from sigma.services.accounts import users
from sigma.services.accounts.password_changes import change_password
from tests.services.second_factor_actions import LOGIN, find_session, open_session
from tests.world import World

IP = "192.0.2.7"


async def set_password(world: World, password: str) -> None:
    session = await open_session(world)
    renewed = await change_password(world.ctx, session, world.password, password)
    await find_session(world.ctx, renewed.secret)


async def test_password_is_verified_as_typed(world: World) -> None:
    await set_password(world, "  Пробелы И Регистр — важны 42  ")
    for other in (
        "Пробелы И Регистр — важны 42",
        "  пробелы и регистр — важны 42  ",
        "  Пробелы И Регистр — важны 42",
        "  Пробелы И Регистр - важны 42  ",
    ):
        with pytest.raises(RefusedError, match="unauthorized"):
            await users.sign_in(world.ctx, LOGIN, other, ip=IP)
    await users.sign_in(world.ctx, LOGIN, "  Пробелы И Регистр — важны 42  ", ip=IP)


async def test_longest_password_is_not_cut(world: World) -> None:
    longest = ("кот №7 спит, а пёс лает; " * 10)[:MAX_PASSWORD]
    await set_password(world, longest)
    for other in (longest[:-1], longest + "x", longest[:72]):
        with pytest.raises(RefusedError, match="unauthorized"):
            await users.sign_in(world.ctx, LOGIN, other, ip=IP)
    await users.sign_in(world.ctx, LOGIN, longest, ip=IP)


async def test_composed_and_decomposed_letters_are_the_same_password(world: World) -> None:
    await set_password(world, "мой йод и ёж 2026")
    decomposed = "мои\u0306 и\u0306од и е\u0308ж 2026"
    await users.sign_in(world.ctx, LOGIN, decomposed, ip=IP)


async def test_password_never_expires(world: World) -> None:
    world.clock.advance(days=3 * 365)
    await users.sign_in(world.ctx, LOGIN, world.password, ip=IP)


@pytest.mark.parametrize("password", ["1234567890", "owner-slova-i-esche", "short"])
async def test_weak_new_password_changes_nothing(world: World, password: str) -> None:
    session = await open_session(world)
    with pytest.raises(RefusedError, match="validation"):
        await change_password(world.ctx, session, world.password, password)
    await users.sign_in(world.ctx, LOGIN, world.password, ip=IP)
