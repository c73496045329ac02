"""The audit log: deeds are recorded with their transaction, chained, and verified."""

import asyncio
import dataclasses
import json
from typing import Any

import pytest
from sqlalchemy import insert

from sigma.domain.accounts.member import Member, Role
from sigma.domain.audit.deed import Deed
from sigma.domain.audit.entry import INSTALLATION, Chain, Entry, EntryFilter
from sigma.domain.errors import RefusedError
from sigma.domain.origin import Origin
from sigma.services.accounts import api_keys, shops, users
from sigma.services.billing import connections, invoices, payment_views, refunds
from sigma.services.billing.payment_details import get_details
from sigma.services.context import Context
from sigma.services.platform import audit_log, audit_verification
from sigma.services.platform.audit_verification import ChainResult
from sigma.store.audit import entries
from sigma.store.encryption import Cipher
from sigma.store.engine.interface import StoreError
from sigma.store.engine.row_codec import field_values
from sigma.store.engine.statements import statement, text_statement
from sigma.store.schema.audit_tables import audit_chains, audit_entries
from tests.services.actions import request_refund
from tests.world import SELLER, World

FROM = Origin("203.0.113.9", "Firefox, Linux", "session", "request")


async def record_some(world: World, count: int) -> None:
    """Record deeds of the owner."""
    for n in range(count):
        await audit_log.record_alone(world.ctx, world.member, Deed.PRICE_LIST_EXPORTED, count=n)


async def read(world: World, chain: str = "") -> list[Entry]:
    """Return the entries of the shop, or of another chain, the oldest first."""
    async with world.ctx.db.read() as tx:
        return await entries.list_after(tx, chain or world.shop.id, 0, 1000)


async def read_end(world: World) -> Chain:
    """Return the stored end of the shop's chain."""
    async with world.ctx.db.read() as tx:
        end = await entries.get_chain(tx, world.shop.id)
    assert end is not None
    return end


async def last(world: World) -> tuple[str, str, str, dict[str, Any]]:
    """Return deed, actor, subject and detail of the latest entry of the shop."""
    entry = (await read(world))[-1]
    return entry.deed, entry.actor, entry.subject, json.loads(entry.detail)


async def restore(world: World, rows: list[Entry], end: Chain) -> None:
    """Put the chain of the shop back as it was."""
    await run_sql(world, f"DELETE FROM audit_entries WHERE chain = '{world.shop.id}'")
    await run_sql(world, f"DELETE FROM audit_chains WHERE id = '{world.shop.id}'")
    async with world.ctx.db.write() as tx:
        await tx.execute(statement(insert(audit_chains)), **field_values(end))
        for row in rows:
            await tx.execute(statement(insert(audit_entries)), **field_values(row))


async def run_sql(world: World, sql: str) -> None:
    """Change the database behind Sigma's back."""
    async with world.ctx.db.write() as tx:
        await tx.execute(text_statement(sql))


async def faults(world: World, shop_id: str | None = None, **more: Any) -> list[tuple[str, int]]:
    """Return kind and number of the faults of all chains, or of one."""
    results = await audit_verification.verify(world.ctx, shop_id, **more)
    return [(str(fault.kind), fault.number) for result in results for fault in result.faults]


async def test_every_deed_is_numbered_and_names_actor_subject_and_origin(world: World) -> None:
    member = Member(world.member.actor, world.shop.id, Role.OWNER, FROM)
    key, _ = await api_keys.create(world.ctx, member, "Касса")
    rows = await read(world)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    entry = rows[-1]
    assert (entry.deed, entry.actor, entry.subject) == ("api_key.created", member.actor, key.id)
    assert Origin(entry.address, entry.agent, entry.session, entry.request_id) == FROM
    assert json.loads(entry.detail) == {"name": "Касса", "prefix": key.prefix}
    assert await faults(world) == []


