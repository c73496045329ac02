"""Runs of the reconciliation against the sandbox bank, and edits of the bank's objects."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sigma.domain.billing.payment import Payment
from sigma.domain.change import Change
from sigma.domain.reconciliation.difference import Difference
from sigma.domain.reconciliation.run import Run
from sigma.domain.reconciliation.run import Status as RunStatus
from sigma.services.reconciliation import repairs, runs
from sigma.services.reconciliation.repairs import Outcome
from sigma.store import changes
from sigma.store.schema.tables import ledger, payments, refunds
from tests.reconciliation import fetch_rows
from tests.world import World


async def run_to_end(world: World, **period: int) -> Run:
    """Start a run and advance it to its end, as the command does."""
    run = await runs.start(world.ctx, world.member, in_background=False, **period)
    while run.is_running:
        run = await runs.step(world.ctx, run)  # without the pauses that the acquirer requests
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


async def save_rows(world: World, *rows: Any) -> None:
    await changes.commit(world.ctx.db, Change(tuple(rows)), world.ctx.now_us())


def amount(value: str, currency: str = "RUB") -> dict[str, str]:
    return {"value": value, "currency": currency}


async def ledger_problems(world: World) -> list[str]:
    """Return what is wrong with the ledger: its balance, and the sums of captures and refunds."""
    postings = await fetch_rows(world.ctx.db, ledger, world.shop.id)
    problems = [] if sum(p["amount_minor"] for p in postings) == 0 else ["it does not balance"]
    at_acquirer: dict[tuple[str, str], int] = defaultdict(int)
    for posting in postings:
        if posting["account"] in ("acquirer", "fees") and posting["kind"] != "fee":
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


async def paid_payment(world: World, **more: Any) -> Payment:
    """Return a captured payment whose jobs have run."""
    payment = await world.complete_payment(**more)
    await world.run_jobs()
    return payment


async def find_only(world: World, **period: int) -> Difference:
    """Run a reconciliation that must find exactly one difference; return it."""
    (only,) = await open_differences(world, await run_to_end(world, **period))
    return only


async def repair_and_check(world: World, difference: Difference, outcome: Outcome) -> Run:
    """Repair the difference, which must end like this; the next run must find nothing."""
    repair = await repairs.repair(world.ctx, world.member, difference.id)
    assert repair.outcome is outcome
    run = await run_to_end(world)
    assert (await open_differences(world, run), run.status) == ([], RunStatus.AGREES)
    return run
