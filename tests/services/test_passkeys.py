"""Passkeys: what an authenticator's answer must prove before it opens a session."""

import json
from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.accounts.member import User
from sigma.domain.accounts.session import Proof
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.services.authentication import passkeys, second_factors
from sigma.services.authentication.relying_party import RelyingParty, relying_party
from sigma.store import changes
from sigma.store.accounts import users
from tests.authenticators import SoftwarePasskey
from tests.services.second_factor_actions import (
    ORIGIN,
    add_passkey,
    find_pending,
    find_session,
    open_session,
    sign_in,
    sign_in_by_passkey,
)
from tests.world import World


async def problem_of(call: Any) -> str:
    with pytest.raises(RefusedError) as refused:
        await call
    return refused.value.problems[0].code


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://pay.example.org", RelyingParty("pay.example.org", "https://pay.example.org")),
        (
            "https://pay.example.org:8443",
            RelyingParty("pay.example.org", "https://pay.example.org:8443"),
        ),
        ("http://localhost:8000", RelyingParty("localhost", "http://localhost:8000")),
        ("http://127.0.0.1:8000", RelyingParty("localhost", "http://localhost:8000")),
        ("http://[::1]:8000", RelyingParty("localhost", "http://localhost:8000")),
        ("http://pay.example.org", None),
        ("http://192.0.2.1:8000", None),
        ("https://192.0.2.1", None),
        ("https://[2001:db8::1]", None),
    ],
)
def test_passkeys_belong_to_the_host_of_the_base_url(
    base_url: str, expected: RelyingParty | None
) -> None:
    assert relying_party(base_url) == expected


@pytest.mark.both_databases
async def test_passkey_signs_in_without_login_and_password(world: World) -> None:
    passkey, enrolled = await add_passkey(world, await open_session(world))
    opened = await sign_in_by_passkey(world, passkey)
    assert not opened.is_pending
    session = await find_session(world.ctx, opened.secret)
    assert session.proofs == {Proof.PASSKEY}
    assert session.user.login == "owner@example.org"
    assert len(enrolled.codes) == 10, "recovery codes come with the first factor"
    (stored,) = (await second_factors.get_overview(world.ctx, session)).passkeys
    assert (stored.name, stored.sign_count, stored.transports) == ("Телефон", 1, "internal")


async def test_passkey_is_the_second_step_after_the_password(world: World) -> None:
    passkey, _ = await add_passkey(world, await open_session(world))
    half = await sign_in(world)
    assert half.is_pending
    pending = await find_pending(world.ctx, half.secret)
    passkey.is_user_verified = False  # the password is the other factor
    request = await passkeys.authentication_request(world.ctx, pending.user)
    assert json.loads(request.options)["allowCredentials"][0]["type"] == "public-key"
    opened = await second_factors.finish_by_passkey(
        world.ctx, pending, passkey.get(request.options), request.ticket, ORIGIN, ""
    )
    session = await find_session(world.ctx, opened.secret)
    assert session.proofs == {Proof.PASSWORD, Proof.PASSKEY}


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:8001"},
        {"rp_id": "evil.example"},
        {"is_user_verified": False},
        {"sign_count": -1},  # a copy of the authenticator counts behind
        {"user_handle": "dXNyX290aGVy"},
        {"key": SoftwarePasskey().key},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_answer_that_proves_nothing_opens_nothing(
    world: World, changes: dict[str, Any]
) -> None:
    passkey, _ = await add_passkey(world, await open_session(world))
    await sign_in_by_passkey(world, passkey)
    forged = replace(passkey, **changes)
    assert await problem_of(sign_in_by_passkey(world, forged)) == "passkey_failed"


async def test_recorded_answer_opens_nothing_a_second_time(world: World) -> None:
    passkey, _ = await add_passkey(world, await open_session(world))
    passkey.sign_count = -1  # an authenticator that does not count
    request = await passkeys.authentication_request(world.ctx, None)
    answer = passkey.get(request.options)
    await second_factors.sign_in_by_passkey(world.ctx, answer, request.ticket, ORIGIN, "")
    again = second_factors.sign_in_by_passkey(world.ctx, answer, request.ticket, ORIGIN, "")
    assert await problem_of(again) == "passkey_again"


