"""Which row of a price list is the header, and what each column means.

The header is found by meaning. Without one, the columns are recognised by their values.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sigma.domain.catalogue import price_words as words
from sigma.domain.catalogue.price_headers import (
    MAX_HEADER,
    HeaderGuess,
    LeftOut,
    Meaning,
    guess_header,
    is_named_price,
    normalize_header,
)
from sigma.domain.catalogue.price_sheet import (
    Cell,
    Column,
    Layout,
    Sheet,
    cell_text,
    column_letter,
)
from sigma.domain.catalogue.price_text import is_price_like

HEADER_SEARCH_ROWS = 60  # a header further down is not looked for
SAMPLE_ROWS = 300  # rows that columns are recognised by
# Meanings that several columns may have: their values are joined.
JOINED = (Meaning.CATEGORY, Meaning.DESCRIPTION)


def find_layout(sheet: Sheet, choices: Mapping[int, str] | None = None) -> Layout | None:
    """Return the layout of a sheet, or None when it holds no price list.

    `choices`: column index → meaning that the seller chose, "" to leave the column out.
    """
    width = max((len(row) for row in sheet.rows), default=0)
    header = _find_header(sheet)
    if header is None:
        guesses = _guess_by_values(sheet.rows, width)
        texts = [column_letter(n) for n in range(width)]
        if guesses is None and choices is None:
            return None
        guesses = guesses or [HeaderGuess(None, 0)] * width
        header_rows: tuple[int, ...] = ()
    else:
        header_rows, texts = header
        guesses = [guess_header(text) for text in texts]
        texts += [""] * (width - len(texts))
        guesses += [HeaderGuess(None, 0)] * (width - len(guesses))
    data = sheet.rows[header_rows[-1] + 1 if header_rows else 0 :]
    columns = _assign(texts, guesses, data[:SAMPLE_ROWS], data)
    section = ""
    if header_rows:
        columns = _complete_price(columns, data[:SAMPLE_ROWS])
        columns, section = _complete_title(columns, data)
    columns = _with_choices(columns, choices or {})
    if choices is None and not any(c.meaning in (Meaning.TITLE, Meaning.ID) for c in columns):
        return None
    return Layout(tuple(columns), header_rows, section)


def _find_header(sheet: Sheet) -> tuple[tuple[int, ...], list[str]] | None:
    """Return the rows of the header and the texts of its columns, or None."""
    best, best_score = -1, 0
    filled_columns = len(
        {n for row in sheet.rows[:SAMPLE_ROWS] for n, c in enumerate(row) if c != ""}
    )
    for number, row in enumerate(sheet.rows[:HEADER_SEARCH_ROWS]):
        score = _header_score(row, filled_columns)
        if score > best_score:
            best, best_score = number, score
    if best < 0:
        return None
    texts = [cell_text(cell) for cell in sheet.rows[best]]
    last = best + 1
    if last < len(sheet.rows) and (joined := _join_second_row(sheet, best, texts)):
        return (best, last), joined
    return (best,), texts


def _header_score(row: Sequence[Cell], filled_columns: int) -> int:
    texts = [cell_text(cell) for cell in row]
    filled = [text for text in texts if text]
    if not filled or any(isinstance(cell, float | int) for cell in row):
        return 0
    if any(len(text) > MAX_HEADER or _is_value(text) for text in filled):
        return 0
    guesses = [guess_header(text) for text in filled]
    meanings = {guess.meaning for guess in guesses} - {None}
    if not meanings:
        return 0
    if len(filled) == 1 and filled_columns > 1:
        return 0  # a title above the table, or a category
    keys = {Meaning.TITLE, Meaning.PRICE, Meaning.ID, Meaning.EXTERNAL_ID, Meaning.PRICE_MAX}
    if not meanings & keys:
        return 0
    if len(meanings) == 1 and filled_columns > 1 and not meanings & {Meaning.TITLE, Meaning.PRICE}:
        return 0
    strong = sum(3 for key in (Meaning.TITLE, Meaning.PRICE) if key in meanings)
    return strong + len(meanings) + min(len(filled), 3)


def _is_value(text: str) -> bool:
    """Return whether a text is a value, not a name: it has digits and reads as a price."""
    has_digits = any(c.isdigit() for c in text)
    return has_digits and (is_price_like(text) or bool(words.find_currencies(text)))


def _join_second_row(sheet: Sheet, first: int, texts: list[str]) -> list[str] | None:
    """Return the column names of a header of two rows, or None when the next row is no header.

    A name above several columns («Цена» over «Мастер», «Топ-мастер») belongs to all of them.
    """
    second = [cell_text(cell) for cell in sheet.rows[first + 1]]
    texts = texts + [""] * (len(second) - len(texts))
    second += [""] * (len(texts) - len(second))
    groups = _group_names(sheet, first, texts)
    own = [n for n, text in enumerate(second) if text and text != texts[n]]
    if not own or any(_is_value(text) or len(text) > MAX_HEADER for text in second):
        return None
    for n in own:
        below_group = not texts[n] and groups[n]
        heads_group = (
            n + 1 < len(texts) and texts[n] and not texts[n + 1] and groups[n + 1] == texts[n]
        )
        is_detail = bool(texts[n]) and _is_detail(second[n])
        if not (below_group or heads_group or is_detail):
            return None
    if any(isinstance(cell, float | int) for cell in sheet.rows[first + 1]):
        return None
    return [
        f"{groups[n] or texts[n]} / {second[n]}" if n in own else texts[n]
        for n in range(len(texts))
    ]


def _group_names(sheet: Sheet, first: int, texts: list[str]) -> list[str]:
    groups = list(texts)
    merged = {
        (column, first_column)
        for top, first_column, bottom, last_column in sheet.merged
        if top <= first <= bottom
        # A span may be said to be as wide as Excel's sheets, and thousands of them may overlap.
        for column in range(max(first_column, 0), min(last_column + 1, len(texts)))
    }
    current = ""
    for n, text in enumerate(texts):
        if text:
            current = text
        elif merged and not any(column == n for column, _ in merged):
            current = ""
        groups[n] = text or (current if guess_header(current).meaning is Meaning.PRICE else "")
    return groups


def _is_detail(text: str) -> bool:
    """Return whether a text under a header only completes it: «руб.», «мин», «от»."""
    if any(c.isdigit() for c in text):
        return False
    return (
        bool(words.find_currencies(text))
        or words.is_known_unit(text)
        or normalize_header(text)
        in (
            "от",
            "до",
            "min",
            "max",
        )
    )


def _guess_by_values(rows: Sequence[Sequence[Cell]], width: int) -> list[HeaderGuess] | None:
    """Return guesses for a table without a header, or None when no column looks like prices.

    A single column of texts is a list of titles.
    """
    sample = [row for row in rows[:SAMPLE_ROWS] if sum(cell != "" for cell in row) > (width > 1)]
    if not sample:
        return None
    share_of_prices, letters = [], []
    for n in range(width):
        cells = [row[n] for row in sample if n < len(row) and row[n] != ""]
        texts = [cell_text(cell) for cell in cells]
        priced = sum(
            is_price_like(cell) and (not isinstance(cell, str) or any(c.isdigit() for c in cell))
            for cell in cells
        )
        share_of_prices.append(priced / len(sample))
        lettered = [
            t for t in texts if sum(map(str.isalpha, t)) >= 2 and not words.is_known_unit(t)
        ]
        letters.append(
            sum(map(len, lettered)) / len(sample) if len(lettered) * 2 > len(sample) else 0
        )
    title = max(range(width), key=lambda n: letters[n] if share_of_prices[n] < 0.5 else -1.0)
    prices = [n for n in range(width) if share_of_prices[n] >= 0.6 and n != title]
    if not letters[title] or (width > 1 and not prices):
        return None
    # In «1 | Маникюр | 1500» the first column counts the rows.
    counted = [n for n in prices if _is_counter([row[n] for row in sample if n < len(row)])]
    prices = [n for n in prices if n not in counted] or prices
    best = min(prices, key=lambda n: (n < title, n)) if prices else -1
    return [
        HeaderGuess(Meaning.TITLE, 10)
        if n == title
        else HeaderGuess(Meaning.PRICE, 10, LeftOut.SECOND_PRICE)
        if n == best
        else HeaderGuess(None, 0, LeftOut.ROW_NUMBER if n in counted else LeftOut.UNKNOWN)
        for n in range(width)
    ]


def _is_counter(cells: Sequence[Cell]) -> bool:
    numbers = [cell_text(cell).rstrip(".") for cell in cells if cell != ""]
    return len(numbers) > 1 and numbers == [str(n) for n in range(1, len(numbers) + 1)]


def _assign(
    texts: list[str],
    guesses: list[HeaderGuess],
    sample: Sequence[Sequence[Cell]],
    data: Sequence[Sequence[Cell]],
) -> list[Column]:
    """Give each meaning to its best column and say why the others are left out."""
    values = [
        [row[n] for row in sample if n < len(row) and row[n] != ""] for n in range(len(texts))
    ]
    order = sorted(range(len(texts)), key=lambda n: (-_rank(guesses[n], values[n]), n))
    taken: set[Meaning] = set()
    columns: list[Column | None] = [None] * len(texts)
    for n in order:
        guess = guesses[n]
        meaning, left_out = guess.meaning, guess.left_out
        if meaning is Meaning.EXTERNAL_ID:
            meaning, left_out = _code_meaning(n, data)
        if meaning is not None and meaning in taken and meaning is not Meaning.CATEGORY:
            meaning = None
        if meaning is not None:
            taken.add(meaning)
        columns[n] = Column(
            n,
            texts[n],
            meaning,
            left_out,
            guess.currency,
            guess.unit,
            guess.kind,
            next((cell_text(v) for v in values[n]), ""),
            _thousands_separator(values[n]),
            guess.scale,
        )
    columns = [column and _without_second_table(column, columns) for column in columns]
    named = [column for column in columns if column and (column.header or column.example)]
    return _with_unique_headers(named)


def _without_second_table(column: Column, columns: Sequence[Column | None]) -> Column:
    """Return the column with its reason: the header of an imported one repeats on its right."""
    if column.meaning is not None or column.left_out not in (LeftOut.SECOND, LeftOut.SECOND_PRICE):
        return column
    name = normalize_header(column.header)
    tables = [c for c in columns if c and c.meaning and name and normalize_header(c.header) == name]
    is_second = any(c.index < column.index for c in tables) and any(
        c
        and c.meaning is None
        and c.index != column.index
        and any(
            o and o.meaning and normalize_header(o.header) == normalize_header(c.header)
            for o in columns
        )
        for c in columns
    )
    return replace(column, left_out=LeftOut.SECOND_TABLE) if is_second else column


def _thousands_separator(values: Sequence[Cell]) -> str:
    """Return "," when a value such as "1,500.00" proves it, "." for «1.500,00», else ""."""
    text = " ".join(value for value in values if isinstance(value, str))
    if re.search(r"\d,\d{3}\.\d{1,2}(?!\d)", text):
        return ","
    return "." if re.search(r"\d\.\d{3},\d{1,2}(?!\d)", text) else ""


def _rank(guess: HeaderGuess, values: Sequence[Cell]) -> float:
    """Return the score of a guess, less when the values of a price column are no prices."""
    if guess.meaning in (Meaning.PRICE, Meaning.PRICE_MAX):
        priced = sum(is_price_like(value) for value in values)
        return guess.score - (0 if priced * 2 >= len(values) and values else 8)
    return guess.score if values else guess.score - 8


def _code_meaning(n: int, data: Sequence[Sequence[Cell]]) -> tuple[Meaning | None, LeftOut]:
    """Return ID for the ids of Sigma, EXTERNAL_ID for codes that differ, else None."""
    codes = [cell_text(row[n]) for row in data if n < len(row) and row[n] != ""]
    if not codes or any(code.startswith("svc_") for code in codes):
        return Meaning.ID, LeftOut.SECOND
    if len(set(codes)) * 10 < len(codes) * 9:
        return None, LeftOut.REPEATED_CODE
    return Meaning.EXTERNAL_ID, LeftOut.SECOND


def _with_unique_headers(columns: list[Column]) -> list[Column]:
    counts: dict[str, int] = {}
    result = []
    for column in columns:
        name = " ".join((column.header or column_letter(column.index)).split())
        counts[name] = counts.get(name, 0) + 1
        result.append(
            replace(column, header=name if counts[name] == 1 else f"{name} ({counts[name]})")
        )
    return result


def _complete_price(columns: list[Column], sample: Sequence[Sequence[Cell]]) -> list[Column]:
    """Give the price to the first column of prices when no header names it («Мастер»)."""
    if any(column.meaning in (Meaning.PRICE, Meaning.PRICE_MAX) for column in columns):
        return columns
    result, has_price = [], False
    for column in columns:
        values = [row[column.index] for row in sample if column.index < len(row)]
        values = [value for value in values if value != ""]
        priced = sum(_is_value(cell_text(value)) for value in values)
        is_price = (
            column.meaning is None
            and column.left_out is LeftOut.UNKNOWN
            and bool(values)
            and priced * 2 >= len(values)
        )
        if is_price:
            meaning = None if has_price else Meaning.PRICE
            column = replace(column, meaning=meaning, left_out=LeftOut.SECOND_PRICE)
            has_price = True
        result.append(column)
    others = [c for c in result if c.left_out is LeftOut.OTHER_PRICE and is_named_price(c.header)]
    if not has_price and len(others) == 1:  # the only price of the file is «Оптовая цена»
        index = others[0].index
        return [replace(c, meaning=Meaning.PRICE) if c.index == index else c for c in result]
    return result


def _complete_title(
    columns: list[Column], data: Sequence[Sequence[Cell]]
) -> tuple[list[Column], str]:
    """Give the title to the column with the most text when no header names it.

    In «Маникюр | Цена» the header of that column is the first category.
    """
    if any(column.meaning in (Meaning.TITLE, Meaning.ID) for column in columns):
        return columns, ""
    sample = data[:SAMPLE_ROWS]

    def letters(column: Column) -> int:
        if column.meaning is not None or column.left_out in (LeftOut.PHOTO, LeftOut.ROW_NUMBER):
            return 0
        texts = [cell_text(row[column.index]) for row in sample if column.index < len(row)]
        return sum(len(t) for t in texts if sum(c.isalpha() for c in t) >= 2)

    best = max(columns, key=letters)
    if not letters(best):
        return columns, ""
    has_name = best.header != column_letter(best.index)
    section = best.header if has_name and _has_inner_headers(columns, best, data) else ""
    return [replace(c, meaning=Meaning.TITLE) if c is best else c for c in columns], section


def _has_inner_headers(
    columns: list[Column], title: Column, data: Sequence[Sequence[Cell]]
) -> bool:
    price = next((c for c in columns if c.meaning is Meaning.PRICE), None)
    return price is not None and any(
        price.index < len(row)
        and title.index < len(row)
        and row[title.index] != ""
        and guess_header(cell_text(row[price.index])).meaning is Meaning.PRICE
        for row in data
    )


def _with_choices(columns: list[Column], choices: Mapping[int, str]) -> list[Column]:
    """Apply the seller's choices; a meaning that was chosen is taken from other columns."""
    chosen = {Meaning(meaning) for meaning in choices.values() if meaning in set(Meaning)}
    result = []
    for column in columns:
        if column.index in choices:
            text = choices[column.index]
            meaning = Meaning(text) if text in set(Meaning) else None
            left_out = column.left_out if column.meaning is None else LeftOut.BY_SELLER
            result.append(replace(column, meaning=meaning, left_out=left_out))
        elif column.meaning in chosen and column.meaning not in JOINED:
            result.append(replace(column, meaning=None, left_out=LeftOut.SECOND))
        else:
            result.append(column)
    return result
