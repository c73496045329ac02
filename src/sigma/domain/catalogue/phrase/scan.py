"""Grammar of invoice phrases: which tokens are sums, days, quantities and words of the title."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from sigma.domain.catalogue.phrase.dates import DayReader
from sigma.domain.catalogue.phrase.numbers import (
    SMALL,
    Strength,
    Sum,
    is_counted,
    norm_at,
    read_cardinal,
    read_sum,
    read_unit,
)
from sigma.domain.catalogue.phrase.quantities import has_pieces, read_quantity, unit_of_price
from sigma.domain.catalogue.phrase.times import When
from sigma.domain.catalogue.phrase.tokens import Token, TokenKind
from sigma.domain.catalogue.phrase.vocabulary import (
    APPROXIMATE,
    DISCOUNTS,
    HARD_LABELS,
    LIMITS,
    NUMBERED,
    PRICE_LABELS,
    ROOMS,
    SCALES,
    SOFT_LABELS,
    STREETS,
    TONNES,
    TOTALS,
    VIDEO,
    currency_of,
)

_BETWEEN = {"-", "–", "—", ".", "..", "...", "…", "до", "to", "или", "~"}
_DASHES = {"-", "–", "—", "...", "…"}
_COMMANDS = {
    *("выстави", "выставь", "выставить", "выставьте", "сделай", "сделать", "создай", "создать"),
    *("пришли", "скинь", "отправь", "отправить", "новый", "нужен", "мне", "пожалуйста", "please"),
    *("create", "send", "issue", "make", "an", "a", "the", "new"),
}
_BILLS = {"счет", "счета", "инвойс", "invoice", "bill"}
_SMALL_LABELS = {"iphone", "айфон", "level", "id", "код", "тон", "тона", "цвет", "оттенок"}
_NAMES = (TokenKind.DATE, TokenKind.TIME, TokenKind.OPAQUE)
_FULL_CURRENCY = {
    "USD",
    "EUR",
    "KZT",
    "CNY",
    "UAH",
    "RUB",
    "BYN",
    "UZS",
    "AMD",
    "GBP",
    "BTC",
    "USDT",
}


@dataclass(slots=True)
class Scan:
    """What the tokens of a phrase are.

    `removed`: indexes of tokens that are not part of the title. `currency`: named apart from its
    number. `has_percent`: a discount or a share is named. `ranges`: pairs of sums such as
    «1500–2000».
    """

    tokens: Sequence[Token]
    sums: list[Sum] = field(default_factory=list)
    days: list[When] = field(default_factory=list)
    removed: set[int] = field(default_factory=set)
    currency: str | None = None
    has_percent: bool = False
    has_range: bool = False
    has_unit_price: bool = False


def scan(tokens: Sequence[Token], today: date) -> Scan:
    """Read the tokens from left to right. Raises PhraseError bad_day, past_day."""
    found = Scan(tokens)
    index = _command_length(tokens)
    found.removed.update(range(index))
    values = [token.value for token in tokens if token.kind is TokenKind.NUMBER and token.value]
    street_until = -1
    while index < len(tokens):
        has_sum = any(value >= SMALL for value in values) or _has_word_sum(tokens, index)
        is_street_name = norm_at(tokens, index - 1) in STREETS  # «ул. 8 марта»
        when = None if is_street_name else DayReader(tokens, today, has_sum).read(index)
        if when is not None:
            found.days.append(when)
            found.removed.update(range(index, when.stop))
            index = when.stop
            continue
        if tokens[index].norm in STREETS:
            street_until = index + 4
        index = _read_number(found, index, is_street=index <= street_until)
    _join_scaled_ranges(found)
    _join_ranges(found)
    return found


def _command_length(tokens: Sequence[Token]) -> int:
    """Return how many tokens the command at the beginning takes: «выстави счёт на»."""
    index = 0
    while norm_at(tokens, index) in _COMMANDS:
        index += 1
    if norm_at(tokens, index) not in _BILLS:
        return 0
    index += 1
    return index + (norm_at(tokens, index) in ("на", "за", "для", ":", "for", "of"))


def _has_word_sum(tokens: Sequence[Token], index: int) -> bool:
    """Return whether a scaled or spelled number is ahead: «пятьсот», «1,5к»."""
    for position in range(len(tokens)):
        found = read_sum(tokens, position)
        if found and position != index and found.strength >= Strength.PLAIN:
            return True
    return False


def _read_number(found: Scan, index: int, *, is_street: bool) -> int:
    """Read a quantity, a sum, a measure, a label or a word at `index`; return the index after."""
    tokens = found.tokens
    norm, label = tokens[index].norm, _label_stop(tokens, index)
    if label is not None:
        return label
    if (detached := _detached_currency(found, index)) is not None:
        return detached
    if tokens[index].kind in (TokenKind.OPAQUE, TokenKind.ORDINAL, TokenKind.TIME):
        return index + 1
    number = read_quantity(tokens, index) or read_sum(tokens, index)
    if number is None:
        found.has_percent = found.has_percent or (
            bool(DISCOUNTS.fullmatch(norm)) and norm != "минус"
        )
        return index + 1
    number = _in_context(found, number, is_street=is_street)
    if number.strength is Strength.NEVER:
        return max(number.stop, index + 1)
    found.sums.append(number)
    unit = unit_of_price(tokens, number.stop)
    found.has_unit_price = found.has_unit_price or has_pieces(tokens, number)
    if unit:
        found.has_unit_price = True
        if norm_at(tokens, number.stop) == "/":
            found.removed.update((number.stop, unit - 1))
            return unit
    return number.stop


def _label_stop(tokens: Sequence[Token], index: int) -> int | None:
    """Return the index after «№ 5» or «размер 42», or None."""
    norm, stop = tokens[index].norm, index + 1
    if norm not in HARD_LABELS:
        return None
    while norm_at(tokens, stop) in (":", ".", "№", "#"):
        stop += 1
    if stop < len(tokens) and tokens[stop].kind in _NAMES:
        return stop + 1
    number = read_sum(tokens, stop) if stop < len(tokens) else None
    if number is None or number.currency is not None:
        return None
    if norm in _SMALL_LABELS and number.value >= 1000:
        return None
    is_decimal = tokens[stop].kind is TokenKind.NUMBER
    return stop + 1 if is_decimal else None


def _detached_currency(found: Scan, index: int) -> int | None:
    """Read «в евро» and a currency that stands apart from its number."""
    tokens = found.tokens
    norm, stop = tokens[index].norm, index
    if norm in ("в", "in") and currency_of(norm_at(tokens, index + 1)):
        stop = index + 1
    name = norm_at(tokens, stop)
    code = currency_of(name)
    forms = {"рублях": "RUB", "долларах": "USD", "юанях": "CNY", "гривнах": "UAH", "баксах": "USD"}
    code = code or forms.get(name)
    is_full = code in _FULL_CURRENCY and (len(name) > 2 or tokens[stop].kind is TokenKind.SIGN)
    if not is_full or read_sum(tokens, stop):
        return None
    found.currency = code
    found.removed.update(range(index, stop + 1))
    return stop + 1


def _in_context(found: Scan, number: Sum, *, is_street: bool) -> Sum:
    """Return the number with the strength that the words around it give."""
    tokens, before = found.tokens, _word_before(found.tokens, number.start)
    is_money = number.currency is not None or number.quantity != 1
    if not is_money and number.strength is not Strength.SIGNED:
        unit = read_unit(tokens, number.stop, number.value)
        if unit is not None and not _is_price_of(tokens, number):
            is_percent = tokens[unit - 1].norm in ("%", "процент", "процента", "процентов")
            found.has_percent = found.has_percent or is_percent
            return replace(number, strength=Strength.NEVER, stop=unit)
    if not is_money and is_counted(tokens, number.stop):
        return replace(number, strength=Strength.NEVER if number.value < SMALL else Strength.WEAK)
    if not is_money and _is_named(tokens, number, is_street=is_street):
        return replace(number, strength=Strength.NEVER)
    if not is_money and before in SOFT_LABELS and number.value < 1000:
        weak = Strength.NEVER if number.value < SMALL else Strength.WEAK
        return replace(number, strength=min(number.strength, weak))
    is_priced = before in PRICE_LABELS - {"за", "for"} or before in TOTALS
    if is_priced and number.strength in (Strength.SMALL, Strength.PLAIN):
        number = replace(number, strength=Strength.SIGNED)
    is_first = number.start == 1 and norm_at(tokens, 0) == "-" and not tokens[1].is_spaced
    is_first = is_first or [norm_at(tokens, number.start - n) for n in (2, 1)] == ["(", "-"]
    is_limit = norm_at(tokens, number.start - 1) in LIMITS or norm_at(tokens, number.stop) == "±"
    is_limit = is_limit or (
        norm_at(tokens, number.stop) == "+"
        and number.stop == len(tokens) - 1
        and not tokens[number.stop].is_spaced
    )
    return replace(
        number,
        readings=number.readings or _split_readings(found, number, is_street=is_street),
        is_total=before in TOTALS,
        is_discount=bool(DISCOUNTS.fullmatch(before)),
        is_unsure=number.is_unsure
        or before in APPROXIMATE
        or is_limit
        or _is_other_scale(tokens, number)
        or _is_cut(tokens, number),
        is_negative=is_first and tokens[number.start].kind is TokenKind.NUMBER,
    )


def _split_readings(found: Scan, number: Sum, *, is_street: bool) -> tuple[Decimal, ...]:
    """Return both values of «кв 12 300 р», «10+1 500»: the whole number and its last group."""
    tokens, index = found.tokens, number.start
    groups = tokens[index].text.split(" ")
    is_scaled = norm_at(tokens, index + 1) in SCALES
    if len(groups) != 2 or len(groups[1]) != 3 or is_scaled or number.quantity != 1:
        return ()
    before, start = norm_at(tokens, index - 1), index - 2
    is_after_label = before in NUMBERED or is_street
    is_after_number = re.fullmatch(r"\d{1,2}", before) is not None
    if norm_at(tokens, start) in HARD_LABELS or index - 1 in found.removed:  # «№ 5 1 000»
        is_after_number = False
    if before in ("+", "-", "–", "/", ",", "и", "по") and start >= 0:
        is_after_number = re.fullmatch(r"\d{1,2}", tokens[start].text) is not None
    return (number.value, Decimal(groups[1])) if is_after_label or is_after_number else ()


def _is_cut(tokens: Sequence[Token], number: Sum) -> bool:
    """Return whether «1 50» and «1 500 600» can be other numbers than they look."""
    if number.currency is not None or number.quantity != 1:
        return False
    token, groups = tokens[number.start], tokens[number.start].text.split(" ")
    is_after_digits = norm_at(tokens, number.start - 1).isdigit() and number.value < 100
    return is_after_digits or (token.is_grouped and len(groups) > 2 and groups[-1] != "000")


def _is_other_scale(tokens: Sequence[Token], number: Sum) -> bool:
    """Return whether «т» can be tonnes and «к» rooms or the size of a picture."""
    letter = norm_at(tokens, number.start + 1)
    if number.currency is not None or letter not in ("т", "к", "k"):
        return False
    if letter == "т":
        return any(TONNES.fullmatch(token.norm) for token in tokens)
    return number.value < 10_000 and any(
        ROOMS.fullmatch(token.norm) or VIDEO.fullmatch(token.norm) for token in tokens
    )


def _word_before(tokens: Sequence[Token], index: int) -> str:
    """Return the word before a number; «:», «-», «на» and «в» between them do not count."""
    index -= 1
    while norm_at(tokens, index) in (":", "-", "–", "—", "на", "в", "до", "("):
        index -= 1
    return norm_at(tokens, index)


def _is_price_of(tokens: Sequence[Token], number: Sum) -> bool:
    """Return whether «1500 г. Москва» or «2500 м» names no measure: a large number and a letter."""
    norm = norm_at(tokens, number.stop)
    return (
        norm in ("г", "м", "л", "m", "l", "g", "h")
        and number.value >= 1000
        and (tokens[number.stop].is_spaced)
    )


def _is_named(tokens: Sequence[Token], number: Sum, *, is_street: bool) -> bool:
    """Return whether the number is a house, a year, a model («4K video») or a call's argument."""
    token, after = tokens[number.start], norm_at(tokens, number.stop)
    if is_street and number.value < 1000:
        return True
    is_4k = token.text in ("4", "8", "2") and norm_at(tokens, number.start + 1) in ("k", "к")
    around = (norm_at(tokens, number.start - 1), after)
    if is_4k and any(VIDEO.fullmatch(word) for word in around):
        return True
    if norm_at(tokens, number.stop) == "p" and number.value >= 240:
        return not tokens[number.stop].is_spaced
    is_call = norm_at(tokens, number.start - 1) == "(" and not tokens[number.start - 1].is_spaced
    return is_call and number.value < SMALL


