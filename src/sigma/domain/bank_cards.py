"""Bank card numbers in texts. Sigma must never store one: the client types it at the bank.

Sources of the rules: ISO/IEC 7812-1 (Luhn check digit), the number ranges that the payment systems
publish. Longer ranges of systems that Russian and CIS banks do not issue are left out on purpose:
they would match order and tracking numbers.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterator

# (first digits from, to, allowed lengths). Compared with as many digits as `from` has.
_RANGES: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("2200", "2204", (16, 17, 18, 19)),  # Мир
    ("4", "4", (16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("62", "62", (16, 17, 18, 19)),  # UnionPay
    ("3528", "3589", (16,)),  # JCB
    ("6011", "6011", (16,)),  # Discover
    ("644", "649", (16,)),
    ("65", "65", (16,)),
    ("5018", "5018", (16, 18, 19)),  # Maestro
    ("5020", "5020", (16, 18, 19)),
    ("5038", "5038", (16, 18, 19)),
    ("5893", "5893", (16, 18, 19)),
    ("6304", "6304", (16, 18, 19)),
    ("639", "639", (16, 18, 19)),
    ("67", "67", (16, 18, 19)),
    ("8600", "8600", (16,)),  # Uzcard
    ("5614", "5614", (16,)),
    ("9860", "9860", (16,)),  # Humo
    ("9417", "9417", (16,)),  # Elcart
    ("9112", "9112", (16,)),  # Белкарт
    ("9051", "9051", (16,)),  # ArCa
)
# Only as printed on the card, 4-6-4: bare 14 digits are a tracking number of Почта России.
_DINERS_RANGES = (("300", "305", (14,)), ("36", "36", (14,)), ("38", "39", (14,)))
_PRINTED_GROUPS = {(4, 6, 5), (4, 6, 4), (8, 10), (8, 11), (4, 4, 8), (4, 8, 4), (8, 4, 4)}

Group = tuple[int, int]  # start and end of something in a text or a list

_PRINTED_SIZE = 4  # digits of a group on most cards
_MIN_DIGITS, _MAX_DIGITS = 14, 19
_NO_FIRST_DIGITS = "017"  # of _RANGES and _DINERS_RANGES
# Digit groups with one separator between them, and up to two spaces on each side of it. A comma
# stands without spaces: with them it separates prices.
_PUNCTUATION = r"[-\u2010-\u2015\u2212._/\\·•*|:+~='’]|\)\(|[()]"
_SEPARATOR = rf"(?:,|[^\S\n]{{0,2}}(?:{_PUNCTUATION})?[^\S\n]{{0,2}})"
_DIGIT_RUN = re.compile(rf"\d+(?:{_SEPARATOR}\d+)*")
_GROUP = re.compile(r"\d+")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b", re.ASCII)
_EXPIRY = re.compile(r"(?:0[1-9]|1[0-2])[2-4]\d")  # MMYY, often written after the number


def contains_card_number(text: str) -> bool:
    """Return whether the text contains a complete bank card number, in groups or in one piece.

    The number must have the length and the first digits of a payment system and a valid check
    digit. Phones, ИНН, ОГРН, account numbers and IBANs do not match.
    """
    return next(_card_spans(text), None) is not None


def mask_card_numbers(text: str) -> str:
    """Return the text with every bank card number replaced by «••••», to be displayed again."""
    masked, position = "", 0
    for start, end in _card_spans(text):
        masked += text[position:start] + "••••"
        position = end
    return masked + text[position:]


def _card_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of every card number, from left to right, without overlaps."""
    if sum(map(str.isdigit, text)) < _MIN_DIGITS:
        return
    without_ibans = _IBAN.sub(lambda found: _blank_iban(found[0]), text)
    for run in _DIGIT_RUN.finditer(without_ibans):
        if run.end() - run.start() < _MIN_DIGITS:
            continue
        groups = [
            (run.start() + group.start(), run.start() + group.end())
            for group in _GROUP.finditer(run[0])
        ]
        fours = _series_of_fours(groups)
        first = 0
        while first < len(groups):
            last = None
            if _may_begin_card(without_ibans, groups, fours, first):
                last = _card_end(without_ibans, groups, fours, first)
            if last is None:
                first += 1
                continue
            yield groups[first][0], groups[last][1]
            first = last + 1


