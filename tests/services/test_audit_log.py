"""The audit log: deeds are recorded with their transaction, chained, and verified."""

import asyncio
import json
from typing import Any

import pytest

from sigma.domain.accounts.member import Member, Role
from sigma.domain.audit.deed import Deed
from sigma.domain.audit.entry import INSTALLATION, EntryFilter
from sigma.domain.errors import RefusedError
from sigma.domain.origin import Origin
from sigma.services.accounts import api_keys, shops, users
from sigma.services.billing import connections, invoices, payment_views, refunds
from sigma.services.billing.payment_details import get_details
from sigma.services.platform import audit_log
from sigma.store.engine.interface import StoreError
from sigma.store.engine.statements import text_statement
from tests.services.actions import request_refund
from tests.services.audit_actions import faults, last, read, record_some
from tests.world import SELLER, World

FROM = Origin("203.0.113.9", "Firefox, Linux", "session", "request")


async def test_every_deed_is_numbered_and_names_actor_subject_and_origin(world: World) -> None:
    member = Member(world.member.actor, world.shop.id, Role.OWNER, origin=FROM)
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
    await users.sign_out(ctx, session, ip="203.0.113.2")
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
        smtp_url="smtps://user:hidden-password@mail.example.org",  # pragma: allowlist secret
    )
    assert (await last(world))[3]["changes"] == {"smtp_url": [None, None]}
    await world.set_acquirer_secret("test_other")
    deed, _, subject, detail = await last(world)
    assert (deed, subject) == ("connection.changed", world.connection.id)
    assert detail["changes"] == {"secret": [None, None]}
    texts = "".join(row.detail for row in await read(world))
    assert "hidden-password" not in texts  # pragma: allowlist secret
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


async def test_viewed_answers_are_recorded_once_an_hour(world: World) -> None:
    payment = await world.complete_payment()
    before = len(await read(world))
    for _ in range(3):
        await get_details(world.ctx, world.member, payment.id)
    assert (await last(world))[:3] == ("answers.viewed", world.member.actor, payment.id)
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
