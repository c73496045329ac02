"""The reconciliation page: the last result, its differences with one button each, a new run."""

from datetime import date, timedelta
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.local_time import start_of_day
from sigma.domain.reconciliation.difference import Action, Kind
from sigma.domain.reconciliation.run import MAX_STORED, Run, Status, is_comparable_day
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.reconciliation import repairs, runs
from sigma.services.reconciliation.repairs import Outcome
from sigma.services.reconciliation.runs import RunDetails
from sigma.texts import Translator
from sigma.texts.reconciliation_view import difference_text, result_text
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cabinet.urls import query_values
from sigma.web.forms import FormValues, first_value
from sigma.web.ids import parse_id

PAGE_URL = "/payments/reconciliation"
# The flash message of each outcome: text key and tone.
_OUTCOME_FLASHES = {
    Outcome.REPAIRED: ("reconciliation.done_repaired", "good"),
    Outcome.CLOSED: ("reconciliation.done_closed", "good"),
    Outcome.STILL_DIFFERS: ("reconciliation.done_still_differs", "bad"),
    Outcome.NO_ANSWER: ("reconciliation.done_no_answer", "wait"),
}


def result_tone(details: RunDetails) -> str:
    """Return the tone of a finished run: good when nothing is left to do."""
    if details.run.status is Status.FAILED:
        return "bad"
    is_done = details.run.difference_count == 0 or _is_all_repaired(details)
    return "good" if is_done else "wait"


def _is_all_repaired(details: RunDetails) -> bool:
    """Return whether every difference of a run is settled; those only counted are not."""
    settled = details.repaired_count + details.closed_count
    return details.open_count == 0 and 0 < details.run.difference_count <= settled


def headline(translator: Translator, details: RunDetails) -> str:
    """Return the result of a run in one sentence, also when its differences are repaired."""
    if _is_all_repaired(details):
        return translator.t("reconciliation.all_repaired")
    return result_text(translator, details.run)


@get(PAGE_URL)
async def reconciliation_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the latest run, or the one that `?run=` names."""
    run_id = first_value(query_values(request), "run")
    return await _page(request, ctx, session, parse_id(run_id, "rec") if run_id else "")


async def _page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    run_id: str = "",
    *,
    errors: dict[str, str] | None = None,
    values: dict[str, str] | None = None,
    status: int = 200,
) -> Response[Any]:
    translator = translator_for(session)
    latest = await runs.list_runs(ctx, session.member)
    chosen_id = run_id or (latest[0].id if latest else "")
    details = await runs.get_details(ctx, session.member, chosen_id) if chosen_id else None
    # What moves money comes first, foreign payments last.
    differences = sorted(
        details.open_differences if details else (),
        key=lambda one: list(Action).index(one.action or Action.ACKNOWLEDGE),
    )
    return render_cabinet_page(
        request,
        session,
        "cabinet/payments/reconciliation.html",
        section="payments",
        status=status,
        details=details,
        is_all_repaired=details is not None and _is_all_repaired(details),
        headline=headline(translator, details) if details else "",
        result=result_text(translator, details.run) if details else "",
        tone=result_tone(details) if details else "quiet",
        is_stalled=details is not None and details.run.is_stalled(ctx.now_us()),
        differences=[(one, difference_text(translator, one)) for one in differences],
        foreign_count=sum(one.kind is Kind.PAYMENT_FOREIGN for one in differences),
        max_stored=MAX_STORED,
        history=[_history_row(translator, run) for run in latest if run.id != chosen_id],
        can_reconcile=session.member.can(Permission.RECONCILE),
        errors=errors or {},
        values=values or {},
        hide_plus=True,
    )


def _history_row(translator: Translator, run: Run) -> tuple[Run, str, str]:
    """Return a run, its period and its result."""
    since, until = translator.date(run.since_us), translator.date(run.until_us - 1)
    period = translator.t("reconciliation.period", since=since, until=until)
    return run, period, result_text(translator, run)


@post(PAGE_URL)
async def start_run(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Start a run in the background; without dates over the last 30 days."""
    session.member.require(Permission.RECONCILE)
    form_data = await read_form_values(request)
    try:
        since_us, until_us = _parse_period(form_data, session.shop.tz)
        await runs.start(ctx, session.member, since_us, until_us)
    except RefusedError as error:
        values = {name: first_value(form_data, name) for name in ("since", "until")}
        errors = refusal_texts(translator_for(session), error)
        return await _page(
            request, ctx, session, errors=errors, values=values, status=error.http_status
        )
    return redirect(PAGE_URL, "reconciliation.done_started", tone="wait")


def _parse_period(form_data: FormValues, tz: str) -> tuple[int | None, int | None]:
    """Return the beginning of the first day and the end of the last one, None where empty.

    Raises RefusedError("validation").
    """
    days: dict[str, date | None] = {}
    for name in ("since", "until"):
        text = first_value(form_data, name)
        try:
            day = date.fromisoformat(text) if text else None
        except ValueError:
            raise validation_error(Problem(name, "date")) from None
        if day is not None and not is_comparable_day(day):
            raise validation_error(Problem(name, "date"))
        days[name] = day
    since, until = days["since"], days["until"]
    return (
        start_of_day(since, tz) if since else None,
        start_of_day(until + timedelta(1), tz) if until else None,
    )


@post(PAGE_URL + "/differences/{difference_id:str}")
async def repair_difference(
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    difference_id: FromPath[str],
) -> Response[Any]:
    """Carry out the action of a difference."""
    repair = await repairs.repair(ctx, session.member, parse_id(difference_id, "dif"))
    key, tone = _OUTCOME_FLASHES[repair.outcome]
    return redirect(f"{PAGE_URL}?run={repair.difference.run_id}", key, tone=tone)


@post(PAGE_URL + "/{run_id:str}/foreign")
async def close_foreign_payments(
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    run_id: FromPath[str],
) -> Response[Any]:
    """Close all foreign payments of a run; the page asks for confirmation first."""
    run_id = parse_id(run_id, "rec")
    await repairs.close_foreign(ctx, session.member, run_id)
    return redirect(f"{PAGE_URL}?run={run_id}", "reconciliation.done_closed")


HANDLERS = [reconciliation_page, start_run, repair_difference, close_foreign_payments]
