"""Price lists as CSV files: parse with problems by row, write for spreadsheet programs. Pure.

Input: UTF-8, UTF-16 or Windows-1251; «;», «,» or tabs; Russian or English column names.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from sigma.domain.catalogue.price_list import ImportRow
from sigma.domain.catalogue.service import MAX_EXPIRES_DAYS, PriceKind, Service
from sigma.domain.errors import Problem
from sigma.domain.money import CURRENCY_EXPONENTS
from sigma.services.catalogue.services import MAX_SERVICES
from sigma.web.cabinet.invoices.form_edit import amount_text
from sigma.web.forms import clean, parse_count, parse_money

MAX_BYTES = 1024 * 1024

# Column → accepted (Russian, English) names; the export writes the first of its language.
COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "id": (("id", "код"), ("id",)),
    "title": (("название", "услуга", "наименование"), ("title", "name", "service")),
    "description": (("описание",), ("description",)),
    "price": (("цена", "стоимость"), ("price",)),
    "currency": (("валюта",), ("currency",)),
    "visible": (("видна", "показывать"), ("visible",)),
    "expires_days": (("срок счёта, дней", "срок счета, дней", "срок"), ("invoice days", "days")),
}
_COLUMN_BY_NAME = {
    name: column for column, both in COLUMNS.items() for names in both for name in names
}
_AGREEMENT_WORDS = {"по договоренности", "договорная", "on request", "by agreement"}
_FROM_PREFIXES = ("от ", "from ")
_YES, _NO = {"да", "yes", "1", "true", "+"}, {"нет", "no", "0", "false", "-"}
# A cell that a spreadsheet would run as a formula is exported behind an apostrophe; the import
# removes it.
_FORMULA_PREFIXES = ("=", "+", "-", "@", "'")


def parse(data: bytes) -> tuple[list[ImportRow], list[Problem]]:
    """Return the rows of a file with their problems, or no rows and the problem of the file."""
    text = _decode(data)
    if isinstance(text, Problem):
        return [], [text]
    rows = _split_rows(text)
    if isinstance(rows, Problem):
        return [], [rows]
    if not rows:
        return [], [Problem("file", "csv_empty")]
    columns = [_COLUMN_BY_NAME.get(clean(name).casefold()) for name in rows[0][1]]
    if "title" not in columns and "id" not in columns:
        return [], [Problem("file", "csv_header")]
    if len(rows) < 2:
        return [], [Problem("file", "csv_empty")]
    if len(rows) - 1 > MAX_SERVICES:
        return [], [Problem("file", "too_many", {"max": MAX_SERVICES})]
    return [_parse_row(number, columns, cells) for number, cells in rows[1:]], []


def _decode(data: bytes) -> str | Problem:
    if len(data) > MAX_BYTES:
        return Problem("file", "csv_large", {"max": MAX_BYTES // 1024**2})
    encodings = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1251")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return Problem("file", "csv_unreadable") if "\0" in text else text
    return Problem("file", "csv_unreadable")


def _split_rows(text: str) -> list[tuple[int, list[str]]] | Problem:
    """Return the rows that are not empty, each with the number of its first line."""
    head = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max((";", ",", "\t"), key=head.count)
    # Strict: without it one unclosed quotation mark takes in all following lines.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, first_line = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((first_line, cells))
            first_line = reader.line_num + 1
    except csv.Error:
        return Problem("file", "csv_line", {"line": first_line})
    return rows


def _parse_row(number: int, columns: Sequence[str | None], cells: Sequence[str]) -> ImportRow:
    texts = {
        c: _unescape_formula(cell) for c, cell in zip(columns, cells, strict=False) if c is not None
    }
    parsed: dict[str, Any] = {}
    if "title" in texts:
        parsed["title"] = clean(texts["title"])
    if "description" in texts:
        parsed["description"] = clean(texts["description"], multiline=True)
    if "price" in texts:
        parsed |= _parse_price(texts["price"], texts.get("currency", ""))
    if "visible" in texts:
        parsed["is_visible"] = _parse_visible(texts["visible"])
    if "expires_days" in texts:
        parsed["expires_days"] = _parse_days(texts["expires_days"])
    service_id = clean(texts.get("id", ""))
    problems = [value for value in parsed.values() if isinstance(value, Problem)]
    if not service_id and not parsed.get("title"):
        problems.append(Problem("title", "required"))
    values = {name: value for name, value in parsed.items() if not isinstance(value, Problem)}
    return ImportRow(number, service_id, values, tuple(problems))


def _parse_price(text: str, currency: str) -> dict[str, Any]:
    """Return price kind and amount of «1 500», «от 1500,50» or «по договорённости».

    An empty cell means by agreement.
    """
    normalized = clean(text).casefold().replace("ё", "е")
    if not normalized or normalized in _AGREEMENT_WORDS:
        return {"price_kind": PriceKind.AGREEMENT, "amount": None}
    currency = clean(currency).upper() or "RUB"
    if currency not in CURRENCY_EXPONENTS:
        return {"amount": Problem("currency", "money_currency")}
    prefix = next((word for word in _FROM_PREFIXES if normalized.startswith(word)), "")
    money = parse_money(clean(text)[len(prefix) :], "price", currency)
    return {"price_kind": PriceKind.FROM if prefix else PriceKind.FIXED, "amount": money}


def _parse_visible(text: str) -> bool | Problem:
    normalized = clean(text).casefold()
    if normalized in _YES | {""}:
        return True
    return False if normalized in _NO else Problem("visible", "yes_no")


def _parse_days(text: str) -> int | Problem | None:
    if not clean(text):
        return None
    return parse_count(text, "expires_days", minimum=1, maximum=MAX_EXPIRES_DAYS)


def _unescape_formula(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:2] in _FORMULA_PREFIXES else cell


def to_csv(services: Iterable[Service], locale: str) -> bytes:
    """Return the CSV file as spreadsheet programs of that language expect it.

    UTF-8 with byte order mark, CRLF line ends, «;» between cells in Russian and "," in English.
    """
    russian = locale == "ru"
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";" if russian else ",", lineterminator="\r\n")
    writer.writerow(both[0 if russian else 1][0] for both in COLUMNS.values())
    for service in services:
        writer.writerow(
            [
                service.id,
                _escape_formula(service.title),
                _escape_formula(service.description),
                _price_text(service, russian),
                service.amount.currency if service.amount else "",
                (("нет", "да") if russian else ("no", "yes"))[service.is_visible],
                service.invoice_template.expires_days or "",
            ]
        )
    return out.getvalue().encode("utf-8-sig")


def _escape_formula(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_PREFIXES) else cell


def _price_text(service: Service, russian: bool) -> str:
    if service.amount is None:
        return "по договорённости" if russian else "on request"
    start = "" if service.price_kind is PriceKind.FIXED else "от " if russian else "from "
    return f"{start}{amount_text(service.amount)}"
