"""The authenticator app, recovery codes and the second step of a sign-in."""

import asyncio

import pytest

from sigma.domain.accounts.second_factor import RECOVERY_CODE_COUNT, RECOVERY_CODE_LENGTH
from sigma.domain.accounts.session import PENDING_US, Proof
from sigma.domain.errors import RefusedError
from sigma.domain.limits import SECOND_FACTOR
from sigma.services.accounts import users
from sigma.services.authentication import authenticator_apps, recovery_codes, second_factors
from tests import leaks
from tests.authenticators import app_code
from tests.services.second_factor_actions import (
    ORIGIN,
    add_app,
    add_passkey,
    find_pending,
    find_session,
    open_session,
    sign_in,
)
from tests.world import World


async def finish(world: World, pending_secret: str, code: str) -> users.NewSession:
    pending = await find_pending(world.ctx, pending_secret)
    return await second_factors.finish_by_code(world.ctx, pending, code, ORIGIN, "")


async def test_password_alone_opens_nothing_once_there_is_an_app(world: World) -> None:
    secret, _ = await add_app(world, await open_session(world))
    world.clock.advance(minutes=1)
    half = await sign_in(world)
    assert half.is_pending
    assert not half.device
    assert await users.find_session(world.ctx, half.secret) is None
    whole = await finish(world, half.secret, app_code(world.ctx, secret))
    session = await find_session(world.ctx, whole.secret)
    assert session.proofs == {Proof.PASSWORD, Proof.TOTP}
    assert whole.secret != half.secret, "a new session id with the new rights"
    assert await users.find_pending_session(world.ctx, half.secret) is None
    assert await users.find_session(world.ctx, half.secret) is None


async def test_code_of_the_same_step_is_refused_a_second_time(world: World) -> None:
    secret, _ = await add_app(world, await open_session(world))
    world.clock.stop()
    world.clock.advance(minutes=1)
    code = app_code(world.ctx, secret)
    await finish(world, (await sign_in(world)).secret, code)
    for replayed in (code, app_code(world.ctx, secret, steps=-1)):
        with pytest.raises(RefusedError, match="validation"):
            await finish(world, (await sign_in(world)).secret, replayed)
    world.clock.advance(minutes=1)
    await finish(world, (await sign_in(world)).secret, app_code(world.ctx, secret))


async def test_code_that_confirmed_the_app_is_used_up(world: World) -> None:
    world.clock.stop()
    secret, _ = await add_app(world, await open_session(world))
    with pytest.raises(RefusedError, match="validation"):
        await finish(world, (await sign_in(world)).secret, app_code(world.ctx, secret))


@pytest.mark.both_databases
async def test_one_code_at_the_same_time_opens_one_session(world: World) -> None:
    secret, _ = await add_app(world, await open_session(world))
    world.clock.advance(minutes=1)
    halves = [await sign_in(world) for _ in range(4)]
    code = app_code(world.ctx, secret)
    results = await asyncio.gather(
        *(finish(world, half.secret, code) for half in halves), return_exceptions=True
    )
    opened = [one for one in results if isinstance(one, users.NewSession)]
    assert len(opened) == 1
    assert all(isinstance(one, RefusedError) for one in results if one not in opened)


async def test_wrong_codes_are_slowed_for_the_account(world: World) -> None:
    world.clock.stop()
    secret, _ = await add_app(world, await open_session(world))
    world.clock.advance(minutes=1)
    accepted = {app_code(world.ctx, secret, steps=n) for n in (-1, 0, 1)}
    wrong_codes = [code for n in range(100) if (code := f"{n:06}") not in accepted]
    refusals = []
    for code in wrong_codes[: SECOND_FACTOR.free + 2]:
        half = await sign_in(world)  # a new sign-in does not give new attempts
        with pytest.raises(RefusedError) as refused:
            await finish(world, half.secret, code)
        refusals.append(refused.value.code)
    assert refusals[:5] == ["validation"] * 5
    assert refusals[-1] == "too_many_requests"
    half = await sign_in(world)
    with pytest.raises(RefusedError, match="too_many_requests"):
        await finish(world, half.secret, app_code(world.ctx, secret))
    world.clock.advance(minutes=1)
    half = await sign_in(world)
    await finish(world, half.secret, app_code(world.ctx, secret))


async def test_second_step_must_follow_within_minutes(world: World) -> None:
    secret, _ = await add_app(world, await open_session(world))
    half = await sign_in(world)
    world.clock.advance(microseconds=PENDING_US + 1)
    assert await users.find_pending_session(world.ctx, half.secret) is None
    assert await users.find_session(world.ctx, half.secret) is None
    assert secret


