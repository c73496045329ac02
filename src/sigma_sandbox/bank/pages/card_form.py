"""Parsing and validation of the card form. No I/O."""

import re
from dataclasses import dataclass

from sigma_sandbox.bank.cards import CARDS_BY_NUMBER, ListedCard, is_luhn_valid
from sigma_sandbox.time_util import as_datetime

NUMBER_LENGTH = 16
EXPIRY_PATTERN = re.compile(r"(\d{1,2})\s*[/.\-\s]?\s*(\d{2}|\d{4})")


@dataclass(frozen=True)
class CardForm:
    """A submitted card form. `errors` maps field names to keys of `texts.TEXTS`.

    `card` is None when the number is not that of a test card.
    """

    number: str
    expiry: str
    errors: dict[str, str]
    card: ListedCard | None = None
    month: int = 0
    year: int = 0


EMPTY_FORM = CardForm("", "", {})


def parse(number: str, expiry: str, csc: str, now_us: int) -> CardForm:
    """Validate a card against the test cards and the bank's time `now_us` (UTC microseconds)."""
    digits = re.sub(r"[\s\-\u00a0]", "", number)
    errors = {}
    number_error = _number_error(digits)
    if number_error is not None:
        errors["number"] = number_error
    month, year, expiry_error = _parse_expiry(expiry.strip(), now_us)
    if expiry_error is not None:
        errors["expiry"] = expiry_error
    if not re.fullmatch(r"[0-9]{3}", csc.strip()):
        errors["csc"] = "csc_wrong"
    # A number that may be a real card is not echoed back into the page.
    echoed_number = "" if number_error == "number_foreign" else number.strip()[:40]
    card = CARDS_BY_NUMBER.get(digits)
    return CardForm(echoed_number, expiry.strip()[:10], errors, card, month, year)


def _number_error(digits: str) -> str | None:
    if not digits:
        return "number_empty"
    if not re.fullmatch(r"[0-9]+", digits):
        return "number_chars"
    if digits in CARDS_BY_NUMBER:
        return None
    if len(digits) > NUMBER_LENGTH and is_luhn_valid(digits):
        return "number_foreign"
    if len(digits) != NUMBER_LENGTH:
        return "number_short" if len(digits) < NUMBER_LENGTH else "number_long"
    return "number_foreign" if is_luhn_valid(digits) else "number_wrong"


def _parse_expiry(text: str, now_us: int) -> tuple[int, int, str | None]:
    match = EXPIRY_PATTERN.fullmatch(text)
    if match is None:
        return 0, 0, "expiry_wrong"
    month, year = int(match[1]), int(match[2])
    year += 2000 if year < 100 else 0
    if not 1 <= month <= 12:
        return 0, 0, "expiry_wrong"
    today = as_datetime(now_us)
    if (year, month) < (today.year, today.month):
        return month, year, "expiry_past"
    return month, year, "expiry_wrong" if year > today.year + 30 else None