async def test_deed_that_fails_leaves_no_entry(world: World) -> None:
    payment = await world.complete_payment()
    before = len(await read(world))
    with pytest.raises(RefusedError):
        await request_refund(world, payment, 150_001)
    assert len(await read(world)) == before
    refund = await request_refund(world, payment, 100)
    detail = {"payment": payment.id, "amount_minor": 100, "currency": "RUB"}
    assert await last(world) == ("refund.requested", world.member.actor, refund.id, detail)


@pytest.mark.both_databases
async def test_entry_is_not_stored_without_its_deed(world: World) -> None:
    before = len(await read(world))
    broken = text_statement("INSERT INTO write_probes (id) VALUES ('x')")

    async def fail_after_the_entry() -> None:
        async with world.ctx.db.write() as tx:
            await audit_log.record(world.ctx, tx, world.member, Deed.JOB_RETRIED, "x")
            await tx.execute(broken)

    with pytest.raises(StoreError):
        await fail_after_the_entry()
    assert len(await read(world)) == before


async def test_sign_ins_good_and_bad_are_recorded(world: World) -> None:
    ctx = world.ctx
    signed = await users.sign_in(
        ctx, "owner@example.org", world.password, ip="203.0.113.1", origin=FROM
    )
    good = (await read(world))[-1]
    assert (good.deed, good.actor, good.address) == (
        "session.opened",
        world.member.actor,
        "203.0.113.1",
    )
    session = await users.find_session(ctx, signed.secret)
    assert session is not None
    assert session.secret_hash.startswith(good.session)
    with pytest.raises(RefusedError):
        await users.sign_in(ctx, "owner@example.org", "wrong", ip="203.0.113.2")
    bad = (await read(world))[-1]
    assert (bad.deed, bad.actor, bad.subject) == ("session.refused", "", world.member.actor)
    with pytest.raises(RefusedError):
        await users.sign_in(ctx, "typed-password-here", "wrong", ip="203.0.113.3")
    unknown = (await read(world, INSTALLATION))[-1]
    assert (unknown.deed, unknown.subject, unknown.address) == (
        "session.refused",
        "",
        "203.0.113.3",
    )
    assert "typed-password" not in unknown.detail
    await users.sign_out(ctx, signed.secret, session.member)
    assert (await last(world))[0] == "session.closed"


async def test_settings_are_recorded_before_and_after_without_secrets(world: World) -> None:
    await shops.save_seller(
        world.ctx,
        world.member,
        name="Студия «Лак»",
        seller=SELLER.__class__(kind=SELLER.kind, full_name="ИП Другой", inn=SELLER.inn),
        tz="Europe/Moscow",
        accent="",
        return_url="https://vk.me/studio",
        consent_text="",
    )
    deed, _, _, detail = await last(world)
    assert deed == "shop.changed"
    assert detail["changes"]["name"] == ["Студия", "Студия «Лак»"]
    assert detail["changes"]["full_name"] == [None, None]
    await shops.save_mail(
        world.ctx,
        world.member,
        from_name="",
        reply_to="",
        smtp_url="smtps://user:hidden-password@mail.example.org",
    )
    assert (await last(world))[3]["changes"] == {"smtp_url": [None, None]}
    await world.set_acquirer_secret("test_other")
    deed, _, subject, detail = await last(world)
    assert (deed, subject) == ("connection.changed", world.connection.id)
    assert detail["changes"] == {"secret": [None, None]}
    texts = "".join(row.detail for row in await read(world))
    assert "hidden-password" not in texts
    assert "test_other" not in texts
    assert "1.0" not in texts


async def test_deeds_about_money_and_connections_are_recorded(world: World) -> None:
    invoice = await world.create_invoice()
    await invoices.void(world.ctx, world.member, invoice.id)
    assert (await last(world))[0] == "invoice.voided"
    count = len(await read(world))
    await invoices.void(world.ctx, world.member, invoice.id)  # a second click
    assert len(await read(world)) == count
    await connections.set_active(world.ctx, world.member, world.connection.id, False)
    assert (await last(world))[0] == "connection.switched_off"


