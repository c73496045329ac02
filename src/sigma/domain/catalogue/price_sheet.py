"""A sheet of a file as cells, and the layout of a price list on it."""

from dataclasses import dataclass, field
from decimal import Decimal

from sigma.domain.catalogue.price_headers import LeftOut, Meaning
from sigma.domain.catalogue.price_text import number_text
from sigma.domain.catalogue.service import PriceKind

Cell = str | float
MAX_COLUMNS = 100


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of a file: rows of cells, text or numbers, and where each row stands in the file.

    `merged`: (first row, first column, last row, last column) of merged cells, counted from 0 in
    `rows`, both ends inclusive.
    """

    name: str
    rows: list[list[Cell]]
    row_numbers: list[int]
    is_hidden: bool = False
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its header (or letter), its meaning, or why it is left out.

    `currency`, `unit`, `kind` are what the header says about prices, `thousands` is the separator
    of thousands («,» or «.») that the values of the column prove. `example`: its first value.
    `scale`: what a bare number is times («Цена, тыс. руб.»: 1000).
    """

    index: int
    header: str
    meaning: Meaning | None
    left_out: LeftOut = LeftOut.UNKNOWN
    currency: str = ""
    unit: str = ""
    kind: PriceKind = PriceKind.FIXED
    example: str = ""
    thousands: str = ""
    scale: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a sheet and the rows of its header; `header_rows` is empty without one.

    `section`: the category that the header itself names («Маникюр | Цена»), or "".
    """

    columns: tuple[Column, ...]
    header_rows: tuple[int, ...]
    section: str = ""

    def first_data_row(self) -> int:
        """Return the index of the first row after the header."""
        return self.header_rows[-1] + 1 if self.header_rows else 0


def cell_text(cell: Cell) -> str:
    """Return a cell as one stripped text; a number without binary noise."""
    return cell.strip() if isinstance(cell, str) else number_text(cell)


def column_letter(index: int) -> str:
    """Return the letter of a column as spreadsheets show it: 0 → A, 26 → AA."""
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(65 + rest) + text
    return text
