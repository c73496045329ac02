"""Dates that clients type: how they are read, and which ones make sense for a question."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from sigma.domain.errors import Problem

FIRST_DATE = date(1900, 1, 1)
MAX_VISIT_YEARS, MAX_YEARS = 2, 50  # how far ahead a visit and any other date may be
# A client in a time zone west of the shop may still have yesterday.
VISIT_TOLERANCE = timedelta(days=1)

_ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_TYPED_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d{2})", re.ASCII)

# The purpose of a date, by words of the question's key and label. A question whose words fit
# several purposes has none: a wrong guess would keep the client from paying.
_PURPOSES = {
    "birth": re.compile(r"\bbirth|\bborn\b|\bdob\b|рожд|родил"),
    "past": re.compile(
        r"\blast\b|\bprevious|\bissue(?:d|_date)?\b|\bdate of issue\b"
        r"|последн|прошл|предыдущ|прошедш|выдач|выдан"
    ),
    "visit": re.compile(
        r"\bvisit|\bappointment|\bbooking|\barriv|\bcheck.?in\b|\bcheck.?out\b|\bdeliver|\bevent"
        r"|\bsession\b|визит|запис|при[её]м|прибыт|приезд|заезд|выезд|отъезд|брон|доставк|сеанс"
        r"|мероприят|праздн|торжеств|съ[её]мк|начал|занят|урок|консультац|встреч|свадьб|желаем"
    ),
}


@dataclass(frozen=True, slots=True)
class DateBounds:
    """The first and the last date that a question accepts."""

    first: date
    last: date
    is_birth: bool = False


def date_bounds(key: str, label: str, today: date) -> DateBounds:
    """Return the bounds for a date question. `today`: the date in the shop's time zone.

    A date of birth or another past event is between 1900 and today, a visit between yesterday and
    two years from now, any other date between 1900 and fifty years from now.
    """
    words = f"{key.replace('_', ' ')} {label}".casefold()
    purposes = [name for name, pattern in _PURPOSES.items() if pattern.search(words)]
    match purposes:
        case ["birth"]:
            return DateBounds(FIRST_DATE, today, is_birth=True)
        case ["past"]:
            return DateBounds(FIRST_DATE, today)
        case ["visit"]:
            return DateBounds(today - VISIT_TOLERANCE, _years_after(today, MAX_VISIT_YEARS))
        case _:
            return DateBounds(FIRST_DATE, _years_after(today, MAX_YEARS))


def parse_date(field: str, text: str, bounds: DateBounds) -> str | Problem:
    """Return the ISO date of "2026-11-24" or "24.11.2026", or the problem of the field.

    A year of two digits is refused: browsers send "0026-11-24" for one, and its century would be
    a guess.
    """
    if match := _TYPED_DATE.fullmatch(text):
        day, month, year = (int(part) for part in match.groups())
    elif match := _ISO_DATE.fullmatch(text):
        year, month, day = (int(part) for part in match.groups())
    else:
        return Problem(field, "date")
    if year < 100:
        return two_digit_year_problem(field, year, month, day)
    try:
        value = date(year, month, day)
    except ValueError:
        return Problem(field, "date_missing")
    if bounds.is_birth and value > bounds.last:
        return Problem(field, "date_of_birth_in_future")
    if value < bounds.first:
        return Problem(field, "date_too_early", {"min": bounds.first})
    if value > bounds.last:
        return Problem(field, "date_too_late", {"max": bounds.last})
    return value.isoformat()


def two_digit_year_problem(field: str, year: int, month: int, day: int) -> Problem:
    """Return the problem of a year below 100, with a full date of this century as an example."""
    try:
        example = date(2000 + year, month, day)
    except ValueError:
        return Problem(field, "date_missing")
    return Problem(field, "date_year", {"typed": f"{year:02}", "example": f"{example:%d.%m.%Y}"})


def _years_after(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, day=28)
