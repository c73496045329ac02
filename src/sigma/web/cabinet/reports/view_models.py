"""The figures of a period as texts, and as bars of a chart. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from sigma.domain.figures import Figures, Source, sum_figures
from sigma.domain.money import Money
from sigma.domain.reports.periods import Period
from sigma.services.reports.figures import CurrencyReport, Part
from sigma.texts import Translator

CHART_WIDTH, CHART_HEIGHT = 720, 160  # units of the SVG; it is stretched to the width of the page
MAX_DAY_BARS = 92  # a longer period has a bar for each seven days
WEEK_DAYS = 7
_MIN_BAR = 2  # units: a small sum must be visible


@dataclass(frozen=True, slots=True)
class Comparison:
    """A change against the period before: `text` «+12 %», `tone` "up", "down" or "same"."""

    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class FigureText:
    """One figure. `name`: its text is `reports.figure_{name}`. `before`: the figure before."""

    name: str
    text: str
    before: str
    change: Comparison | None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A day, or several from `first_day` to `last_day`: its bars, in units of the SVG."""

    first_day: date
    last_day: date
    label: str
    figures: Figures
    gross: str
    refunded: str
    fee: str
    net: str
    x: float
    width: float
    gross_height: float
    refund_height: float


@dataclass(frozen=True, slots=True)
class PartText:
    """One row of a division: a service, a member, a source."""

    name: str
    count: int
    gross: str
    refunded: str
    net: str
    conversion: str
    share_percent: int


@dataclass(frozen=True, slots=True)
class CurrencyView:
    """Everything that the home page shows of one currency."""

    currency: str
    net: FigureText
    figures: tuple[FigureText, ...]
    bars: tuple[Bar, ...]
    summary: str  # of the chart, for screen readers
    is_by_week: bool
    highest: str
    divisions: tuple[tuple[str, tuple[PartText, ...]], ...]


def currency_view(report: CurrencyReport, period: Period, translator: Translator) -> CurrencyView:
    """Return the texts of one currency."""
    total, before, currency = report.total, report.before, report.currency

    def money(minor: int) -> str:
        return translator.money(Money(minor, currency), short=True)

    unknown = ""
    if total.unknown_fee_count:
        unknown = translator.plural(
            total.unknown_fee_count,
            "reports.fee_unknown",
            gross=Money(total.unknown_fee_gross_minor, currency),
        )
    figures = (
        _figure("gross", total.gross_minor, before.gross_minor, money),
        _figure("refunds", total.refund_minor, before.refund_minor, money),
        _figure("fees", total.fee_minor, before.fee_minor, money, unknown),
        _optional_figure("average", total.average_minor, before.average_minor, money),
        _conversion(total, before, translator),
    )
    bars = _bars(report.days, currency, translator)
    highest = max((bar.figures.gross_minor for bar in bars), default=0)
    return CurrencyView(
        currency,
        _figure("net", total.net_minor, before.net_minor, money, unknown),
        figures,
        bars,
        _summary(bars, total, currency, translator),
        period.day_count > MAX_DAY_BARS,
        money(highest) if highest else "",
        tuple(
            (name, _part_texts(name, parts, currency, translator))
            for name, parts in (
                ("service", report.by_service),
                ("member", report.by_issuer),
                ("source", report.by_source),
            )
            if any(part.figures for part in parts)
        ),
    )


def _figure(
    name: str, now: int, before: int, to_text: Callable[[int], str], remark: str = ""
) -> FigureText:
    return FigureText(name, to_text(now), to_text(before), _comparison(now, before), remark)


def _optional_figure(
    name: str, now: int | None, before: int | None, to_text: Callable[[int], str]
) -> FigureText:
    change = None if now is None or before is None else _comparison(now, before)
    now_text, before_text = ("—" if value is None else to_text(value) for value in (now, before))
    return FigureText(name, now_text, before_text, change)


