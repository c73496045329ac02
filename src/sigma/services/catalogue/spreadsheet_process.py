"""Reads one spreadsheet in a process of its own: file on stdin, JSON of its sheets on stdout.

Run by `limited_process` as `spreadsheet_process.py KIND MAX_ROWS MAX_COLUMNS`; the kind is "zip"
(xlsx, xlsb or ods inside) or "xls". Also the list of an archive is read here only. The parser
(calamine, in Rust) ends its process when memory runs out, and a small file can ask for a table of
17 billion cells: so the limits of the process are the guard, and only the process ends.

Imports nothing of Sigma: it starts fast.
"""

import contextlib
import datetime as dt
import io
import json
import re
import sys
import zipfile
from typing import Any

import python_calamine

MAX_UNPACKED_BYTES = 100 * 1024 * 1024
MAX_SHEETS = 30
MAX_FILES = 10_000  # in an archive: parts of a workbook, with a picture for each service
# Parts of a file that hold no cells. They are not unpacked.
_UNUSED = re.compile(
    r"(?:^|/)(?:media|drawings|Pictures|Thumbnails|embeddings|theme|charts)/|vbaProject"
)
FIRST_CUSTOM_FORMAT = 164  # lower numbers are the built-in formats of Excel
Formats = dict[str, dict[tuple[int, int], str]]
TOO_LARGE_EXIT, PASSWORD_EXIT, UNREADABLE_EXIT, FORMAT_EXIT = 3, 4, 5, 6
_MAIN_PARTS = {"xl/workbook.xml": "xlsx", "xl/workbook.bin": "xlsb", "content.xml": "ods"}


class TooLargeError(Exception):
    """The archive has more than MAX_FILES files or MAX_UNPACKED_BYTES."""


class FormatError(Exception):
    """The archive is not a spreadsheet."""


def repack(data: bytes) -> tuple[bytes, str]:
    """Return the same archive without compression and without pictures, and its format.

    Raises TooLargeError, FormatError. Counts the unpacked bytes, because the sizes that a ZIP
    declares may be false.
    """
    out, total = io.BytesIO(), 0
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as stored:
        if len(archive.infolist()) > MAX_FILES:
            raise TooLargeError
        names = {name.casefold() for name in archive.namelist()}
        file_format = next((_MAIN_PARTS[name] for name in _MAIN_PARTS if name in names), None)
        if file_format is None:
            raise FormatError
        for info in archive.infolist():
            if info.is_dir() or _UNUSED.search(info.filename):
                continue
            with archive.open(info) as member:
                content = member.read(MAX_UNPACKED_BYTES - total + 1)
            total += len(content)
            if total > MAX_UNPACKED_BYTES:
                raise TooLargeError
            stored.writestr(info.filename, content)
    return out.getvalue(), file_format


def read_formats(data: bytes, file_format: str, max_rows: int) -> Formats:
    """Return sheet → {(row, column): number format} of formatted numbers; {} when unreadable.

    calamine gives values without formats, but «1500» formatted as `#,##0 [$€-407]` is 1500 euro.
    """
    readers = {"xlsx": _xlsx_formats, "xls": _xls_formats, "ods": _ods_formats}
    if file_format in readers:
        with contextlib.suppress(Exception):  # values without formats are better than none
            return readers[file_format](data, max_rows)
    return {}


def _xlsx_formats(data: bytes, max_rows: int) -> Formats:
    if not has_literal_formats(data):
        return {}
    import openpyxl
    from openpyxl.styles.numbers import BUILTIN_FORMATS

    # A built-in currency format shows the currency of the reader's own Excel, not of the file.
    ignored = set(BUILTIN_FORMATS.values())
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    formats: Formats = {}
    for sheet in book.worksheets:
        found = formats[sheet.title] = {}
        for row in sheet.iter_rows(max_row=max_rows, max_col=100):
            for cell in row:
                number_format = getattr(cell, "number_format", "General")
                if number_format not in ignored and isinstance(cell.value, int | float):
                    found[cell.row - 1, cell.column - 1] = number_format
    return formats


def _xls_formats(data: bytes, max_rows: int) -> Formats:
    import xlrd

    book = xlrd.open_workbook(
        file_contents=data, formatting_info=True, ragged_rows=True, logfile=io.StringIO()
    )
    formats: Formats = {}
    for sheet in book.sheets():
        found = formats[sheet.name] = {}
        for r in range(min(sheet.nrows, max_rows)):
            for c, cell in enumerate(sheet.row(r)):
                key = book.xf_list[cell.xf_index].format_key if cell.ctype == 2 else 0
                if key >= FIRST_CUSTOM_FORMAT:
                    found[r, c] = book.format_map[key].format_str
    return formats


def _ods_formats(data: bytes, max_rows: int) -> Formats:
    """Return the currencies and percent signs of cells as number formats."""
    import xml.etree.ElementTree as ET

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        content = archive.read("content.xml")
    if b"office:currency" not in content and b"percentage" not in content:
        return {}
    formats: Formats = {}
    found: dict[tuple[int, int], str] = {}
    row = column = 0
    for event, element in ET.iterparse(io.BytesIO(content), ("start", "end")):  # noqa: S314
        tag = element.tag.rpartition("}")[2]
        values = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
        if event == "start":
            if tag == "table":
                found = formats[values.get("name", "")] = {}
                row = 0
            elif tag == "table-row":
                column = 0
            continue
        if tag in ("table-cell", "covered-table-cell"):
            count = int(values.get("number-columns-repeated", 1))
            literal = "%" if values.get("value-type") == "percentage" else values.get("currency")
            if literal and row < max_rows:
                for n in range(column, min(column + count, 100)):
                    found[row, n] = f'0"{literal}"' if literal != "%" else "0%"
            column += count
        elif tag == "table-row":
            row += int(values.get("number-rows-repeated", 1))
            element.clear()
    return formats


