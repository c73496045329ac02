"""Whatever is done to the audit log outside Sigma is found, and stays found."""

import dataclasses

import pytest

from sigma.domain.audit.entry import INSTALLATION
from sigma.services.context import Context
from sigma.services.platform import audit_log, audit_verification
from sigma.services.platform.audit_verification import ChainResult
from sigma.store.encryption import Cipher
from tests.services.audit_actions import faults, read, read_end, record_some, restore, run_sql
from tests.world import World

UPDATE, DELETE = "UPDATE audit_entries SET", "DELETE FROM audit_entries WHERE"
TAMPERING = {
    "actor": (f"{UPDATE} actor = 'usr_other' WHERE number = 5", "changed", 5),
    "detail": (f"{UPDATE} detail = '{{}}' WHERE number = 6", "changed", 6),
    "address": (f"{UPDATE} address = '1.1.1.1' WHERE number = 6", "changed", 6),
    "time": (f"{UPDATE} occurred_at_us = occurred_at_us + 1 WHERE number = 7", "changed", 7),
    "mac": (f"{UPDATE} mac = '' WHERE number = 7", "changed", 7),
    "moved": (f"{UPDATE} number = -6 WHERE number = 6", "inserted", -6),
    "deleted": (f"{DELETE} number = 5", "missing", 5),
    "first": (f"{DELETE} number = 1", "missing", 1),
    "all": (f"{DELETE} number > 0", "truncated", 1),
    "newest": (f"{DELETE} number > 8", "truncated", 9),
}
COPY = (
    "INSERT INTO audit_entries SELECT chain, {number}, deed, actor, subject, detail, address,"
    " agent, session, request_id, occurred_at_us, previous_mac, mac FROM audit_entries"
    " WHERE chain = '{shop}' AND number = 5"
)


@pytest.mark.both_databases
async def test_tampering_is_found_at_its_entry(world: World) -> None:
    await record_some(world, 10)
    rows, end = await read(world), await read_end(world)
    for name, (sql, kind, number) in TAMPERING.items():
        await run_sql(world, f"{sql} AND chain = '{world.shop.id}'")
        found = await faults(world)
        assert found[:1] == [(kind, number)], (name, found)
        await restore(world, rows, end)
        assert await faults(world) == [], name


async def test_inserted_entries_are_found_and_stay_found(world: World) -> None:
    await record_some(world, 10)
    rows, end = await read(world), await read_end(world)
    for number in (0, len(rows) + 1, len(rows) + 5):
        await run_sql(world, COPY.format(number=number, shop=world.shop.id))
        assert await faults(world) == [("inserted", number)]
        await record_some(world, 1)  # deeds go on, and the fault does not disappear
        assert await faults(world) != []
        await restore(world, rows, end)
    # In the middle: the later entries get higher numbers.
    shop = f"chain = '{world.shop.id}'"
    await run_sql(
        world, f"UPDATE audit_entries SET number = -number - 1 WHERE number > 5 AND {shop}"
    )
    await run_sql(world, f"UPDATE audit_entries SET number = -number WHERE number < 0 AND {shop}")
    await run_sql(world, COPY.format(number=6, shop=world.shop.id))
    assert ("changed", 6) in await faults(world)


async def test_truncated_chain_with_a_matching_end_is_found(world: World) -> None:
    await record_some(world, 10)
    rows = await read(world)
    shop = world.shop.id
    await run_sql(world, f"DELETE FROM audit_entries WHERE number > 8 AND chain = '{shop}'")
    await run_sql(
        world,
        f"UPDATE audit_chains SET last_number = 8, last_mac = '{rows[7].mac}' WHERE id = '{shop}'",
    )
    assert await faults(world) == [("end_changed", 0)]
    await record_some(world, 1)  # the next deed must not make the end authentic again
    assert ("end_changed", 0) in await faults(world)


async def test_deleted_chain_is_found(world: World) -> None:
    await run_sql(world, f"DELETE FROM audit_chains WHERE id = '{world.shop.id}'")
    assert await faults(world) == [("end_missing", 0)]
    await run_sql(world, f"DELETE FROM audit_entries WHERE chain = '{world.shop.id}'")
    assert await faults(world) == [("chain_missing", 0)]
    assert await faults(world, world.shop.id) == [("chain_missing", 0)]
    assert await faults(world, "shp_without_any_deed") == []
    await record_some(world, 1)
    numbers = [row.deed for row in await read(world, INSTALLATION)]
    assert numbers.count("audit_log.started") == 2  # the second one is the trace


async def test_old_copy_of_a_chain_is_found_by_what_was_known(world: World) -> None:
    await record_some(world, 3)
    old, end = await read(world), await read_end(world)
    await record_some(world, 3)
    (result,) = await audit_verification.verify(world.ctx, world.shop.id)
    known = {world.shop.id: {result.last_number: result.last_mac}}
    assert await faults(world, known=known) == []
    shop = world.shop.id
    await run_sql(
        world, f"DELETE FROM audit_entries WHERE chain = '{shop}' AND number > {len(old)}"
    )
    await run_sql(
        world,
        f"UPDATE audit_chains SET last_number = {end.last_number}, last_mac = '{end.last_mac}',"
        f" last_at_us = {end.last_at_us}, mac = '{end.mac}' WHERE id = '{shop}'",
    )
    assert await faults(world) == []  # by itself it looks right
    assert await faults(world, known=known) == [("rolled_back", result.last_number)]


@pytest.mark.both_databases
async def test_pruned_chain_verifies_and_keeps_its_numbers(world: World) -> None:
    await record_some(world, 510)
    old_count = len(await read(world))
    world.clock.advance(days=400)
    await record_some(world, 3)
    await audit_log.prune(world.ctx, world.shop.id, 365)
    rows = await read(world)
    assert [row.number for row in rows] == [old_count + n for n in (1, 2, 3)]
    results = await audit_verification.verify(world.ctx, world.shop.id)
    assert [(one.first_number, one.fault_count) for one in results] == [(old_count + 1, 0)]
    await run_sql(world, f"DELETE FROM audit_entries WHERE number = {old_count + 1}")
    assert await faults(world) == [("missing", old_count + 1)]


async def test_another_secret_key_verifies_nothing(world: World) -> None:
    await record_some(world, 2)
    fields = {one.name for one in dataclasses.fields(Context) if one.init}
    values = {name: getattr(world.ctx, name) for name in fields}
    other = Context(**(values | {"cipher": Cipher(["z" * 40])}))
    (result,) = await audit_verification.verify(other, world.shop.id)
    assert isinstance(result, ChainResult)
    assert result.fault_count > 2