def _conversion(total: Figures, before: Figures, translator: Translator) -> FigureText:
    remark = ""
    if total.opened_count:
        remark = translator.plural(
            total.opened_count, "reports.conversion_of", paid=total.paid_count
        )
    now_text, before_text = (
        _percent(value, translator)
        for value in (total.conversion_permille, before.conversion_permille)
    )
    return FigureText("conversion", now_text, before_text, None, remark)


def _percent(permille: int | None, translator: Translator) -> str:
    if permille is None:
        return "—"
    whole, tenth = divmod(permille, 10)
    text = f"{whole}.{tenth}" if tenth else str(whole)
    return translator.t("reports.percent", number=translator.number(text))


def _comparison(now: int, before: int) -> Comparison | None:
    """Return the change in percent; None when there is nothing to compare with."""
    if before <= 0:
        return None
    percent = (200 * (now - before) + before) // (2 * before)
    if not percent:
        return Comparison("0 %", "same")
    sign = "+" if percent > 0 else "\u2212"
    return Comparison(f"{sign}{abs(percent)}\u00a0%", "up" if percent > 0 else "down")


def _bars(
    days: Sequence[tuple[date, Figures]], currency: str, translator: Translator
) -> tuple[Bar, ...]:
    step = WEEK_DAYS if len(days) > MAX_DAY_BARS else 1
    groups = [days[n : n + step] for n in range(0, len(days), step)]
    sums = [sum_figures([figures for _, figures in group]) for group in groups]
    highest = max([*(max(one.gross_minor, one.refund_minor) for one in sums), 1])
    slot = CHART_WIDTH / max(len(groups), 1)
    width = min(slot * 0.76, 48)

    def height(minor: int) -> float:
        return round(max(minor / highest * CHART_HEIGHT, _MIN_BAR), 1) if minor > 0 else 0

    def money(minor: int) -> str:
        return translator.money(Money(minor, currency))

    return tuple(
        Bar(
            group[0][0],
            group[-1][0],
            _days_text(group[0][0], group[-1][0], translator),
            figures,
            money(figures.gross_minor),
            money(figures.refund_minor),
            money(figures.fee_minor),
            money(figures.net_minor),
            round(number * slot + (slot - width) / 2, 1),
            round(width, 1),
            height(figures.gross_minor),
            height(figures.refund_minor),
        )
        for number, (group, figures) in enumerate(zip(groups, sums, strict=True))
    )


def _days_text(first: date, last: date, translator: Translator) -> str:
    return translator.date_range(first, last)


def _summary(bars: tuple[Bar, ...], total: Figures, currency: str, translator: Translator) -> str:
    if not total.gross_minor and not total.refund_minor:
        return translator.t("reports.chart_empty")
    best = max(bars, key=lambda bar: bar.figures.gross_minor)
    return translator.t(
        "reports.chart_summary",
        gross=Money(total.gross_minor, currency),
        refunds=Money(total.refund_minor, currency),
        best=best.gross,
        day=best.label,
    )


def _part_texts(
    name: str, parts: tuple[Part, ...], currency: str, translator: Translator
) -> tuple[PartText, ...]:
    whole = sum(part.figures.gross_minor for part in parts)

    def money(minor: int) -> str:
        return translator.money(Money(minor, currency), short=True)

    return tuple(
        PartText(
            _part_name(name, part, translator),
            part.figures.payment_count,
            money(part.figures.gross_minor),
            money(part.figures.refund_minor) if part.figures.refund_minor else "",
            money(part.figures.net_minor),
            _percent(part.figures.conversion_permille, translator),
            100 * part.figures.gross_minor // whole if whole else 0,
        )
        for part in parts
        if part.figures
    )


def _part_name(name: str, part: Part, translator: Translator) -> str:
    if part.is_rest:
        return translator.t("reports.rest")
    if name == "source":
        return translator.t(f"reports.source.{Source(part.key)}")
    if not part.key:
        return translator.t(f"reports.no_{name}")
    return part.name or translator.t(f"reports.former_{name}")
