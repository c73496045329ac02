"""A forgotten password: the link reveals nothing, works once and for an hour, ends all sessions."""

import re
from collections.abc import Awaitable
from typing import Any

import pytest

from sigma.domain.errors import RefusedError
from sigma.domain.limits import PASSWORD_RESET_ACCOUNT, PASSWORD_RESET_ADDRESS
from sigma.domain.origin import Origin
from sigma.services.accounts import api_keys, users
from sigma.services.accounts.password_changes import change_password
from sigma.services.authentication import password_resets
from tests import leaks
from tests.services.second_factor_actions import (
    LOGIN,
    ORIGIN,
    add_app,
    find_session,
    open_session,
    sign_in,
)
from tests.world import World

NEW_PASSWORD = "новые случайные слова"
IP = "192.0.2.7"


async def mails_to(world: World, recipient: str) -> list[dict[str, Any]]:
    """Return the mails that the sandbox has received for somebody, the newest first."""
    url = f"{world.sandbox.base_url}/mail/api/messages"
    mails: list[dict[str, Any]] = (await world.http.get(url, params={"to": recipient})).json()
    return [mail for mail in mails if "Sigma" in mail["subject"]]


async def requested_token(world: World) -> str:
    """Ask for a link and return its token from the mail."""
    count = len(await mails_to(world, LOGIN))
    await password_resets.request(world.ctx, LOGIN, IP)
    await world.run_jobs()
    mails = await mails_to(world, LOGIN)
    assert len(mails) == count + 1
    match = re.search(r"http://127\.0\.0\.1:8000/sign-in/reset/([\w-]{43})", mails[0]["text"])
    assert match, mails[0]["text"]
    return match[1]


async def finish(world: World, token: str, password: str = NEW_PASSWORD, **more: Any) -> None:
    await password_resets.finish(world.ctx, token, password, ORIGIN, **more)


async def code_of(call: Awaitable[Any]) -> str:
    with pytest.raises(RefusedError) as refused:
        await call
    return refused.value.code


async def test_link_from_the_mail_sets_a_password_and_ends_all_sessions(world: World) -> None:
    session = await open_session(world)
    token = await requested_token(world)
    user = await password_resets.find_user(world.ctx, token)
    assert user is not None
    assert user.login == LOGIN
    await finish(world, token)
    assert (await users.sign_in(world.ctx, LOGIN, NEW_PASSWORD, ip=IP)).user.id == session.user.id
    assert await code_of(sign_in(world)) == "unauthorized", "the old password"
    assert await users.find_session(world.ctx, session.secret_hash) is None
    rows = (await leaks.dump_tables(world.ctx.db))["sessions"]
    assert session.secret_hash not in rows


async def test_link_works_once(world: World) -> None:
    token = await requested_token(world)
    await finish(world, token)
    assert await code_of(finish(world, token, "ещё одни слова тут")) == "not_found"
    assert await password_resets.find_user(world.ctx, token) is None


async def test_link_works_for_an_hour(world: World) -> None:
    token = await requested_token(world)
    world.clock.advance(minutes=59)
    assert await password_resets.find_user(world.ctx, token) is not None
    world.clock.advance(minutes=1, seconds=1)
    assert await code_of(finish(world, token)) == "not_found"


async def test_changed_password_voids_every_open_link(world: World) -> None:
    first, second = await requested_token(world), await requested_token(world)
    session = await open_session(world)
    await change_password(world.ctx, session, world.password, NEW_PASSWORD)
    for token in (first, second):
        assert await code_of(finish(world, token, "ещё одни слова тут")) == "not_found"


async def test_used_link_voids_the_others(world: World) -> None:
    first, second = await requested_token(world), await requested_token(world)
    await finish(world, first)
    assert await code_of(finish(world, second, "ещё одни слова тут")) == "not_found"