def _series_of_fours(groups: list[Group]) -> list[Group]:
    """Return for each group the first and the last index of its series of groups of four digits.

    They are found once: a form can hold a series of 50,000 groups.
    """
    series: list[Group] = []
    for is_four, found in itertools.groupby(
        range(len(groups)), lambda n: groups[n][1] - groups[n][0] == _PRINTED_SIZE
    ):
        members = list(found)
        bounds = (members[0], members[-1])
        series += [bounds if is_four else (n, n) for n in members]
    return series


def _may_begin_card(text: str, groups: list[Group], fours: list[Group], first: int) -> bool:
    """Return False where group `first` cannot begin a card number, at the cost of a comparison.

    A form can hold 130,000 groups of one digit, and it is checked in the event loop. In a row of
    equal groups only the first one can begin a number (see `_is_part_of_longer_number`), or in a
    series of whole card numbers each fourth one.
    """
    start, end = groups[first]
    if text[start] in _NO_FIRST_DIGITS:
        return False
    size = end - start
    if first == 0 or size >= _MIN_DIGITS:
        return True
    before = groups[first - 1]
    if before[1] - before[0] != size:
        return True
    if size != _PRINTED_SIZE:
        return False
    return _stands_among_cards(fours[first], first, first + 3) or bool(
        _EXPIRY.fullmatch(_ascii_digits(text[before[0] : before[1]]))
    )


def _card_end(text: str, groups: list[Group], fours: list[Group], first: int) -> int | None:
    """Return the index of the last group of a card number that begins with group `first`."""
    digits = ""
    for last in range(first, len(groups)):
        start, end = groups[last]
        if len(digits) + end - start > _MAX_DIGITS:
            return None
        digits += _ascii_digits(text[start:end])
        if len(digits) < _MIN_DIGITS:
            continue
        sizes = tuple(end - start for start, end in groups[first : last + 1])
        if _is_card_number(digits, sizes) and not _is_part_of_longer_number(
            text, groups, fours, first, last
        ):
            return last
    return None


def _is_card_number(digits: str, sizes: tuple[int, ...]) -> bool:
    """Return whether the digits, written in groups of these sizes, are a card number."""
    is_evenly_grouped = len(set(sizes[:-1])) <= 1 and sizes[-1] <= sizes[0]
    if not is_evenly_grouped and sizes not in _PRINTED_GROUPS:
        return False
    ranges = _RANGES + (_DINERS_RANGES if sizes == (4, 6, 4) else ())
    return any(
        len(digits) in lengths and low <= digits[: len(low)] <= high
        for low, high, lengths in ranges
    ) and _has_valid_check_digit(digits)


def _is_part_of_longer_number(
    text: str, groups: list[Group], fours: list[Group], first: int, last: int
) -> bool:
    """Return whether a neighbour group of the same size continues it, as in an account number."""
    size = groups[first][1] - groups[first][0]
    if size == _PRINTED_SIZE and _stands_among_cards(fours[first], first, last):
        return False
    neighbours = [groups[n] for n in (first - 1, last + 1) if 0 <= n < len(groups)]
    return first != last and any(
        end - start == size and not _EXPIRY.fullmatch(_ascii_digits(text[start:end]))
        for start, end in neighbours
    )


def _stands_among_cards(series: Group, first: int, last: int) -> bool:
    """Return whether the groups of its series make whole card numbers, one after another."""
    start, end = series
    return last - first == 3 and (first - start) % 4 == 0 and (end + 1 - start) % 4 == 0


def _has_valid_check_digit(digits: str) -> bool:
    """Return whether the last digit is the Luhn check digit of the others."""
    total = 0
    for n, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if n % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _ascii_digits(text: str) -> str:
    """Convert the decimal digits of any script to 0–9."""
    return "".join(str(unicodedata.decimal(c)) for c in text)


def _blank_iban(found: str) -> str:
    """Return spaces for a valid IBAN (ISO 13616, remainder 1 modulo 97), else the text itself."""
    compact = found.replace(" ", "")
    number = "".join(str(int(c, 36)) for c in compact[4:] + compact[:4])
    return " " * len(found) if int(number) % 97 == 1 else found
