"""Sums inside a phrase: «2 тысячи 500 рублей», «полторы тысячи», «1,5к», "$25", «3 по 500».

The readers take the tokens and an index, and return what begins there with the index after it, or
None.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import IntEnum

from sigma.domain.catalogue.phrase.tokens import Token, TokenKind
from sigma.domain.catalogue.phrase.vocabulary import (
    COUNTED,
    HARD_UNITS,
    KOPECKS,
    NUMBER_WORDS,
    ONE_AND_A_HALF,
    PAIR,
    SCALE_IF_MONEY,
    SCALES,
    SCALES_ALONE,
    TIME_UNITS,
    WHOLE_SUMS,
    currency_before_number,
    currency_of,
    currency_of_adjective,
)

SMALL = 50  # a plain number below it is rarely a sum
_VIDEO_LINES = {240, 360, 480, 720, 1080, 1440, 2160}  # «1080p» is not 1080 roubles
_AFTER_PREPOSITION = {
    *("понедельнику", "вторнику", "среде", "четвергу", "пятнице", "субботе", "воскресенью"),
    *("завтра", "послезавтра", "сегодня", "утру", "вечеру", "концу", "обеду", "нам", "вам", "мне"),
    *("выходным", "празднику", "праздникам", "свадьбе", "нему", "ней", "ним", "врачу", "мастеру"),
}


_OTHER_ROUBLES = {"рб": "BYN", "беларуси": "BYN", "пмр": "XXX"}
_LETTERS = {"у": ("е", "XXX"), "б": ("р", "BYN")}  # «у.е.», «б.р.»
_PLURAL_SCALES = {"тысячи", "тысяч", "тыщи", "тыщ"}


class Strength(IntEnum):
    """How surely a number is a sum."""

    NEVER = 0  # a measure or a label
    SMALL = 1  # a plain number below SMALL
    WEAK = 2  # a number that may count or name something
    PLAIN = 3
    SIGNED = 4  # with a currency, a scale («тыс») or another sign of money


@dataclass(frozen=True, slots=True)
class Sum:
    """A number of the phrase at tokens `start`:`stop`.

    `value` is in major units. `currency` is None when none is named. `readings`: both values of an
    ambiguous number. `quantity` with a price per unit: the amount is value × quantity.
    `is_unsure`: the seller should confirm it («от 1500», «пара тысяч»).
    """

    start: int
    stop: int
    value: Decimal
    currency: str | None = None
    strength: Strength = Strength.PLAIN
    readings: tuple[Decimal, ...] = ()
    quantity: Decimal = Decimal(1)
    is_unsure: bool = False
    is_total: bool = False
    is_discount: bool = False
    is_negative: bool = False

    @property
    def amount(self) -> Decimal:
        """Price × quantity."""
        return self.value * self.quantity


@dataclass(frozen=True, slots=True)
class _Cardinal:
    value: Decimal
    stop: int
    token: Token
    is_word: bool
    is_unsure: bool = False


def norm_at(tokens: Sequence[Token], index: int) -> str:
    """Return the comparison form of a token without its abbreviation dot, "" outside."""
    return tokens[index].norm if 0 <= index < len(tokens) else ""


def read_cardinal(tokens: Sequence[Token], index: int) -> _Cardinal | None:
    """Read digits or number words below a thousand: «2,5», «сто пятьдесят», «два с половиной»."""
    if index >= len(tokens):
        return None
    token = tokens[index]
    if token.kind is TokenKind.NUMBER and token.value is not None:
        return _with_half(tokens, _Cardinal(token.value, index + 1, token, False))
    if token.norm in ONE_AND_A_HALF:
        return _Cardinal(Decimal("1.5"), index + 1, token, True)
    if token.norm in PAIR and norm_at(tokens, index + 1) in SCALES:
        return _Cardinal(Decimal(2), index + 1, token, True, is_unsure=True)
    value, rank, stop = Decimal(0), 4, index
    while (word := NUMBER_WORDS.get(norm_at(tokens, stop))) and word[1] < rank:
        value, rank, stop = value + word[0], word[1], stop + 1
    if stop == index:
        return None
    return _with_half(tokens, _Cardinal(value, stop, token, True))


def _with_half(tokens: Sequence[Token], number: _Cardinal) -> _Cardinal:
    is_half = norm_at(tokens, number.stop) in ("с", "and") and norm_at(tokens, number.stop + 1) in (
        "половиной",
        "half",
    )
    if not is_half:
        return number
    return replace(number, value=number.value + Decimal("0.5"), stop=number.stop + 2)


def _scale(tokens: Sequence[Token], number: _Cardinal) -> tuple[int, int, Strength] | None:
    """Return scale, index after it and the strength that it gives, or None."""
    index = number.stop
    norm = norm_at(tokens, index)
    is_glued = index < len(tokens) and not tokens[index].is_spaced
    if norm in ("тр", "т/р"):
        return 1000, index + 1, Strength.SIGNED
    if norm in SCALE_IF_MONEY and currency_of(norm_at(tokens, index + 1)):
        return 1000, index + 1, Strength.SIGNED
    if norm not in SCALES:
        return None
    after = norm_at(tokens, index + 1)
    if norm == "т":
        if after == "/" and norm_at(tokens, index + 2) == "р":
            return 1000, index + 2, Strength.SIGNED  # the «р» is read as the currency
        has_currency = currency_of(after) is not None
        strength = Strength.SIGNED if is_glued or has_currency else Strength.WEAK
        return 1000, index + 1, strength
    if norm in ("к", "k") and not is_glued:
        is_preposition = number.value >= 1000 or after in _AFTER_PREPOSITION
        if is_preposition or (after[:1].isdigit() and not re.fullmatch(r"\d00", after)):
            return None
    return SCALES[norm], index + 1, Strength.SIGNED


def read_sum(tokens: Sequence[Token], index: int) -> Sum | None:
    """Read a number with its scales, currency and kopecks."""
    before = _currency_before(tokens, index)
    start = index
    if before:
        index += 1
    found = _inverted(tokens, index) or _read_scaled(tokens, index)
    if found is None:
        return None
    found = replace(_with_currency(tokens, found), start=start)
    if before and found.currency in (None, before):
        found = replace(found, currency=before, strength=Strength.SIGNED)
    return found


def _currency_before(tokens: Sequence[Token], index: int) -> str | None:
    if index + 1 >= len(tokens):
        return None
    sign, number = tokens[index], tokens[index + 1]
    is_number = number.kind is TokenKind.NUMBER
    is_glued_letter = sign.norm in ("р", "br") and not number.is_spaced
    if not is_number or read_unit(tokens, index + 2, number.value or Decimal(0)):
        return None
    return currency_of(sign.norm) if is_glued_letter else currency_before_number(sign.norm)


def _read_scaled(tokens: Sequence[Token], start: int) -> Sum | None:
    norm = norm_at(tokens, start)
    if norm in WHOLE_SUMS:
        return Sum(start, start + 1, WHOLE_SUMS[norm], strength=Strength.SIGNED)
    total, last, stop = Decimal(0), 0, start
    strength, is_unsure = Strength.PLAIN, False
    readings: tuple[Decimal, ...] = ()
    if norm in SCALES_ALONE:
        total, last, stop, strength = (
            Decimal(SCALES[norm]),
            SCALES[norm],
            start + 1,
            Strength.SIGNED,
        )
    while number := read_cardinal(tokens, stop):
        scale = _scale(tokens, number)
        if scale is None:
            if not last and (spoken := _spoken_thousands(tokens, start, number)):
                return spoken
            if not last:
                total, stop, readings = number.value, number.stop, number.token.readings
                strength = _plain_strength(number)
                break
            is_tail = _is_tail(tokens, number, last)
            is_unsure = is_unsure or _is_unsure_tail(tokens, number, last, is_tail=is_tail)
            if is_tail:
                total, stop = total + number.value, number.stop
            break
        factor, after, sign = scale
        if last and factor >= last:
            break
        value = number.token.readings[1] if number.token.readings else number.value
        total, last, stop = total + value * factor, factor, after
        is_unsure = is_unsure or number.is_unsure
        strength = max(strength, sign) if strength is Strength.SIGNED else sign
    if stop == start:
        return None
    return Sum(start, stop, total, strength=strength, readings=readings, is_unsure=is_unsure)


def _inverted(tokens: Sequence[Token], start: int) -> Sum | None:
    """Read «тысячи две» as about 2000."""
    if norm_at(tokens, start) not in _PLURAL_SCALES:
        return None
    number = read_cardinal(tokens, start + 1)
    if number is None or number.value >= 100 or norm_at(tokens, number.stop) in SCALES:
        return None
    if read_unit(tokens, number.stop, number.value) or is_counted(tokens, number.stop):
        return None
    value = number.value * SCALES[norm_at(tokens, start)]
    return Sum(start, number.stop, value, strength=Strength.SIGNED, is_unsure=True)


def _spoken_thousands(tokens: Sequence[Token], start: int, number: _Cardinal) -> Sum | None:
    """Read «две пятьсот» as 2500; the seller confirms it."""
    hundreds = read_cardinal(tokens, number.stop) if number.is_word and number.value < 10 else None
    if hundreds is None or not hundreds.is_word or hundreds.value < 100:
        return None
    value = number.value * 1000 + hundreds.value
    return Sum(start, hundreds.stop, value, is_unsure=True)


def _plain_strength(number: _Cardinal) -> Strength:
    if number.token.has_money_end:
        return Strength.SIGNED
    if re.fullmatch(r"\d+ 0{1,2}", number.token.text):  # «15 00»
        return Strength.WEAK
    if number.is_word and number.value < SMALL:
        return Strength.NEVER
    if number.value < SMALL:
        return Strength.SMALL
    return Strength.WEAK if number.token.is_glued and number.value < 100 else Strength.PLAIN


def _is_tail(tokens: Sequence[Token], number: _Cardinal, last: int) -> bool:
    """Return whether a number continues the sum before it: «2 тысячи 500», «тысяча двести»."""
    if number.value >= last or number.token.is_grouped or number.value % 1:
        return False
    if currency_of(norm_at(tokens, number.stop)):
        return True
    if read_unit(tokens, number.stop, number.value):
        return False
    return number.is_word or number.value >= 100


def _is_unsure_tail(
    tokens: Sequence[Token], number: _Cardinal, last: int, *, is_tail: bool
) -> bool:
    """Return whether «миллион двести» can be 1,200,000, «2к5» 2500 and «2 к 500» no sum."""
    if not is_tail:
        return not number.is_word and not number.token.is_spaced
    is_letter = norm_at(tokens, number.stop - 2) in ("к", "k") and not number.is_word
    is_letter = is_letter and tokens[number.stop - 2].is_spaced
    return is_letter or (last >= 10**6 and not currency_of(norm_at(tokens, number.stop)))


def _with_currency(tokens: Sequence[Token], found: Sum) -> Sum:
    index, currency = found.stop, None
    norm = norm_at(tokens, index)
    is_glued = index < len(tokens) and not tokens[index].is_spaced
    if norm in _LETTERS and (letters := _in_letters(tokens, index)):
        currency, index = letters
    elif (adjective := currency_of_adjective(norm)) and currency_of(norm_at(tokens, index + 1)):
        currency, index = adjective, index + 2
    elif (code := currency_of(norm)) and _is_currency_position(tokens, index, norm):
        currency, index = code, index + 1
        currency, index = _with_country(tokens, index, currency)
    elif norm == "p" and is_glued and found.value not in _VIDEO_LINES:  # Latin «р»
        currency, index = "RUB", index + 1
    elif (
        found.strength is not Strength.SIGNED and norm.startswith("коп") and KOPECKS.fullmatch(norm)
    ):
        return replace(
            found,
            value=found.value / 100,
            currency="RUB",
            strength=Strength.SIGNED,
            stop=index + 1,
        )
    if currency is None:
        is_rub = norm_at(tokens, found.stop - 1) in ("тр", "тыр")
        return replace(found, currency="RUB") if is_rub else found
    found = replace(found, currency=currency, strength=Strength.SIGNED, stop=index)
    part = read_cardinal(tokens, index)
    is_letter = part is not None and norm_at(tokens, part.stop) == "к"
    is_scale = is_letter and part is not None and not tokens[part.stop].text.endswith(".")
    is_scale = is_scale and tokens[index].is_spaced  # «2500р50к» has kopecks
    if is_scale:  # «50 ₽ 1к» has two sums, «50 р. 10 к.» has kopecks
        return found
    if part and part.value < 100 and KOPECKS.fullmatch(norm_at(tokens, part.stop)):
        return replace(found, value=found.value + part.value / 100, stop=part.stop + 1)
    return found


def _in_letters(tokens: Sequence[Token], index: int) -> tuple[str, int] | None:
    """Read «у.е.» and «б.р.»."""
    after = index + 1 + (norm_at(tokens, index + 1) in (".", "/"))
    last, code = _LETTERS[norm_at(tokens, index)]
    return (code, after + 1) if norm_at(tokens, after) == last else None


def _with_country(tokens: Sequence[Token], index: int, currency: str) -> tuple[str, int]:
    """Return the currency of «рублей РБ», and the index after the country."""
    after = norm_at(tokens, index)
    if currency == "RUB" and after in _OTHER_ROUBLES:
        return _OTHER_ROUBLES[after], index + 1
    return currency, index + (after in ("сша", "рф"))


def _is_currency_position(tokens: Sequence[Token], index: int, norm: str) -> bool:
    """Return whether a sign belongs to the number before it: in «25 $30» it does not."""
    is_sign = tokens[index].kind is TokenKind.SIGN
    follows = index + 1 < len(tokens) and tokens[index + 1]
    if is_sign and tokens[index].is_spaced and follows:
        return follows.kind is not TokenKind.NUMBER or follows.is_spaced
    return norm != "бр" or not tokens[index].is_spaced


def read_unit(tokens: Sequence[Token], index: int, value: Decimal) -> int | None:
    """Return the index after a unit of measure of the number before it, or None.

    Time units must agree with a number from SMALL: «2500 день рождения» has no unit.
    """
    norm = norm_at(tokens, index)
    if not norm:
        return None
    if norm in ("год", "года", "году", "г") and 1900 <= value <= 2100 and value % 1 == 0:
        return index + 1
    if norm in TIME_UNITS:
        return index + 1 if value < SMALL or _agrees(value, TIME_UNITS[norm]) else None
    is_letter = len(norm) == 1 and norm.isalpha()
    if HARD_UNITS.fullmatch(norm):
        if is_letter and tokens[index].is_spaced and value >= 1000 and norm not in "гмл":
            return None
        return index + 1
    return None


def _agrees(value: Decimal, form: int) -> bool:
    if value % 1:
        return form == 2
    last, tens = int(value) % 10, int(value) % 100
    right = 5 if 11 <= tens <= 14 or last in (0, 5, 6, 7, 8, 9) else 1 if last == 1 else 2
    return form == right


def is_counted(tokens: Sequence[Token], index: int) -> bool:
    """Return whether the token is a thing that services are counted in: «занятий», «шт»."""
    return COUNTED.fullmatch(norm_at(tokens, index)) is not None