@pytest.mark.parametrize("password", ["short", "1234567890", "owner и ещё слова"])
async def test_weak_password_does_not_use_the_link_up(world: World, password: str) -> None:
    token = await requested_token(world)
    assert await code_of(finish(world, token, password)) == "validation"
    await finish(world, token)


async def test_second_factor_is_still_demanded_after_a_reset(world: World) -> None:
    await add_app(world, await open_session(world))
    token = await requested_token(world)
    await finish(world, token)
    opened = await users.sign_in(world.ctx, LOGIN, NEW_PASSWORD, ip=IP)
    assert opened.is_pending


async def test_unknown_address_gets_the_same_work_and_no_mail(world: World) -> None:
    """Both requests write the same rows; a job finds out later whose address it is."""
    written = []
    for login in (LOGIN, "nobody@example.org"):
        before = await leaks.dump_tables(world.ctx.db)
        await password_resets.request(world.ctx, login, IP)
        after = await leaks.dump_tables(world.ctx.db)
        written.append({name for name in after if after[name] != before[name]})
        assert login not in after["password_resets"] + after["jobs"], "only encrypted"
        assert await world.run_jobs() in (1, 2)
    assert written[0] == written[1] == {"password_resets", "jobs", "rate_counters"}
    assert await mails_to(world, "nobody@example.org") == []
    assert await mails_to(world, LOGIN)
    rows = await leaks.dump_tables(world.ctx.db)
    assert rows["password_resets"].count("rst_") == 1, "nothing of strangers stays"


async def test_requests_are_limited_alike_for_known_and_unknown_addresses(world: World) -> None:
    for login in (LOGIN, "nobody@example.org"):
        for n in range(PASSWORD_RESET_ACCOUNT.amount):
            await password_resets.request(world.ctx, login.upper(), f"198.51.100.{n}")
        again = password_resets.request(world.ctx, login, "198.51.100.9")
        assert await code_of(again) == "too_many_requests"


async def test_one_address_cannot_ask_for_many_people(world: World) -> None:
    for n in range(PASSWORD_RESET_ADDRESS.amount):
        await password_resets.request(world.ctx, f"person{n}@example.org", IP)
    again = password_resets.request(world.ctx, LOGIN, IP)
    assert await code_of(again) == "too_many_requests"


async def test_what_is_no_address_is_refused_before_anything_is_written(world: World) -> None:
    before = await leaks.dump_tables(world.ctx.db)
    assert await code_of(password_resets.request(world.ctx, "owner", IP)) == "validation"
    assert await leaks.dump_tables(world.ctx.db) == before


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "x" * 10_000, "ы" * 43])
async def test_guessed_token_finds_nobody(world: World, token: str) -> None:
    await requested_token(world)
    assert await password_resets.find_user(world.ctx, token) is None
    assert await code_of(finish(world, token)) == "not_found"


async def test_keys_made_since_a_day_are_revoked_with_the_reset(world: World) -> None:
    ctx, origin = world.ctx, Origin("192.0.2.7", "Chrome · Windows")
    _, old_secret = await api_keys.create(ctx, world.member, "Старый", origin=origin)
    world.clock.advance(days=2)
    since_us = ctx.now_us()
    _, stolen_secret = await api_keys.create(ctx, world.member, "Чужой", origin=origin)
    await finish(world, await requested_token(world), revoke_keys_since_us=since_us)
    assert (await api_keys.authenticate(ctx, old_secret)).shop_id == world.shop.id
    assert await code_of(api_keys.authenticate(ctx, stolen_secret)) == "unauthorized"


async def test_link_of_the_command_line_works_like_that_of_a_mail(world: World) -> None:
    url = await password_resets.create_link(world.ctx, " Owner@Example.org")
    await finish(world, url.rpartition("/")[2])
    await find_session(
        world.ctx, (await users.sign_in(world.ctx, LOGIN, NEW_PASSWORD, ip=IP)).secret
    )
    nobody = password_resets.create_link(world.ctx, "nobody@example.org")
    assert await code_of(nobody) == "not_found"
