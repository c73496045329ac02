"""Mails about a change of somebody's access reach the person and the owner of the shop."""

from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.accounts.member import Member, Role, User
from sigma.domain.accounts.security_notice import NoticeKind
from sigma.domain.origin import Origin
from sigma.services.accounts import api_keys, shops
from sigma.services.accounts.password_changes import change_password
from sigma.services.authentication import second_factors
from sigma.services.billing import connections
from sigma.services.platform import housekeeping, security_notices
from sigma.store.accounts import members
from sigma.store.accounts import users as user_rows
from tests import leaks
from tests.people import other_shop
from tests.services.second_factor_actions import (
    LOGIN,
    ORIGIN,
    add_app,
    add_passkey,
    find_session,
    open_session,
    sign_in,
)
from tests.world import World


async def subjects(world: World, recipient: str = LOGIN) -> list[str]:
    """Run the jobs; return the subjects of the security mails to somebody, the oldest first."""
    return [mail["subject"] for mail in await security_mails(world, recipient)]


async def security_mails(world: World, recipient: str = LOGIN) -> list[dict[str, Any]]:
    await world.run_jobs()
    url = f"{world.sandbox.base_url}/mail/api/messages"
    mails: list[dict[str, Any]] = (await world.http.get(url, params={"to": recipient})).json()
    return [mail for mail in reversed(mails) if mail["subject"].endswith(": Студия")]


async def add_operator(world: World, login: str) -> Member:
    """Add a member of the shop who signs in with the owner's password."""
    ctx, now_us = world.ctx, world.ctx.now_us()
    password_hash = await ctx.passwords.hash(world.password)
    user = User(ctx.new_id("usr", world.shop.id), login, password_hash, "Оля", "en", now_us)
    async with ctx.db.write() as tx:
        await user_rows.save(tx, user)
        await members.add(tx, world.shop.id, user.id, Role.ADMIN, now_us)
    return Member(user.id, world.shop.id, Role.ADMIN)


async def test_new_device_is_announced_and_a_known_one_is_not(world: World) -> None:
    earlier = len(await subjects(world))
    opened = await sign_in(world)
    (mail,) = (await security_mails(world))[earlier:]
    assert mail["subject"] == "Вход с нового устройства: Студия"
    for text in ("Пётр", LOGIN, "Firefox · Linux", "192.0.2.7", "/settings/access"):
        assert text in mail["text"], text
    await sign_in(world, device=opened.device)
    assert len(await subjects(world)) == earlier + 1


async def test_person_with_several_shops_gets_one_mail(world: World) -> None:
    """Of a change of the account, not of one of its shops."""
    ctx = world.ctx
    await other_shop(world)
    await other_shop(world)
    await world.run_jobs()
    url = f"{world.sandbox.base_url}/mail/api/messages"

    async def count() -> int:
        await world.run_jobs()
        return len((await world.http.get(url, params={"to": LOGIN})).json())

    before = await count()
    opened = await sign_in(world)
    assert await count() == before + 1, "a new device"
    session = await find_session(ctx, opened.secret)
    await change_password(ctx, session, world.password, "новые случайные слова")
    assert await count() == before + 2, "a new password"


async def test_person_and_owner_get_a_mail_each_in_their_language(world: World) -> None:
    operator = await add_operator(world, "olya1@example.org")
    earlier = len(await subjects(world))
    await api_keys.create(world.ctx, operator, "Касса", origin=ORIGIN)
    (to_owner,) = (await security_mails(world))[earlier:]
    (to_person,) = await security_mails(world, "olya1@example.org")
    assert to_owner["subject"] == "Создан ключ API: Студия"
    assert "Оля, olya1@example.org" in to_owner["text"]
    assert to_person["subject"] == "API key created: Студия"
    assert "“Касса”" in to_person["text"]


async def test_every_change_of_access_is_announced(world: World) -> None:
    ctx, earlier = world.ctx, len(await subjects(world))
    session = await open_session(world)
    _, enrolled = await add_app(world, session)
    session = await find_session(ctx, enrolled.secret)
    _, enrolled = await add_passkey(world, session)
    session = await find_session(ctx, enrolled.secret)
    await second_factors.replace_recovery_codes(ctx, session)
    await second_factors.remove_app(ctx, session)
    await connections.set_active(ctx, world.member, world.connection.id, False, origin=ORIGIN)
    url = "smtp://name:x9@smtp.example.com:587"  # pragma: allowlist secret
    await shops.save_mail(ctx, world.member, from_name="", reply_to="", smtp_url=url, origin=ORIGIN)
    await shops.save_mail(ctx, world.member, from_name="", reply_to="", smtp_url="", origin=ORIGIN)
    await change_password(ctx, session, world.password, "новые случайные слова")
    assert (await subjects(world))[earlier:] == [
        f"{text}: Студия"
        for text in (
            "Вход с нового устройства",
            "Добавлен второй шаг входа",
            "Добавлен второй шаг входа",
            "Созданы новые резервные коды",
            "Удалён второй шаг входа",
            "Изменено подключение к эквайеру",
            "Изменён почтовый сервер",
            "Изменён почтовый сервер",
            "Пароль изменён",
        )
    ]


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("locale", ["ru", "en"])
async def test_every_kind_of_notice_has_words(world: World, kind: NoticeKind, locale: str) -> None:
    login = f"{kind}-{locale}@example.org".replace("_", "-")
    member = await add_operator(world, login)
    async with world.ctx.db.write() as tx:
        user = await user_rows.get(tx, member.actor)
        assert user is not None
        await user_rows.save(tx, replace(user, locale=locale))
        subject = "passkey:Телефон" if kind.startswith("factor") else "7"
        await security_notices.announce(
            world.ctx,
            tx,
            kind,
            shop_id=world.shop.id,
            user_id=member.actor,
            origin=Origin(),
            subject=subject,
        )
    (mail,) = await security_mails(world, login)
    assert "{" not in mail["text"] + mail["subject"]
    assert mail["html"]


async def test_command_line_is_announced_to_the_owner_alone(world: World) -> None:
    earlier = len(await subjects(world))
    member = Member("cli", world.shop.id, Role.OWNER)
    origin = Origin(agent="sigma key create")
    await api_keys.create(world.ctx, member, "Бот", origin=origin)
    (mail,) = (await security_mails(world))[earlier:]
    assert "администратор сервера" in mail["text"]


async def test_notices_hold_addresses_encrypted_and_are_deleted_in_time(world: World) -> None:
    await sign_in(world)
    rows = await leaks.dump_tables(world.ctx.db)
    assert "sec_" in rows["security_notices"]
    assert "192.0.2.7" not in rows["security_notices"]
    await housekeeping.clean_up(world.ctx)
    assert "sec_" in (await leaks.dump_tables(world.ctx.db))["security_notices"]
    world.clock.advance(days=31)
    await housekeeping.clean_up(world.ctx)
    assert "sec_" not in (await leaks.dump_tables(world.ctx.db))["security_notices"]


async def test_unchanged_mail_server_is_not_announced(world: World) -> None:
    earlier = len(await subjects(world))
    await shops.save_mail(
        world.ctx, world.member, from_name="Аня", reply_to="", smtp_url=None, origin=ORIGIN
    )
    assert len(await subjects(world)) == earlier
