"""Exported files end: with the right of the member who got a link, with a client's data."""

from dataclasses import replace

import pytest

from sigma.domain.accounts.member import Member, Role, Scope
from sigma.domain.audit.deed import Deed
from sigma.domain.errors import RefusedError
from sigma.domain.exports.export import Export, Failure, FileFormat, Kind, Status
from sigma.domain.lists.filters import PaymentFilter
from sigma.domain.origin import Origin
from sigma.services.accounts import api_keys, team
from sigma.services.exports import exports, files
from sigma.services.exports.exports import ExportRequest
from sigma.services.personal_data import client_erasure, clients
from tests.people import add_person
from tests.services.audit_actions import read
from tests.world import World

ELSEWHERE = Origin("203.0.113.9", "curl")


async def make_export(world: World, member: Member | None = None) -> Export:
    """Return a finished export of all payments."""
    await world.start_payment()
    wanted = ExportRequest(Kind.PAYMENTS, FileFormat.CSV, PaymentFilter())
    made = await exports.request(world.ctx, member or world.member, wanted)
    await world.run_jobs()
    return await exports.get(world.ctx, world.member, made.id)


async def can_open(world: World, link: str) -> bool:
    """Return whether a link opens the file."""
    export_id, actor, end, signature = link.split("/")[-4:]
    try:
        await files.open_link(world.ctx, export_id, actor, end, signature, ELSEWHERE)
    except RefusedError as refused:
        return refused.code != "not_found"
    return True


@pytest.mark.both_databases
async def test_link_ends_with_the_right_of_the_member_who_got_it(world: World) -> None:
    made = await make_export(world)
    masked = await make_export(world, replace(world.member, role=Role.VIEWER))
    admin = await add_person(world.ctx, world.shop.id, "a@example.org", Role.ADMIN)
    link, masked_link = (files.link(world.ctx, admin, one) for one in (made, masked))
    assert await can_open(world, link)
    await team.change_role(world.ctx, world.member, admin.actor, Role.VIEWER)
    assert not await can_open(world, link)
    assert await can_open(world, masked_link)
    await team.remove(world.ctx, world.member, admin.actor)
    assert not await can_open(world, masked_link)
    assert await can_open(world, files.link(world.ctx, world.member, made))


async def test_link_of_a_key_ends_with_the_key(world: World) -> None:
    made = await make_export(world)
    scopes = (Scope.PAYMENTS_READ, Scope.ANSWERS_READ)
    key, secret = await api_keys.create(world.ctx, world.member, "1С", scopes=scopes)
    link = files.link(world.ctx, await api_keys.authenticate(world.ctx, secret), made)
    assert await can_open(world, link)
    await api_keys.revoke(world.ctx, world.member, key.id)
    assert not await can_open(world, link)


async def test_download_by_link_is_recorded_as_of_the_member_who_got_it(world: World) -> None:
    made = await make_export(world)
    admin = await add_person(world.ctx, world.shop.id, "a@example.org", Role.ADMIN)
    assert await can_open(world, files.link(world.ctx, admin, made))
    (entry,) = [one for one in await read(world) if one.deed == Deed.EXPORT_DOWNLOADED]
    assert (entry.actor, entry.address) == (admin.actor, ELSEWHERE.address)


@pytest.mark.both_databases
async def test_erasure_of_a_client_ends_finished_and_running_exports(world: World) -> None:
    payment = await world.complete_payment()
    wanted = ExportRequest(Kind.PAYMENTS, FileFormat.CSV, PaymentFilter(query="client@example.net"))
    ready, running = [await exports.request(world.ctx, world.member, wanted) for _ in range(2)]
    await exports.make(world.ctx, ready.id)
    link = files.link(world.ctx, world.member, await exports.get(world.ctx, world.member, ready.id))
    assert await can_open(world, link)
    chosen = [one.key for one in await clients.find(world.ctx, world.member, payment.id)]
    await client_erasure.erase(world.ctx, world.member, payment.id, chosen)
    assert not await can_open(world, link)
    await world.run_jobs()
    ended = [await exports.get(world.ctx, world.member, one.id) for one in (ready, running)]
    assert [(one.status, one.failure, one.filter_encrypted) for one in ended] == [
        (Status.EXPIRED, "", ""),
        (Status.FAILED, Failure.ERASED, ""),
    ]


async def test_fees_are_exported_only_for_a_role_that_sees_them(world: World) -> None:
    made = await make_export(world)
    operator = await add_person(world.ctx, world.shop.id, "o@example.org", Role.OPERATOR)
    own = await make_export(world, operator)
    assert {"fee", "income"} <= set(made.columns)
    assert not {"fee", "income"} & set(own.columns)
    with pytest.raises(RefusedError, match="forbidden"):
        await exports.get(world.ctx, operator, made.id)
    assert [one.id for one in await exports.list_for_shop(world.ctx, operator)] == [own.id]
    assert not await can_open(world, files.link(world.ctx, operator, made))
    wanted = ExportRequest(Kind.PAYMENTS, FileFormat.CSV, PaymentFilter(), ("amount", "income"))
    with pytest.raises(RefusedError) as refused:
        await exports.request(world.ctx, operator, wanted)
    assert [one.field for one in refused.value.problems] == ["columns.1"]
    masked = await make_export(world, replace(operator, role=Role.ACCOUNTANT))
    assert "fee" in masked.columns