async def test_answers_shown_are_recorded_once_an_hour(world: World) -> None:
    payment = await world.complete_payment()
    before = len(await read(world))
    for _ in range(3):
        await get_details(world.ctx, world.member, payment.id)
    assert (await last(world))[:3] == ("answers.shown", world.member.actor, payment.id)
    assert len(await read(world)) == before + 1
    viewer = Member("usr_viewer", world.shop.id, Role.VIEWER)
    await get_details(world.ctx, viewer, payment.id)  # masked
    assert len(await read(world)) == before + 1
    world.clock.advance(hours=2)
    await get_details(world.ctx, world.member, payment.id)
    key = Member("key_1", world.shop.id, Role.ADMIN)
    for _ in range(2):
        await payment_views.get(world.ctx, key, payment.id)
    assert [row.actor for row in (await read(world))[before:]] == [
        world.member.actor,
        world.member.actor,
        "key_1",
    ]


async def test_payment_of_a_client_adds_no_entry(world: World) -> None:
    before = len(await read(world))
    await world.complete_payment()
    await world.run_jobs()
    assert len(await read(world)) == before


@pytest.mark.both_databases
async def test_concurrent_deeds_get_consecutive_numbers(world: World) -> None:
    before = len(await read(world))
    await asyncio.gather(*(record_some(world, 5) for _ in range(8)))
    rows = await read(world)
    assert [row.number for row in rows] == list(range(1, before + 41))
    assert await faults(world) == []


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


@pytest.mark.both_databases
async def test_page_filters_by_actor_deed_and_period(world: World) -> None:
    other = Member("usr_other", world.shop.id, Role.ADMIN)
    start_us = world.ctx.now_us()
    await record_some(world, 3)
    world.clock.advance(days=1)
    middle_us = world.ctx.now_us()
    await audit_log.record_alone(world.ctx, other, Deed.JOB_DISMISSED, "x")
    await record_some(world, 1)

    async def deeds(**fields: Any) -> list[str]:
        page = await audit_log.list_page(world.ctx, world.member, EntryFilter(**fields))
        return [entry.deed for entry in page.data]

    exported, dismissed = "price_list.exported", "job.dismissed"
    assert await deeds(since_us=start_us) == [exported, dismissed, *[exported] * 3]
    assert await deeds(since_us=middle_us) == [exported, dismissed]
    assert await deeds(since_us=start_us, until_us=middle_us) == [exported] * 3
    assert await deeds(actor="usr_other") == [dismissed]
    assert await deeds(deed=dismissed) == [dismissed]
    assert await deeds(actor="usr_other", deed=exported) == []
    assert await deeds(since_us=world.ctx.now_us() + 1) == []
    first = await audit_log.list_page(world.ctx, world.member, limit=2)
    second = await audit_log.list_page(world.ctx, world.member, cursor=first.next_cursor, limit=2)
    numbers = [entry.number for entry in (*first.data, *second.data)]
    assert numbers == list(range(numbers[0], numbers[0] - 4, -1))
    assert await audit_log.list_actors(world.ctx, world.member) == [world.member.actor, "usr_other"]
    batches = [len(b) async for b in audit_log.iterate(world.ctx, world.member, EntryFilter())]
    assert sum(batches) == len(await read(world))


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.VIEWER])
async def test_log_is_forbidden_for_low_roles(world: World, role: Role) -> None:
    with pytest.raises(RefusedError) as refusal:
        await audit_log.list_page(world.ctx, Member("usr_x", world.shop.id, role))
    assert refusal.value.code == "forbidden"


@pytest.mark.both_databases
async def test_refund_and_its_entry_are_one_transaction(world: World) -> None:
    payment = await world.complete_payment()
    before = len(await read(world))
    results = await asyncio.gather(
        *(request_refund(world, payment, 100_000) for _ in range(4)), return_exceptions=True
    )
    stored = await refunds.list_for_payment(world.ctx, world.member, payment.id)
    good = [one for one in results if not isinstance(one, BaseException)]
    assert len(good) == len(stored) == 1
    assert len(await read(world)) == before + 1
