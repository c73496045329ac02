"""The only parser of the pages' form and query text: money, dates, counts, ids, filters. Pure.

Invalid input is returned as a Problem for the page to show; only invalid ids raise.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time

from sigma.domain.billing.answer_dates import two_digit_year_problem
from sigma.domain.errors import Problem
from sigma.domain.local_time import local_time, time_zone
from sigma.domain.money import Money, MoneyError, is_ambiguous_decimal, normalize_decimal
from sigma.domain.text_cleaning import clean_text
from sigma.domain.time_units import SECOND_US
from sigma.services.paging import DEFAULT_LIMIT, MAX_LIMIT

FormValues = Mapping[str, Sequence[str]]  # a posted form or a query string: name → raw values

MAX_QUERY_LENGTH = 100
# Characters of an amount, a count, a quantity or a date: what is longer is none, and the work on
# it (NFKC, several patterns) would take more than linear time.
MAX_VALUE_CHARS = 200
END_OF_DAY = time(23, 59, 59)

# Currency names accepted before or after an amount. The longer alternative comes first, so that
# «руб.» is not read as «р» and «уб.».
_CURRENCY_NAMES = {
    "RUB": r"₽|rub|руб(?:лей|ля|ль)?\.?|р\.?",
    "USD": r"\$|usd",
    "EUR": r"€|eur",
    "KZT": r"₸|kzt",
    "BYN": r"byn|руб\.?|br",
    "UZS": r"uzs|сум",
    "AMD": r"֏|amd",
    "CNY": r"¥|cny",
}
_CURSOR = re.compile(r"[A-Za-z0-9_.~=-]{1,200}")
_DATE_TIME = re.compile(
    r"(?:(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})|(?P<d2>\d{1,2})\.(?P<m2>\d{1,2})\.(?P<y2>\d{4}|\d{2}))"
    r"(?:[T ,]+(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2}))?)?",
    re.ASCII,
)


def clean(text: str, *, multiline: bool = False) -> str:
    """Return the text of a field, cleaned by the rule for all text from outside."""
    return clean_text(text, multiline=multiline)


def first_value(form: FormValues, name: str, *, multiline: bool = False) -> str:
    """Return the first value of a field, cleaned; "" when the field is absent."""
    values = form.get(name) or ("",)
    return clean(values[0], multiline=multiline)


def parse_money(text: str, field: str, currency: str = "RUB") -> Money | Problem:
    """Parse an amount in any common notation: «1 500,50», "1500.5", «1 500 ₽», "1,234.50".

    Zero is valid, a negative amount is not. «1.500» is a money_ambiguous problem: it may mean
    1.5 or 1500.
    """
    if len(text) > MAX_VALUE_CHARS:
        return Problem(field, "money_format")
    text = clean(text)
    bare = _strip_currency(text, currency)
    if not bare:
        return Problem(field, "required" if not text else "money_format")
    if bare.startswith("-"):
        return Problem(field, "money_positive")
    if is_ambiguous_decimal(bare):
        return Problem(field, "money_ambiguous")
    try:
        return Money.parse(normalize_decimal(bare), currency)
    except MoneyError as error:
        return Problem(field, error.code)


def _strip_currency(text: str, currency: str) -> str:
    """Remove the currency; turn every Unicode space into " " and every minus sign into "-"."""
    text = unicodedata.normalize("NFKC", text).translate({0x2212: "-", 0x2013: "-"})
    text = re.sub(r"\s+", " ", text).strip()
    names = _CURRENCY_NAMES[currency]
    return re.sub(rf"^(?:{names})\s*|\s*(?:{names})$", "", text, flags=re.IGNORECASE).strip()


def parse_count(text: str, field: str, *, minimum: int, maximum: int) -> int | Problem:
    """Parse an integer within inclusive bounds; spaces between digit groups are allowed."""
    if len(text) > MAX_VALUE_CHARS:
        return Problem(field, "count")
    text = clean(text)
    bare = re.sub(r"\s", "", unicodedata.normalize("NFKC", text))
    if not bare:
        return Problem(field, "required")
    if not re.fullmatch(r"-?\d{1,18}", bare, re.ASCII):
        return Problem(field, "count")
    number = int(bare)
    return (
        number
        if minimum <= number <= maximum
        else Problem(field, "range", {"min": minimum, "max": maximum})
    )


def parse_quantity(text: str) -> str:
    """Return a quantity with a decimal dot and no spaces, "1" when empty. Not validated."""
    if len(text) > MAX_VALUE_CHARS:
        return text[:MAX_VALUE_CHARS]  # the domain refuses it as well
    bare = re.sub(r"\s", "", unicodedata.normalize("NFKC", clean(text))).replace(",", ".")
    return bare or "1"


def parse_date_time(text: str, field: str, tz: str) -> int | Problem:
    """Parse «2026-11-24» or «24.11.2026», with an optional time, in the time zone `tz`.

    Returns UTC microseconds. A date without a time means its last second (23:59:59).
    """
    text = clean(text[: MAX_VALUE_CHARS + 1])
    match = _DATE_TIME.fullmatch(text) if len(text) <= MAX_VALUE_CHARS else None
    if not match:
        return Problem(field, "date" if text else "required")
    part = match.groupdict()
    year, month, month_day = (int(part[k] or part[f"{k}2"]) for k in "ymd")
    if year < 100:
        return two_digit_year_problem(field, year, month, month_day)
    try:
        day = date(year, month, month_day)
        clock = (
            END_OF_DAY
            if part["H"] is None
            else time(int(part["H"]), int(part["M"]), int(part["S"] or 0))
        )
    except ValueError:
        return Problem(field, "date")
    if not 1970 < day.year < 2200:
        return Problem(field, "date")
    # In the hour repeated at the end of summer time, take the later one: an expiry is never early.
    local = datetime.combine(day, clock, time_zone(tz)).replace(fold=1)
    return int(local.timestamp()) * SECOND_US


def date_time_texts(at_us: int, tz: str) -> tuple[str, str]:
    """Return the date («2026-11-24») and the time («18:30») of UTC microseconds in a time zone."""
    local = local_time(at_us, tz)
    return local.date().isoformat(), local.strftime("%H:%M")


def parse_limit(text: str) -> int:
    """Return the page size: at most 100; 25 when the text is not a positive number."""
    return (
        min(int(text), MAX_LIMIT)
        if re.fullmatch(r"[1-9]\d{0,5}", text, re.ASCII)
        else DEFAULT_LIMIT
    )


def parse_offset(text: str) -> int:
    """Return how many rows of a list to skip: 0 when the text is not a number of up to 5 digits."""
    return int(text) if re.fullmatch(r"\d{1,5}", text, re.ASCII) else 0


def parse_cursor(text: str) -> str | None:
    """Return a list cursor, or None when the text is not a well-formed one."""
    return text if _CURSOR.fullmatch(text) else None


def search_text(query: FormValues) -> str:
    """Return the cleaned words of a search; the first hundred characters of a longer one."""
    typed = (query.get("q") or ("",))[0]
    return clean(typed[: 4 * MAX_QUERY_LENGTH])[:MAX_QUERY_LENGTH]
