"""`sigma reconcile`: compare a shop with its acquirers and print the differences; `sigma totals`:
compare the totals of reports with the rows that they count.

Exit code 0: both sides agree, 1: differences, 2: the acquirer could not be asked.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Protocol

import click

from sigma.cli.data import SHOP_OPTION, owner_of_shop, run_with_context
from sigma.cli.output import CliError, t, terminal_locale
from sigma.domain.accounts.member import Member
from sigma.domain.errors import Problem
from sigma.domain.local_time import local_date, start_of_day
from sigma.domain.reconciliation.difference import Difference, Side
from sigma.domain.reconciliation.run import MAX_STORED, Run, Status, is_comparable_day
from sigma.domain.time_units import SECOND_US
from sigma.services.accounts import shops
from sigma.services.context import Context
from sigma.services.reconciliation import runs
from sigma.services.reconciliation.runs import RunDetails
from sigma.services.reports import totals_check
from sigma.texts import Translator
from sigma.texts.formats import rfc3339
from sigma.texts.reconciliation_view import difference_text, result_text

EXIT_DIFFERS, EXIT_FAILED = 1, 2


@dataclass(frozen=True)
class _Result:
    details: RunDetails
    tz: str
    base_url: str


@click.command(help=t("cli.reconcile"))
@click.option("--since", default=None, metavar="YYYY-MM-DD", help=t("cli.reconcile_since"))
@click.option("--until", default=None, metavar="YYYY-MM-DD", help=t("cli.reconcile_until"))
@SHOP_OPTION
@click.option("--json", "as_json", is_flag=True, help=t("cli.reconcile_json"))
def reconcile(since: str | None, until: str | None, shop_id: str | None, as_json: bool) -> None:
    """Run a reconciliation to its end and print its result."""
    first_day, last_day = _parse_day(since, "--since"), _parse_day(until, "--until")

    async def run(ctx: Context) -> _Result:
        member = await owner_of_shop(ctx, shop_id)
        tz = (await shops.get(ctx, member)).tz
        since_us = start_of_day(first_day, tz) if first_day else None
        until_us = start_of_day(last_day + timedelta(1), tz) if last_day else None
        started = await runs.start(ctx, member, since_us, until_us, in_background=False)
        with _progress_bar(started, is_quiet=as_json) as bar:
            finished = await _run_to_end(ctx, started, bar)
        return await _details(ctx, member, finished, tz)

    result = run_with_context(run)
    if as_json:
        click.echo(json.dumps(result_json(result.details), ensure_ascii=False, indent=2))
    else:
        _print_result(result)
    status = result.details.run.status
    if status is not Status.AGREES:
        sys.exit(EXIT_DIFFERS if status is Status.DIFFERS else EXIT_FAILED)


def _parse_day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        day: date | None = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or not is_comparable_day(day):
        problem = Translator(terminal_locale()).problem_text(Problem(option, "iso_date"))
        raise CliError(f"{option}: {problem}")
    return day


class ProgressBar(Protocol):
    """The part of click's progress bar that is used."""

    def update(self, n_steps: int) -> None:
        """Add to the count of compared objects."""


@contextmanager
def _progress_bar(run: Run, *, is_quiet: bool) -> Iterator[ProgressBar]:
    """Show the number of compared objects on a terminal; on stderr, so that output can be piped."""
    bar: Any = click.progressbar(
        length=max(run.expected_count, 1),
        label=t("cli.reconciling"),
        file=sys.stderr,
        show_pos=True,
        hidden=is_quiet or not sys.stderr.isatty(),
    )
    with bar:
        yield bar


async def _run_to_end(ctx: Context, run: Run, bar: ProgressBar) -> Run:
    """Advance the run to its end, and wait as long as the acquirer requests."""
    while run.is_running:
        wait_us = run.resume_at_us - ctx.now_us()
        if wait_us > 0:
            click.echo(t("cli.reconcile_waits", seconds=-(-wait_us // SECOND_US)), err=True)
            await asyncio.sleep(wait_us / SECOND_US)
        before = run.total_count
        run = await runs.step(ctx, run)
        bar.update(run.total_count - before)
    return run


async def _details(ctx: Context, member: Member, run: Run, tz: str) -> _Result:
    details = await runs.get_details(ctx, member, run.id, limit=MAX_STORED)
    return _Result(details, tz, ctx.settings.base_url)


def _print_result(result: _Result) -> None:
    details, translator = result.details, Translator(terminal_locale(), result.tz)
    run = details.run
    colour = {Status.AGREES: "green", Status.DIFFERS: "yellow"}.get(run.status, "red")
    period = translator.t(
        "reconciliation.period",
        since=translator.date(run.since_us),
        until=translator.date(run.until_us - 1),
    )
    click.echo(period)
    click.secho(result_text(translator, details.run), fg=colour)
    for difference in details.open_differences:
        texts = difference_text(translator, difference)
        click.echo(f"\n{texts.title}")
        for line in (texts.ours, texts.theirs, texts.ids):
            click.echo(f"  {line}")
        click.echo(f"  → {texts.action}")
    if details.open_differences:
        url = f"{result.base_url}/payments/reconciliation"
        click.echo("\n" + translator.t("cli.reconcile_repair", url=url))


def result_json(details: RunDetails) -> dict[str, Any]:
    """Return the result for programs; the format is in docs/reconciliation.md."""
    run = details.run
    return {
        "id": run.id,
        "shop_id": run.shop_id,
        "since": rfc3339(run.since_us),
        "until": rfc3339(run.until_us),
        "status": str(run.status),
        "failure": run.failure or None,
        "payments": run.payment_count,
        "refunds": run.refund_count,
        "agreed": run.agreed_count,
        "closed": run.closed_count,
        "difference_count": run.difference_count,
        "differences": [_difference_json(one) for one in details.open_differences],
    }


def _difference_json(difference: Difference) -> dict[str, Any]:
    return {
        "id": difference.id,
        "kind": str(difference.kind),
        "action": str(difference.action),
        "payment_id": difference.payment_id or None,
        "refund_id": difference.refund_id or None,
        "invoice_id": difference.invoice_id or None,
        "provider_id": difference.provider_id or None,
        "created_at": rfc3339(difference.created_at_us),
        "ours": _side_json(difference.ours),
        "theirs": _side_json(difference.theirs),
    }


def _side_json(side: Side) -> dict[str, Any] | None:
    """Return null for a missing object; an amount in an unsupported currency is null."""
    if not side.status:
        return None
    amount = side.amount and {
        "value": side.amount.to_decimal_text(),
        "currency": side.amount.currency,
    }
    return {"status": side.status, "amount": amount}


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
                name = local_date(day.since_us, "UTC").isoformat()
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
        sys.exit(EXIT_DIFFERS)
