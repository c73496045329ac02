"""Grammar of invoice phrases: which tokens are sums, days, quantities and words of the title."""

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
from sigma.domain.catalogue.phrase.times import When
from sigma.domain.catalogue.phrase.tokens import Token, TokenKind
from sigma.domain.catalogue.phrase.vocabulary import (
    APPROXIMATE,
    DISCOUNTS,
    EACH,
    HARD_LABELS,
    MULTIPLY,
    PRICE_LABELS,
    SOFT_LABELS,
    STREETS,
    TOTALS,
    VIDEO,
    currency_of,
)

_DASHES = {"-", "–", "—", "...", "…"}
_COMMANDS = {
    *("выстави", "выставь", "выставить", "выставьте", "сделай", "сделать", "создай", "создать"),
    *("пришли", "скинь", "отправь", "отправить", "новый", "нужен", "мне", "пожалуйста", "please"),
    *("create", "send", "issue", "make", "an", "a", "the", "new"),
}
_BILLS = {"счет", "счета", "инвойс", "invoice", "bill"}
_UNITS_OF_PRICE = {
    *("час", "ч", "день", "сутки", "ночь", "занятие", "урок", "сеанс", "месяц", "мес", "шт", "раз"),
    *("штуку", "человека", "чел", "минуту", "мин", "кг", "м2", "м", "неделю", "hour", "h", "day"),
    *(
        "month",
        "person",
        "каждый",
        "каждую",
        "каждое",
        "единицу",
        "пару",
        "м²",
        "session",
        "lesson",
    ),
}
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
        when = DayReader(tokens, today, has_sum).read(index)
        if when is not None:
            found.days.append(when)
            found.removed.update(range(index, when.stop))
            index = when.stop
            continue
        if tokens[index].norm in STREETS:
            street_until = index + 4
        index = _read_number(found, index, is_street=index <= street_until)
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
    number = _quantity(tokens, index) or read_sum(tokens, index)
    if number is None:
        found.has_percent = found.has_percent or (
            bool(DISCOUNTS.fullmatch(norm)) and norm != "минус"
        )
        return index + 1
    number = _in_context(found, number, is_street=is_street)
    if number.strength is Strength.NEVER:
        return max(number.stop, index + 1)
    found.sums.append(number)
    unit = _unit_of_price(tokens, number.stop)
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
    if stop < len(tokens) and tokens[stop].kind in (TokenKind.DATE, TokenKind.OPAQUE):
        return stop + 1
    number = read_sum(tokens, stop) if stop < len(tokens) else None
    if number is None or number.currency is not None:
        return None
    if norm in ("iphone", "айфон", "level", "id", "код") and number.value >= 1000:
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
    return replace(
        number,
        is_total=before in TOTALS,
        is_discount=bool(DISCOUNTS.fullmatch(before)),
        is_unsure=number.is_unsure or before in APPROXIMATE,
        is_negative=is_first and tokens[number.start].kind is TokenKind.NUMBER,
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


def _quantity(tokens: Sequence[Token], index: int) -> Sum | None:
    """Read a price with a quantity: «3 по 500», «1500х2», «по 500 х 3», «2 шт по 750»."""
    if norm_at(tokens, index) in EACH and index + 1 < len(tokens):
        price = _price(tokens, index + 1)
        if price is None:
            return None
        return _times(tokens, replace(price, start=index)) or replace(
            price, start=index, is_unsure=True
        )
    return _times(tokens, read_sum(tokens, index)) or _count_of(tokens, index)


def _price(tokens: Sequence[Token], index: int) -> Sum | None:
    price = read_sum(tokens, index)
    if price is None or price.strength is Strength.NEVER:
        return None
    is_measure = price.currency is None and read_unit(tokens, price.stop, price.value)
    return None if is_measure else price


def _times(tokens: Sequence[Token], first: Sum | None) -> Sum | None:
    """Read «500 х 3» and «3 х 500», with «шт» after it. Sizes such as «10х15» are no price."""
    if first is None:
        return None
    if norm_at(tokens, first.stop) not in MULTIPLY or first.stop + 1 >= len(tokens):
        is_each = norm_at(tokens, first.start) in EACH
        pieces = read_cardinal(tokens, first.stop) if is_each else None
        if pieces is None or pieces.value >= 100 or not is_counted(tokens, pieces.stop):
            return None
        return replace(first, quantity=pieces.value, stop=pieces.stop + 1, strength=Strength.SIGNED)
    second = read_sum(tokens, first.stop + 1)
    if second is None:
        return None
    stop = second.stop
    is_size = norm_at(tokens, stop) in MULTIPLY or read_unit(tokens, stop, second.value)
    price, count = sorted((first, second), key=lambda s: (s.strength, s.value), reverse=True)
    is_whole = count.value % 1 == 0 and 0 < count.value < 100 and count.currency is None
    if is_size or not is_whole or (price.value < SMALL and price.strength < Strength.SIGNED):
        is_plain = max(first.strength, second.strength) < Strength.SIGNED
        return replace(first, stop=stop, strength=Strength.NEVER) if is_plain else None
    if is_counted(tokens, stop):
        stop += 1
    return replace(
        price, start=first.start, stop=stop, quantity=count.value, strength=Strength.SIGNED
    )


def _count_of(tokens: Sequence[Token], index: int) -> Sum | None:
    """Read «2 занятия по 1000»: the words between stay in the title."""
    count = read_cardinal(tokens, index)
    if count is None or count.value % 1 or not 0 < count.value < 100:
        return None
    for stop in range(count.stop, min(count.stop + 3, len(tokens) - 1)):
        token = tokens[stop]
        is_factor = token.norm in MULTIPLY and is_counted(tokens, stop - 1)
        if (token.norm in EACH or is_factor) and not norm_at(tokens, count.stop).startswith("мин"):
            price = _price(tokens, stop + 1)
            if price is None or (price.value < SMALL and price.strength < Strength.SIGNED):
                return None
            return replace(price, start=index, quantity=count.value, strength=Strength.SIGNED)
        if token.kind is not TokenKind.WORD or read_sum(tokens, stop):
            return None
    return None


def _unit_of_price(tokens: Sequence[Token], index: int) -> int | None:
    """Return the index after «/час» or «за час», or None."""
    is_per = norm_at(tokens, index) in ("/", "за", "в", "per", "an", "a")
    return index + 2 if is_per and norm_at(tokens, index + 1) in _UNITS_OF_PRICE else None


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


def total_value(sums: Sequence[Sum]) -> Decimal:
    """Return the sum of the amounts."""
    return sum((s.amount for s in sums), Decimal(0))
