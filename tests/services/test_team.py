"""The team: invitations, roles, the last owner, removal of a member with sessions and keys."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

import pytest

from sigma.domain.accounts.invitation import InvitationState
from sigma.domain.accounts.member import Member, RefundLimits, Role, Scope
from sigma.domain.errors import RefusedError
from sigma.domain.money import Money
from sigma.services.accounts import api_keys, installation, invitations, own_shops, team, users
from sigma.services.accounts.installation import Administrator
from sigma.services.accounts.users import NewSession, Session
from sigma.services.billing import payment_acceptance, refunds
from sigma.services.platform import housekeeping
from sigma.store.accounts import members
from sigma_sandbox.mail import mailbox
from tests.people import PASSWORD, add_person, other_shop
from tests.world import World


async def roles(world: World) -> dict[str, Role]:
    """Return the roles of the world's shop by login."""
    found = await team.get(world.ctx, world.member)
    return {one.login: one.role for one in found.members.data}


async def sign_in(world: World, login: str, ip: str = "198.51.100.1") -> Session:
    signed = await users.sign_in(world.ctx, login, PASSWORD, ip=ip)
    session = await users.find_session(world.ctx, signed.secret)
    assert session is not None
    return session


async def refused(code: str, action: Awaitable[object]) -> None:
    with pytest.raises(RefusedError) as caught:
        await action
    assert caught.value.code == code


async def test_invited_person_joins_once_with_a_new_account(world: World) -> None:
    invitation, url, _ = await invitations.invite(
        world.ctx, world.member, " New@Example.org ", Role.OPERATOR
    )
    token = url.rpartition("/")[2]
    assert token not in str(invitation), "only the hash is stored"
    await world.run_jobs()
    (email,) = world.sandbox.mailbox.list_newest("new@example.org")
    body = mailbox.parse(email).get_body(("plain",))
    assert body is not None
    assert url in body.get_content(), "the same link is sent by mail"
    view = await invitations.find(world.ctx, token)
    assert (view.state, view.has_account) == (InvitationState.OPEN, False)
    await refused("validation", accept_as_new(world, token, name="", password="short"))
    signed = await accept_as_new(world, token)
    session = await users.find_session(world.ctx, signed.secret)
    assert session is not None
    assert (session.user.login, session.member.role) == ("new@example.org", Role.OPERATOR)
    await refused("invitation_used", accept_as_new(world, token))
    assert await roles(world) == {
        "owner@example.org": Role.OWNER,
        "new@example.org": Role.OPERATOR,
    }


def accept_as_new(
    world: World, token: str, name: str = "Новая", password: str = PASSWORD
) -> Awaitable[NewSession]:
    return invitations.accept_as_new(world.ctx, token, name=name, password=password, locale="ru")


async def test_invitation_is_for_one_address_and_seven_days(world: World) -> None:
    _, url, _ = await invitations.invite(world.ctx, world.member, "b@example.org", Role.VIEWER)
    token = url.rpartition("/")[2]
    await add_person(world.ctx, await other_shop(world), "c@example.org", Role.OWNER)
    stranger = await sign_in(world, "c@example.org")
    await refused("invitation_other_person", invitations.accept(world.ctx, stranger, token))
    world.clock.advance(days=7)
    await refused("invitation_expired", accept_as_new(world, token))
    for wrong in ("", "0" * 40, "../x", "а" * 40):
        await refused("not_found", invitations.find(world.ctx, wrong))


async def test_person_with_an_account_joins_another_shop(world: World) -> None:
    shop_id = await other_shop(world)
    await add_person(world.ctx, shop_id, "b@example.org", Role.OPERATOR)
    _, url, _ = await invitations.invite(world.ctx, world.member, "b@example.org", Role.ACCOUNTANT)
    session = await sign_in(world, "b@example.org")
    assert session.shop.id == shop_id
    token = url.rpartition("/")[2]
    await refused("invitation_other_person", accept_as_new(world, token))
    await invitations.accept(world.ctx, session, token)
    await refused("invitation_used", invitations.accept(world.ctx, session, token))
    page = await own_shops.list_page(world.ctx, session.user.id, limit=10)
    assert {(one.shop_id, one.role) for one in page.data} == {
        (shop_id, Role.OPERATOR),
        (world.shop.id, Role.ACCOUNTANT),
    }
    await own_shops.switch(world.ctx, session, world.shop.id)


async def test_new_invitation_replaces_the_earlier_one(world: World) -> None:
    login = "twice@example.org"
    _, first, _ = await invitations.invite(world.ctx, world.member, login, Role.ADMIN)
    again = await invitations.invite(world.ctx, world.member, login, Role.VIEWER)
    second, url, replaces_earlier = again
    assert replaces_earlier
    view = await invitations.find(world.ctx, first.rpartition("/")[2])
    assert view.state is InvitationState.REVOKED
    await invitations.revoke(world.ctx, world.member, second.id)
    await refused("invitation_used", accept_as_new(world, url.rpartition("/")[2]))
    await world.run_jobs()
    assert world.sandbox.mailbox.list_newest(login) == [], "a revoked invitation is not mailed"
    third = await invitations.invite(world.ctx, world.member, login, Role.VIEWER)
    assert not third.replaces_earlier, "the earlier ones have ended before"
    await world.run_jobs()
    (mail,) = world.sandbox.mailbox.list_newest(login)
    text = mailbox.parse(mail).get_body(("plain",))
    assert text is not None
    assert "Пётр приглашает вас" in text.get_content()
    world.clock.advance(days=8)
    fourth = await invitations.invite(world.ctx, world.member, login, Role.VIEWER)
    assert not fourth.replaces_earlier, "it has expired"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.ACCOUNTANT])
