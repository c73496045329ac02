"""The only reader of typed text: money, dates, counts, ids and list filters. Pure.

What cannot be read is a Problem for the page to show, never an exception.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from sigma.domain.errors import Problem, Refused
from sigma.domain.money import BadMoney, Money

Given = Mapping[str, Sequence[str]]  # a posted form or a query string: name → values, as they came

MAX_LIMIT, DEFAULT_LIMIT = 100, 25
MAX_QUERY = 100
END_OF_DAY = time(23, 59, 59)

# What people write after a sum, by currency. Longer words first: «руб.» is not «р» and «уб.».
_CURRENCY_WORDS = {
    "RUB": r"₽|rub|руб(?:лей|ля|ль)?\.?|р\.?",
    "USD": r"\$|usd",
    "EUR": r"€|eur",
    "KZT": r"₸|kzt",
    "BYN": r"byn|руб\.?|br",
    "UZS": r"uzs|сум",
    "AMD": r"֏|amd",
    "CNY": r"¥|cny",
}
_GROUPED = re.compile(r"\d{1,3}( \d{3})+|\d+", re.ASCII)
_CURSOR = re.compile(r"[A-Za-z0-9_.~=-]{1,200}")
_MOMENT = re.compile(
    r"(?:(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})|(?P<d2>\d{1,2})\.(?P<m2>\d{1,2})\.(?P<y2>\d{4}))"
    r"(?:[T ,]+(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2}))?)?",
    re.ASCII,
)


def clean(text: str, *, lines: bool = False) -> str:
    """The text in NFC without what no database can hold: NUL, lone surrogates, control characters.

    Line ends become "\\n" when `lines`, else a space. White space around is cut.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    if not lines:
        text = text.replace("\n", " ")
    kept = (c for c in text if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs"))
    return unicodedata.normalize("NFC", "".join(kept)).strip()


def one(given: Given, name: str, *, lines: bool = False) -> str:
    """The first value under a name, cleaned; empty when there is none."""
    values = given.get(name) or ("",)
    return clean(values[0], lines=lines)


def read_money(text: str, field: str, currency: str = "RUB") -> Money | Problem:
    """A sum as people type it: «1 500,50», "1500.5", «1 500 ₽», "1,234.50".

    Zero is a sum; a minus is not. «1.500» is refused as money_ambiguous: it could be one and a
    half or one and a half thousand.
    """
    bare = _bare_sum(text, currency)
    if not bare:
        return Problem(field, "required" if not clean(text) else "money_format")
    if bare.startswith("-"):
        return Problem(field, "money_positive")
    if re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", bare):
        return Problem(field, "money_ambiguous")
    try:
        return Money.parse(_plain_decimal(bare), currency)
    except BadMoney as error:
        return Problem(field, error.code)


def _bare_sum(text: str, currency: str) -> str:
    """The sum without its currency; every kind of space is a plain one, every minus a hyphen."""
    text = unicodedata.normalize("NFKC", clean(text)).translate({0x2212: "-", 0x2013: "-"})
    text = re.sub(r"\s+", " ", text).strip()
    words = _CURRENCY_WORDS[currency]
    return re.sub(rf"^(?:{words})\s*|\s*(?:{words})$", "", text, flags=re.IGNORECASE).strip()


def _plain_decimal(text: str) -> str:
    """Digits with at most one dot if the groups make sense; else the text, for Money to refuse."""
    marks = re.findall(r"[.,]", text)
    if not marks or len(set(marks)) == 1 < len(marks):  # «1 500» or "1.234.567": no fraction
        whole, dot, part = text, "", ""
    else:
        whole, part = text.rsplit(marks[-1], 1)
        dot = "."
        if not part:
            return text
    if "." in whole or "," in whole:
        if " " in whole:
            return text
        whole = whole.replace(marks[0], " ")
    if not _GROUPED.fullmatch(whole):
        return text
    return whole.replace(" ", "") + dot + part


def read_count(text: str, field: str, *, least: int, most: int) -> int | Problem:
    """A whole number between two bounds; spaces between groups of digits are fine."""
    bare = re.sub(r"\s", "", unicodedata.normalize("NFKC", clean(text)))
    if not bare:
        return Problem(field, "required")
    if not re.fullmatch(r"-?\d{1,18}", bare, re.ASCII):
        return Problem(field, "count")
    number = int(bare)
    return (
        number if least <= number <= most else Problem(field, "range", {"min": least, "max": most})
    )


def read_quantity(text: str) -> str:
    """A quantity as the domain wants it: a dot, no spaces, "1" when nothing was typed."""
    bare = re.sub(r"\s", "", unicodedata.normalize("NFKC", clean(text))).replace(",", ".")
    return bare or "1"


def read_moment(text: str, field: str, tz: str) -> int | Problem:
    """UTC microseconds of «2026-11-24» or «24.11.2026», maybe with a time, in the zone `tz`.

    A bare date means its last second.
    """
    found = _MOMENT.fullmatch(clean(text))
    if not found:
        return Problem(field, "date" if clean(text) else "required")
    part = found.groupdict()
    try:
        day = date(*(int(part[k] or part[f"{k}2"]) for k in "ymd"))
        clock = (
            END_OF_DAY
            if part["H"] is None
            else time(int(part["H"]), int(part["M"]), int(part["S"] or 0))
        )
    except ValueError:
        return Problem(field, "date")
    if not 1970 < day.year < 2200:
        return Problem(field, "date")
    # An hour that the clock shows twice means its second time: nobody's link dies too early.
    local = datetime.combine(day, clock, ZoneInfo(tz)).replace(fold=1)
    return int(local.timestamp()) * 1_000_000


def moment_text(at: int, tz: str) -> tuple[str, str]:
    """The date («2026-11-24») and time («18:30») of UTC microseconds in a zone, for form fields."""
    local = datetime.fromtimestamp(at // 1_000_000, ZoneInfo(tz))
    return local.date().isoformat(), local.strftime("%H:%M")


def read_id(text: str, prefix: str) -> str:
    """An id from an address. Raises Refused("not_found") when it cannot be one."""
    if not re.fullmatch(rf"{re.escape(prefix)}_[A-Za-z0-9_-]{{1,60}}", text):
        raise Refused("not_found")
    return text


def read_limit(text: str) -> int:
    """How many rows a list shows: what was asked within 1…100, else 25."""
    return (
        min(int(text), MAX_LIMIT)
        if re.fullmatch(r"[1-9]\d{0,5}", text, re.ASCII)
        else DEFAULT_LIMIT
    )


def read_cursor(text: str) -> str | None:
    """A place in a list as we gave it out, or None when it cannot be one."""
    return text if _CURSOR.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list in the cabinet is narrowed to; lives in the address of the page."""

    status: str = ""
    query: str = ""
    attention: bool = False
    cursor: str | None = None
    limit: int = DEFAULT_LIMIT

    @property
    def narrowed(self) -> bool:
        """Whether an empty list means "nothing found" and not "nothing yet"."""
        return bool(self.status or self.query or self.attention)


def read_filter(given: Given, statuses: Collection[str]) -> Filter:
    """The filter of a list's address; words that are no status are left out."""
    status = one(given, "status")
    return Filter(
        status=status if status in statuses else "",
        query=one(given, "q")[:MAX_QUERY],
        attention=one(given, "attention") == "yes",
        cursor=read_cursor(one(given, "cursor")),
        limit=read_limit(one(given, "limit")),
    )
