"""Deletion of personal data by date, on the simulated clock."""

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from sigma.domain.accounts.member import Member, Role
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.message import search_stems
from sigma.domain.personal_data.retention import DataKind, Retention
from sigma.services.billing import acquirer_notices
from sigma.services.billing.payment_details import get_details
from sigma.services.conversations import history_sync, search_index
from sigma.services.personal_data import retention
from sigma.services.platform import audit_verification, housekeeping
from sigma.store import changes, key_rotations
from sigma.store.billing import answers as answer_rows
from sigma.store.engine.statements import statement, text_statement
from sigma.store.personal_data import erasures
from sigma.store.schema.messaging_tables import search_tokens
from tests.vk_world import VkWorld
from tests.world import World

SHORT = Retention(answers=30, messages=30, notices=30, evidence=60, mails=10, audit=365)


async def answers_of(world: World, payment_id: str) -> dict[str, Any]:
    """Return the answers that the owner sees, by question key."""
    details = await get_details(world.ctx, world.member, payment_id)
    return {view.question.key: view.value for view in details.answers}


async def count(world: World, table: str, condition: str = "1 = 1") -> int:
    """Return the number of rows that match."""
    sql = text_statement(f"SELECT count(*) AS n FROM {table} WHERE {condition}")
    async with world.ctx.db.read() as tx:
        row = await tx.fetch_one(sql)
    assert row is not None
    return int(row["n"])


async def log_of(world: World) -> list[dict[str, int]]:
    """Return the counts of the erasure log, the oldest first."""
    async with world.ctx.db.read() as tx:
        found = await erasures.list_for_shop(tx, world.shop.id, limit=100)
    return [dict(one.counts) for one in found[::-1]]


@pytest.mark.both_databases
async def test_each_kind_is_deleted_after_its_own_period(vk_world: VkWorld) -> None:
    ctx = vk_world.ctx
    await vk_world.write_as_client("Перламутровый маникюр")
    await vk_world.poll_events()
    payment = await vk_world.complete_payment()
    notice = {
        "type": "notification",
        "event": "payment.succeeded",
        "object": {"id": payment.provider_id, "status": "succeeded", "metadata": {}},
    }
    await acquirer_notices.accept(ctx, vk_world.connection, json.dumps(notice).encode())
    await vk_world.run_jobs()
    await retention.save(ctx, vk_world.member, SHORT)
    await vk_world.run_jobs()
    assert await log_of(vk_world) == []

    vk_world.clock.advance(days=11)
    await retention.shred(ctx, vk_world.shop.id)
    assert await count(vk_world, "mails", "recipient_masked <> ''") == 0
    assert (await answers_of(vk_world, payment.id))["email"] == "client@example.net"
    vk_world.clock.advance(days=20)
    await retention.shred(ctx, vk_world.shop.id)
    assert await answers_of(vk_world, payment.id) == {"email": None, "phone": None, "wish": None}
    assert await count(vk_world, "answers", "email_hash <> '' OR phone_hash <> ''") == 0
    assert await count(vk_world, "acquirer_notices") == 0
    (message,) = await vk_world.messages()
    assert vk_world.body(message).is_unavailable
    assert vk_world.preview(await vk_world.conversation()) == ""
    assert await words_in_index(vk_world) == 0
    assert await count(vk_world, "consents", "evidence_encrypted <> ''") == 1
    vk_world.clock.advance(days=30)
    await retention.shred(ctx, vk_world.shop.id)
    assert await count(vk_world, "consents", "evidence_encrypted <> ''") == 0
    assert await count(vk_world, "consents", "text <> ''") == 1
    assert await count(vk_world, "payments") == 1
    kinds = [kind for entry in await log_of(vk_world) for kind in entry]
    assert kinds == ["mails", "answers", "notices", "messages", "customers", "evidence"]
    async with ctx.db.read() as tx:
        assert sum(len(one) for one in (await key_rotations.count_rows_by_key(tx)).values())


async def words_in_index(world: VkWorld) -> int:
    """Return how many words of the client's message the search index has."""
    async with world.ctx.db.read() as tx:
        rows = await tx.fetch_all(statement(select(search_tokens)))
    stored = {row["token_hash"] for row in rows}
    words = search_stems("Перламутровый маникюр")
    return sum(
        search_index.token_hash(world.ctx.cipher, world.shop.id, word) in stored for word in words
    )


async def test_message_deleted_by_date_does_not_come_back(vk_world: VkWorld) -> None:
    message = await vk_world.write_as_client("Перламутровый маникюр")
    await vk_world.poll_events()
    await retention.save(vk_world.ctx, vk_world.member, SHORT)
    vk_world.clock.advance(days=31)
    await retention.shred(vk_world.ctx, vk_world.shop.id)
    await history_sync.catch_up_community(vk_world.ctx, vk_world.community_id)
    await vk_world.call_vk_test_api(
        "edit",
        person_id=vk_world.client_id,
        group_id=vk_world.group_id,
        cmid=message["conversation_message_id"],
        text="Перламутровый педикюр",
    )
    await vk_world.poll_events()
    (stored,) = await vk_world.messages()
    assert stored.body_encrypted == ""
    assert await words_in_index(vk_world) == 0


