"""Each difference is repaired or closed by its action, once, and the next run agrees."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete

from sigma.domain.billing.payment import Attention, Status
from sigma.domain.billing.refund import Origin
from sigma.domain.money import Money
from sigma.domain.reconciliation.difference import Action, Kind, State
from sigma.domain.reconciliation.run import Status as RunStatus
from sigma.services.billing import refunds as refunds_service
from sigma.services.billing.payment_details import get_details
from sigma.services.context import CONFLICT_ERRORS, OUTAGE_ERRORS
from sigma.services.ids import min_id
from sigma.services.reconciliation import repairs, runs
from sigma.services.reconciliation.repairs import Outcome
from sigma.store.engine.statements import statement
from sigma.store.schema.tables import ledger, payments, refunds
from tests.reconciliation import fetch_rows
from tests.services.actions import (
    payment_details,
    reload_payment,
)
from tests.services.reconciliation_actions import (
    amount,
    edit_bank,
    find_only,
    ledger_problems,
    open_differences,
    paid_payment,
    repair_and_check,
    run_to_end,
    save_rows,
)
from tests.world import World


@pytest.mark.parametrize("status", [Status.PENDING, Status.FAILED, Status.CANCELED])
async def test_missed_capture_is_recorded_whatever_the_status_here(
    world: World, status: Status
) -> None:
    payment = await world.start_payment()
    await world.pay(payment)
    await save_rows(world, replace(await reload_payment(world, payment), status=status))
    difference = await find_only(world)
    assert (difference.kind, difference.payment_id) == (Kind.PAYMENT_CAPTURED_THERE, payment.id)
    await repair_and_check(world, difference, Outcome.REPAIRED)
    assert (await reload_payment(world, payment)).status is Status.CAPTURED
    assert await ledger_problems(world) == []
    details = await payment_details(world, payment)
    assert details.receipt is not None
    assert details.invoice.is_fully_paid


async def test_payment_with_lost_start_is_found_by_our_id_in_its_metadata(world: World) -> None:
    payment = await paid_payment(world)
    unstarted = await world.start_payment()
    await world.pay(unstarted)
    lost = replace(
        await reload_payment(world, unstarted),
        provider_id=None,
        status=Status.FAILED,
        failure="never_started",
    )
    await save_rows(world, lost)
    difference = await find_only(world)
    assert (difference.kind, difference.payment_id) == (Kind.PAYMENT_MISSING_HERE, unstarted.id)
    run = await repair_and_check(world, difference, Outcome.REPAIRED)
    assert run.payment_count == 2
    recorded = await reload_payment(world, unstarted)
    assert (recorded.status, recorded.provider_id) == (Status.CAPTURED, unstarted.provider_id)
    events = [event.kind for event in (await payment_details(world, recorded)).timeline.data]
    assert "payment.found_at_acquirer" in events
    assert payment.id != recorded.id
    assert await ledger_problems(world) == []


async def test_payment_lost_with_the_database_is_recreated_with_its_refunds(world: World) -> None:
    invoice = await world.create_invoice()
    our_id = f"{min_id('pay', world.ctx.now_us() - 1000)}{world.shop.id[15:19]}00000001"
    metadata = {"invoice": invoice.id, "payment": our_id}
    added = await edit_bank(
        world, add={"payments": [{"amount": amount("1500.00"), "metadata": metadata}]}
    )
    provider_id = added["payments"][0]["id"]
    part = {"payment_id": provider_id, "amount": amount("100.00")}
    await edit_bank(world, add={"refunds": [part]})
    difference = await find_only(world)
    assert (difference.kind, difference.invoice_id) == (Kind.PAYMENT_MISSING_HERE, invoice.id)
    run = await repair_and_check(world, difference, Outcome.REPAIRED)
    assert (run.payment_count, run.refund_count) == (1, 1)
    details = await get_details(world.ctx, world.member, our_id)
    assert (details.payment.status, details.refunded) == (Status.CAPTURED, Money(100_00))
    assert details.invoice.is_fully_paid
    assert await ledger_problems(world) == []


async def test_second_charge_of_a_payment_becomes_a_payment_to_refund(world: World) -> None:
    payment = await paid_payment(world)
    metadata = {"invoice": payment.invoice_id, "payment": payment.id}
    await edit_bank(world, add={"payments": [{"amount": amount("1500.00"), "metadata": metadata}]})
    difference = await find_only(world)
    assert (difference.kind, difference.payment_id) == (Kind.PAYMENT_DUPLICATE, payment.id)
    run = await repair_and_check(world, difference, Outcome.REPAIRED)
    assert run.payment_count == 2
    rows = await fetch_rows(world.ctx.db, payments, world.shop.id)
    assert [row["attention"] for row in rows] == [None, Attention.EXTRA]
    assert await ledger_problems(world) == []


async def test_refund_made_at_the_acquirer_is_booked(world: World) -> None:
    payment = await paid_payment(world)
    back = {"payment_id": payment.provider_id, "amount": amount("300.00")}
    await edit_bank(world, add={"refunds": [back]})
    difference = await find_only(world)
    assert (difference.kind, difference.payment_id) == (Kind.REFUND_MISSING_HERE, payment.id)
    await repair_and_check(world, difference, Outcome.REPAIRED)
    details = await payment_details(world, payment)
    assert (details.refunded, details.refundable) == (Money(300_00), Money(1_200_00))
    assert [one.origin for one in details.refunds] == [Origin.ACQUIRER]
    assert await ledger_problems(world) == []


async def test_refund_that_ended_unnoticed_is_checked_again(world: World) -> None:
    payment = await paid_payment(world)
    await world.inject_faults(refund_pending={"value": -1, "times": 1})
    refund = await refunds_service.request(world.ctx, world.member, payment.id, Money(100_00), "")
    await world.run_jobs()
    pending = await refunds_service.get(world.ctx, world.member, refund.id)
    assert pending.provider_id
    await edit_bank(world, change={pending.provider_id: {"status": "succeeded"}})
    difference = await find_only(world)
    assert (difference.kind, difference.refund_id) == (Kind.REFUND_STATUS_DIFFERS, refund.id)
    await repair_and_check(world, difference, Outcome.REPAIRED)
    assert await ledger_problems(world) == []


@pytest.mark.parametrize(
    ("kind", "edit"),
    [
        (Kind.PAYMENT_AMOUNT_DIFFERS, {"amount": amount("1.00")}),
        (Kind.PAYMENT_CURRENCY_DIFFERS, {"amount": amount("1500.00", "USD")}),
        (Kind.PAYMENT_CURRENCY_DIFFERS, {"amount": amount("1500.00", "INR")}),
        (Kind.PAYMENT_CAPTURED_HERE, {"status": "pending"}),
    ],
)
async def test_what_only_the_acquirer_can_explain_is_closed_until_it_changes(
    world: World, kind: Kind, edit: dict[str, Any]
) -> None:
    payment = await paid_payment(world)
    assert payment.provider_id
    await edit_bank(world, change={payment.provider_id: edit})
    difference = await find_only(world)
    assert (difference.kind, difference.action) == (kind, Action.ASK_ACQUIRER)
    run = await repair_and_check(world, difference, Outcome.CLOSED)
    assert (run.closed_count, run.total_count) == (1, 0)
    await edit_bank(world, change={payment.provider_id: {"status": "canceled"}})
    assert (await find_only(world)).theirs.status == "failed"


async def test_refund_amount_differs_and_missing_objects_are_closed(world: World) -> None:
    payment = await paid_payment(world)
    lost, changed = [
        await refunds_service.request(world.ctx, world.member, payment.id, Money(100_00), "")
        for _ in range(2)
    ]
    await world.run_jobs()
    ids = [
        (await refunds_service.get(world.ctx, world.member, one.id)).provider_id or ""
        for one in (lost, changed)
    ]
    await edit_bank(world, lose=[ids[0]], change={ids[1]: {"amount": amount("99.00")}})
    found = await open_differences(world, await run_to_end(world))
    assert {one.kind: one.refund_id for one in found} == {
        Kind.REFUND_MISSING_THERE: lost.id,
        Kind.REFUND_AMOUNT_DIFFERS: changed.id,
    }
    for difference in found:
        repair = await repairs.repair(world.ctx, world.member, difference.id)
        assert repair.outcome is Outcome.CLOSED
    run = await run_to_end(world)
    assert (run.status, run.closed_count, run.payment_count) == (RunStatus.AGREES, 2, 1)


async def test_money_that_is_not_in_the_ledger_is_booked(world: World) -> None:
    payment = await paid_payment(world)
    await refunds_service.request(world.ctx, world.member, payment.id, Money(100_00), "")
    await world.run_jobs()
    async with world.ctx.db.write() as tx:
        await tx.execute(statement(delete(ledger)))
    found = await open_differences(world, await run_to_end(world))
    assert [(one.kind, one.is_refund) for one in found] == [
        (Kind.LEDGER_MISSING, False),
        (Kind.LEDGER_MISSING, True),
    ]
    for difference in found:
        repair = await repairs.repair(world.ctx, world.member, difference.id)
        assert repair.outcome is Outcome.REPAIRED
    assert (await run_to_end(world)).status is RunStatus.AGREES
    assert await ledger_problems(world) == []


async def test_action_that_changes_nothing_turns_into_a_question_to_the_acquirer(
    world: World,
) -> None:
    payment = await world.start_payment()
    assert payment.provider_id
    held = {"status": "waiting_for_capture"}
    await save_rows(world, replace(await reload_payment(world, payment), status=Status.CANCELED))
    await edit_bank(world, change={payment.provider_id: held})
    difference = await find_only(world)
    assert (difference.kind, difference.action) == (Kind.PAYMENT_STATUS_DIFFERS, Action.CHECK)
    repair = await repairs.repair(world.ctx, world.member, difference.id)
    assert repair.outcome is Outcome.STILL_DIFFERS
    assert repair.difference.action is Action.ASK_ACQUIRER
    await repair_and_check(world, repair.difference, Outcome.CLOSED)


@pytest.mark.both_databases
async def test_repairs_at_the_same_moment_book_once(world: World) -> None:
    payment = await paid_payment(world)
    back = {"payment_id": payment.provider_id, "amount": amount("300.00")}
    metadata = {"invoice": (await world.create_invoice()).id}
    missing = {"amount": amount("1500.00"), "metadata": metadata}
    await edit_bank(world, add={"refunds": [back], "payments": [missing]})
    found = await open_differences(world, await run_to_end(world))
    assert len(found) == 2
    results = await asyncio.gather(
        *(repairs.repair(world.ctx, world.member, one.id) for one in found for _ in range(4)),
        return_exceptions=True,
    )
    unexpected = [
        one
        for one in results
        if isinstance(one, BaseException) and not isinstance(one, CONFLICT_ERRORS + OUTAGE_ERRORS)
    ]
    assert unexpected == []
    for difference in found:
        again = await repairs.repair(world.ctx, world.member, difference.id)
        assert again.outcome is Outcome.REPAIRED
    assert (await run_to_end(world)).status is RunStatus.AGREES
    assert len(await fetch_rows(world.ctx.db, payments, world.shop.id)) == 2
    assert len(await fetch_rows(world.ctx.db, refunds, world.shop.id)) == 1
    assert await ledger_problems(world) == []


async def test_all_foreign_payments_are_closed_at_once(world: World) -> None:
    foreign = [{"amount": amount(f"{n}.00")} for n in range(1, 4)]
    await edit_bank(world, add={"payments": [*foreign, {**foreign[0], "status": "canceled"}]})
    run = await run_to_end(world)
    assert [one.kind for one in await open_differences(world, run)] == [Kind.PAYMENT_FOREIGN] * 3
    assert await repairs.close_foreign(world.ctx, world.member, run.id) == 3
    second = await run_to_end(world)
    assert (second.status, second.closed_count) == (RunStatus.AGREES, 3)


async def test_foreign_payments_below_many_other_differences_are_closed_too(world: World) -> None:
    await edit_bank(world, add={"payments": [{"amount": amount("5.00")}]})
    foreign = await find_only(world)
    others = [
        replace(
            foreign,
            id=f"dif_{number:023}",
            kind=Kind.PAYMENT_MISSING_THERE,
            provider_id=f"bank-{number}",
            version=0,
        )
        for number in range(runs.MAX_LISTED_DIFFERENCES + 1)
    ]
    await save_rows(world, *others)
    assert await repairs.close_foreign(world.ctx, world.member, foreign.run_id) == 1
    closed = await repairs.get(world.ctx, world.member, foreign.id)
    assert closed.state is State.CLOSED


async def test_repair_without_an_answer_changes_nothing(world: World) -> None:
    payment = await world.start_payment()
    await world.pay(payment)
    difference = await find_only(world)
    await world.inject_faults(cut_request={"on": "get", "times": 1})
    repair = await repairs.repair(world.ctx, world.member, difference.id)
    assert (repair.outcome, repair.difference) == (Outcome.NO_ANSWER, difference)
    await repair_and_check(world, difference, Outcome.REPAIRED)
