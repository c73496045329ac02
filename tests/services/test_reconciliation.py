"""Reconciliation with the sandbox bank: planted differences are found, runs survive faults."""

import asyncio
from collections import Counter, defaultdict
from dataclasses import replace

import httpx
import pytest
from msgspec.structs import replace as replace_struct

from sigma import worker
from sigma.domain.accounts.member import Member, Role
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Draft
from sigma.domain.billing.payment import Status
from sigma.domain.errors import RefusedError
from sigma.domain.money import Money
from sigma.domain.reconciliation.difference import Kind
from sigma.domain.reconciliation.run import MAX_STORED
from sigma.domain.reconciliation.run import Status as RunStatus
from sigma.domain.time_units import HOUR_US
from sigma.providers.base import ConnectionAccess, PaymentPage
from sigma.providers.yookassa.adapter import YooKassa
from sigma.services.billing import connections
from sigma.services.billing import invoices as invoices_service
from sigma.services.billing import payments as payments_service
from sigma.services.billing import refunds as refunds_service
from sigma.services.reconciliation import repairs, runs
from sigma.services.reconciliation.repairs import Outcome
from sigma.store.schema.tables import jobs
from tests.agreeing_rows import write_agreeing_rows
from tests.reconciliation import fetch_rows
from tests.services.actions import (
    member_with_role,
    refusal_code,
)
from tests.services.reconciliation_actions import (
    amount,
    edit_bank,
    find_only,
    ledger_problems,
    open_differences,
    paid_payment,
    run_to_end,
    save_rows,
)
from tests.services.test_catch_up import until
from tests.world import World


async def plant_forty_differences(world: World) -> dict[Kind, set[str]]:
    """Write 1,000 agreeing payments, then five differences of eight kinds. Kind → bank's ids."""
    rows = await write_agreeing_rows(world, 1000, 60, days=25)
    captured = [p for p in rows.payments if p.status is Status.CAPTURED]
    canceled = [p for p in rows.payments if p.status is Status.CANCELED]
    # Payments after the 60 refunded ones, in groups of five.
    groups = [captured[60 + 5 * n : 65 + 5 * n] for n in range(4)]
    ids = [[str(p.provider_id) for p in group] for group in groups]
    planted = {
        Kind.PAYMENT_CAPTURED_THERE: {str(p.provider_id) for p in canceled[:5]},
        Kind.PAYMENT_CAPTURED_HERE: set(ids[0]),
        Kind.PAYMENT_AMOUNT_DIFFERS: set(ids[1]),
        Kind.PAYMENT_MISSING_THERE: set(ids[2]),
        Kind.REFUND_MISSING_THERE: {str(r.provider_id) for r in rows.refunds[:5]},
    }
    paid_there = {id_: {"status": "succeeded"} for id_ in planted[Kind.PAYMENT_CAPTURED_THERE]}
    voided_there = {id_: {"status": "canceled"} for id_ in ids[0]}
    added = await edit_bank(
        world,
        lose=[*ids[2], *planted[Kind.REFUND_MISSING_THERE]],
        change=paid_there | voided_there | {id_: {"amount": amount("1.00")} for id_ in ids[1]},
        add={
            "payments": [
                *({"amount": amount("77.00")} for _ in range(5)),
                *(
                    {"amount": amount("1500.00"), "metadata": {"invoice": p.invoice_id}}
                    for p in captured[:5]
                ),
            ],
            "refunds": [{"payment_id": id_, "amount": amount("5.00")} for id_ in ids[3]],
        },
    )
    new_ids = [payment["id"] for payment in added["payments"]]
    return planted | {
        Kind.PAYMENT_FOREIGN: set(new_ids[:5]),
        Kind.PAYMENT_MISSING_HERE: set(new_ids[5:]),
        Kind.REFUND_MISSING_HERE: {refund["id"] for refund in added["refunds"]},
    }