def _join_ranges(found: Scan) -> None:
    """Mark «1500–2000» as a range; in «2-3 занятия» the first number is no sum either."""
    for first in list(found.sums):
        gap = norm_at(found.tokens, first.stop)
        if first.stop in found.removed or first.stop + 1 in found.removed:
            continue
        if gap not in _DASHES | {"до", "to", "/"}:
            continue
        second = next((s for s in found.sums if s.start == first.stop + 1), None)
        if second is not None and not first.is_total and first.quantity == second.quantity == 1:
            found.has_range = True
        number = read_cardinal(found.tokens, first.stop + 1)
        is_measure = second is None and number is not None and gap != "/"
        if is_measure and number and first.value <= number.value and not first.currency:
            found.sums.remove(first)


def _join_scaled_ranges(found: Scan) -> None:
    """Read «6-8 тыс» as 6000 to 8000: the scale belongs to both numbers."""
    tokens = found.tokens
    for second in list(found.sums):
        last = read_cardinal(tokens, second.start)
        scale = SCALES.get(norm_at(tokens, last.stop)) if last else None
        if last is None or scale is None or second.quantity != 1:
            continue
        end = second.start
        while norm_at(tokens, end - 1) in _BETWEEN:
            end -= 1
        start = max(end - 1, 0)
        first = read_cardinal(tokens, start)
        is_joined = end < second.start or (first is not None and first.is_word)
        if first is None or first.stop != end or not is_joined or first.value >= last.value:
            continue
        others = [s for s in found.sums if s is second or s.stop <= start or s.start >= end]
        low = Sum(start, end, first.value * scale, second.currency, second.strength)
        found.sums = sorted([*others, low], key=lambda s: s.start)
        found.days = [d for d in found.days if d.stop != end]
        found.removed -= {start}
        found.has_range = True


def total_value(sums: Sequence[Sum]) -> Decimal:
    """Return the sum of the amounts."""
    return sum((s.amount for s in sums), Decimal(0))
