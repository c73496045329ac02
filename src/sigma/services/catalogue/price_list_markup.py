"""Tables in HTML and in XML Spreadsheet 2003, which many programs save with the name .xls."""

import re
from html.parser import HTMLParser
from xml.parsers import expat

from sigma.domain.catalogue.price_sheet import Sheet

Cell = str | float
_HTML = re.compile(r"<(?:!doctype\s+html|html|head|body|table|meta|tr)\b", re.IGNORECASE)
_XML_NAMESPACE = "urn:schemas-microsoft-com:office:spreadsheet"
MAX_SPAN = 1000


def is_html(text: str) -> bool:
    """Return whether a text file is an HTML page."""
    head = text[:4000].lstrip("\ufeff \t\r\n")
    return head.startswith("<") and bool(_HTML.search(head))


def is_xml_book(text: str) -> bool:
    """Return whether a text file is an XML Spreadsheet 2003."""
    return text.lstrip("\ufeff \t\r\n").startswith("<?xml") and _XML_NAMESPACE in text[:4000]


class _Grid:
    """Cells of a table by position; merged cells take their space."""

    def __init__(self, max_rows: int, max_columns: int) -> None:
        self.rows: list[list[Cell]] = []
        self.merged: list[tuple[int, int, int, int]] = []
        self._taken: dict[int, int] = {}  # column → last row that a cell above reaches into
        self._max_rows, self._max_columns = max_rows, max_columns
        self._column = 0

    def start_row(self, index: int | None = None) -> None:
        """Start the next row, or the row with this index (from 0); rows between are empty."""
        target = max(index if index is not None else 0, len(self.rows))
        while len(self.rows) <= min(target, self._max_rows):  # one more than allowed is refused
            self.rows.append([])
        self._column = 0

    def add(self, value: Cell, right: int = 1, down: int = 1, index: int | None = None) -> None:
        """Add a cell that reaches over `right` columns and `down` rows."""
        if not self.rows:
            self.rows.append([])
        row = len(self.rows) - 1
        if index is not None:
            self._column = max(index, self._column)
        while self._taken.get(self._column, -1) >= row and self._column <= self._max_columns:
            self._column += 1
        right, down = min(max(right, 1), MAX_SPAN), min(max(down, 1), self._max_rows)
        column = self._column
        if value != "" and column <= self._max_columns:  # one more than allowed is refused
            cells = self.rows[row]
            cells += [""] * (column + 1 - len(cells))
            cells[column] = value
            if right > 1 or down > 1:
                self.merged.append((row, column, row + down - 1, column + right - 1))
        if down > 1:
            for n in range(column, min(column + right, self._max_columns + 1)):
                self._taken[n] = row + down - 1
        self._column += right

    def sheet(self, name: str, is_hidden: bool = False) -> Sheet:
        """Return the table."""
        return Sheet(name, self.rows, list(range(1, len(self.rows) + 1)), is_hidden, self.merged)