async def test_invitation_ends_with_the_right_of_its_maker(world: World, role: Role) -> None:
    """A member who is lowered or removed must not come back by an invitation."""
    admin = await add_person(world.ctx, world.shop.id, "admin@example.org", Role.ADMIN)
    _, url, _ = await invitations.invite(world.ctx, admin, "b@example.org", Role.ADMIN)
    token = url.rpartition("/")[2]
    await team.change_role(world.ctx, world.member, admin.actor, role)
    await refused("invitation_used", accept_as_new(world, token))
    await team.remove(world.ctx, world.member, admin.actor)
    await refused("invitation_used", accept_as_new(world, token))


async def test_admin_cannot_touch_or_become_an_owner(world: World) -> None:
    admin = await add_person(world.ctx, world.shop.id, "admin@example.org", Role.ADMIN)
    ctx, owner_id = world.ctx, world.member.actor
    await refused("forbidden", invitations.invite(ctx, admin, "x@example.org", Role.OWNER))
    await refused("forbidden", team.change_role(ctx, admin, admin.actor, Role.OWNER))
    await refused("forbidden", team.change_role(ctx, admin, owner_id, Role.VIEWER))
    await refused("forbidden", team.remove(ctx, admin, owner_id))
    await refused("forbidden", team.hand_over_ownership(ctx, admin, admin.actor))
    await refused("forbidden", team.set_refund_limits(ctx, admin, RefundLimits(admin=1)))
    await team.set_refund_limits(ctx, world.member, RefundLimits(admin=9))
    await refused("forbidden", team.set_refund_limits(ctx, admin, RefundLimits()))
    await team.set_refund_limits(ctx, admin, RefundLimits(admin=9, operator=5))
    assert await roles(world) == {
        "owner@example.org": Role.OWNER,
        "admin@example.org": Role.ADMIN,
    }


async def test_last_owner_cannot_leave_be_removed_or_lowered(world: World) -> None:
    ctx, owner = world.ctx, world.member
    await refused("last_owner", team.leave(ctx, owner))
    await refused("last_owner", team.remove(ctx, owner, owner.actor))
    await refused("last_owner", team.change_role(ctx, owner, owner.actor, Role.ADMIN))
    second = await add_person(ctx, world.shop.id, "b@example.org", Role.OWNER)
    await team.change_role(ctx, owner, owner.actor, Role.ADMIN)
    await refused("last_owner", team.leave(ctx, second))


async def test_ownership_is_handed_over(world: World) -> None:
    second = await add_person(world.ctx, world.shop.id, "b@example.org", Role.VIEWER)
    await team.hand_over_ownership(world.ctx, world.member, second.actor)
    await refused(  # the session still has the old role; the database decides
        "forbidden", team.hand_over_ownership(world.ctx, world.member, second.actor)
    )
    new_owner = replace(second, role=Role.OWNER)
    found = await team.get(world.ctx, new_owner)
    assert {one.login: one.role for one in found.members.data} == {
        "owner@example.org": Role.ADMIN,
        "b@example.org": Role.OWNER,
    }


@pytest.mark.both_databases
async def test_two_owners_who_remove_each_other_at_once_leave_one(world: World) -> None:
    second = await add_person(world.ctx, world.shop.id, "b@example.org", Role.OWNER)
    results = await asyncio.gather(
        team.remove(world.ctx, world.member, second.actor),
        team.remove(world.ctx, second, world.member.actor),
        return_exceptions=True,
    )
    codes = [r.code for r in results if isinstance(r, RefusedError)]
    assert (len(codes), results.count(None)) == (1, 1)
    assert set(codes) <= {"forbidden", "last_owner", "not_found"}
    page = await installation.list_people(world.ctx, Administrator("cli"), world.shop.id)
    assert len(page) == 1


@pytest.mark.both_databases
async def test_removed_member_loses_sessions_and_keys_at_once(world: World) -> None:
    ctx = world.ctx
    admin = await add_person(ctx, world.shop.id, "b@example.org", Role.ADMIN, "Борис")
    signed = await users.sign_in(ctx, "b@example.org", PASSWORD, ip="198.51.100.1")
    _, secret = await api_keys.create(ctx, admin, "Касса")
    _, owners_secret = await api_keys.create(ctx, world.member, "Касса владельца")
    await api_keys.authenticate(ctx, secret)
    await team.remove(ctx, world.member, admin.actor)
    assert await users.find_session(ctx, signed.secret) is None
    await refused("unauthorized", api_keys.authenticate(ctx, secret))
    await api_keys.authenticate(ctx, owners_secret)
    keys, names = await api_keys.list_with_makers(ctx, world.member)
    assert names[admin.actor] == "Борис", "the history still names him"
    assert [key.revoked_at_us is not None for key in keys] == [False, True]
    await refused("forbidden", users.sign_in(ctx, "b@example.org", PASSWORD, ip="198.51.100.2"))
    await installation.add_member(
        ctx, Administrator("cli"), world.shop.id, "b@example.org", Role.ADMIN
    )
    await refused("unauthorized", api_keys.authenticate(ctx, secret))
    assert await users.find_session(ctx, signed.secret) is None, "coming back revives nothing"