@pytest.mark.both_databases
async def test_forty_planted_differences_are_found_repaired_and_then_all_agrees(
    world: World,
) -> None:
    planted = await plant_forty_differences(world)
    assert sum(map(len, planted.values())) == 40
    first = await run_to_end(world)
    found: dict[Kind, set[str]] = defaultdict(set)
    for difference in await open_differences(world, first):
        found[difference.kind].add(difference.provider_id)
    assert found == planted
    assert (first.status, first.difference_count) == (RunStatus.DIFFERS, 40)
    # 1,000 payments and 10 added ones; 60 refunds and 5 added ones
    assert (first.payment_count, first.refund_count, first.agreed_count) == (1010, 65, 1035)
    repaired = [
        await repairs.repair(world.ctx, world.member, one.id)
        for one in await open_differences(world, first)
    ]
    assert Counter(one.outcome for one in repaired) == {Outcome.REPAIRED: 15, Outcome.CLOSED: 25}
    second = await run_to_end(world)
    assert await open_differences(world, second) == []
    assert (second.status, second.difference_count, second.closed_count) == (
        RunStatus.AGREES,
        0,
        25,
    )
    assert second.agreed_count == second.total_count == 1050
    assert await ledger_problems(world) == []


async def test_agreeing_shop_says_how_many_agree(world: World) -> None:
    await paid_payment(world)
    paid = await paid_payment(world)
    await refunds_service.request(world.ctx, world.member, paid.id, Money(100), "")
    await world.start_payment()
    await world.run_jobs()
    run = await run_to_end(world)
    assert (run.status, run.payment_count, run.refund_count) == (RunStatus.AGREES, 3, 1)
    assert (run.agreed_count, run.expected_count) == (4, 4)


async def test_period_is_of_creation_and_its_borders_are_exact(world: World) -> None:
    rows = await write_agreeing_rows(world, 30, 10, days=25)
    since_us = until_us = 0
    for first, last in ((0, 30), (5, 20), (7, 8), (29, 30)):
        since_us = rows.payments[first].created_at_us
        until_us = rows.payments[last].created_at_us if last < 30 else world.ctx.now_us()
        run = await run_to_end(world, since_us=since_us, until_us=until_us)
        assert (run.status, run.payment_count) == (RunStatus.AGREES, last - first)
    now_us = world.ctx.now_us()
    with pytest.raises(RefusedError, match="validation"):
        await run_to_end(world, since_us=now_us, until_us=now_us - 1)


async def test_payment_captured_between_the_lists_is_no_difference(world: World) -> None:
    payment = await world.start_payment()
    await world.pay(payment)
    run = await runs.start(world.ctx, world.member, in_background=False)
    run = await runs.step(world.ctx, run)  # the acquirer's list: captured there, pending here
    assert run.suspected_count == 1
    await payments_service.advance(world.ctx, payment.id)
    while run.is_running:
        run = await runs.step(world.ctx, run)
    assert (run.status, run.agreed_count, run.total_count) == (RunStatus.AGREES, 1, 1)


async def test_two_connections_to_one_account_are_one_account(world: World) -> None:
    await paid_payment(world)
    settings = {"base_url": f"{world.sandbox.base_url}/bank/v3", "timeout_s": 2}
    await connections.save(
        world.ctx,
        world.member,
        None,
        provider="yookassa",
        title="",
        account=world.account,
        secret="test_other",
        settings=settings,
    )
    run = await run_to_end(world)
    assert (run.status, run.payment_count) == (RunStatus.AGREES, 1)


async def test_payment_whose_times_differ_by_weeks_is_counted_once(world: World) -> None:
    """Our row is at the top of our list, its partner on the second page of the acquirer's."""
    rows = await write_agreeing_rows(world, 150)
    bank = world.sandbox.bank
    newest, oldest = (bank.payments[str(rows.payments[n].provider_id)] for n in (-1, 0))
    bank.put_payment(replace_struct(newest, created_at_us=oldest.created_at_us + HOUR_US))
    run = await run_to_end(world)
    assert run.suspected_count == 1  # missing there, until it is fetched by its id
    assert (run.status, run.payment_count) == (RunStatus.AGREES, 150)


