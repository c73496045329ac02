"""`sigma totals`: check the totals of reports against the rows that they count.

Exit code 0: all agree, or they were repaired, 1: some are wrong, 2: could not be checked.
"""

import json
import sys
from datetime import UTC, datetime, timedelta

import click

from sigma.cli.data import SHOP_OPTION, owner_of_shop, run_with_context
from sigma.cli.output import t
from sigma.services.context import Context
from sigma.services.reports import totals_check

EXIT_WRONG = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@click.command(help=t("cli.totals"))
@SHOP_OPTION
@click.option("--repair", "repairs", is_flag=True, help=t("cli.totals_repair"))
@click.option("--json", "as_json", is_flag=True, help=t("cli.reconcile_json"))
def totals(shop_id: str | None, repairs: bool, as_json: bool) -> None:
    """Count the figures of a shop again and compare them with the stored totals."""

    async def run(ctx: Context) -> tuple[int, dict[str, int]]:
        member = await owner_of_shop(ctx, shop_id)
        wrong: dict[str, int] = {}
        checked = 0
        async for day in totals_check.check(ctx, member.shop_id, repairs=repairs):
            checked += 1
            if sys.stderr.isatty() and not as_json:
                click.echo(f"\r{checked}/{day.day_count}", nl=False, err=True)
            if day.wrong_count:
                name = f"{_EPOCH + timedelta(microseconds=day.since_us):%Y-%m-%d}"
                wrong[name] = day.wrong_count
        return checked, wrong

    checked, wrong = run_with_context(run)
    if as_json:
        result = {"days": checked, "wrong": wrong, "repaired": repairs and bool(wrong)}
        click.echo(json.dumps(result, indent=2))
    else:
        key = "cli.totals_agree" if not wrong else "cli.totals_wrong"
        key = "cli.totals_repaired" if wrong and repairs else key
        click.echo(t(key, days=checked, wrong=", ".join(wrong)))
    if wrong and not repairs:
        sys.exit(EXIT_WRONG)
