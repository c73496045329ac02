"""Guessing passwords is slow from any number of addresses; the owner still gets in."""

import asyncio
from collections import Counter

import pytest

from sigma.domain.accounts.member import Role, User
from sigma.domain.errors import RefusedError
from sigma.domain.limits import (
    SIGN_IN_ACCOUNT,
    SIGN_IN_ADDRESS,
    SIGN_IN_ADDRESS_IN_FLOOD,
    SIGN_IN_ALL,
)
from sigma.services.accounts import users
from sigma.services.accounts.devices import DEVICE_DAYS, device_cookie, find_device
from sigma.services.accounts.password_changes import change_password
from sigma.store.accounts import members
from sigma.store.accounts import users as user_rows
from tests.world import World

OWNER = "owner@example.org"
HASH = "hash of a password"
NEW_PASSWORD = "another horse battery"


@pytest.fixture(autouse=True)
def _stopped_clock(world: World) -> None:
    world.clock.stop()


async def attempt(
    world: World, password: str, ip: str, *, login: str = OWNER, device: str = ""
) -> str:
    """Sign in; return the refusal code, "" on success."""
    try:
        await users.sign_in(world.ctx, login, password, ip=ip, device=device)
    except RefusedError as refused:
        return refused.code
    return ""


def address(number: int) -> str:
    """Return an address of a /64 network of its own."""
    return f"2001:db8:{number // 65536:x}:{number % 65536:x}::1"


async def guess_from_many_addresses(world: World, count: int, login: str = OWNER) -> Counter[str]:
    """Try wrong passwords at once, each from another address; count the outcomes."""
    return Counter(
        await asyncio.gather(
            *(attempt(world, f"guess {n}", address(n), login=login) for n in range(count))
        )
    )


async def add_member(world: World, login: str) -> None:
    """Add another user of the shop with the owner's password."""
    async with world.ctx.db.read() as tx:
        owner = await user_rows.find_by_login(tx, OWNER)
    assert owner is not None
    user_id = world.ctx.new_id("usr", world.shop.id)
    user = User(user_id, login, owner.password_hash, "", "ru", world.ctx.now_us())
    async with world.ctx.db.write() as tx:
        await user_rows.save(tx, user)
        await members.add(tx, world.shop.id, user_id, Role.OPERATOR, world.ctx.now_us())


@pytest.mark.both_databases
async def test_200_guesses_from_200_addresses_try_five_passwords(world: World) -> None:
    known = (await users.sign_in(world.ctx, OWNER, world.password, ip="203.0.113.7")).device
    outcomes: Counter[str] = Counter()
    for _ in range(10):
        outcomes += await guess_from_many_addresses(world, 20)
    assert outcomes["unauthorized"] == SIGN_IN_ACCOUNT.free
    assert outcomes["too_many_requests"] == 200 - SIGN_IN_ACCOUNT.free
    assert await attempt(world, world.password, "203.0.113.7") == "too_many_requests"
    for ip in ("203.0.113.7", address(3), "198.51.100.1"):
        assert await attempt(world, world.password, ip, device=known) == ""
    assert await attempt(world, "guess", address(999)) == "too_many_requests", "not reset"


async def test_guessing_goes_on_more_and_more_slowly(world: World) -> None:
    tried = 0
    for n in range(60):  # one attempt a minute for an hour
        tried += await attempt(world, f"guess {n}", address(n)) == "unauthorized"
        world.clock.advance(minutes=1)
    assert tried < 20


@pytest.mark.both_databases
async def test_concurrent_guesses_from_one_address_are_limited(world: World) -> None:
    logins = [f"somebody-{n}@example.org" for n in range(60)]
    outcomes = Counter(
        await asyncio.gather(
            *(attempt(world, "guess", "203.0.113.7", login=login) for login in logins)
        )
    )
    assert outcomes["unauthorized"] <= SIGN_IN_ADDRESS.amount
    world.clock.advance(minutes=11)
    for n in range(SIGN_IN_ADDRESS.amount):
        assert await attempt(world, "guess", "2001:db8::1", login=f"a{n}@b.ru") == "unauthorized"
    assert await attempt(world, "guess", "2001:db8::ffff", login=OWNER) == "too_many_requests"
    assert await attempt(world, "guess", "2001:db8:0:1::1", login=OWNER) == "unauthorized"


async def test_successful_sign_ins_do_not_use_up_an_address(world: World) -> None:
    for _ in range(2 * SIGN_IN_ADDRESS.amount):
        assert await attempt(world, world.password, "203.0.113.7") == ""


async def test_guesses_at_all_accounts_are_limited_but_not_known_devices(world: World) -> None:
    known = (await users.sign_in(world.ctx, OWNER, world.password, ip="203.0.113.7")).device
    for n in range(SIGN_IN_ALL.amount):
        outcome = await attempt(world, "guess", address(n), login=f"somebody-{n}@example.org")
        assert outcome == "unauthorized", n
    flood = [await attempt(world, "guess", address(7000), login=f"x{n}@y.ru") for n in range(20)]
    assert flood.count("unauthorized") == SIGN_IN_ADDRESS_IN_FLOOD.free
    assert await attempt(world, world.password, address(7000)) == "too_many_requests"
    assert await attempt(world, world.password, address(7000), device=known) == ""
    for _ in range(5):  # a new device of the owner: the flood does not close the sign-in
        assert await attempt(world, world.password, address(7001)) == ""
    assert await attempt(world, "guess", address(7001)) == "unauthorized"
    world.clock.advance(minutes=11)
    assert await attempt(world, world.password, address(7001)) == ""
    free = [await attempt(world, "guess", address(7000), login=f"y{n}@y.ru") for n in range(3)]
    assert free == ["unauthorized"] * 3, "the flood is over"