async def test_job_waits_as_the_acquirer_requests_and_goes_on(world: World) -> None:
    await paid_payment(world)
    await world.inject_faults(http_429={"on": "list", "times": 2})
    started = await runs.start(world.ctx, world.member)
    assert (await runs.start(world.ctx, world.member)).id == started.id  # it is running already
    for _ in range(3):
        await world.run_jobs()
        running = (await runs.get_details(world.ctx, world.member, started.id)).run
        if running.is_running:
            assert running.resume_at_us > world.ctx.now_us()
            world.clock.advance(seconds=5)
    details = await runs.get_details(world.ctx, world.member, started.id)
    assert (details.run.status, details.run.payment_count) == (RunStatus.AGREES, 1)


async def test_run_fails_when_the_acquirer_does_not_answer_or_rejects_the_keys(
    world: World,
) -> None:
    await world.inject_faults(http_500_before={"on": "list"})
    run = await run_to_end(world)
    assert (run.status, run.failure) == (RunStatus.FAILED, "no_answer")
    await world.inject_faults(http_500_before=None)
    await world.set_acquirer_secret("wrong")
    run = await run_to_end(world)
    assert (run.status, run.failure) == (RunStatus.FAILED, "credentials")


class RepeatingLists(YooKassa):
    """An acquirer whose list of payments names the first page as the next one, for ever."""

    async def list_payments(
        self, access: ConnectionAccess, since_us: int, until_us: int, cursor: str | None = None
    ) -> PaymentPage:
        page = await super().list_payments(access, since_us, until_us)
        return replace(page, next_cursor=f"page-{int((cursor or '-0').split('-')[1]) + 1}")


async def test_run_fails_when_the_list_of_the_acquirer_has_no_end(world: World) -> None:
    await paid_payment(world)
    provider = RepeatingLists(lambda _: httpx.AsyncClient(verify=False))
    ctx = replace(world.ctx, providers={world.connection.provider: provider})
    run = await runs.start(ctx, world.member, in_background=False)
    step_count = 0
    while run.is_running:
        run = await runs.step(ctx, run)
        step_count += 1
        assert step_count < 100
    await provider.aclose()
    assert (run.status, run.failure) == (RunStatus.FAILED, "no_answer")


@pytest.mark.both_databases
async def test_every_step_can_be_the_last_before_a_crash(world: World) -> None:
    """A run that continues from its stored row finds the same as one without interruption."""
    await write_agreeing_rows(world, 250, 30, days=20)
    run = await runs.start(world.ctx, world.member, in_background=False)
    count = 0
    while run.is_running:
        await runs.step(world.ctx, run)
        run = (await runs.get_details(world.ctx, world.member, run.id)).run
        count += 1
    assert count > 5
    assert (run.status, run.total_count) == (RunStatus.AGREES, 280)


async def test_nightly_job_is_scheduled_once_and_runs_every_night(world: World) -> None:
    await paid_payment(world)
    for _ in range(2):  # every hour, by every worker
        await runs.schedule_nightly(world.ctx)
    scheduled = await fetch_rows(world.ctx.db, jobs, world.shop.id)
    nightly = [job for job in scheduled if job["kind"] == "reconciliation.start"]
    assert [job["generation"] for job in nightly] == [1]
    for night in range(1, 4):
        world.clock.advance(days=1)
        await world.run_jobs()
        listed = await runs.list_runs(world.ctx, world.member)
        assert len(listed) == night
        assert (listed[0].created_by, listed[0].status) == ("system", RunStatus.AGREES)
    latest = await runs.find_latest(world.ctx, world.member)
    assert latest is not None
    assert latest.run == (await runs.list_runs(world.ctx, world.member))[0]


