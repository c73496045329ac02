"""Rows of a price list: services, categories, and what is left out with its reason."""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sigma.domain.catalogue.cell_texts import clean_cell, unescape_formula
from sigma.domain.catalogue.price_columns import find_layout
from sigma.domain.catalogue.price_headers import LeftOut, Meaning, guess_header, normalize_header
from sigma.domain.catalogue.price_in_title import split_prices
from sigma.domain.catalogue.price_list import ImportRow
from sigma.domain.catalogue.price_row import RowParser
from sigma.domain.catalogue.price_sheet import Cell, Column, Layout, Sheet, cell_text

MAX_TEXT_SAMPLE = 200  # characters of a row that is left out


class SkipReason(StrEnum):
    """Why a row of the file is no service."""

    ABOVE_HEADER = "above_header"
    REPEATED_HEADER = "repeated_header"
    COLUMN_NUMBERS = "column_numbers"
    TOTAL = "total"
    NOTE = "note"
    CATEGORY = "category"  # its name became the category of the rows below


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row of the file that is no service. `text`: its cells, cut to 200 characters."""

    row_number: int
    text: str
    reason: SkipReason


@dataclass(frozen=True, slots=True)
class ParsedSheet:
    """What a sheet holds: its columns, the rows to import, and the rows that are no services."""

    columns: tuple[Column, ...]
    rows: tuple[ImportRow, ...]
    skipped: tuple[SkippedRow, ...]


_TOTAL = re.compile(
    r"(?:итого|всего|подытог|промежуточный итог|общий итог)\b"
    r"|(?:total|subtotal|grand total)\b(?!\s+[a-zа-я])"
)
_NOTE = re.compile(
    r"^\s*(?:\*|примечани|внимание|обратите внимание|важно|note\b|p\.?s\b)"
    r"|(?:\+7|\b8)[\s(-]*\d{3}[\s)-]*\d{3}[\s-]?\d{2}[\s-]?\d{2}|https?://|www\.|\S+@\S+\.\w+"
    r"|_{3,}|^\s*(?:утвержда|составил|подпись\b|м\.\s?п\.)"
    r"|цены (?:действ|указан|актуал|в рубл|могут)|действ\w+ (?:с|до) \d|запись по|прайс[- ]лист",
    re.IGNORECASE,
)
_NUMBERING = re.compile(r"^(?:\d{1,2}(?:\.\d{1,2})*[.)]|[IVX]{1,5}[.)])\s+")
MAX_CATEGORY_TEXT = 100
# A heading may stand in a column of these; a lone price is a service without a title.
_HEADING_MEANINGS = (None, Meaning.TITLE, Meaning.CATEGORY, Meaning.EXTERNAL_ID)


def parse_sheet(sheet: Sheet, choices: Mapping[int, str] | None = None) -> ParsedSheet | None:
    """Parse a sheet, or return None when it holds no price list.

    `choices`: column index → meaning that the seller chose, "" to leave the column out.
    """
    sheet = split_prices(_fill_merged_down(sheet))
    layout = find_layout(sheet, choices)
    if layout is None:
        return None
    return _RowReader(sheet, layout).read()


def _fill_merged_down(sheet: Sheet) -> Sheet:
    """Repeat the value of cells that are merged downwards in one column, in each of their rows."""
    down = [m for m in sheet.merged if m[1] == m[3] and m[0] < m[2]]
    if not down:
        return sheet
    rows = [list(row) for row in sheet.rows]
    filled_to: dict[int, int] = {}  # by column: merged cells of a file do not overlap
    for top, column, bottom, _ in sorted(down):
        if top <= filled_to.get(column, -1):
            continue
        filled_to[column] = bottom
        if top < len(rows) and column < len(rows[top]):
            for n in range(top + 1, min(bottom + 1, len(rows))):
                rows[n] += [""] * (column + 1 - len(rows[n]))
                # Only rows that have something else: the cell may reach below the table.
                if any(cell != "" for cell in rows[n]):
                    rows[n][column] = rows[top][column]
    return Sheet(sheet.name, rows, sheet.row_numbers, sheet.is_hidden, sheet.merged)


class _RowReader:
    """Reads the rows of one sheet. A row that only has a title may be a category or a service."""

    def __init__(self, sheet: Sheet, layout: Layout) -> None:
        self._sheet, self._layout = sheet, layout
        self._columns = {c.meaning: c for c in layout.columns if c.meaning is not None}
        self._categories = [c for c in layout.columns if c.meaning is Meaning.CATEGORY]
        self._title = self._columns.get(Meaning.TITLE)
        self._price = self._columns.get(Meaning.PRICE) or self._columns.get(Meaning.PRICE_MAX)
        self._counters = {
            c.index
            for c in layout.columns
            if c.left_out is LeftOut.ROW_NUMBER or c.meaning is Meaning.EXTERNAL_ID
        }
        self._skipped: list[SkippedRow] = []
        header = sheet.rows[layout.header_rows[0]] if layout.header_rows else []
        self._header = {normalize_header(cell_text(cell)) for cell in header if cell_text(cell)} - {
            ""
        }

    def read(self) -> ParsedSheet:
        """Return the rows in the order of the file."""
        first = self._layout.first_data_row()
        for n in range(self._layout.header_rows[0] if self._layout.header_rows else 0):
            self._skip(n, SkipReason.ABOVE_HEADER)
        candidates = [
            n for n in range(first, len(self._sheet.rows)) if self._is_candidate(n, first)
        ]
        categories = self._find_categories(candidates)
        parser = RowParser(self._layout.columns)
        has_sections = bool(categories) or bool(self._layout.section)
        section = _SectionName(self._layout.section, self._is_nested(candidates, categories))
        fills_down = self._fills_category_down(candidates)
        last_category = ""
        rows = []
        for n in candidates:
            row = self._sheet.rows[n]
            if n in categories:
                section.enter(self._lone_text(row))
                last_category = section.name
                self._skip(n, SkipReason.CATEGORY)
                continue
            category: str | None = section.name if has_sections else None
            if self._categories:
                category = self._own_category(row)
                if not category and (fills_down or has_sections):
                    category = last_category
                last_category = category
            number = self._sheet.row_numbers[n]
            rows.append(parser.parse(number, row, category))
        self._skipped.sort(key=lambda skipped: skipped.row_number)
        return ParsedSheet(self._layout.columns, tuple(rows), tuple(self._skipped))

    def _skip(self, n: int, reason: SkipReason) -> None:
        texts = [cell_text(cell) for cell in self._sheet.rows[n]]
        if text := " | ".join(clean_cell(t) for t in texts if t):
            self._skipped.append(
                SkippedRow(self._sheet.row_numbers[n], text[:MAX_TEXT_SAMPLE], reason)
            )

    def _text(self, row: Sequence[Cell], column: Column | None) -> str:
        if column is None or column.index >= len(row):
            return ""
        return cell_text(row[column.index])

    def _is_candidate(self, n: int, first: int) -> bool:
        """Return whether a row can be a service or a category; otherwise report why not."""
        texts = [cell_text(cell) for cell in self._sheet.rows[n]]
        filled = [text for text in texts if text]
        if not filled:
            return False
        if n <= first + 1 and len(filled) > 1 and _counts(filled):
            self._skip(n, SkipReason.COLUMN_NUMBERS)
            return False
        if len(filled) > 1 and all(normalize_header(text) in self._header for text in filled):
            self._skip(n, SkipReason.REPEATED_HEADER)
            return False
        if _TOTAL.match(filled[0].casefold()):
            self._skip(n, SkipReason.TOTAL)
            return False
        if self._is_lone(self._sheet.rows[n]) and (
            _NOTE.search(filled[0]) or not any(c.isalpha() for t in filled for c in t)
        ):
            self._skip(n, SkipReason.NOTE)
            return False
        return True

    def _is_lone(self, row: Sequence[Cell]) -> bool:
        """Return whether a row of a table with prices has one text and perhaps a code."""
        if self._price is None:
            return False
        filled = [n for n, cell in enumerate(row) if cell_text(cell)]
        texts = [n for n in filled if n not in self._counters]
        if self._title is not None and self._title.index in texts:
            return texts == [self._title.index]
        fields = {c.index for c in self._layout.columns if c.meaning not in _HEADING_MEANINGS}
        return len(filled) == 1 and filled[0] not in fields

    def _lone_text(self, row: Sequence[Cell]) -> str:
        title = self._text(row, self._title)
        return title or next((cell_text(cell) for cell in row if cell_text(cell)), "")

    def _is_inner_header(self, row: Sequence[Cell]) -> bool:
        """Return whether a row is «Педикюр | Цена»: a category with the header's words."""
        text = self._text(row, self._price)
        return (
            bool(self._text(row, self._title))
            and bool(text)
            and (normalize_header(text) in self._header or _is_price_header(text))
        )

    def _find_categories(self, candidates: Sequence[int]) -> set[int]:
        rows = self._sheet.rows
        lone = {n for n in candidates if self._is_lone(rows[n])}
        found = {n for n in candidates if self._is_inner_header(rows[n])}
        if self._price is None or not lone:
            return found
        starts_with_category = bool(candidates) and candidates[0] in lone
        has_data_below, is_data_next = False, False
        for position in range(len(candidates) - 1, -1, -1):
            n = candidates[position]
            if n not in lone:
                has_data_below = is_data_next = True
                continue
            is_styled = self._is_styled(n)
            if has_data_below and (is_styled or (starts_with_category and is_data_next)):
                found.add(n)
            elif has_data_below and position == 0:
                found.add(n)  # the outer category in front of the first one
            is_data_next = False
        return found

    def _is_styled(self, n: int) -> bool:
        """Return whether a lone row looks like a heading."""
        row = self._sheet.rows[n]
        text = self._lone_text(row)
        if len(text) > MAX_CATEGORY_TEXT:
            return False
        if self._categories:
            return not self._text(row, self._title)  # it stands in the column of categories
        is_outside = self._title is not None and not self._text(row, self._title)
        is_merged = any(
            top == n == bottom and left < right for top, left, bottom, right in self._sheet.merged
        )
        is_after_gap = n > 0 and not any(cell != "" for cell in self._sheet.rows[n - 1])
        letters = [c for c in text if c.isalpha()]
        is_upper = len(letters) > 2 and text.upper() == text
        return is_outside or is_merged or is_after_gap or is_upper or text.endswith(":")

    def _is_nested(self, candidates: Sequence[int], categories: set[int]) -> bool:
        """Return whether the first category in small letters stands right under one in capitals."""
        order = [n for n in candidates if n in categories]
        texts = [self._lone_text(self._sheet.rows[n]) for n in order]
        for (above, text_above), (below, text) in zip(
            zip(order, texts, strict=True), list(zip(order, texts, strict=True))[1:], strict=False
        ):
            if text.upper() != text:
                is_next = candidates.index(below) == candidates.index(above) + 1
                return is_next and text_above.upper() == text_above
        return False

    def _own_category(self, row: Sequence[Cell]) -> str:
        texts = [unescape_formula(self._text(row, column)) for column in self._categories]
        names = [clean_cell(text) for text in texts]
        return " / ".join(name for name in names if name)

    def _fills_category_down(self, candidates: Sequence[int]) -> bool:
        """Return whether an empty category means the one above.

        Not when the file repeats a category in adjacent rows, and not in an export of Sigma.
        """
        if not self._categories or Meaning.ID in self._columns:
            return False
        names = [self._own_category(self._sheet.rows[n]) for n in candidates]
        repeats = any(a and a == b for a, b in itertools.pairwise(names))
        return bool(names) and bool(names[0]) and not repeats


class _SectionName:
    """The category of the rows below a heading; headings in capitals may hold others."""

    def __init__(self, name: str, is_nested: bool) -> None:
        self.name = _category_name(name)
        self._outer, self._is_nested = "", is_nested

    def enter(self, text: str) -> None:
        """Set the category of the rows below."""
        name = _category_name(text)
        if self._is_nested and text.upper() == text:
            self._outer = self.name = name
        elif self._is_nested and self._outer:
            self.name = f"{self._outer} / {name}"
        else:
            self.name = name


def _category_name(text: str) -> str:
    return _NUMBERING.sub("", clean_cell(text)).rstrip(":").strip()


def _is_price_header(text: str) -> bool:
    """Return whether a text is «Цена» or «Стоимость, руб.», not «цена по прайсу»."""
    is_short = len(normalize_header(text).split()) <= 2 and not any(c.isdigit() for c in text)
    return is_short and guess_header(text).meaning in (Meaning.PRICE, Meaning.PRICE_MAX)


def _counts(texts: Iterable[str]) -> bool:
    """Return whether the texts are the numbers of columns: 1, 2, 3."""
    numbers = list(texts)
    return numbers == [str(n) for n in range(1, len(numbers) + 1)]
