"""Parser of one price cell of a price list. Fixed grammar, after currencies are taken out:

    price  = free | on request | [from] amount [unit] | up to amount [unit]
           | [from] amount ("-" | "/" | up to) amount [unit] | amount "+" [unit]
    amount = 1500 | 1 500,00 | 1500-00 | 1,5 тыс | 1500 руб. 50 коп.
    unit   = ("/" | за | per | в) text | a known unit

What does not match as a whole is a Problem: a price is never guessed from a part of the cell.
"""

import re
import unicodedata
from dataclasses import dataclass, replace

from sigma.domain.catalogue import price_words as words
from sigma.domain.catalogue.service import PriceKind
from sigma.domain.errors import Problem
from sigma.domain.money import (
    CURRENCY_EXPONENTS,
    Money,
    MoneyError,
    is_ambiguous_decimal,
    normalize_decimal,
)

FIELD = "price"
DEFAULT_CURRENCY = "RUB"
MAX_PRICE_TEXT = 200  # characters; a longer cell is no price

_DASHES = str.maketrans(dict.fromkeys("–—−‒―‐‑", "-"))
_NO_PRICE = re.compile(r"[-_.*?\s]*")
_FORMULA_TEXT = re.compile(r'="([^"]*)"|=\s*(-?[\d\s.,]+)')
_DATE = re.compile(
    r"\d{1,2}[./-]\d{1,2}[./-](?:19|20)\d{2}|\d{4}-\d{2}-\d{2}.*|\d{1,2}:\d{2}(?::\d{2})?"
    r"|\d{1,2}[. -](?:янв|фев|мар|апр|ма[йя]|июн|июл|авг|сен|окт|ноя|дек)[а-я]*\.?"
    r"|(?:янв|фев|мар|апр|май|июн|июл|авг|сен|окт|ноя|дек)[а-я]*\.?[. -]\d{2,4}"
    r"|\d{1,2}[ -](?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -]\d{2,4}"
)
# «?» and U+FFFD after a number are a ₽ that the file's encoding could not hold.
_LOST_ROUBLE = re.compile(r"(?<=\d)\s*[?\ufffd](?![\w?])|(?<!\S)[?\ufffd]\s*(?=\d)")
_BROKEN_ROUBLE = re.compile("в‚Ѕ|â‚½")  # ₽ in UTF-8, read in another encoding
_KOPECKS = re.compile(
    r"(\d)\s*(?:рублей|рубля|рубль|руб|р|₽)\.?,?\s*(\d{2})\s*(?:копе[а-я]+|коп|к)\.?(?![а-я])"
)
_OLD_KOPECKS = re.compile(r"(?<![\d-])(\d[\d ]*)[-=](\d{2})(?![\d,.-])")
_AMOUNT = r"\d(?:[\d .,'’]*\d)?"
_PRICE = re.compile(
    rf"(?:(?P<free_prefix>{words.APPROXIMATE_WORDS}|{words.FROM_WORDS})\s*)?"
    rf"(?:(?P<up_to>{words.UP_TO_WORDS})\s*)?"
    rf"(?P<low>{_AMOUNT})"
    rf"(?:\s*(?:-|/|\.\.|…|до|по|to|и до)\s*(?:до\s*)?(?P<high>{_AMOUNT}))?"
    rf"\s*(?P<plus>{words.FROM_SUFFIXES})?"
    rf"\s*(?P<unit>(?:{words.UNIT_MARK})?\(?[^\d\s+*/-].{{0,40}})?",
    re.IGNORECASE,
)
_UNIT_MARK = re.compile(words.UNIT_MARK, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a row. For a RANGE `amount` may be None: a price up to `max_amount`."""

    kind: PriceKind
    amount: Money | None = None
    max_amount: Money | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class PriceContext:
    """What the other cells of the row and the header say about a price.

    `currency`: the code from the row's own currency cell, `header_currency`: from the header; ""
    when it is not named. `unit`: from the unit cell or the header. `kind`: FROM under «Цена от».
    `thousands`: the separator of thousands in this column where it is known, else "".
    """

    currency: str = ""
    header_currency: str = ""
    unit: str = ""
    kind: PriceKind = PriceKind.FIXED
    thousands: str = ""


def number_text(value: float) -> str:
    """Return a number as plain decimal text, without the noise of binary fractions."""
    if value == int(value):
        return str(int(value))
    rounded = round(value, 6)
    if rounded == int(rounded):
        return str(int(rounded))
    return f"{rounded:.6f}".rstrip("0")


def parse_price(cell: str | float, context: PriceContext | None = None) -> Price | Problem:
    """Parse a price cell: a number of a spreadsheet, or text. An empty cell is on request."""
    context = context or PriceContext()
    if isinstance(cell, float | int):
        if abs(cell) >= 1e12:
            return Problem(FIELD, "money_too_large")
        return _build(context, "", number_text(cell), None, context.unit, exact_low=True)
    text = _normalize(cell)
    if _NO_PRICE.fullmatch(text) or words.AGREEMENT_WORDS.fullmatch(text):
        return Price(PriceKind.AGREEMENT)
    if words.FREE_WORDS.fullmatch(text):
        return Price(PriceKind.FREE)
    if len(text) > MAX_PRICE_TEXT:
        return Problem(FIELD, "money_format")
    if _DATE.fullmatch(text):
        return Problem(FIELD, "price_date")
    if text.startswith("="):
        return Problem(FIELD, "price_formula")
    if words.DURATION.fullmatch(text) or (
        re.match(r"\d{1,2}(?!\d)", text) and words.is_known_unit(text)
    ):
        return Problem(FIELD, "price_text")
    return _parse_amounts(text, context)


def is_price_like(cell: str | float) -> bool:
    """Return whether a cell can be the price of a service. Used to recognise columns."""
    if isinstance(cell, float | int):
        return 0 < cell < 1e10
    if not cell.strip() or not (any(c.isdigit() for c in cell) or len(cell) < 40):
        return False
    price = parse_price(cell)
    return isinstance(price, Price) and bool(
        price.amount or price.max_amount or re.search("[a-zа-я]", cell.casefold())
    )


def _normalize(cell: str) -> str:
    text = cell.strip().removeprefix("'").strip()
    if match := _FORMULA_TEXT.fullmatch(text):
        text = match[1] if match[1] is not None else match[2]
    text = _BROKEN_ROUBLE.sub("₽", text)  # before NFKC, which would take «½» apart
    text = unicodedata.normalize("NFKC", text).translate(_DASHES).casefold().replace("ё", "е")
    text = re.sub(r"\s+", " ", re.sub(r"\.{2,}", "-", text)).strip(' "«»;:')
    return re.sub(r"[*¹]+$", "", text).strip()


def _parse_amounts(text: str, context: PriceContext) -> Price | Problem:
    if context.thousands:
        text = re.sub(rf"(?<=\d){re.escape(context.thousands)}(?=\d{{3}}(?!\d))", " ", text)
    text = _KOPECKS.sub(r"\1.\2 ₽", text)
    text = _LOST_ROUBLE.sub("₽", text)
    # «500-00», «500=00», «500=»: kopecks as old price tags write them. «15-20» is a range.
    text = _OLD_KOPECKS.sub(_join_kopecks, text)
    text = re.sub(r"(?<=\d)=(?!\d)", "", text)
    text, factors = _take_thousands(text)
    currencies = words.find_currencies(text)
    text = words.without_currencies(text)
    text, units = words.split_units(text)
    if len(currencies) > 1 or len(units) > 1:
        return Problem(FIELD, "price_several")
    text = re.sub(r"\(\s*\)", " ", text)
    text = re.sub(r"\s+", " ", text).strip(" .,;/")
    match = _PRICE.fullmatch(text)
    if match is None:
        return Problem(FIELD, _failure_code(text))
    unit = units[0] if units else _tail_unit(match["unit"])
    if unit is None:
        return Problem(FIELD, "price_text")
    if currencies:
        if context.currency and currencies[0] != context.currency:
            return Problem(FIELD, "price_currency_conflict")
        context = replace(context, currency=currencies[0])
    low, high = _scaled(match["low"], 0, factors), match["high"]
    if high is not None:
        high = _scaled(high, 1, factors)
    prefix = "from" if match["free_prefix"] or match["plus"] else ""
    if match["up_to"]:
        if high is not None:
            return Problem(FIELD, "price_text")
        return _build(context, prefix, None, low, unit or context.unit)
    return _build(context, prefix, low, high, unit or context.unit)


def _join_kopecks(match: re.Match[str]) -> str:
    whole, part = match[1].replace(" ", ""), match[2]
    is_kopecks = part == "00" or "=" in match[0] or (len(whole) > 2 and int(part) < int(whole))
    return f"{whole}.{part}" if is_kopecks else match[0]


def _take_thousands(text: str) -> tuple[str, list[int]]:
    """Return the text without «тыс», «к», «млн», and the factor of each amount in order.

    A factor is written into the text as a private character, so that it stays at its amount.
    """
    factors = [1000 if match["k"] else 1_000_000 for match in words.THOUSANDS.finditer(text)]
    if not factors:
        return text, []
    parts = words.THOUSANDS.split(text)[:: words.THOUSANDS.groups + 1]
    # «1,5-2 тыс»: the only factor belongs to both amounts.
    amounts_before = len(re.findall(_AMOUNT, parts[0].replace("-", " - ")))
    if len(factors) == 1 and amounts_before == 2:
        factors = factors * 2
    return " ".join(parts), factors


def _scaled(amount: str, index: int, factors: list[int]) -> str:
    if index >= len(factors):
        return amount
    whole, _, part = normalize_decimal(amount.replace(",", ".")).partition(".")
    digits = len(str(factors[index])) - 1
    if not whole.isdecimal() or (part and (not part.isdecimal() or len(part) > digits)):
        return "?"  # refused as a sum
    return str(int(whole) * factors[index] + int((part or "0").ljust(digits, "0")))


def _tail_unit(text: str | None) -> str | None:
    """Return the unit at the end of a price, "" for none, None when the text is no unit."""
    if not text or not text.strip(" .,()"):
        return ""
    prefix = _UNIT_MARK.match(text)
    bare = (text[prefix.end() :] if prefix else text).strip(" .,()")
    if prefix is None and not words.is_known_unit(bare):
        return None
    if any(c.isdigit() for c in bare.replace("м2", "").replace("м3", "")):
        return None
    return words.normalize_unit(bare)


def _failure_code(text: str) -> str:
    if re.fullmatch(r"-\s*\d[\d .,]*", text):
        return "money_positive"
    if len(re.findall(r"\d+", text)) > 2 and "/" in text:
        return "price_several"
    if not any(c.isdigit() for c in text):
        return "price_words"
    return (
        "price_text" if re.search(r"\d", text) and re.search(r"[a-zа-я%]", text) else "money_format"
    )


def _build(
    context: PriceContext,
    prefix: str,
    low: str | None,
    high: str | None,
    unit: str,
    *,
    exact_low: bool = False,
) -> Price | Problem:
    currency = context.currency or context.header_currency or DEFAULT_CURRENCY
    if currency not in CURRENCY_EXPONENTS:
        return Problem("currency", "money_currency")
    amount = _money(low, currency, exact=exact_low)
    max_amount = _money(high, currency)
    for value in (amount, max_amount):
        if isinstance(value, Problem):
            return value
    assert not isinstance(amount, Problem) and not isinstance(max_amount, Problem)
    if max_amount is not None:
        if amount is not None and amount == max_amount:
            return Price(PriceKind.FIXED, amount, None, unit)
        return Price(PriceKind.RANGE, amount, max_amount, unit)
    kind = PriceKind.FROM if prefix else context.kind
    if kind is PriceKind.RANGE:  # the column is «Цена до»
        return Price(kind, None, amount, unit)
    return Price(kind, amount, None, unit)


def _money(text: str | None, currency: str, *, exact: bool = False) -> Money | Problem | None:
    if text is None:
        return None
    if text.startswith("-"):
        return Problem(FIELD, "money_positive")
    bare = text.strip().replace("'", " ").replace("’", " ")
    if not exact and is_ambiguous_decimal(bare):
        return Problem(FIELD, "money_ambiguous")
    try:
        money = Money.parse(bare if exact else normalize_decimal(bare), currency)
    except MoneyError as error:
        return Problem(FIELD, error.code)
    return money if money.minor > 0 else Problem(FIELD, "money_positive")