async def test_challenge_works_for_minutes_and_for_its_own_purpose(world: World) -> None:
    session = await open_session(world)
    passkey, enrolled = await add_passkey(world, session)
    session = await find_session(world.ctx, enrolled.secret)
    for_anybody = await passkeys.authentication_request(world.ctx, None)
    answer = passkey.get(for_anybody.options)
    other_purpose = passkeys.verify(
        world.ctx, answer, for_anybody.ticket, session.user, require_user_verification=True
    )
    assert await problem_of(other_purpose) == "passkey_again"
    for_registration = await passkeys.registration_request(world.ctx, session.user)
    answer = passkey.get(for_registration.options)
    other_purpose = passkeys.verify(
        world.ctx, answer, for_registration.ticket, session.user, require_user_verification=True
    )
    assert await problem_of(other_purpose) == "passkey_again"
    old = await passkeys.authentication_request(world.ctx, None)
    world.clock.advance(minutes=5, seconds=1)
    late = second_factors.sign_in_by_passkey(
        world.ctx, passkey.get(old.options), old.ticket, ORIGIN, ""
    )
    assert await problem_of(late) == "passkey_again"


async def test_passkey_of_another_account_does_not_answer_for_this_one(world: World) -> None:
    """A thief with a stolen session has an own account, and an own passkey there."""
    ctx, session = world.ctx, await open_session(world)
    thief = User(ctx.new_id("usr"), "thief@example.org", "", "", "ru", ctx.now_us())
    async with ctx.db.write() as tx:
        await users.save(tx, thief)
    passkey = SoftwarePasskey()
    request = await passkeys.registration_request(ctx, thief)
    answer = passkey.create(request.options)
    stored = await passkeys.verify_registration(ctx, thief, answer, request.ticket, "Мой")
    await changes.commit(ctx.db, Change((stored,)), ctx.now_us())
    request = await passkeys.authentication_request(ctx, session.user)
    answer = passkey.get(request.options)
    call = passkeys.verify(
        ctx, answer, request.ticket, session.user, require_user_verification=True
    )
    assert await problem_of(call) == "passkey_failed"


async def test_removed_passkey_opens_nothing(world: World) -> None:
    passkey, enrolled = await add_passkey(world, await open_session(world))
    session = await find_session(world.ctx, enrolled.secret)
    (stored,) = (await second_factors.get_overview(world.ctx, session)).passkeys
    await second_factors.remove_passkey(world.ctx, session, stored.id)
    assert await problem_of(sign_in_by_passkey(world, passkey)) == "passkey_unknown"
    with pytest.raises(RefusedError, match="not_found"):
        await second_factors.remove_passkey(world.ctx, session, stored.id)


async def test_passkey_cannot_be_added_twice(world: World) -> None:
    passkey, enrolled = await add_passkey(world, await open_session(world))
    session = await find_session(world.ctx, enrolled.secret)
    assert await problem_of(add_passkey(world, session, passkey)) == "passkey_known"


@pytest.mark.parametrize(
    "changes",
    [{"origin": "https://evil.example"}, {"rp_id": "evil.example"}],
    ids=lambda changes: next(iter(changes)),
)
async def test_passkey_of_another_site_is_not_added(world: World, changes: dict[str, Any]) -> None:
    session = await open_session(world)
    foreign = replace(SoftwarePasskey(), **changes)
    assert await problem_of(add_passkey(world, session, foreign)) == "passkey_failed"


MALFORMED = (
    *("", "null", "[]", "{}", "7", '"x"', "{", "[" * 100_000, '{"response": 1}'),
    *('{"id": 1, "response": {}}', '{"id": "a", "rawId": "b", "type": "x", "response": {}}'),
)


@pytest.mark.parametrize("credential", MALFORMED, ids=range(len(MALFORMED)))
async def test_malformed_answer_is_refused_with_words(world: World, credential: str) -> None:
    session = await open_session(world)
    request = await passkeys.registration_request(world.ctx, session.user)
    add = second_factors.add_passkey(world.ctx, session, "Телефон", credential, request.ticket)
    assert await problem_of(add) == "passkey_failed"
    request = await passkeys.authentication_request(world.ctx, None)
    use = second_factors.sign_in_by_passkey(world.ctx, credential, request.ticket, ORIGIN, "")
    assert await problem_of(use) in ("passkey_failed", "passkey_unknown")


async def test_damaged_answers_are_refused_with_words(world: World) -> None:
    passkey, _ = await add_passkey(world, await open_session(world))
    for name in ("clientDataJSON", "authenticatorData", "signature"):
        for value in ("", "AAAA", "!", 7, None):
            request = await passkeys.authentication_request(world.ctx, None)
            answer = json.loads(passkey.get(request.options))
            answer["response"][name] = value
            use = second_factors.sign_in_by_passkey(
                world.ctx, json.dumps(answer), request.ticket, ORIGIN, ""
            )
            assert await problem_of(use) == "passkey_failed", (name, value)


@pytest.mark.parametrize(("name", "problem"), [("", "required"), ("x" * 61, "too_long")])
async def test_name_of_a_passkey_is_checked(world: World, name: str, problem: str) -> None:
    session = await open_session(world)
    assert await problem_of(second_factors.add_passkey(world.ctx, session, name, "", "")) == problem
