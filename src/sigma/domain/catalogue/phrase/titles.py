"""The title of an invoice: the words of the phrase that are neither a sum nor a day."""

import re
from collections.abc import Collection, Sequence

from sigma.domain.catalogue.phrase.numbers import norm_at
from sigma.domain.catalogue.phrase.tokens import Token, TokenKind
from sigma.domain.catalogue.phrase.vocabulary import APPROXIMATE, EACH, PRICE_LABELS, TOTALS

_PREPOSITIONS = {
    *("на", "за", "по", "в", "во", "к", "ко", "с", "со", "до", "от", "из", "и", "или", "а", "для"),
    *("о", "об", "у", "под", "при", "это", "плюс", "либо", "но", "of", "for", "at", "by", "to"),
    *(
        "on",
        "in",
        "and",
        "or",
        "the",
        "a",
        "is",
        "per",
        "until",
        "till",
        "with",
        "размере",
        "общую",
    ),
    *("стоимостью", "где", "выходит", "равно", "до", "цене", "не", "чем"),
}
_TRAILING = _PREPOSITIONS | PRICE_LABELS | TOTALS | APPROXIMATE | EACH | {"скинь", "руб", "р"}
_LEADING = {
    *("за", "и", "это", "for", "of", "плюс", "+", "=", "and", "по", "с", "к", "вас", "тебя", "а"),
    *("цена", "стоимость", "сумма", "оплате", "итого", "всего", "total", "price", "or", "или"),
}
# «на» after the sum begins the title here: «2500 на дому».
_AFTER_NA = {"дому", "дом", "выезде", "выезд", "двоих", "троих", "год", "месяц", "неделю", "день"}
_AFTER_NA |= {"человека", "руки", "руках", "ногах", "ногти", "воде", "теле", "лошадях", "природе"}
_UNITS_AFTER = {"час", "ч", "сутки", "ночь", "занятие", "урок", "сеанс", "шт", "штуку", "человека"}
_UNITS_AFTER |= {"минуту", "кг", "пару", "раз", "hour", "day", "person", "month", "день", "месяц"}
_UNITS_GLUED = {"к", "k", "в", "с"}  # «монитор 2к»
_EDGES = " ,.;:-–—+=/|*~&·•!?\\"
_OPENING, _CLOSING = "([{«“\"'", ")]}»”\"'"


def title_of(text: str, tokens: Sequence[Token], removed: Collection[int]) -> str:
    """Return the tokens that are not removed as a title; "" when no letter is left."""
    runs: list[str] = []
    start = 0
    while start < len(tokens):
        if start in removed:
            start += 1
            continue
        stop = start
        while stop < len(tokens) and stop not in removed:
            stop += 1
        if run := _trimmed(text, tokens, start, stop, has_words=bool(runs)):
            has_comma = bool(runs) and norm_at(tokens, start) == ","
            runs.append(f", {run}" if has_comma else run)
        start = stop
    return capitalize(_tidy(" ".join(runs)))


def capitalize(title: str) -> str:
    """Return the title with a capital first letter; "iPhone" stays as it is."""
    return title if title[1:2].isupper() else title[:1].upper() + title[1:]


def _trimmed(text: str, tokens: Sequence[Token], start: int, stop: int, *, has_words: bool) -> str:
    """Return the text of tokens without prepositions that lost their number or day.

    `has_words`: the title has words before them, so «за октябрь» of «долг 1500 за октябрь» stays.
    """
    is_first, end = start == 0, stop
    while start < stop:
        norm, after = norm_at(tokens, start), norm_at(tokens, start + 1)
        if norm in ("за", "for") and has_words and _is_word(tokens, start + 1, stop):
            break
        is_unit_price = norm in ("за", "с") and (after in _UNITS_AFTER and not is_first)
        is_orphan = norm in (_LEADING if not is_first else {"за", "for", "это", "+"})
        if norm == "на" and not is_first:
            is_word = start + 1 < stop and tokens[start + 1].kind is TokenKind.WORD
            is_orphan = is_word and after not in _AFTER_NA and not _is_prepositional(after)
        if norm in ("с", "к", "по") and start + 1 < stop and after not in ("вас", "тебя", "оплате"):
            is_orphan = False
        if norm == "с" and after in ("вас", "тебя"):
            is_orphan = True
        if is_unit_price or not (is_orphan or _is_edge(tokens[start])):
            break
        start += 1
    is_whole = is_first and end == len(tokens)
    while stop > start and not _is_name_end(tokens, start, stop, is_whole=is_whole):
        stop -= 1
    if start >= stop:
        return ""
    comma = "," if norm_at(tokens, stop) == "," and stop < end else ""
    return text[tokens[start].start : tokens[stop - 1].end] + comma


def _is_name_end(tokens: Sequence[Token], start: int, stop: int, *, is_whole: bool) -> bool:
    """Return whether the last token belongs to the title: a word, the «к» of «2к»."""
    last, norm = tokens[stop - 1], norm_at(tokens, stop - 1)
    if not (norm in _TRAILING or _is_edge(last)):
        return True
    if norm in _UNITS_GLUED and not last.is_spaced and stop - 1 > start:
        return True
    return is_whole and stop - 1 == start and norm in PRICE_LABELS


def _is_word(tokens: Sequence[Token], index: int, stop: int) -> bool:
    return index < stop and tokens[index].kind in (TokenKind.WORD, TokenKind.NUMBER)


def _is_prepositional(word: str) -> bool:
    """Return whether «на» and the word say where or when: «на ногах», «на следующей неделе»."""
    return word.endswith(("ах", "ях", "ых", "их", "ой", "ей")) or (
        word.endswith("е") and not word.endswith(("ие", "ье", "ое", "ее"))
    )


def _is_edge(token: Token) -> bool:
    return token.kind is TokenKind.SIGN and token.text in _EDGES


def _tidy(title: str) -> str:
    title = re.sub(r"[(\[{«“]\s*[)\]}»”]", " ", title)
    title = re.sub(r"\s+([,;:.!?)\]»])", r"\1", re.sub(r"\s+", " ", title))
    title = re.sub(r"\s[<>≤≥±]+$", "", title)  # «до», as a sign
    title = re.sub(r"([,;:]){2,}", r"\1", title).strip(_EDGES)
    for opening, closing in zip(_OPENING, _CLOSING, strict=True):
        if opening == closing:
            is_wrapped = title.startswith(opening) and title.endswith(opening)
            title = title[1:-1] if is_wrapped and title.count(opening) == 2 else title
            continue
        if title.startswith(closing) or (title.endswith(closing) and opening not in title):
            title = title.strip(closing).strip(_EDGES)
        if title.endswith(opening) or (title.startswith(opening) and closing not in title):
            title = title.strip(opening).strip(_EDGES)
        is_wrapped = title.startswith(opening) and title.endswith(closing)
        if is_wrapped and title.count(opening) == title.count(closing) == 1:
            title = title[1:-1].strip(_EDGES)
    return title if re.search(r"[^\W\d_]", title) else ""
