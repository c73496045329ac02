"""Parser of a typed phrase that describes an invoice: «2500 маникюр завтра». Fixed grammar:

    phrase = amount title [day]  |  title amount [day]
    amount = 2500 | 2 500 | 2500,50 | 2500 ₽ | 2500 руб | 2,5к | 3 тыс
    day    = сегодня | завтра | послезавтра | до 25.11 | до 25.11.2026 | до 25 ноября | до пятницы
             | на 3 дня | today | tomorrow | by 25.11 | by friday | for 3 days

`day` is the last day on which the invoice can be paid. A phrase that does not fit is refused with a
code, never guessed.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta

_AMOUNT = (
    r"(?P<whole>\d{1,3}(?:[ \u00a0\u202f]\d{3})+|\d{1,9})(?P<part>[.,]\d{1,2})?"
    r"(?:[ \u00a0]?(?P<thousand>к|k|тыс\.?)(?![\w])|"
    r"[ \u00a0]?(?P<sign>₽|руб(?:лей|ля|ль)?\.?|р\.?|rub)(?![\w]))?"
)
_AMOUNT_FIRST = re.compile(rf"{_AMOUNT}(?=\s)(?P<title>.+)", re.IGNORECASE | re.DOTALL)
_AMOUNT_LAST = re.compile(rf"(?P<title>.+?)(?<=\s){_AMOUNT}", re.IGNORECASE | re.DOTALL)

_DAYS = {"сегодня": 0, "завтра": 1, "послезавтра": 2, "today": 0, "tomorrow": 1}
_WEEKDAY_NAMES = (
    ("понедельника", "monday"),
    ("вторника", "tuesday"),
    ("среды", "wednesday"),
    ("четверга", "thursday"),
    ("пятницы", "friday"),
    ("субботы", "saturday"),
    ("воскресенья", "sunday"),
)
_WEEKDAYS = {word: n for n, words in enumerate(_WEEKDAY_NAMES) for word in words}
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
_DAY = re.compile(
    rf"(?P<day>{'|'.join(_DAYS)})"
    rf"|(?:до|by) (?P<weekday>{'|'.join(_WEEKDAYS)})"
    r"|(?:до|by) (?P<d>\d{1,2})\.(?P<m>\d{1,2})(?:\.(?P<y>\d{4}))?"
    rf"|(?:до) (?P<d2>\d{{1,2}}) (?P<month>{'|'.join(_MONTHS)})"
    r"|(?:на|for) (?P<span>\d{1,3}) (?:дня|дней|день|days|day)",
    re.IGNORECASE,
)
MAX_PHRASE = 300  # characters


@dataclass(frozen=True, slots=True)
class Phrase:
    """A parsed phrase. `amount` is decimal text ("2500.50"); `last_day` is a whole day."""

    amount: str
    title: str
    last_day: date | None = None


class PhraseError(ValueError):
    """The phrase does not fit the grammar. `code`: no_amount, no_title, two_amounts, bad_day."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def parse_phrase(text: str, today: date) -> Phrase:
    """Parse a phrase. `today` is the date in the shop's time zone. Raises PhraseError."""
    bare = " ".join(text[: 2 * MAX_PHRASE].split())[:MAX_PHRASE].strip()
    bare, until = _split_day(bare, today)
    if re.fullmatch(_AMOUNT, bare, re.IGNORECASE):
        raise PhraseError("no_title")
    match = _pick_amount(_AMOUNT_FIRST.fullmatch(bare), _AMOUNT_LAST.fullmatch(bare))
    if match is None:
        raise PhraseError("no_amount")
    title = match["title"].strip(" ,.;:-–—")
    if not title:
        raise PhraseError("no_title")
    return Phrase(_amount_text(match), title[0].upper() + title[1:], until)


def _pick_amount(first: re.Match[str] | None, last: re.Match[str] | None) -> re.Match[str] | None:
    """Return the match that has the amount.

    When both ends have a number, the one with a currency or thousands suffix is the amount. Raises
    PhraseError("two_amounts") when neither or both have one.
    """
    if first is None or last is None:
        return first or last
    signed = [match for match in (first, last) if match["sign"] or match["thousand"]]
    if len(signed) != 1:
        raise PhraseError("two_amounts")
    return signed[0]


def _split_day(text: str, today: date) -> tuple[str, date | None]:
    """Split off the day at the end of a phrase. The longest possible day is taken."""
    for start in (m.start() + 1 for m in re.finditer(r" ", text)):
        match = _DAY.fullmatch(text[start:].strip(" ,."))
        if match is not None:
            return text[:start].rstrip(" ,"), _parse_day(match, today)
    return text, None


def _parse_day(match: re.Match[str], today: date) -> date:
    if match["day"]:
        return today + timedelta(days=_DAYS[match["day"].casefold()])
    if match["weekday"]:
        ahead = (_WEEKDAYS[match["weekday"].casefold()] - today.weekday()) % 7
        return today + timedelta(days=ahead)
    if match["span"]:
        return today + timedelta(days=int(match["span"]))
    month = int(match["m"]) if match["m"] else _MONTHS[match["month"].casefold()]
    day = int(match["d"] or match["d2"])
    try:
        if match["y"]:
            return date(int(match["y"]), month, day)
        day_this_year = date(today.year, month, day)
        return day_this_year if day_this_year >= today else date(today.year + 1, month, day)
    except ValueError:
        raise PhraseError("bad_day") from None


def _amount_text(match: re.Match[str]) -> str:
    whole = re.sub(r"\D", "", match["whole"])
    part = (match["part"] or "")[1:]
    if not match["thousand"]:
        return f"{whole}.{part}" if part else whole
    return str(int(whole) * 1000 + int((part or "0").ljust(3, "0")))
