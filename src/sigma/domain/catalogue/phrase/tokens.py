"""Tokenizer of invoice phrases: numbers, dates, times, words and signs with their positions."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sigma.domain.catalogue.phrase.errors import PhraseError
from sigma.domain.catalogue.phrase.vocabulary import (
    COMPOUND_UNITS,
    HARD_LABELS,
    MULTIPLY,
    SCALES,
    currency_before_number,
    currency_of,
)

MAX_PHRASE = 300  # characters


class TokenKind(StrEnum):
    """What a token is. OPAQUE: a phone, an address of a page or a code, never a number."""

    NUMBER = "number"
    DATE = "date"
    TIME = "time"
    ORDINAL = "ordinal"
    WORD = "word"
    SIGN = "sign"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the phrase: `text` stands at `start`:`end` of the cleaned phrase.

    `norm` is the form for comparison. `value` is the value of a NUMBER. `readings` has both values
    of a number such as «1.500». `has_money_end`: written as a price, «1500,-». `is_spaced`: a space
    stands before the token. `is_glued`: the number and a word are written together. `is_grouped`:
    the number has spaces inside.
    """

    kind: TokenKind
    text: str
    start: int
    end: int
    norm: str = ""
    value: Decimal | None = None
    readings: tuple[Decimal, ...] = ()
    has_money_end: bool = False
    is_spaced: bool = False
    is_glued: bool = False
    is_grouped: bool = False


_LINK = r"https?://\S+|(?:vk\.(?:com|me|ru)|t\.me|wa\.me)/\S+|[\w.+-]+@[\w-]+\.[\w.]+|@\w{3,}"
_PHONE = (
    r"\+(?:[ ()-]*\d){11,13}(?!\d)"
    r"|(?<!\d)8[ -]?\(?9\d{2}\)?[ -]?\d{3}[ -]?\d{2}[ -]?\d{2}(?!\d)"
    r"|(?<![\d.,])\d{3}-\d{2}-\d{2}(?!\d)|(?<!\d)\d{10,}(?!\d)"
)
_ORDINAL = (
    r"(?<![\d.,])\d{1,4}"
    r"(?:-?(?:ый|ой|ая|ое|ые|ых|го|му|ти|ми|ю|й|я|е)|(?:st|nd|rd|th)|-х|-м)(?!\w)"
)
# «2 в 1», «1 на 1»: what is sold, neither an hour nor a sum.
_MIXTURE = (
    r"(?<![\d.,])(?<!\d )(?:\d{1,2} (?:в|in)|1 (?:на|к|on)) 1(?![\d.,:]|\s*(?:ч|дн|час|день))"
)
_NUMBER = (
    r"\d{1,3}(?:,\d{3})+\.\d{1,2}(?!\d)|\d{1,3}(?:\.\d{3})+,\d{1,2}(?!\d)"  # 1,500.00
    r"|\d{1,3}(?:[.,]\d{3}){2,}(?!\d)"  # 1.500.000
    r"|[1-9]\d{0,2}(?:[ '’`´·٬_]\d{3})+(?!\d|[:/]\d)(?:[.,]\d{1,2}(?!\d))?"  # 1 500,00
    r"|[1-9]\d{1,3} 0{1,2}(?![\d.,:])"  # «15 00»
    r"|\d+(?:[.,]\d+)?"
)
_PATTERNS = (
    ("link", _LINK),
    ("card", r"(?<![\d+])\d(?:[ -]?\d){12,18}(?![ -]?\d)"),
    ("phone", _PHONE),
    ("iso", r"(?<!\d)(?:20|19)\d{2}-\d{1,2}-\d{1,2}(?!\d)"),
    ("date", r"(?<![\d.,])\d{1,2}(?P<sep>[./-])\d{1,2}(?P=sep)(?:20\d{2}|\d{2})(?![\d])"),
    ("time", r"(?<!\d)\d{1,2}:\d{2}(?::\d{2})?(?!\d)"),
    ("ratio", r"(?<!\d)(?:24/7|50/50|1/[2-4]|2/3|3/4)(?!\d)"),
    ("slash", r"(?<![\d/])\d{1,2}/\d{1,2}(?![\d/])"),
    ("ordinal", _ORDINAL),
    ("mixture", r"(?<!\d)\d+в\d+(?!\w)|" + _MIXTURE),
    ("number", _NUMBER),
    ("word", r"[^\W\d_]+(?:['’-][^\W\d_]+)*"),
    ("sign", r"[^\w\s]|_"),
)
_TOKEN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS))
_MONEY_END = re.compile(r"[.,]?[-–—]{1,2}(?=[\s,.;:!?)]|$)(?<![ ])|[=-]00(?!\d)|,-|\.-|=(?=\s|$)")
_DOTTED = {
    *("т", "р", "руб", "тыс", "млн", "млрд", "шт", "мин", "ч", "ул", "д", "кв", "каб", "г", "гр"),
    *("см", "м", "чел", "дол", "долл", "бел", "коп", "к", "пр", "пер", "корп", "стр", "арт", "тел"),
    *("у", "е", "рос", "обл", "мес", "нед", "пн", "вт", "ср", "чт", "пт", "сб", "вс", "грн", "тг"),
    *("rub", "usd", "янв", "фев", "мар", "апр", "авг", "сен", "сент", "окт", "ноя", "нояб", "дек"),
    *("наб", "ш", "пл", "р-р", "no", "гг", "сек", "уе", "тыщ"),
}
_KINDS = {"iso": TokenKind.DATE, "date": TokenKind.DATE, "slash": TokenKind.DATE}


