"""The card form as it was typed: read, checked, each error beside its field. Pure."""

import re
from dataclasses import dataclass

from sigma_sandbox.bank.cards import BY_NUMBER, ListedCard, luhn
from sigma_sandbox.time_util import as_datetime

NUMBER_LENGTH = 16
EXPIRY = re.compile(r"(\d{1,2})\s*[/.\-\s]?\s*(\d{2}|\d{4})")


@dataclass(frozen=True)
class CardForm:
    """What was typed and what is wrong with it: errors are keys of the page's words by field."""

    number: str
    expiry: str
    errors: dict[str, str]
    card: ListedCard | None = None
    month: int = 0
    year: int = 0


EMPTY = CardForm("", "", {})


def read(number: str, expiry: str, csc: str, now: int) -> CardForm:
    """Check a typed card against the list and the bank's clock (UTC microseconds)."""
    digits = re.sub(r"[\s\-\u00a0]", "", number)
    errors = {}
    number_error = _number_error(digits)
    if number_error is not None:
        errors["number"] = number_error
    month, year, expiry_error = _expiry(expiry.strip(), now)
    if expiry_error is not None:
        errors["expiry"] = expiry_error
    if not re.fullmatch(r"[0-9]{3}", csc.strip()):
        errors["csc"] = "csc_wrong"
    # A number that may be somebody's real card is not even written back into the page.
    kept = "" if number_error == "number_foreign" else number.strip()[:40]
    return CardForm(kept, expiry.strip()[:10], errors, BY_NUMBER.get(digits), month, year)


def _number_error(digits: str) -> str | None:
    if not digits:
        return "number_empty"
    if not re.fullmatch(r"[0-9]+", digits):
        return "number_chars"
    if digits in BY_NUMBER:
        return None
    if len(digits) > NUMBER_LENGTH and luhn(digits):
        return "number_foreign"
    if len(digits) != NUMBER_LENGTH:
        return "number_short" if len(digits) < NUMBER_LENGTH else "number_long"
    return "number_foreign" if luhn(digits) else "number_wrong"


def _expiry(text: str, now: int) -> tuple[int, int, str | None]:
    match = EXPIRY.fullmatch(text)
    if match is None:
        return 0, 0, "expiry_wrong"
    month, year = int(match[1]), int(match[2])
    year += 2000 if year < 100 else 0
    if not 1 <= month <= 12:
        return 0, 0, "expiry_wrong"
    today = as_datetime(now)
    if (year, month) < (today.year, today.month):
        return month, year, "expiry_past"
    return month, year, "expiry_wrong" if year > today.year + 30 else None
