"""Amounts as they are typed into a filter or a search: «1500», «1 500,00», "1,500.50", «1500 ₽»."""

import re
import unicodedata

from sigma.domain.money import Money, MoneyError, is_ambiguous_decimal, normalize_decimal

_MAX_CHARS = 40
_CURRENCY = re.compile(r"\s*(?:₽|rub|руб(?:лей|ля|ль)?\.?|р\.?|\$|€)$", re.IGNORECASE)


def parse_amount(text: str) -> tuple[int, ...]:
    """Return the readings of an amount in minor units; none when the text is no amount.

    «1.500» has two, 1500 and 1.5; every other amount has one. All currencies have two digits.
    """
    if len(text) > _MAX_CHARS:
        return ()
    text = unicodedata.normalize("NFKC", text)
    text = _CURRENCY.sub("", re.sub(r"\s+", " ", text).strip())
    spellings = [text]
    if is_ambiguous_decimal(text):
        spellings.append(text.replace(".", "").replace(",", ""))
    return tuple(minor for one in spellings if (minor := _minor(one)) is not None)


def _minor(text: str) -> int | None:
    try:
        return Money.parse(normalize_decimal(text)).minor
    except MoneyError:
        return None


def amount_text(minor: int | None) -> str:
    """Return the decimal text that `parse_amount` reads as these minor units; "" for None."""
    return "" if minor is None else Money(minor).to_decimal_text()