def clean_phrase(text: str) -> str:
    """Return the phrase in NFC with plain spaces, without invisible and control characters.

    Raises PhraseError("too_long") over MAX_PHRASE characters.
    """
    if len(text) > 20 * MAX_PHRASE:
        raise PhraseError("too_long")
    text = re.sub(r"(?<=\d)\ufe0f?\u20e3", "", unicodedata.normalize("NFC", text))  # keycaps
    visible = (
        " " if c.isspace() or unicodedata.category(c) == "Zs" else _ascii_digit(c)
        for c in text
        if c in "\n\t\r" or unicodedata.category(c) not in ("Cc", "Cf", "Cs")
    )
    bare = " ".join("".join(visible).split())
    if len(bare) > MAX_PHRASE:
        raise PhraseError("too_long")
    return bare


def _ascii_digit(character: str) -> str:
    is_foreign = character.isdecimal() and not character.isascii()
    return str(int(character)) if is_foreign else {"−": "-", "‑": "-"}.get(character, character)


def normalize(text: str) -> str:
    """Return the form of a word for comparison: lower case, «е» for «ё»."""
    return text.casefold().replace("ё", "е").replace("’", "'")


def tokenize(text: str) -> list[Token]:
    """Split a cleaned phrase into tokens. Raises PhraseError card_number, no_amount."""
    tokens: list[Token] = []
    position = 0
    while match := _TOKEN.search(text, position):
        name, start, end = match.lastgroup or "", match.start(), match.end()
        if match["sep"]:
            name = "date"
        if name == "card":
            if is_card_number(match.group()):
                raise PhraseError("card_number")
            match = _TOKEN_WITHOUT_CARD.search(text, start) or match
            name, start, end = match.lastgroup or "", match.start(), match.end()
            if match["sep"]:
                name = "date"
        tokens.append(_token(name, text, start, end, tokens))
        position = tokens[-1].end
    return tokens


_TOKEN_WITHOUT_CARD = re.compile(
    "|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS if name != "card")
)


