"""Files with price lists as sheets of cells: CSV, XLSX, XLSB, XLS, ODS, HTML and XML saved as .xls.

A file is bounded before it is parsed: size here, memory and time of spreadsheets in
`spreadsheet_process`. Call from a thread: reading blocks.
"""

import csv
import io
import re
from dataclasses import dataclass

import msgspec

from sigma.domain.catalogue.price_headers import guess_header
from sigma.domain.catalogue.price_sheet import MAX_COLUMNS, Sheet
from sigma.domain.catalogue.uploaded_files import (
    EXCEL_97,
    HTML,
    PRICE_LIST,
    TEXT,
    XML,
    archive_content,
    check_file_name,
)
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.services.catalogue import spreadsheet_process
from sigma.services.catalogue.price_list_markup import html_tables, is_html, is_xml_book, xml_sheets
from sigma.services.platform import limited_process
from sigma.services.platform.limited_process import Limits

MAX_BYTES = 10 * 1024 * 1024
MAX_ROWS = 20_000  # rows of a sheet, with headings and empty ones
LIMITS = Limits(memory_bytes=1024**3, cpu_s=20, timeout_s=30)
DELIMITERS = (";", "\t", "|", ",")
_SAMPLE_LINES = 200
_CODE_PAGES = ("cp1251", "cp1252", "koi8_r", "cp866", "mac_cyrillic")  # the usual first
_KNOWN_WORDS = re.compile(r"цен|услуг|стоим|наимен|назван|прайс|руб|категор|код", re.IGNORECASE)
_SAMPLE_BYTES = 20_000
_OLE, _ZIP = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PK\x03\x04"
_OTHER_FORMATS = (b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"Rar!", b"7z\xbc\xaf", b"{\\rtf", b"GIF8")


@dataclass(frozen=True, slots=True)
class Book:
    """The sheets of a file; a CSV file has one, without a name."""

    sheets: list[Sheet]


