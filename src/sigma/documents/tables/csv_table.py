"""CSV for spreadsheet programs: UTF-8 with a byte order mark, `;`, CRLF, formulas defused.

The Russian table has a decimal comma and dates as 24.11.2026 14:05:00: Excel with Russian settings
reads `1500.50` as a text, and `12.05` even as a day in May. The English one has a decimal point.
"""

import csv
import datetime as dt
import io
import re
from collections.abc import Callable, Iterable
from typing import Any

from sigma.documents.tables.columns import (
    ColumnKind,
    Row,
    TableFormat,
    clean_cell,
    decimal_text,
    iso_date,
    local_time,
    money_text,
)

BYTE_ORDER_MARK = "\ufeff"  # spreadsheet programs recognize UTF-8 by it
# Also the full-width forms, which some programs read as the ASCII ones.
_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Most texts of a long export: they begin with a letter or digit, with nothing to clean or defuse.
_PLAIN = re.compile(r"[^\W_][^\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff,;]{0,9999}")
_HAS_SEPARATOR = re.compile(r"[,;\t\r\n]")


# A program with other settings splits rows at commas or tabs, and takes the quotes in the middle of
# such a row for letters: then a part of a cell becomes a cell. `=`, or a function or command.
_LATER_FORMULA = re.compile(
    r"([,;\t\r\n][\s\"]{0,8})(?=[=\uff1d]|[+\-@\uff0b\uff0d\uff20][\s\w.]{0,40}[(|!])"
)


def safe_cell(text: str) -> str:
    """Return a text that no spreadsheet program takes for a formula.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    # After leading spaces too: a program may trim them. A tab or line break may begin a formula.
    is_risky = text[:1] in ("\t", "\r", "\n") or text.lstrip().startswith(_FORMULA_STARTS)
    if _HAS_SEPARATOR.search(text):
        text = _LATER_FORMULA.sub(r"\1'", text)
    return f"'{text}" if is_risky else text


def _text_cell(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else safe_cell(clean_cell(text))


def _russian_date(day: dt.date) -> str:
    return f"{day.day:02}.{day.month:02}.{day.year:04}"


def _iso_date(day: dt.date) -> str:
    return f"{day.year:04}-{day.month:02}-{day.day:02}"


_DATE_TEXTS = {"ru": _russian_date, "en": _iso_date}


def csv_text(rows: Iterable[Iterable[str]]) -> str:
    """Return rows of cells as lines of CSV. The cells must be safe."""
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def csv_header(table: TableFormat) -> bytes:
    """Return the byte order mark and the line of headers."""
    titles = [safe_cell(clean_cell(column.title)) for column in table.columns]
    return (BYTE_ORDER_MARK + csv_text([titles])).encode()


def csv_rows(table: TableFormat, rows: Iterable[Row]) -> bytes:
    """Return rows of raw values as lines of CSV."""
    writers = [_cell_writer(table, column.kind) for column in table.columns]
    lines = (
        ["" if value is None else write(value) for write, value in zip(writers, row, strict=True)]
        for row in rows
    )
    return csv_text(lines).encode()


def _cell_writer(table: TableFormat, kind: ColumnKind) -> Callable[[Any], str]:
    separator = "," if table.locale == "ru" else "."
    date_text = _DATE_TEXTS[table.locale]
    zone = table.zone

    def number(value: str) -> str:
        decimal = decimal_text(value)
        return _text_cell(value) if decimal is None else decimal.replace(".", separator)

    def date(value: str) -> str:
        day = iso_date(value)
        return _text_cell(value) if day is None else date_text(day)

    def moment(at_us: int) -> str:
        at = local_time(at_us, zone)
        return f"{date_text(at)} {at.hour:02}:{at.minute:02}:{at.second:02}"

    writers: dict[ColumnKind, Callable[[Any], str]] = {
        ColumnKind.TEXT: _text_cell,
        ColumnKind.INTEGER: str,
        ColumnKind.MONEY: lambda minor: money_text(minor).replace(".", separator),
        ColumnKind.MOMENT: moment,
        ColumnKind.NUMBER: number,
        ColumnKind.DATE: date,
    }
    return writers[kind]