class _TableParser(HTMLParser):
    """Collects the outer tables of a page; a table inside a cell is text of that cell."""

    def __init__(self, max_rows: int, max_columns: int) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[_Grid] = []
        self._limits = (max_rows, max_columns)
        self._depth = 0
        self._cell: list[str] | None = None
        self._spans = (1, 1)
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a table, row or cell; forgotten end tags close with the next start."""
        if tag == "table":
            self._depth += 1
            if self._depth == 1:
                self.tables.append(_Grid(*self._limits))
        elif tag in ("script", "style", "title"):
            self._hidden += 1
        elif self._depth == 1 and tag == "tr":
            self._end_cell()
            self.tables[-1].start_row()
        elif self._depth == 1 and tag in ("td", "th"):
            self._end_cell()
            values = dict(attrs)
            self._spans = (_span(values.get("colspan")), _span(values.get("rowspan")))
            self._cell = []
        elif self._cell is not None and tag in ("br", "p", "div", "li", "tr"):
            self._cell.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """Close a table or cell."""
        if tag in ("script", "style", "title"):
            self._hidden = max(0, self._hidden - 1)
        elif tag == "table":
            if self._depth == 1:
                self._end_cell()
            self._depth = max(0, self._depth - 1)
        elif self._depth == 1 and tag in ("td", "th", "tr"):
            self._end_cell()

    def handle_data(self, data: str) -> None:
        """Collect the text of a cell."""
        if self._cell is not None and not self._hidden:
            # Line breaks of the source are spaces; those of <br> are added by the tag.
            self._cell.append(re.sub(r"[ \t\r\n]+", " ", data))

    def close(self) -> None:
        """Close what the page left open."""
        super().close()
        self._end_cell()

    def _end_cell(self) -> None:
        if self._cell is None:
            return
        lines = [line.strip() for line in "".join(self._cell).split("\n")]
        text = "\n".join(line for line in lines if line)
        self.tables[-1].add(text if text.strip("\xa0 ") else "", *self._spans)
        self._cell = None


def _span(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else 1


def html_tables(text: str, max_rows: int, max_columns: int) -> list[Sheet]:
    """Return the tables of an HTML page as sheets, at most one row and column over the limits."""
    parser = _TableParser(max_rows, max_columns)
    parser.feed(text)
    parser.close()
    return [grid.sheet(f"table {n}") for n, grid in enumerate(parser.tables, 1) if grid.rows]


class _BookParser:
    """Collects the sheets of an XML Spreadsheet 2003."""

    def __init__(self, max_rows: int, max_columns: int) -> None:
        self.sheets: list[Sheet] = []
        self._limits = (max_rows, max_columns)
        self._grid = _Grid(*self._limits)
        self._name, self._is_hidden = "", False
        self._text: list[str] | None = None
        self._visible: list[str] = []
        self._cell: tuple[int, int, int | None] | None = None
        self._value: Cell = ""
        self._type = ""

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        """Open an element. Names are `namespace local`."""
        values = {name.rsplit(" ", 1)[-1]: value for name, value in attrs.items()}
        local = tag.rsplit(" ", 1)[-1]
        if local == "Worksheet":
            self._grid = _Grid(*self._limits)
            self._name, self._is_hidden = values.get("Name", ""), False
        elif local == "Row":
            self._grid.start_row(_index(values.get("Index")))
        elif local == "Cell":
            across, down = _span(values.get("MergeAcross")), _span(values.get("MergeDown"))
            has_across, has_down = "MergeAcross" in values, "MergeDown" in values
            self._cell = (
                across + 1 if has_across else 1,
                down + 1 if has_down else 1,
                _index(values.get("Index")),
            )
            self._value = ""
        elif local == "Data" and self._cell is not None:
            self._text, self._type = [], values.get("Type", "String")
        elif local == "Visible":
            self._visible = []
            self._text = self._visible

    def end(self, tag: str) -> None:
        """Close an element."""
        local = tag.rsplit(" ", 1)[-1]
        if local == "Data" and self._text is not None:
            self._value, self._text = self._typed("".join(self._text)), None
        elif local == "Cell" and self._cell is not None:
            right, down, index = self._cell
            self._grid.add(self._value, right, down, index)
            self._cell = None
        elif local == "Visible":
            self._is_hidden, self._text = "Hidden" in "".join(self._visible), None
        elif local == "Worksheet":
            self.sheets.append(self._grid.sheet(self._name, self._is_hidden))

    def data(self, text: str) -> None:
        """Collect text of a cell."""
        if self._text is not None:
            self._text.append(text)

    def _typed(self, text: str) -> Cell:
        if self._type == "Number":
            try:
                return float(text)
            except ValueError:
                return text
        if self._type == "DateTime" and (match := re.match(r"(\d{4})-(\d{2})-(\d{2})", text)):
            return f"{match[3]}.{match[2]}.{match[1]}"
        return text if text.strip() else ""


def _index(text: str | None) -> int | None:
    return int(text) - 1 if text and text.isascii() and text.isdigit() and len(text) < 8 else None


def xml_sheets(text: str, max_rows: int, max_columns: int) -> list[Sheet] | None:
    """Return the sheets of an XML Spreadsheet 2003, or None when it is broken or has a DTD."""
    if re.search(r"<!(?:DOCTYPE|ENTITY)", text, re.IGNORECASE):
        return None  # entities can grow without bound
    book = _BookParser(max_rows, max_columns)
    parser = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler, parser.EndElementHandler = book.start, book.end
    parser.CharacterDataHandler = book.data
    try:
        # The text is decoded already; its XML declaration may name another encoding.
        parser.Parse(re.sub(r"^\s*\ufeff?<\?xml[^>]*\?>", "", text).encode(), True)
    except expat.ExpatError:
        return None
    return book.sheets