async def test_key_without_a_maker_in_the_shop_is_refused(world: World) -> None:
    """Also when its row was not revoked, for example after a restored backup of one table."""
    admin = await add_person(world.ctx, world.shop.id, "b@example.org", Role.ADMIN)
    _, secret = await api_keys.create(world.ctx, admin, "Касса")
    async with world.ctx.db.write() as tx:
        await members.remove(tx, world.shop.id, admin.actor, 1)
    await refused("unauthorized", api_keys.authenticate(world.ctx, secret))


async def test_removed_member_keeps_the_other_shops(world: World) -> None:
    shop_id = await other_shop(world)
    person = await add_person(world.ctx, world.shop.id, "b@example.org", Role.VIEWER)
    await installation.add_member(
        world.ctx, Administrator("cli"), shop_id, "b@example.org", Role.OPERATOR
    )
    await team.leave(world.ctx, person)
    session = await sign_in(world, "b@example.org")
    assert (session.shop.id, session.member.role) == (shop_id, Role.OPERATOR)


async def test_lowered_role_lowers_the_key(world: World) -> None:
    ctx = world.ctx
    admin = await add_person(ctx, world.shop.id, "b@example.org", Role.ADMIN)
    _, secret = await api_keys.create(ctx, admin, "Касса")
    before = await api_keys.authenticate(ctx, secret)
    assert before.can_use(Scope.REFUNDS_WRITE)
    await team.change_role(ctx, world.member, admin.actor, Role.VIEWER)
    after = await api_keys.authenticate(ctx, secret)
    usable = {scope for scope in Scope if after.can_use(scope)}
    assert usable == {
        *(Scope.INVOICES_READ, Scope.PAYMENTS_READ, Scope.REFUNDS_READ, Scope.SERVICES_READ)
    }
    payment = await world.complete_payment()
    await refused("forbidden", refunds.request(ctx, after, payment.id, Money(1), ""))


async def test_refund_limit_counts_all_refunds_of_a_payment(world: World) -> None:
    ctx = world.ctx
    operator = await add_person(ctx, world.shop.id, "b@example.org", Role.OPERATOR)
    payment = await world.complete_payment()
    await refused("forbidden", refunds.request(ctx, operator, payment.id, Money(1), ""))
    shop = await team.set_refund_limits(ctx, world.member, RefundLimits(operator=10_000))
    limited = Member(operator.actor, shop.id, Role.OPERATOR, shop.refund_limits)
    await refunds.request(ctx, limited, payment.id, Money(6_000), "")
    await refused("refund_over_limit", refunds.request(ctx, limited, payment.id, Money(4_001), ""))
    await refused("refund_over_limit", payment_acceptance.refund_all(ctx, limited, payment.id))
    await refunds.request(ctx, limited, payment.id, Money(4_000), "")
    await refunds.request(ctx, world.member, payment.id, Money(50_000), "")


async def test_key_expires_and_is_bound_to_its_addresses(world: World) -> None:
    ctx = world.ctx
    key, secret = await api_keys.create(
        ctx, world.member, "Касса", lifetime_days=1, networks="10.0.0.0/8"
    )
    await api_keys.authenticate(ctx, secret, ip="10.1.2.3")
    await refused("address_not_allowed", api_keys.authenticate(ctx, secret, ip="203.0.113.7"))
    await refused("address_not_allowed", api_keys.authenticate(ctx, secret))
    world.clock.advance(days=1)
    await refused("key_expired", api_keys.authenticate(ctx, secret, ip="10.1.2.3"))
    assert key.expires_at_us
    for wrong in ({"lifetime_days": 0}, {"networks": "10.0.0.1/8"}, {"scopes": ()}):
        await refused("validation", api_keys.create(ctx, world.member, "x", **wrong))


async def test_old_invitations_are_deleted_and_members_stay(world: World) -> None:
    _, url, _ = await invitations.invite(world.ctx, world.member, "b@example.org", Role.VIEWER)
    await invitations.invite(world.ctx, world.member, "c@example.org", Role.VIEWER)
    await accept_as_new(world, url.rpartition("/")[2])
    world.clock.advance(days=36)
    await housekeeping.clean_up(world.ctx)
    view = await invitations.find(world.ctx, url.rpartition("/")[2])
    assert view.state is InvitationState.ACCEPTED
    world.clock.advance(days=2)
    await housekeeping.clean_up(world.ctx)
    await refused("not_found", invitations.find(world.ctx, url.rpartition("/")[2]))
    assert "b@example.org" in await roles(world)
