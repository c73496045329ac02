"""The command `sigma totals`: its exit codes, its JSON, its repair."""

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sigma.cli import main
from sigma.domain.figures import Figures
from sigma.store.reports import recount, totals
from tests.world import World

KEY = "m2VhK8s1QxTz7LpR4cNd9WbY3fGj6UaE"  # pragma: allowlist secret


@pytest.fixture
async def run_totals(world: World, database_url: str) -> Any:
    """Run the command in a thread."""

    async def run(*args: str) -> Result:
        env = {"LANG": "C", "LC_ALL": "", "SIGMA_SECRET_KEY": KEY}
        env |= {"SIGMA_DATABASE_URL": database_url}
        return await asyncio.to_thread(
            lambda: CliRunner().invoke(main, ["totals", *args], env=env, catch_exceptions=False)
        )

    return run


async def test_wrong_total_is_found_and_repaired(world: World, run_totals: Any) -> None:
    empty = await run_totals("--json")
    assert (empty.exit_code, json.loads(empty.stdout)) == (
        0,
        {"days": 0, "wrong": {}, "repaired": False},
    )
    await world.complete_payment(await world.create_invoice())
    assert (await run_totals()).exit_code == 0
    async with world.ctx.db.read() as tx:
        days = await recount.find_days(tx, world.shop.id)
        assert days is not None
        stored = await recount.read_totals(tx, world.shop.id, *days)
    async with world.ctx.db.write() as tx:
        op = totals.insert_op(next(iter(stored)), Figures(gross_minor=1))
        await tx.execute(op.stmt, **op.values)
    wrong = await run_totals("--json")
    assert wrong.exit_code == 1
    assert list(json.loads(wrong.stdout)["wrong"].values()) == [1]
    assert "sigma totals --repair" in (await run_totals()).stdout
    assert (await run_totals("--repair")).exit_code == 0
    agreeing = await run_totals()
    assert (agreeing.exit_code, "The totals agree" in agreeing.stdout) == (0, True)
    assert (await run_totals("--shop", "shp_nobody")).exit_code == 2
