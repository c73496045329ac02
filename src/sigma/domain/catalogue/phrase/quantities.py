"""Prices with a quantity: «3 по 500», «1500х2», «2 занятия по 1000», «1500/час»."""

import re
from collections.abc import Sequence
from dataclasses import replace

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
from sigma.domain.catalogue.phrase.tokens import Token, TokenKind
from sigma.domain.catalogue.phrase.vocabulary import EACH, MULTIPLY

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
    *("метр", "литр", "персону", "персоны", "гостя", "слово", "знак", "страницу", "порцию", "км"),
    *("гектар", "сотку", "упаковку", "пачку", "коробку"),
}
_PIECES = re.compile(r"шт|штук\w?|раза?|pcs?|pieces?|times|человек\w?|чел|персон\w?")


def read_quantity(tokens: Sequence[Token], index: int) -> Sum | None:
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


def unit_of_price(tokens: Sequence[Token], index: int) -> int | None:
    """Return the index after «/час» or «за час», or None."""
    is_per = norm_at(tokens, index) in ("/", "за", "в", "с", "per", "an", "a")
    return index + 2 if is_per and norm_at(tokens, index + 1) in _UNITS_OF_PRICE else None


def has_pieces(tokens: Sequence[Token], price: Sum) -> bool:
    """Return whether «2 шт» after a price leaves unclear what the price is for."""
    start = price.stop + (norm_at(tokens, price.stop) in (",", "-", "–", "—", "("))
    count = read_cardinal(tokens, start)
    is_many = count is not None and count.value > 1 and price.quantity == 1
    return is_many and count is not None and bool(_PIECES.fullmatch(norm_at(tokens, count.stop)))
