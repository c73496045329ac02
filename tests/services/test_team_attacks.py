"""Members who try to get more than their role gives: limits, invitations, roles of a moment ago."""

import asyncio

import pytest

from sigma.domain.accounts.invitation import LIFETIME_US, Invitation, InvitationState
from sigma.domain.accounts.member import RefundLimits, Role
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.services.accounts import installation, invitations, team, users
from sigma.services.accounts.installation import Administrator
from sigma.store import changes
from sigma.store.accounts import administrators
from tests.people import add_person
from tests.services.test_team import accept_as_new, refused, roles
from tests.world import World


@pytest.mark.parametrize("operator", [None, 1001])
async def test_admin_gives_no_role_a_higher_refund_limit_than_admins_have(
    world: World, operator: int | None
) -> None:
    """Otherwise an admin becomes operator, or invites one, and refunds without a limit."""
    ctx = world.ctx
    admin = await add_person(ctx, world.shop.id, "admin@example.org", Role.ADMIN)
    await team.set_refund_limits(ctx, world.member, RefundLimits(admin=1000, accountant=2000))
    beyond = RefundLimits(admin=1000, operator=operator, accountant=2000)
    await refused("forbidden", team.set_refund_limits(ctx, admin, beyond))
    await team.set_refund_limits(
        ctx, admin, RefundLimits(admin=1000, operator=1000, accountant=2000)
    )
    await team.set_refund_limits(ctx, world.member, beyond)


async def test_unlimited_admin_gives_any_limit(world: World) -> None:
    admin = await add_person(world.ctx, world.shop.id, "admin@example.org", Role.ADMIN)
    await team.set_refund_limits(world.ctx, admin, RefundLimits(operator=None, accountant=7))


async def test_limits_are_set_with_the_role_of_this_moment(world: World) -> None:
    admin = await add_person(world.ctx, world.shop.id, "admin@example.org", Role.ADMIN)
    await team.change_role(world.ctx, world.member, admin.actor, Role.OPERATOR)
    await refused("forbidden", team.set_refund_limits(world.ctx, admin, RefundLimits(operator=5)))
    await team.remove(world.ctx, world.member, admin.actor)
    await refused("forbidden", team.set_refund_limits(world.ctx, admin, RefundLimits(operator=5)))


async def test_removed_administrator_of_the_installation_leaves_no_invitation_behind(
    world: World,
) -> None:
    ctx = world.ctx
    person = await add_person(ctx, world.shop.id, "boss@example.org", Role.OWNER)
    async with ctx.db.write() as tx:
        await administrators.add(tx, person.actor, ctx.now_us())
    tokens = []
    for role in (Role.OWNER, Role.VIEWER):
        _, url, _ = await invitations.invite(ctx, person, f"{role}9@example.org", role)
        tokens.append(url.rpartition("/")[2])
    await team.remove(ctx, world.member, person.actor)
    for token in tokens:
        assert (await invitations.find(ctx, token)).state is InvitationState.REVOKED
        await refused("invitation_used", accept_as_new(world, token))


async def test_owner_of_a_new_shop_is_invited_by_who_is_not_in_it(world: World) -> None:
    created = await installation.create_shop(
        world.ctx, Administrator(world.member.actor), "Новый", "first@example.org"
    )
    signed = await accept_as_new(world, created.invitation_url.rpartition("/")[2])
    assert signed.shop.id == created.shop.id


async def test_removed_member_does_not_return_by_an_older_invitation(world: World) -> None:
    ctx = world.ctx
    _, url, _ = await invitations.invite(ctx, world.member, "b@example.org", Role.ADMIN)
    member = await add_person(ctx, world.shop.id, "b@example.org", Role.ADMIN)
    await team.remove(ctx, world.member, member.actor)
    view = await invitations.find(ctx, url.rpartition("/")[2])
    assert view.state is InvitationState.REVOKED
    assert set(await roles(world)) == {"owner@example.org"}


@pytest.mark.both_databases
async def test_simultaneous_acceptances_of_an_invitation_make_one_account(world: World) -> None:
    """The second one is refused; it neither fails nor changes the password of the first."""
    _, url, _ = await invitations.invite(world.ctx, world.member, "b@example.org", Role.VIEWER)
    token = url.rpartition("/")[2]
    results = await asyncio.gather(
        *(
            accept_as_new(world, token, password=f"{number} случайных слова тут")
            for number in range(3)
        ),
        return_exceptions=True,
    )
    (winner,) = [one for one in results if not isinstance(one, BaseException)]
    assert await users.find_session(world.ctx, winner.secret)
    for lost in results:
        if lost is not winner:
            assert isinstance(lost, RefusedError)
            assert lost.code in ("invitation_used", "invitation_other_person")


async def test_every_open_invitation_is_listed_and_can_be_revoked(world: World) -> None:
    ctx, shop_id = world.ctx, world.shop.id
    now_us = ctx.now_us()
    open_ones = tuple(
        Invitation(
            ctx.new_id("ivt", shop_id),
            shop_id,
            f"p{number}@example.org",
            Role.VIEWER,
            f"{number:0>64}",
            world.member.actor,
            now_us,
            now_us + LIFETIME_US,
        )
        for number in range(150)
    )
    async with ctx.db.write() as tx:
        await changes.write(tx, Change(open_ones), now_us)
    assert len((await team.get(ctx, world.member)).invitations) == 150