@pytest.mark.both_databases
async def test_answer_with_its_own_period_is_deleted_alone(world: World) -> None:
    questions = (
        Question("email", QuestionKind.EMAIL, required=True),
        Question("wish", QuestionKind.TEXT, "Пожелания", keep_days=3),
        Question("phone", QuestionKind.PHONE, keep_days=10),
    )
    payment = await world.complete_payment(await world.create_invoice(questions=questions))
    await retention.schedule(world.ctx)
    await world.run_jobs()
    world.clock.advance(days=2, hours=23)
    await world.run_jobs()
    assert (await answers_of(world, payment.id))["wish"] == "без лака"
    world.clock.advance(hours=2)
    await world.run_jobs()
    expected = {"email": "client@example.net", "wish": None, "phone": "+79167654321"}
    assert await answers_of(world, payment.id) == expected
    world.clock.advance(days=8)
    await world.run_jobs()
    assert await answers_of(world, payment.id) == expected | {"phone": None}
    assert await count(world, "answers", "phone_hash <> ''") == 0
    assert await count(world, "answers", "email_hash <> ''") == 1
    assert await log_of(world) == [{"answer_values": 1}, {"answer_values": 1}]


@pytest.mark.both_databases
async def test_deletion_goes_on_after_an_interruption(world: World) -> None:
    payment = await world.complete_payment()
    async with world.ctx.db.read() as tx:
        (stored,) = await answer_rows.list_for_payment(tx, payment.id)
    copies = [
        replace(stored, id=world.ctx.new_id("ans", world.shop.id), version=0) for _ in range(250)
    ]
    for start in range(0, len(copies), 50):
        await changes.commit(
            world.ctx.db, Change(tuple(copies[start : start + 50])), world.ctx.now_us()
        )
    world.clock.advance(days=1096)
    is_more = await retention._shred_by_date(world.ctx, world.shop.id, Retention())
    assert is_more
    assert await count(world, "answers", "values_encrypted <> ''") == 51
    await retention.shred(world.ctx, world.shop.id)
    assert await count(world, "answers", "values_encrypted <> ''") == 0
    assert sum(entry.get("answers", 0) for entry in await log_of(world)) == 251


async def test_job_is_scheduled_for_every_shop_and_returns_tomorrow(world: World) -> None:
    await housekeeping.clean_up(world.ctx)
    await retention.schedule(world.ctx)
    await retention.schedule(world.ctx)
    assert await count(world, "jobs", "kind = 'personal_data.shred'") == 1
    await world.run_jobs()
    due = f"kind = 'personal_data.shred' AND due_at_us > {world.ctx.now_us() + 80_000_000_000}"
    assert await count(world, "jobs", due) == 1


async def test_audit_log_is_pruned_by_its_period(world: World) -> None:
    await retention.save(world.ctx, world.member, SHORT)
    before = await count(world, "audit_entries", "chain <> 'installation'")
    world.clock.advance(days=366)
    await retention.save(world.ctx, world.member, replace(SHORT, audit=366))
    await retention.save(world.ctx, world.member, SHORT)
    world.clock.advance(hours=1)
    await retention.shred(world.ctx, world.shop.id)
    assert await count(world, "audit_entries", "chain <> 'installation'") == 2
    assert before > 2
    results = await audit_verification.verify(world.ctx)
    assert [one.fault_count for one in results] == [0, 0]


@pytest.mark.parametrize(
    ("periods", "field"),
    [
        ({"answers": 0}, "answers_days"),
        ({"messages": 3651}, "messages_days"),
        ({"notices": 29}, "notices_days"),
        ({"audit": 364}, "audit_days"),
        ({"answers": 100, "evidence": 99}, "evidence_days"),
    ],
)
async def test_period_outside_its_bounds_is_refused(
    world: World, periods: dict[str, int], field: str
) -> None:
    with pytest.raises(RefusedError) as refusal:
        await retention.save(world.ctx, world.member, replace(Retention(), **periods))
    assert [problem.field for problem in refusal.value.problems] == [field]


async def test_only_who_may_change_settings_changes_periods(world: World) -> None:
    member = Member("usr_x", world.shop.id, Role.OPERATOR)
    with pytest.raises(RefusedError):
        await retention.save(world.ctx, member, SHORT)
    with pytest.raises(RefusedError):
        await retention.get(world.ctx, member)


def test_every_kind_has_a_period() -> None:
    assert {kind.value for kind in DataKind} == set(Retention.__slots__)


@pytest.mark.both_databases
async def test_card_of_an_inactive_customer_is_deleted_by_date(vk_world: VkWorld) -> None:
    ctx = vk_world.ctx
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    old = await vk_world.complete_payment(email="old@example.net", phone="")
    await retention.save(ctx, vk_world.member, SHORT)
    await vk_world.advance_clocks(days=20)
    new = await vk_world.complete_payment(payer="browser-2", email="new@example.net", phone="")
    assert await count(vk_world, "customers") == 3
    await vk_world.advance_clocks(days=11)
    await retention.shred(ctx, vk_world.shop.id)
    assert await count(vk_world, "customers", f"id = '{new.customer_id}'") == 1
    for table in ("customers", "customer_identities"):
        assert await count(vk_world, table) == 1, table
    assert await count(vk_world, "payments", f"customer_id = '{old.customer_id}'") == 0
    assert {"customers": 2} in await log_of(vk_world)
    # Who comes back is a new customer.
    await vk_world.write_as_client("Это снова я")
    await vk_world.poll_events()
    assert (await vk_world.conversation()).customer_id is not None
