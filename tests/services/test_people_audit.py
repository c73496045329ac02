"""Deeds of people: each writes one entry of the audit log in its own transaction."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from sigma.domain.accounts.member import RefundLimits, Role
from sigma.domain.accounts.quota import Quotas
from sigma.domain.accounts.second_factor import SecondFactorRule
from sigma.domain.audit.deed import Deed
from sigma.domain.errors import RefusedError
from sigma.domain.money import Money
from sigma.services.accounts import (
    api_keys,
    installation,
    invitations,
    password_changes,
    shops,
    team,
    users,
)
from sigma.services.accounts.installation import Administrator
from sigma.services.authentication import (
    password_resets,
    reauthentication,
    second_factors,
    session_list,
)
from tests.people import PASSWORD, add_person, other_shop
from tests.services.audit_actions import faults, read
from tests.services.second_factor_actions import (
    LOGIN,
    ORIGIN,
    add_app,
    find_pending,
    find_session,
    open_session,
    sign_in,
)
from tests.world import World

NEW_PASSWORD = "зелёный чайник на луне"  # pragma: allowlist secret


async def deeds_after(world: World, number: int) -> list[tuple[str, str, str]]:
    """Return (deed, actor, subject) of the shop's entries after a number."""
    rows = await read(world)
    return [(row.deed, row.actor, row.subject) for row in rows if row.number > number]


async def count(world: World) -> int:
    """Return how many entries the shop has."""
    return len(await read(world))


def names(found: Sequence[tuple[str, str, str]]) -> list[str]:
    """Return the deeds only."""
    return [deed for deed, _, _ in found]


async def test_changes_of_a_team_are_recorded(world: World) -> None:
    ctx, owner, before = world.ctx, world.member, await count(world)
    invitation, url, _ = await invitations.invite(ctx, owner, "b@example.org", Role.VIEWER)
    joined = await invitations.accept_as_new(
        ctx,
        url.rpartition("/")[2],
        name="Ира",
        password=PASSWORD,
        locale="ru",
        origin=ORIGIN,
    )
    user_id = joined.user.id
    await team.change_role(ctx, owner, user_id, Role.ADMIN)
    await team.set_refund_limits(ctx, owner, RefundLimits(operator=100_00))
    admin = (await find_session(ctx, joined.secret)).member
    key, _ = await api_keys.create(ctx, admin, "Касса")
    await team.remove(ctx, owner, user_id)
    again, _, _ = await invitations.invite(ctx, owner, "c@example.org", Role.VIEWER)
    await invitations.revoke(ctx, owner, again.id)
    assert await deeds_after(world, before) == [
        (Deed.INVITATION_CREATED, owner.actor, invitation.id),
        (Deed.MEMBER_ADDED, user_id, user_id),
        (Deed.SIGNED_IN, user_id, user_id),
        (Deed.ROLE_CHANGED, owner.actor, user_id),
        (Deed.REFUND_LIMITS_CHANGED, owner.actor, world.shop.id),
        (Deed.KEY_CREATED, user_id, key.id),
        (Deed.KEY_REVOKED, owner.actor, key.id),
        (Deed.MEMBER_REMOVED, owner.actor, user_id),
        (Deed.INVITATION_CREATED, owner.actor, again.id),
        (Deed.INVITATION_REVOKED, owner.actor, again.id),
    ]
    assert (await read(world))[before + 1].address == ORIGIN.address
    assert (await read(world))[before + 2].session, "the session that joining has opened"
    assert await faults(world) == []


async def test_hand_over_and_leaving_are_recorded(world: World) -> None:
    ctx, owner = world.ctx, world.member
    user_id = (await add_person(ctx, world.shop.id, "b@example.org", Role.ADMIN)).actor
    before = await count(world)
    await team.hand_over_ownership(ctx, owner, user_id)
    await team.leave(ctx, owner)
    assert await deeds_after(world, before) == [
        (Deed.OWNERSHIP_HANDED_OVER, owner.actor, user_id),
        (Deed.MEMBER_REMOVED, owner.actor, owner.actor),
    ]