def has_literal_formats(data: bytes) -> bool:
    """Return whether a number format of an xlsx file writes more than digits and separators."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        name = next(n for n in archive.namelist() if n.lower() == "xl/styles.xml")
        codes = re.findall(r'formatCode="([^"]*)"', archive.read(name).decode("utf-8", "replace"))
    return any(re.search(r"\[\$|&quot;|\\\\|[$€£¥₽₸%]|^0{2,}$", code) for code in codes)


_BRACKETS = re.compile(r"\[\$([^\]-]*)(?:-[^\]]*)?\]")
_QUOTED = re.compile(r'"([^"]*)"|\\(.)')


def with_format(value: float, number_format: str) -> str | float:
    """Return a number with what its format writes around it: currency, unit, «от», zeros, %."""
    text = number_format.split(";", maxsplit=1)[0]
    literal_before, literal_after, has_digits = "", "", False
    position = 0
    while position < len(text):
        if match := _BRACKETS.match(text, position):
            literal = match[1]
        elif match := _QUOTED.match(text, position):
            literal = match[1] if match[1] is not None else match[2]
        elif match := re.compile(r"\[[^\]]*\]|_.|\*.").match(text, position):
            literal = ""
        elif text[position] in "$€£¥₽₸₴%/":
            match, literal = re.compile(".").match(text, position), text[position]
        else:
            has_digits = has_digits or text[position] in "0#?"
            position += 1
            continue
        assert match is not None
        position = match.end()
        if has_digits:
            literal_after += literal
        else:
            literal_before += literal
    if re.fullmatch(r"0{2,}", text) and value == int(value):
        return str(int(value)).zfill(len(text))
    if "%" in literal_after:
        return f"{round(value * 100, 4):g}%"
    literal_before, literal_after = literal_before.strip(" -("), literal_after.strip(" -)")
    if not literal_before and not literal_after:
        return value
    number = str(int(value)) if value == int(value) else repr(round(value, 6))
    return f"{literal_before} {number} {literal_after}".strip()


def cell_value(cell: Any) -> str | float:
    """Return a cell as text or number; dates as they are written in Russia."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return float(cell) if cell == cell and abs(cell) < 1e300 else ""
    if isinstance(cell, dt.date):  # a datetime is one too
        return cell.strftime("%d.%m.%Y")
    return str(cell)


def read_book(data: bytes, file_format: str, max_rows: int, max_columns: int) -> dict[str, Any]:
    """Return {"sheets": [{name, rows, first_row, is_hidden, merged, is_cut}]}."""
    sheets = []
    with python_calamine.load_workbook(io.BytesIO(data)) as book:
        worksheets = [
            (n, meta)
            for n, meta in enumerate(book.sheets_metadata)
            if meta.typ == python_calamine.SheetTypeEnum.WorkSheet
        ][:MAX_SHEETS]
        formats = read_formats(data, file_format, max_rows)
        for n, meta in worksheets:
            sheet = book.get_sheet_by_index(n)
            first_row, first_column = sheet.start or (0, 0)
            found = formats.get(meta.name, {})
            rows = []
            for r, row in enumerate(sheet.to_python(nrows=max_rows + 1), first_row):
                cells = [cell_value(cell) for cell in row[: max_columns + 1]]
                for c, cell in enumerate(cells):
                    if isinstance(cell, float) and (r, c + first_column) in found:
                        cells[c] = with_format(cell, found[r, c + first_column])
                while cells and cells[-1] == "":
                    cells.pop()
                rows.append(cells)
            merged = [
                (top - first_row, left - first_column, bottom - first_row, right - first_column)
                for (top, left), (bottom, right) in sheet.merged_cell_ranges or []
            ]
            sheets.append(
                {
                    "name": meta.name,
                    "rows": rows[:max_rows],
                    "first_row": first_row,
                    "is_hidden": meta.visible != python_calamine.SheetVisibleEnum.Visible,
                    "merged": merged[:20_000],
                    "is_cut": len(rows) > max_rows,
                }
            )
    return {"sheets": sheets}


def main() -> int:
    """Read stdin, write JSON. Return the exit code, one of the four above for a refused file."""
    file_format, max_rows, max_columns = sys.argv[1], *map(int, sys.argv[2:4])
    data = sys.stdin.buffer.read()
    try:
        if file_format != "xls":
            data, file_format = repack(data)
        book = read_book(data, file_format, max_rows, max_columns)
    except (TooLargeError, MemoryError):
        return TOO_LARGE_EXIT
    except FormatError:
        return FORMAT_EXIT
    except python_calamine.PasswordError:
        return PASSWORD_EXIT
    except Exception:  # noqa: BLE001 - a broken file raises many types of errors
        return UNREADABLE_EXIT
    sys.stdout.buffer.write(json.dumps(book, ensure_ascii=False).encode("utf-8", "replace"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