async def test_more_differences_than_are_stored_are_counted(world: World) -> None:
    rows = await write_agreeing_rows(world, 60)
    run = await runs.start(world.ctx, world.member, in_background=False)
    run = replace(run, suspected_count=MAX_STORED - 10)
    await edit_bank(world, lose=[str(p.provider_id) for p in rows.payments])
    while run.is_running:
        run = await runs.step(world.ctx, run)
    details = await runs.get_details(world.ctx, world.member, run.id)
    assert (run.difference_count, details.open_count) == (60, 10)


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.VIEWER])
async def test_members_without_the_permission_only_read(world: World, role: Role) -> None:
    await edit_bank(world, add={"payments": [{"amount": amount("77.00")}]})
    difference = await find_only(world)
    member = member_with_role(world, role)
    for call in (
        runs.start(world.ctx, member),
        repairs.repair(world.ctx, member, difference.id),
        repairs.close_foreign(world.ctx, member, difference.run_id),
    ):
        assert await refusal_code(call) == "forbidden"
    details = await runs.get_details(world.ctx, member, difference.run_id)
    assert details.open_count == 1


async def test_all_foreign_payments_are_closed_however_many_differences_stand_before_them(
    world: World,
) -> None:
    await edit_bank(world, add={"payments": [{"amount": amount("77.00")}] * 2})
    run = await run_to_end(world)
    foreign = await open_differences(world, run)
    others = [
        replace(foreign[0], id=f"dif_0{n:022}", kind=Kind.PAYMENT_CAPTURED_HERE, version=0)
        for n in range(runs.MAX_LISTED_DIFFERENCES)
    ]
    await save_rows(world, *others)
    assert await repairs.close_foreign(world.ctx, world.member, run.id) == 2
    details = await runs.get_details(world.ctx, world.member, run.id)
    assert (details.open_count, details.closed_count) == (len(others), 2)
    assert await repairs.close_foreign(world.ctx, world.member, run.id) == 0


async def test_payment_of_another_shop_is_foreign_and_never_recorded(world: World) -> None:
    """Metadata that names a payment or an invoice of another shop gives no access to them."""
    other = Shop(id=world.ctx.new_id("shp"), name="Чужие", created_at_us=world.ctx.now_us())
    await save_rows(world, other)
    owner = Member("usr_2", other.id, Role.OWNER)
    draft = Draft(title="Чужой", amount=Money(1_500_00))
    invoice = await invoices_service.create(world.ctx, owner, draft)
    started = await world.start_payment()
    theirs = replace(
        started,
        id=world.ctx.new_id("pay", other.id),
        shop_id=other.id,
        invoice_id=invoice.id,
        operation_key="op_other",
        token="token-other",
        provider_id=None,
        version=0,
    )
    await save_rows(world, theirs)
    names = ({"invoice": invoice.id}, {"payment": theirs.id})
    paid = [{"amount": amount("1500.00"), "metadata": metadata} for metadata in names]
    await edit_bank(world, add={"payments": paid})
    found = await open_differences(world, await run_to_end(world))
    assert [(one.kind, one.payment_id, one.invoice_id) for one in found] == [
        (Kind.PAYMENT_FOREIGN, "", "")
    ] * 2
    difference = found[0]
    with pytest.raises(RefusedError, match="not_found"):
        await repairs.repair(world.ctx, owner, difference.id)
    with pytest.raises(RefusedError, match="not_found"):
        await runs.get_details(world.ctx, owner, difference.run_id)


async def test_worker_schedules_the_nightly_run_of_a_new_shop(world: World) -> None:
    async def is_scheduled() -> bool:
        queued = await fetch_rows(world.ctx.db, jobs, world.shop.id)
        return "reconciliation.start" in [job["kind"] for job in queued]

    assert not await is_scheduled()
    stop = asyncio.Event()
    working = asyncio.create_task(worker.run(world.ctx, stop))
    try:
        await until(is_scheduled)
    finally:
        stop.set()
        await working
