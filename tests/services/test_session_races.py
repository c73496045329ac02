"""Sessions that open while the password or the second factors of their person change."""

import asyncio
from dataclasses import replace

import pytest

from sigma.domain.accounts.member import User
from sigma.domain.accounts.second_factor import SecondFactorRule
from sigma.domain.accounts.session import RECENT_AUTHENTICATION_US
from sigma.domain.errors import RefusedError
from sigma.domain.money import Money
from sigma.services.accounts import shops, users
from sigma.services.accounts.password_changes import change_password
from sigma.services.accounts.users import BY_PASSWORD, NewSession
from sigma.services.authentication import recovery_codes, second_factors, session_list
from sigma.services.authentication.reauthentication import refund_guard
from sigma.services.billing import refunds
from sigma.store.accounts import users as user_rows
from tests.services.actions import refusal_code
from tests.services.second_factor_actions import (
    ORIGIN,
    add_app,
    add_passkey,
    find_pending,
    find_session,
    open_session,
    sign_in,
    sign_in_by_passkey,
)
from tests.world import World

NEW_PASSWORD = "новые случайные слова"


async def stored_user(world: World) -> User:
    async with world.ctx.db.read() as tx:
        user = await user_rows.get(tx, world.member.actor)
    assert user is not None
    return user


async def sign_in_unless_refused(world: World, ip: str) -> NewSession | None:
    try:
        return await users.sign_in(world.ctx, "owner@example.org", world.password, ip=ip)
    except RefusedError as error:
        if error.code != "unauthorized":
            raise
        return None


async def test_password_that_was_changed_after_it_was_verified_opens_nothing(
    world: World,
) -> None:
    verified = await stored_user(world)
    session = await open_session(world)
    await change_password(world.ctx, session, world.password, NEW_PASSWORD)
    with pytest.raises(RefusedError, match="unauthorized"):
        await users.open_session(world.ctx, verified, BY_PASSWORD, ORIGIN)


@pytest.mark.both_databases
async def test_no_session_of_the_old_password_survives_its_change(world: World) -> None:
    session = await open_session(world)
    renewed, *opened = await asyncio.gather(
        change_password(world.ctx, session, world.password, NEW_PASSWORD),
        *(sign_in_unless_refused(world, f"198.51.100.{n}") for n in range(4)),
    )
    assert isinstance(renewed, NewSession)
    for one in opened:
        assert one is None or await users.find_session(world.ctx, one.secret) is None
    assert await users.find_session(world.ctx, renewed.secret)


@pytest.mark.both_databases
async def test_no_session_without_a_second_step_survives_the_first_factor(world: World) -> None:
    session = await open_session(world)
    (_, enrolled), opened = await asyncio.gather(
        add_app(world, session),
        asyncio.gather(*(sign_in_unless_refused(world, f"198.51.100.{n}") for n in range(4))),
    )
    current = await find_session(world.ctx, enrolled.secret)
    assert [one.id for one in await session_list.list_open(world.ctx, current)] == [current.id]
    for one in opened:
        assert one is None or await users.find_session(world.ctx, one.secret) is None


async def test_removed_factor_does_not_meet_the_rule_of_the_shop_any_more(world: World) -> None:
    """A factor that is added and removed at once would otherwise do for a month."""
    await demand(world, SecondFactorRule.ANY)
    _, enrolled = await add_app(world, await open_session(world))
    session = await find_session(world.ctx, enrolled.secret)
    assert session.meets_shop_rule
    _, enrolled = await add_passkey(world, session)
    session = await find_session(world.ctx, enrolled.secret)
    await second_factors.remove_app(world.ctx, session)
    session = await find_session(world.ctx, enrolled.secret)
    assert session.meets_shop_rule, "the passkey is left"
    await demand(world, SecondFactorRule.TOTP)
    assert not (await find_session(world.ctx, enrolled.secret)).meets_shop_rule
    await demand(world, SecondFactorRule.ANY)
    overview = await second_factors.get_overview(world.ctx, session)
    await second_factors.remove_passkey(world.ctx, session, overview.passkeys[0].id)
    assert not (await find_session(world.ctx, enrolled.secret)).meets_shop_rule


async def test_recovery_code_meets_no_rule_after_the_last_factor(world: World) -> None:
    _, enrolled = await add_app(world, await open_session(world))
    world.clock.advance(minutes=2)
    pending = await find_pending(world.ctx, (await sign_in(world)).secret)
    opened = await second_factors.finish_by_code(world.ctx, pending, enrolled.codes[0], ORIGIN, "")
    await demand(world, SecondFactorRule.ANY)
    session = await find_session(world.ctx, opened.secret)
    assert session.meets_shop_rule
    await second_factors.remove_app(world.ctx, session)
    assert not (await find_session(world.ctx, opened.secret)).meets_shop_rule


@pytest.mark.both_databases
async def test_recovery_code_is_used_once_by_simultaneous_sign_ins(world: World) -> None:
    _, enrolled = await add_app(world, await open_session(world))
    user_id = world.member.actor
    used = await asyncio.gather(
        *(recovery_codes.verify(world.ctx, user_id, enrolled.codes[0]) for _ in range(6))
    )
    assert used.count(True) == 1


async def demand(world: World, rule: SecondFactorRule) -> None:
    await shops.save_security_rules(
        world.ctx, world.member, second_factor_rule=rule, refund_confirmation=Money(100)
    )


async def test_session_of_a_passkey_alone_stays_readable_without_it(world: World) -> None:
    passkey, enrolled = await add_passkey(world, await open_session(world))
    session = await find_session(world.ctx, enrolled.secret)
    overview = await second_factors.get_overview(world.ctx, session)
    opened = await sign_in_by_passkey(world, passkey)
    await second_factors.remove_passkey(world.ctx, session, overview.passkeys[0].id)
    assert (await find_session(world.ctx, opened.secret)).proofs == frozenset()


@pytest.mark.both_databases
async def test_small_refunds_at_once_count_together(world: World) -> None:
    """Parallel requests of a stolen session must not each see that little was refunded before."""
    session = await open_session(world)
    session = replace(session, shop=replace(session.shop, refund_confirmation_minor=100_000))
    paid = [await world.complete_payment() for _ in range(4)]
    world.clock.advance(microseconds=RECENT_AUTHENTICATION_US + 1)
    guard = refund_guard(world.ctx, session)
    codes = await asyncio.gather(
        *(
            refusal_code(
                refunds.request(world.ctx, session.member, one.id, Money(45_000), "", guard=guard)
            )
            for one in paid
        )
    )
    assert sorted(codes) == ["", "", *["reauthentication_required"] * 2]
    stored = [await refunds.list_for_payment(world.ctx, world.member, one.id) for one in paid]
    assert sum(map(len, stored)) == 2, "a refused one is not stored"