@pytest.mark.both_databases
async def test_recovery_code_opens_once(world: World) -> None:
    _, enrolled = await add_app(world, await open_session(world))
    assert len(set(enrolled.codes)) == RECOVERY_CODE_COUNT
    code = enrolled.codes[3]
    opened = await finish(world, (await sign_in(world)).secret, f" {code.upper()} ")
    assert (await find_session(world.ctx, opened.secret)).proofs == {
        Proof.PASSWORD,
        Proof.RECOVERY_CODE,
    }
    with pytest.raises(RefusedError, match="validation"):
        await finish(world, (await sign_in(world)).secret, code)
    session = await find_session(world.ctx, opened.secret)
    overview = await second_factors.get_overview(world.ctx, session)
    assert overview.recovery_codes_left == RECOVERY_CODE_COUNT - 1


@pytest.mark.both_databases
async def test_one_recovery_code_at_the_same_time_is_used_once(world: World) -> None:
    session = await open_session(world)
    _, enrolled = await add_app(world, session)
    results = await asyncio.gather(
        *(recovery_codes.verify(world.ctx, session.user.id, enrolled.codes[0]) for _ in range(4))
    )
    assert sorted(results) == [False, False, False, True]


async def test_codes_and_secrets_are_not_in_the_database_in_plain_text(world: World) -> None:
    secret, enrolled = await add_app(world, await open_session(world))
    rows = "".join((await leaks.dump_tables(world.ctx.db)).values())
    assert secret.replace(" ", "") not in rows
    for code in enrolled.codes:
        assert code not in rows
        assert code.replace("-", "") not in rows
    assert rows.count("$argon2id$") == RECOVERY_CODE_COUNT + 1, "codes have the hash of passwords"


async def test_recovery_codes_have_enough_random_bits(world: World) -> None:
    codes = []
    for _ in range(3):
        texts, _ = await recovery_codes.generate(world.ctx, world.member.actor)
        codes += texts
    letters = [text.replace("-", "") for text in codes]
    assert {len(code) for code in letters} == {RECOVERY_CODE_LENGTH}
    assert len({code[1:] for code in letters}) == len(codes)
    assert len(set("".join(letters))) > 28, "all of the alphabet is used"
    assert 2 ** (5 * (RECOVERY_CODE_LENGTH - 1)) > 2**20


async def test_first_factor_ends_the_other_sessions_and_renews_this_one(world: World) -> None:
    other, this = await sign_in(world), await sign_in(world)
    _, enrolled = await add_app(world, await find_session(world.ctx, this.secret))
    assert await users.find_session(world.ctx, other.secret) is None
    assert await users.find_session(world.ctx, this.secret) is None, "its secret is a new one"
    session = await find_session(world.ctx, enrolled.secret)
    assert Proof.TOTP in session.proofs
    _, second = await add_passkey(world, session)
    assert not second.codes, "the recovery codes stay"
    assert await users.find_session(world.ctx, second.secret) is not None


async def test_removing_the_last_factor_removes_recovery_codes(world: World) -> None:
    session = await open_session(world)
    _, enrolled = await add_app(world, session)
    session = await find_session(world.ctx, enrolled.secret)
    await second_factors.remove_app(world.ctx, session)
    overview = await second_factors.get_overview(world.ctx, session)
    assert overview.recovery_codes_left == 0
    assert not (await sign_in(world)).is_pending
    with pytest.raises(RefusedError, match="not_found"):
        await second_factors.remove_app(world.ctx, session)
    with pytest.raises(RefusedError, match="not_found"):
        await second_factors.replace_recovery_codes(world.ctx, session)


async def test_new_recovery_codes_replace_the_old_ones(world: World) -> None:
    session = await open_session(world)
    _, enrolled = await add_app(world, session)
    session = await find_session(world.ctx, enrolled.secret)
    codes = await second_factors.replace_recovery_codes(world.ctx, session)
    assert not set(codes) & set(enrolled.codes)
    with pytest.raises(RefusedError, match="validation"):
        await finish(world, (await sign_in(world)).secret, enrolled.codes[0])
    await finish(world, (await sign_in(world)).secret, codes[0])


async def test_administrator_of_the_server_can_remove_every_factor(world: World) -> None:
    _, enrolled = await add_app(world, await open_session(world))
    await second_factors.remove_all(world.ctx, " Owner@example.org ")
    assert await users.find_session(world.ctx, enrolled.secret) is None
    assert not (await sign_in(world)).is_pending
    with pytest.raises(RefusedError, match="not_found"):
        await second_factors.remove_all(world.ctx, "nobody@example.org")


@pytest.mark.parametrize("ticket", ["", "nonsense", "1.aaaaaaaa.AAAA"])
async def test_app_is_not_added_with_a_forged_or_an_old_ticket(world: World, ticket: str) -> None:
    session = await open_session(world)
    enrolment = authenticator_apps.start(world.ctx, session.user)
    code = app_code(world.ctx, enrolment.secret)
    with pytest.raises(RefusedError, match="validation"):
        await second_factors.add_app(world.ctx, session, ticket, code)
    world.clock.advance(minutes=31)
    code = app_code(world.ctx, enrolment.secret)
    with pytest.raises(RefusedError, match="validation"):
        await second_factors.add_app(world.ctx, session, enrolment.ticket, code)
