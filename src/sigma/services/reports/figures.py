"""The figures of a period for the home page: totals, days, services, members, sources."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.figures import Figures, sum_figures
from sigma.domain.reports.periods import Period, constant_offsets
from sigma.domain.reports.statement import sorted_currencies
from sigma.services.context import Context
from sigma.store.accounts import api_keys, members
from sigma.store.catalogue import services
from sigma.store.engine.interface import Tx
from sigma.store.reports import totals
from sigma.store.reports.totals import Dimension

MAX_PARTS = 8  # of one division; what is left is shown as one more
_EPOCH = date(1970, 1, 1)
_DIVISIONS = (Dimension.SERVICE, Dimension.ISSUER, Dimension.SOURCE)


@dataclass(frozen=True, slots=True)
class Part:
    """The figures of one service, member or source.

    `key` is the id of a service, user or API key, or a `Source`; "" without one. `name` is "" for a
    source, for what has no name here, and for the rest.
    """

    key: str
    name: str
    figures: Figures
    is_rest: bool = False


@dataclass(frozen=True, slots=True)
class CurrencyReport:
    """The figures of a period in one currency, and of the period before.

    `days` has every day of the period in order. The parts are sorted by gross.
    """

    currency: str
    total: Figures
    before: Figures
    days: tuple[tuple[date, Figures], ...]
    by_service: tuple[Part, ...]
    by_issuer: tuple[Part, ...]
    by_source: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a period: roubles first; zeros in roubles when there are none."""

    period: Period
    currencies: tuple[CurrencyReport, ...]


async def get_report(ctx: Context, member: Member, period: Period) -> Report:
    """Return the figures of a period. Raises RefusedError("forbidden")."""
    member.require(Permission.REPORTS)
    shop_id = member.shop_id
    async with ctx.db.read() as tx:
        days = await sum_days(tx, shop_id, period)
        before = await _sums(tx, shop_id, Dimension.ALL, period.before())
        by_key = [await _sums(tx, shop_id, dimension, period) for dimension in _DIVISIONS]
        currencies = sorted_currencies({key[1] for sums in (before, *by_key) for key in sums})
        divisions = {
            currency: [_largest(sums, currency) for sums in by_key]
            for currency in currencies or ["RUB"]
        }
        names = await _names(tx, shop_id, divisions)
    return Report(
        period,
        tuple(
            CurrencyReport(
                currency,
                sum_figures([figures for (_, of), figures in days.items() if of == currency]),
                before.get(("", currency), Figures()),
                tuple((day, days.get((day, currency), Figures())) for day in period.days()),
                *(_named(parts, names) for parts in of_currency),
            )
            for currency, of_currency in divisions.items()
        ),
    )


async def sum_days(tx: Tx, shop_id: str, period: Period) -> dict[tuple[date, str], Figures]:
    """Return the figures of a period by (day, currency)."""
    days: dict[tuple[date, str], Figures] = defaultdict(Figures)
    for since_us, until_us, offset_us in constant_offsets(period):
        found = await totals.sum_by_day(tx, shop_id, since_us, until_us, offset_us)
        for (number, currency), figures in found.items():
            days[_EPOCH + timedelta(number), currency] += figures
    return days


async def _sums(
    tx: Tx, shop_id: str, dimension: Dimension, period: Period
) -> dict[tuple[str, str], Figures]:
    found = await totals.sum_by_key(tx, shop_id, dimension, period.since_us, period.until_us)
    return {key: figures for key, figures in found.items() if figures}


async def _names(tx: Tx, shop_id: str, divisions: dict[str, list[list[Part]]]) -> dict[str, str]:
    """Return the names of the services, members and API keys in the parts, by id."""
    ids = {part.key for parts in divisions.values() for one in parts for part in one} - {""}
    names = await services.find_titles(tx, [id_ for id_ in ids if id_.startswith("svc_")])
    if any(id_.startswith("key_") for id_ in ids):
        names |= {key.id: key.name for key in await api_keys.list_for_shop(tx, shop_id)}
    if any(id_.startswith("usr_") for id_ in ids):
        names |= await members.list_names(tx, shop_id)
    return names


def _largest(sums: dict[tuple[str, str], Figures], currency: str) -> list[Part]:
    """Return the largest parts of one currency, and the rest as one more."""
    parts = [Part(key, "", figures) for (key, of), figures in sums.items() if of == currency]
    parts.sort(key=lambda part: (-part.figures.gross_minor, part.key))
    if len(parts) <= MAX_PARTS + 1:
        return parts
    rest = sum_figures([part.figures for part in parts[MAX_PARTS:]])
    return [*parts[:MAX_PARTS], Part("", "", rest, is_rest=True)]


def _named(parts: list[Part], names: dict[str, str]) -> tuple[Part, ...]:
    return tuple(replace(part, name=names.get(part.key, "")) for part in parts)
