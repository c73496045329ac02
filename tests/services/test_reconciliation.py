"""Reconciliation with the sandbox bank: planted differences are found, repaired and stay closed."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pytest

from sigma.domain.billing.payment import Status
from sigma.domain.change import Change
from sigma.domain.reconciliation.difference import Difference, Kind
from sigma.domain.reconciliation.run import Run
from sigma.domain.reconciliation.run import Status as RunStatus
from sigma.services.reconciliation import repairs, runs
from sigma.services.reconciliation.repairs import Outcome
from sigma.store import changes
from sigma.store.schema.tables import ledger, payments, refunds
from tests.agreeing_rows import write_agreeing_rows
from tests.reconciliation import fetch_rows
from tests.world import World


async def run_to_end(world: World, **period: int) -> Run:
    """Start a run and advance it to its end, as the command does."""
    run = await runs.start(world.ctx, world.member, in_background=False, **period)
    while run.is_running:
        run = await runs.step(world.ctx, run)
    return run


async def open_differences(world: World, run: Run) -> Sequence[Difference]:
    details = await runs.get_details(world.ctx, world.member, run.id)
    return details.open_differences


async def edit_bank(world: World, **edits: Any) -> dict[str, Any]:
    """Lose, change or add objects of the bank; see docs/sandbox.md."""
    url = f"{world.sandbox.base_url}/control/objects"
    response = await world.http.post(url, json={"shop": world.account, **edits})
    assert response.status_code == 200, response.text
    added: dict[str, Any] = response.json()
    return added


async def store(world: World, *rows: Any) -> None:
    await changes.commit(world.ctx.db, Change(tuple(rows)), world.ctx.now_us())


def amount(value: str, currency: str = "RUB") -> dict[str, str]:
    return {"value": value, "currency": currency}


async def ledger_problems(world: World) -> list[str]:
    """Return what is wrong with the ledger: its balance, and the sums of captures and refunds."""
    postings = await fetch_rows(world.ctx.db, ledger, world.shop.id)
    problems = [] if sum(p["amount_minor"] for p in postings) == 0 else ["it does not balance"]
    at_acquirer: dict[tuple[str, str], int] = defaultdict(int)
    for posting in postings:
        if posting["account"] in ("acquirer", "fees"):
            at_acquirer[posting["kind"], posting["subject_id"]] += posting["amount_minor"]
    expected = {
        ("capture", row["id"]): row["amount_minor"]
        for row in await fetch_rows(world.ctx.db, payments, world.shop.id)
        if row["status"] == "captured"
    } | {
        ("refund", row["id"]): -row["amount_minor"]
        for row in await fetch_rows(world.ctx.db, refunds, world.shop.id)
        if row["status"] == "succeeded"
    }
    return problems if at_acquirer == expected else [*problems, "it differs from the payments"]


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