def read_book(data: bytes, name: str | None = None) -> Book:
    """Read a file. Raises RefusedError("validation") for "file" with one of the file_ codes.

    `name`: of the file; None skips the comparison of its extension with the content.
    """
    if len(data) > MAX_BYTES:
        raise _refused("file_large", max=MAX_BYTES // 1024**2)
    if not data.strip():
        raise _refused("file_empty")
    if data.startswith(_OTHER_FORMATS):
        raise _refused("file_format")
    is_archive = data.startswith(_ZIP)
    if is_archive or data.startswith((_OLE, b"\x09\x08", b"\x09\x04", b"\x09\x02")):
        _check_name(name, archive_content(data) if is_archive else EXCEL_97)
        book = _read_spreadsheet(data)
    else:
        book = _read_text(data, name)
    for sheet in book.sheets:
        if max((len(row) for row in sheet.rows), default=0) > MAX_COLUMNS:
            raise _refused("file_columns", max=MAX_COLUMNS)
    return book


def _check_name(name: str | None, content: str) -> None:
    if name is not None and (problem := check_file_name(PRICE_LIST, name, content)):
        raise validation_error(problem)


def _refused(code: str, **params: object) -> RefusedError:
    return validation_error(Problem("file", code, params))


class _SheetJson(msgspec.Struct):
    name: str
    rows: list[list[str | float]]
    first_row: int
    is_hidden: bool
    merged: list[tuple[int, int, int, int]]
    is_cut: bool


class _BookJson(msgspec.Struct):
    sheets: list[_SheetJson]


def _read_spreadsheet(data: bytes) -> Book:
    kind = "zip" if data.startswith(_ZIP) else "xls"
    result = limited_process.run(
        spreadsheet_process.__file__,
        *(kind, str(MAX_ROWS), str(MAX_COLUMNS)),
        data=data,
        limits=LIMITS,
    )
    if result.exit_code == spreadsheet_process.PASSWORD_EXIT:
        raise _refused("file_password")
    if result.exit_code == spreadsheet_process.UNREADABLE_EXIT:
        raise _refused("file_unreadable")
    if result.exit_code == spreadsheet_process.FORMAT_EXIT:
        raise _refused("file_format")
    if result.exit_code != 0:  # also a process that the system ended at its limits
        raise _refused("file_complex")
    sheets = []
    for found in msgspec.json.decode(result.stdout, type=_BookJson).sheets:
        if found.is_cut:
            raise _refused("too_many", max=MAX_ROWS)
        numbers = list(range(found.first_row + 1, found.first_row + 1 + len(found.rows)))
        sheets.append(Sheet(found.name, found.rows, numbers, found.is_hidden, found.merged))
    return Book(sheets)


def _read_text(data: bytes, name: str | None) -> Book:
    text = decode_text(data)
    if is_xml_book(text):
        _check_name(name, XML)
        sheets = xml_sheets(text, MAX_ROWS, MAX_COLUMNS)
    elif is_html(text):
        _check_name(name, HTML)
        sheets = html_tables(text, MAX_ROWS, MAX_COLUMNS)
    else:
        _check_name(name, TEXT)
        return Book([_csv_sheet(text)])
    if sheets is None:
        raise _refused("file_unreadable")
    if any(len(sheet.rows) > MAX_ROWS for sheet in sheets):
        raise _refused("too_many", max=MAX_ROWS)
    return Book(sheets)


def decode_text(data: bytes) -> str:
    """Return the text of a file in UTF-8, UTF-16 or a Cyrillic code page.

    Raises RefusedError for binary data.
    """
    text = _decode(data)
    if "\0" in text:
        raise _refused("file_unreadable")
    return text


def _decode(data: bytes) -> str:
    for byte_order, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(byte_order):
            return data.decode(encoding, "replace")
    if b"\0" in data[:2000] and (text := _decode_utf16(data)) is not None:
        return text
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    lossy = data.decode("utf-8", "replace")
    if lossy.count("\ufffd") * 200 < len(lossy):
        return lossy  # a few broken characters in UTF-8, which will be visible
    sample = data[:_SAMPLE_BYTES]
    return data.decode(max(_CODE_PAGES, key=lambda page: _score_code_page(sample, page)), "replace")


def _score_code_page(sample: bytes, code_page: str) -> int:
    """Return how much a text in this code page looks like words; higher is better.

    The wrong page gives capitals inside words, letters of other alphabets, or signs. Statistics of
    letters, as charset_normalizer has them, fail on lists of a few short lines.
    """
    text = sample.decode(code_page, "replace")
    # In KOI8 and cp1251 the same bytes are capitals and small letters: words of headers decide.
    score, before = 20 * len(_KNOWN_WORDS.findall(text)), " "
    for char in text:
        if not char.isascii():
            is_russian = "а" <= char.casefold() <= "я" or char in "ёЁ"
            if is_russian:
                follows_word = before.isalpha()
                is_mixed = follows_word and before.isascii()
                is_capital_inside = follows_word and before.islower() and char.isupper()
                score += -3 if is_mixed or is_capital_inside else 2
            elif char.isalpha():
                score += 1 if before.isascii() and before.isalpha() else -2
            else:
                score += 0 if char in "№«»—–₽…\xa0€" else -2
        before = char
    return score


def _decode_utf16(data: bytes) -> str | None:
    """Return Latin and Cyrillic text in UTF-16 without a byte order mark, or None."""
    for encoding, high_bytes in (("utf-16-le", data[1:2000:2]), ("utf-16-be", data[:2000:2])):
        if high_bytes.count(4) + high_bytes.count(0) > len(high_bytes) * 0.9:
            return data.decode(encoding, "replace")
    return None


def _csv_sheet(text: str) -> Sheet:
    first, _, rest = text.partition("\n")
    first_line = 1
    match = re.fullmatch(r'"?sep=(.)"?\r?', first.strip("\ufeff"), re.IGNORECASE)
    if match:
        delimiter, text, first_line = match[1], rest, 2
    else:
        delimiter = _find_delimiter(text)
    # Strict: without it one unclosed quotation mark takes in all following lines.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str | float]] = []
    numbers: list[int] = []
    number = first_line
    try:
        for cells in reader:
            rows.append([cell if cell.strip() else "" for cell in cells])
            while rows[-1] and rows[-1][-1] == "":
                rows[-1].pop()
            numbers.append(number)
            number = first_line + reader.line_num
            if len(rows) > MAX_ROWS:
                raise _refused("too_many", max=MAX_ROWS)
    except csv.Error:
        raise _refused("file_line", line=number) from None
    return Sheet("", rows, numbers)


def _find_delimiter(text: str) -> str:
    """Return the delimiter that splits the first lines most evenly, into the most known headers."""
    sample = text[: _SAMPLE_LINES * 400]

    def score(delimiter: str) -> tuple[float, int]:
        rows = []
        try:
            for cells in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
                if any(cell.strip() for cell in cells):
                    rows.append(cells)
                if len(rows) >= _SAMPLE_LINES:
                    break
        except csv.Error:
            pass
        widths = [len(cells) for cells in rows if len(cells) > 1]
        if not widths:
            return (0.0, 0)
        usual = max(set(widths), key=widths.count)
        evenness = widths.count(usual) / len(rows)
        headers = max(
            len({guess.meaning for cell in cells if (guess := guess_header(cell)).meaning})
            for cells in rows[:30]
        )
        return (evenness + 0.5 * min(headers, 4), -DELIMITERS.index(delimiter))

    return max(DELIMITERS, key=score)
