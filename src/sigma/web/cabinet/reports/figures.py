"""The figures of a period, as a part of the home page."""

from dataclasses import dataclass
from datetime import date

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.reports.periods import Period, PeriodName, own_period, recent_period
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.reports.figures import get_report
from sigma.texts import Translator
from sigma.web.cabinet.reports.view_models import (
    CHART_HEIGHT,
    CHART_WIDTH,
    CurrencyView,
    currency_view,
)
from sigma.web.cabinet.responses import refusal_texts, translator_for
from sigma.web.forms import FormValues, first_value

DEFAULT_PERIOD = PeriodName.WEEK


@dataclass(frozen=True, slots=True)
class FiguresPage:
    """What the template shows. `periods`: (URL, text, whether it is chosen)."""

    periods: tuple[tuple[str, str, bool], ...]
    is_own: bool
    since: str
    until: str
    compared: str
    currencies: tuple[CurrencyView, ...]
    errors: dict[str, str]
    chart_width: int = CHART_WIDTH
    chart_height: int = CHART_HEIGHT


async def read_figures(ctx: Context, session: Session, query: FormValues) -> FiguresPage | None:
    """Return the figures of the period in the URL; None for a member who may not see them.

    An invalid own period shows the default one, with the problem.
    """
    if not session.member.can(Permission.REPORTS):
        return None
    translator, errors = translator_for(session), {}
    name, now_us, tz = _period_name(query), ctx.now_us(), session.shop.tz
    try:
        period = _own(query, tz) if name is PeriodName.OWN else recent_period(name, now_us, tz)
    except RefusedError as refused:
        errors = refusal_texts(translator, refused)
        period = recent_period(DEFAULT_PERIOD, now_us, tz)
    report = await get_report(ctx, session.member, period)
    return FiguresPage(
        periods=tuple(
            (f"/?period={one}#figures", translator.t(f"reports.period_{one}"), one is name)
            for one in PeriodName
            if one is not PeriodName.OWN
        ),
        is_own=name is PeriodName.OWN,
        since=first_value(query, "since") if errors else period.first_day.isoformat(),
        until=first_value(query, "until") if errors else period.last_day.isoformat(),
        compared=_compared(period, translator),
        currencies=tuple(currency_view(one, period, translator) for one in report.currencies),
        errors=errors,
    )


def _period_name(query: FormValues) -> PeriodName:
    text = first_value(query, "period")
    return PeriodName(text) if text in tuple(PeriodName) else DEFAULT_PERIOD


def _own(query: FormValues, tz: str) -> Period:
    return own_period(_date(query, "since"), _date(query, "until"), tz)


def _date(query: FormValues, name: str) -> date:
    try:
        return date.fromisoformat(first_value(query, name))
    except ValueError:
        raise validation_error(Problem(name, "date")) from None


def _compared(period: Period, translator: Translator) -> str:
    before = period.before()
    return translator.t(
        "reports.compared",
        days=translator.date_range(period.first_day, period.last_day),
        before=translator.date_range(before.first_day, before.last_day),
    )
