"""Dates that clients type: how they are read, and which ones make sense for a question."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta

from sigma.domain.errors import Problem

FIRST_DATE = date(1900, 1, 1)
MAX_VISIT_YEARS, MAX_YEARS = 2, 50  # how far ahead a visit and any other date may be
# A client in a time zone west of the shop may still have yesterday.
VISIT_TOLERANCE = timedelta(days=1)

_YEAR_FIRST = re.compile(r"(\d{4})([-./])(\d{1,2})\2(\d{1,2})", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})([-., ] ?)(\d{1,2})\2(\d{4}|\d{2})", re.ASCII)
_MONTH_WORD = re.compile(r"(\d{1,2})[ .-]*([^\W\d_]{3,8})\.?[ ,.-]*(\d{4}|\d{2})")
_YEAR_WORD = re.compile(r"[ .]*(?:г|год|года)?\.?$")
_MONTHS = (
    ("янв", "jan"),
    ("фев", "feb"),
    ("мар", "mar"),
    ("апр", "apr"),
    ("май", "мая", "may"),
    ("июн", "jun"),
    ("июл", "jul"),
    ("авг", "aug"),
    ("сен", "sep"),
    ("окт", "oct"),
    ("ноя", "nov"),
    ("дек", "dec"),
)

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
        r"|\bsession\b|\bparty\b|\bcelebrat|визит|запис|при[её]м|прибыт|приезд|заезд|выезд|отъезд|брон|доставк|сеанс"
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
    """Return the ISO date of "2026-11-24", "24.11.2026" or «24 ноября 2026», or the problem.

    A year of two digits is refused: browsers send "0026-11-24" for one, and its century would be
    a guess. "5/12/2026" is refused too: it is May in one country and December in another.
    """
    parts = _read_parts(_YEAR_WORD.sub("", _ascii_digits(text).casefold()))
    if parts is None:
        return Problem(field, "date")
    year, month, day = parts
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


def _read_parts(text: str) -> tuple[int, int, int] | None:
    """Return year, month and day as typed, which may not exist; None if they are not a date."""
    if match := _YEAR_FIRST.fullmatch(text):
        return int(match[1]), int(match[3]), int(match[4])
    if match := _DAY_FIRST.fullmatch(text):
        return int(match[4]), int(match[3]), int(match[1])
    if match := _MONTH_WORD.fullmatch(text):
        for month, names in enumerate(_MONTHS, start=1):
            if match[2].startswith(names):
                return int(match[3]), month, int(match[1])
    return None


def _ascii_digits(text: str) -> str:
    """Return the text with the digits of every script as 0-9 and full-width marks as plain."""
    text = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


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
