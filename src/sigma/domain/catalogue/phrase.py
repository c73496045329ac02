"""One typed phrase that means an invoice: «2500 маникюр завтра». A fixed grammar, no guessing.

    phrase = sum title [when]  |  title sum [when]
    sum    = 2500 | 2 500 | 2500,50 | 2500 ₽ | 2500 руб | 2,5к | 3 тыс
    when   = сегодня | завтра | послезавтра | до 25.11 | до 25.11.2026 | до 25 ноября | до пятницы
             | на 3 дня | today | tomorrow | by 25.11 | by friday | for 3 days

`when` is the last day on which the invoice can be paid. What does not fit is said, not guessed.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta

_SUM = (
    r"(?P<whole>\d{1,3}(?:[ \u00a0\u202f]\d{3})+|\d{1,9})(?P<part>[.,]\d{1,2})?"
    r"(?:[ \u00a0]?(?P<thousand>к|k|тыс\.?)(?![\w])|"
    r"[ \u00a0]?(?P<sign>₽|руб(?:лей|ля|ль)?\.?|р\.?|rub)(?![\w]))?"
)
_FIRST = re.compile(rf"{_SUM}(?=\s)(?P<title>.+)", re.IGNORECASE | re.DOTALL)
_LAST = re.compile(rf"(?P<title>.+?)(?<=\s){_SUM}", re.IGNORECASE | re.DOTALL)

_DAYS = {"сегодня": 0, "завтра": 1, "послезавтра": 2, "today": 0, "tomorrow": 1}
_WEEK = (
    ("понедельника", "monday"),
    ("вторника", "tuesday"),
    ("среды", "wednesday"),
    ("четверга", "thursday"),
    ("пятницы", "friday"),
    ("субботы", "saturday"),
    ("воскресенья", "sunday"),
)
_WEEKDAYS = {word: n for n, words in enumerate(_WEEK) for word in words}
_MONTHS = {
    "января": 1,
    "февраля": 2,
    "марта": 3,
    "апреля": 4,
    "мая": 5,
    "июня": 6,
    "июля": 7,
    "августа": 8,
    "сентября": 9,
    "октября": 10,
    "ноября": 11,
    "декабря": 12,
}
_WHEN = re.compile(
    rf"(?P<day>{'|'.join(_DAYS)})"
    rf"|(?:до|by) (?P<weekday>{'|'.join(_WEEKDAYS)})"
    r"|(?:до|by) (?P<d>\d{1,2})\.(?P<m>\d{1,2})(?:\.(?P<y>\d{4}))?"
    rf"|(?:до) (?P<d2>\d{{1,2}}) (?P<month>{'|'.join(_MONTHS)})"
    r"|(?:на|for) (?P<span>\d{1,3}) (?:дня|дней|день|days|day)",
    re.IGNORECASE,
)
MAX_PHRASE = 300


@dataclass(frozen=True, slots=True)
class Phrase:
    """The parts of a phrase. `amount` is decimal text such as "2500.50"; `until` is a whole day."""

    amount: str
    title: str
    until: date | None = None


class BadPhrase(ValueError):  # noqa: N818 - a word of ours
    """Not this grammar. `code` names the sentence: no_sum, no_title, two_sums,
    bad_day."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def read_phrase(text: str, today: date) -> Phrase:
    """Reads a phrase; `today` is the shop's. Raises BadPhrase."""
    bare = " ".join(text[: 2 * MAX_PHRASE].split())[:MAX_PHRASE].strip()
    bare, until = _cut_day(bare, today)
    if re.fullmatch(_SUM, bare, re.IGNORECASE):
        raise BadPhrase("no_title")
    found = _the_sum(_FIRST.fullmatch(bare), _LAST.fullmatch(bare))
    if found is None:
        raise BadPhrase("no_sum")
    title = found["title"].strip(" ,.;:-–—")
    if not title:
        raise BadPhrase("no_title")
    return Phrase(_amount(found), title[0].upper() + title[1:], until)


def _the_sum(first: re.Match[str] | None, last: re.Match[str] | None) -> re.Match[str] | None:
    """The reading that names the sum. Of two numbers it is the one with a sign of money."""
    if first is None or last is None:
        return first or last
    signed = [found for found in (first, last) if found["sign"] or found["thousand"]]
    if len(signed) != 1:
        raise BadPhrase("two_sums")
    return signed[0]


def _cut_day(text: str, today: date) -> tuple[str, date | None]:
    """The phrase without the day at its end. A day alone at the end is a day, not a title."""
    for start in (m.start() + 1 for m in re.finditer(r" ", text)):
        found = _WHEN.fullmatch(text[start:].strip(" ,."))
        if found is not None:
            return text[:start].rstrip(" ,"), _day(found, today)
    return text, None


def _day(found: re.Match[str], today: date) -> date:
    if found["day"]:
        return today + timedelta(days=_DAYS[found["day"].casefold()])
    if found["weekday"]:
        ahead = (_WEEKDAYS[found["weekday"].casefold()] - today.weekday()) % 7
        return today + timedelta(days=ahead)
    if found["span"]:
        return today + timedelta(days=int(found["span"]))
    month = int(found["m"]) if found["m"] else _MONTHS[found["month"].casefold()]
    day = int(found["d"] or found["d2"])
    try:
        if found["y"]:
            return date(int(found["y"]), month, day)
        this = date(today.year, month, day)
        return this if this >= today else date(today.year + 1, month, day)
    except ValueError:
        raise BadPhrase("bad_day") from None


def _amount(found: re.Match[str]) -> str:
    whole = re.sub(r"\D", "", found["whole"])
    part = (found["part"] or "")[1:]
    if not found["thousand"]:
        return f"{whole}.{part}" if part else whole
    return str(int(whole) * 1000 + int((part or "0").ljust(3, "0")))