def is_card_number(text: str) -> bool:
    """Return whether digits are a card number: 16 in groups of four, or 13 to 19 that pass Luhn.

    Digits in groups of three are a large sum, not a card.
    """
    digits = re.sub(r"\D", "", text)
    if re.fullmatch(r"\d{4}(?:[ -]?\d{4}){3}", text):
        return True
    if re.search(r"[ -]", text) and not re.fullmatch(r"\d{4}[ -]\d{4,6}[ -][\d -]+", text):
        return False
    doubled = sum(sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


def _token(name: str, text: str, start: int, end: int, before: list[Token]) -> Token:
    is_spaced = start == 0 or text[start - 1] == " "
    raw = text[start:end]
    if name == "number":
        return _number(text, start, end, before)
    if name == "word":
        return _word(text, start, end)
    kind = _KINDS.get(name) or {"time": TokenKind.TIME, "ordinal": TokenKind.ORDINAL}.get(name)
    kind = kind or (TokenKind.SIGN if name == "sign" else TokenKind.OPAQUE)
    return Token(kind, raw, start, end, normalize(raw), is_spaced=is_spaced)


def _word(text: str, start: int, end: int) -> Token:
    """Return a word with its abbreviation dot, or a code such as «А4» or "iPhone13"."""
    is_spaced = start == 0 or text[start - 1] == " "
    raw = text[start:end]
    digits = re.compile(r"\d[\w-]*").match(text, end)
    is_model = raw.isascii() and raw.isupper() and len(raw) <= 4  # "RTX3060"
    is_model = is_model and currency_of(normalize(raw)) is None
    is_after_number = text[start - 1 : start].isdigit()  # «2500р50к»
    is_model = is_model and not is_after_number
    is_split = is_after_number and currency_of(normalize(raw)) is not None
    if digits and not is_split and (is_model or not _is_split(normalize(raw), digits.group())):
        end = digits.end()
        return Token(
            TokenKind.OPAQUE, text[start:end], start, end, text[start:end], is_spaced=is_spaced
        )
    if normalize(raw) in _DOTTED and text[end : end + 1] == ".":
        end += 1
    return Token(TokenKind.WORD, text[start:end], start, end, normalize(raw), is_spaced=is_spaced)


def _is_split(word: str, digits: str) -> bool:
    """Return whether a word and the digits after it are two tokens: «маникюр1500», «руб1500»."""
    number = re.match(r"\d+", digits)
    length = len(number.group()) if number else 0
    if word in {"x", "х"} or currency_before_number(word) or word in SCALES:
        return True
    if word in {"на", "за", "по", "до", "в", "к"}:
        return True
    return len(word) >= 3 and length >= 3


def _number(text: str, start: int, end: int, before: list[Token]) -> Token:
    """Return a number, or an OPAQUE code such as «3D» or the compound «60-минутный»."""
    is_spaced = start == 0 or text[start - 1] == " "
    raw = text[start:end]
    is_label = bool(before) and before[-1].norm in HARD_LABELS | MULTIPLY
    if is_label and " " in raw:
        raw = raw.partition(" ")[0]  # «10х15 500 ₽», «размер 42 500 ₽»: a size and a sum
        end = start + len(raw)
    compound = re.compile(r"-[^\W\d_]{3,}").match(text, end)
    readings = number_readings(raw)
    if compound and (readings[0] < 50 or COMPOUND_UNITS.match(normalize(compound.group()[1:]))):
        return Token(TokenKind.OPAQUE, text[start : compound.end()], start, compound.end(), "")
    if re.compile(r"[oо]+(?!\w)", re.IGNORECASE).match(text, end) and len(raw) > 1:
        raise PhraseError("no_amount")  # «250O»: a letter for a zero
    suffix = re.compile(r"[^\W\d_]+").match(text, end)
    is_glued = bool(before and before[-1].end == start and before[-1].kind is TokenKind.WORD)
    if suffix:
        word = normalize(suffix.group())
        is_code = len(word) <= 2 and readings[0] < 100 and not _is_suffix(word)
        if is_code and raw.isdigit():
            code = re.compile(r"\w+").match(text, start)
            end = code.end() if code else end
            return Token(TokenKind.OPAQUE, text[start:end], start, end, "", is_spaced=is_spaced)
    money_end = None if suffix else _MONEY_END.match(text, end)
    has_money_end = bool(money_end) and (
        readings[0] >= 25 or not text[end : end + 3].endswith("00")
    )
    if money_end and has_money_end:
        end = money_end.end()
    return Token(
        TokenKind.NUMBER,
        raw,
        start,
        end,
        raw,
        value=readings[0],
        readings=readings if len(readings) > 1 else (),
        has_money_end=has_money_end,
        is_spaced=is_spaced,
        is_glued=is_glued,
        is_grouped=" " in raw,
    )


_SUFFIXES = {
    *(
        "ч",
        "м",
        "г",
        "л",
        "д",
        "шт",
        "см",
        "мм",
        "мл",
        "кг",
        "км",
        "гр",
        "гб",
        "h",
        "m",
        "kg",
        "cm",
    ),
    *("mm", "ml", "l", "g", "pm", "am", "х", "x", "p", "тр", "д", "дн"),
}


def _is_suffix(word: str) -> bool:
    return word in _SUFFIXES or word in SCALES or currency_of(word) is not None


def number_readings(raw: str) -> tuple[Decimal, ...]:
    """Return the possible values of a written number, the likelier one first.

    «1.500» and «1,500» have two: 1500 and 1.5. So has «15 00».
    """
    text = re.sub(r"[ '’`´·٬_]", "", raw)
    if end := re.fullmatch(r"(\d+) 0{1,2}", raw):
        return Decimal(text), Decimal(end[1])
    if re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", text):
        return Decimal(re.sub(r"[.,]", "", text)), Decimal(text.replace(",", "."))
    separators = re.findall(r"[.,]", text)
    if len(separators) > 1:
        is_fraction = len(set(separators)) > 1
        whole, part = text, ""
        if is_fraction:
            whole, _, part = text.rpartition(separators[-1])
        return (Decimal(re.sub(r"[.,]", "", whole) + (f".{part}" if part else "")),)
    return (Decimal(text.replace(",", ".")),)