async def test_second_factors_and_refused_proofs_are_recorded(world: World) -> None:
    ctx, session = world.ctx, await open_session(world)
    before = await count(world)
    _, enrolled = await add_app(world, session)
    session = await find_session(ctx, enrolled.secret)
    with pytest.raises(RefusedError):
        await reauthentication.confirm_by_password(ctx, session, "wrong")
    with pytest.raises(RefusedError):
        await reauthentication.confirm_by_code(ctx, session, "000000")
    pending = await find_pending(ctx, (await sign_in(world)).secret)
    with pytest.raises(RefusedError):
        await second_factors.finish_by_code(ctx, pending, "000000", ORIGIN, "")
    await second_factors.replace_recovery_codes(ctx, session)
    await second_factors.remove_app(ctx, session)
    found = await deeds_after(world, before)
    assert names(found) == [
        Deed.FACTOR_ADDED,
        Deed.IDENTITY_REFUSED,
        Deed.IDENTITY_REFUSED,
        Deed.FACTOR_REFUSED,
        Deed.RECOVERY_CODES_CREATED,
        Deed.FACTOR_REMOVED,
    ]
    actor = session.user.id
    assert [who for _, who, _ in found] == [actor, actor, actor, "", actor, actor]


async def test_passwords_sessions_and_the_keys_that_end_with_them_are_recorded(
    world: World,
) -> None:
    ctx, session = world.ctx, await open_session(world)
    await open_session(world)
    key, _ = await api_keys.create(ctx, session.member, "Касса")
    before = await count(world)
    await session_list.end_others(ctx, session)
    renewed = await password_changes.change_password(
        ctx, session, world.password, NEW_PASSWORD, revoke_keys_since_us=0
    )
    session = await find_session(ctx, renewed.secret)
    link = await password_resets.create_link(ctx, LOGIN)
    await password_resets.finish(ctx, link.rpartition("/")[2], world.password, ORIGIN)
    user_id = session.user.id
    assert await deeds_after(world, before) == [
        (Deed.SESSION_ENDED, user_id, user_id),
        (Deed.KEY_REVOKED, user_id, key.id),
        (Deed.PASSWORD_CHANGED, user_id, user_id),
        (Deed.RESET_LINK_CREATED, "cli", user_id),
        (Deed.PASSWORD_RESET, user_id, user_id),
    ]


async def test_rules_quotas_and_shops_are_recorded(world: World) -> None:
    ctx, owner, before = world.ctx, world.member, await count(world)
    administrator = await installation.access(ctx, owner.actor, ORIGIN)
    await shops.save_security_rules(
        ctx, owner, second_factor_rule=SecondFactorRule.ANY, refund_confirmation=Money(100)
    )
    await installation.set_quotas(ctx, administrator, world.shop.id, Quotas(invoices_per_day=5))
    created = await installation.create_shop(ctx, administrator, "Второй", LOGIN)
    assert names(await deeds_after(world, before)) == [
        Deed.SECURITY_RULES_CHANGED,
        Deed.QUOTAS_CHANGED,
    ]
    rows = await read(world, created.shop.id)
    assert [(row.deed, row.address) for row in rows] == [(Deed.SHOP_CREATED, ORIGIN.address)]


async def test_password_change_ends_keys_in_all_shops_of_the_person(world: World) -> None:
    ctx, shop_id = world.ctx, await other_shop(world)
    user_id = (await add_person(ctx, world.shop.id, "b@example.org", Role.ADMIN)).actor
    administrator = Administrator(world.member.actor)
    await installation.add_member(ctx, administrator, shop_id, "b@example.org", Role.OWNER)
    signed = await users.sign_in(ctx, "b@example.org", PASSWORD, ip="198.51.100.1")
    session = await find_session(ctx, signed.secret)
    for shop in (world.shop.id, shop_id):
        await api_keys.create(ctx, replace(session.member, shop_id=shop), "Касса")
    assert len(await api_keys.list_made_by(ctx, user_id)) == 2
    await password_changes.change_password(
        ctx, session, PASSWORD, NEW_PASSWORD, revoke_keys_since_us=0
    )
    assert await api_keys.list_made_by(ctx, user_id) == []