async def test_ten_addresses_do_not_keep_new_devices_out(world: World) -> None:
    for n in range(400):
        await attempt(world, "guess", f"198.51.100.{n % 10}", login=f"somebody-{n}@example.org")
    assert await attempt(world, world.password, "203.0.113.7") == ""


async def test_refused_attempts_do_not_close_the_sign_in_of_others(world: World) -> None:
    """One attacked account must not use up the limit of the installation."""
    await add_member(world, "operator@example.org")
    for _ in range(10):
        await guess_from_many_addresses(world, 20)
    other = "operator@example.org"
    mistyped = [await attempt(world, "guess", "198.51.100.9", login=other) for _ in range(3)]
    assert mistyped == ["unauthorized"] * 3, "the installation counts as flooded"
    assert await attempt(world, world.password, "198.51.100.9", login=other) == ""


@pytest.mark.both_databases
async def test_known_device_has_a_growing_delay_of_its_own(world: World) -> None:
    known = (await users.sign_in(world.ctx, OWNER, world.password, ip="203.0.113.7")).device
    outcomes = [await attempt(world, f"g{n}", address(n), device=known) for n in range(20)]
    assert outcomes.count("unauthorized") == 5
    assert await attempt(world, world.password, "203.0.113.7") == "", "a new device is free"
    world.clock.advance(seconds=2)
    assert await attempt(world, world.password, "203.0.113.7", device=known) == ""
    assert await attempt(world, "guess", "203.0.113.7", device=known) == "unauthorized"


async def test_device_of_another_account_is_not_known(world: World) -> None:
    """An attacker's own account resets and bypasses nothing of another account."""
    await add_member(world, "operator@example.org")
    signed_in = await users.sign_in(
        world.ctx, "operator@example.org", world.password, ip="198.51.100.1"
    )
    await guess_from_many_addresses(world, 10)
    own = signed_in.device
    assert await attempt(world, "guess", address(50), device=own) == "too_many_requests"
    again = await attempt(
        world, world.password, address(51), login="operator@example.org", device=own
    )
    assert again == ""
    assert await attempt(world, "guess", address(52), device=own) == "too_many_requests"


async def test_device_cookie_names_no_account_and_cannot_be_made(world: World) -> None:
    ctx = world.ctx
    cookie = device_cookie(ctx, "", OWNER, HASH)
    device = find_device(ctx, cookie, OWNER, HASH)
    assert device
    assert "owner" not in cookie
    operator = "operator@example.org"
    both = device_cookie(ctx, cookie, operator, HASH)
    assert find_device(ctx, both, OWNER, HASH) == find_device(ctx, both, operator, HASH) == device
    assert find_device(ctx, cookie, operator, HASH) is None
    assert find_device(ctx, cookie, OWNER, "hash of another password") is None
    for forged in ("", "x", "..", "я.я.я", cookie[:-1], f"9{cookie}", cookie * 20, f"{device}..x"):
        assert find_device(ctx, forged, OWNER, HASH) is None, forged
    world.clock.advance(days=DEVICE_DAYS + 1)
    assert find_device(ctx, cookie, OWNER, HASH) is None
    assert not device_cookie(ctx, cookie, OWNER, HASH).startswith(device)


async def test_no_device_is_known_after_a_change_of_the_password(world: World) -> None:
    """Whoever has copied the cookie of a device must not guess the new password from it."""
    ctx = world.ctx
    signed_in = await users.sign_in(ctx, OWNER, world.password, ip="203.0.113.7")
    session = await users.find_session(ctx, signed_in.secret)
    assert session is not None
    renewed = await change_password(
        ctx, session, world.password, NEW_PASSWORD, device=signed_in.device
    )
    await guess_from_many_addresses(world, 20)
    old_device = await attempt(world, NEW_PASSWORD, "203.0.113.7", device=signed_in.device)
    assert old_device == "too_many_requests"
    assert await attempt(world, NEW_PASSWORD, "203.0.113.7", device=renewed.device) == ""


@pytest.mark.both_databases
async def test_wrong_old_passwords_are_slowed(world: World) -> None:
    signed_in = await users.sign_in(world.ctx, OWNER, world.password, ip="203.0.113.7")
    session = await users.find_session(world.ctx, signed_in.secret)
    assert session is not None
    codes = []
    for n in range(25):
        with pytest.raises(RefusedError) as caught:
            await change_password(world.ctx, session, f"guess {n}", "long enough now")
        codes.append(caught.value.code)
    assert Counter(codes) == {"validation": 5, "too_many_requests": 20}
    other = await users.sign_in(world.ctx, OWNER, world.password, ip="203.0.113.8")
    other_session = await users.find_session(world.ctx, other.secret)
    assert other_session is not None
    with pytest.raises(RefusedError, match="validation"):
        await change_password(world.ctx, other_session, world.password, "short")
    await change_password(world.ctx, other_session, world.password, "long enough now")


async def test_right_old_password_forgets_the_failures(world: World) -> None:
    signed_in = await users.sign_in(world.ctx, OWNER, world.password, ip="203.0.113.7")
    session = await users.find_session(world.ctx, signed_in.secret)
    assert session is not None
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(RefusedError, match="validation"):
                await change_password(world.ctx, session, "guess", "long enough now")
        with pytest.raises(RefusedError, match="validation"):
            await change_password(world.ctx, session, world.password, "short")
