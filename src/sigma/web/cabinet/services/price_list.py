"""A price list as a CSV file: read with every fault by its line, and written for spreadsheets.

UTF-8, UTF-16 or Windows-1251; «;», «,» or tabs; Russian or English column names. Pure.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from sigma.domain.catalogue.service import MAX_DAYS, PriceKind, Service
from sigma.domain.errors import Problem
from sigma.domain.money import EXPONENTS
from sigma.services.catalogue.price_list_import import Listed
from sigma.services.catalogue.services import MAX_SERVICES
from sigma.web.cabinet.invoices.form_edit import plain_sum
from sigma.web.forms import clean, read_count, read_money

MAX_BYTES = 1024 * 1024

# Column → its names; the first Russian and the first English one are written.
COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "id": (("id", "код"), ("id",)),
    "title": (("название", "услуга", "наименование"), ("title", "name", "service")),
    "description": (("описание",), ("description",)),
    "price": (("цена", "стоимость"), ("price",)),
    "currency": (("валюта",), ("currency",)),
    "visible": (("видна", "показывать"), ("visible",)),
    "expires_days": (("срок счёта, дней", "срок счета, дней", "срок"), ("invoice days", "days")),
}
_NAMES = {name: column for column, both in COLUMNS.items() for names in both for name in names}
_AGREED = {"по договоренности", "договорная", "on request", "by agreement"}
_FROM = ("от ", "from ")
_YES, _NO = {"да", "yes", "1", "true", "+"}, {"нет", "no", "0", "false", "-"}
# What a spreadsheet would take for a formula goes behind an apostrophe, and comes back without.
_FORMULA = ("=", "+", "-", "@", "'")


def read(data: bytes) -> tuple[list[Listed], list[Problem]]:
    """The lines of a file, each with what is wrong with it; or why the file itself is no use."""
    text = _decoded(data)
    if isinstance(text, Problem):
        return [], [text]
    rows = _rows(text)
    if isinstance(rows, Problem):
        return [], [rows]
    if not rows:
        return [], [Problem("file", "csv_empty")]
    columns = [_NAMES.get(clean(name).casefold()) for name in rows[0][1]]
    if "title" not in columns and "id" not in columns:
        return [], [Problem("file", "csv_header")]
    if len(rows) < 2:
        return [], [Problem("file", "csv_empty")]
    if len(rows) - 1 > MAX_SERVICES:
        return [], [Problem("file", "too_many", {"max": MAX_SERVICES})]
    return [_listed(number, columns, cells) for number, cells in rows[1:]], []


def _decoded(data: bytes) -> str | Problem:
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


def _rows(text: str) -> list[tuple[int, list[str]]] | Problem:
    """Rows that are not empty, each with the line where it begins."""
    head = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max((";", ",", "\t"), key=head.count)
    # Strict: else one forgotten quotation mark would swallow every line after it.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, begins = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((begins, cells))
            begins = reader.line_num + 1
    except csv.Error:
        return Problem("file", "csv_line", {"line": begins})
    return rows


def _listed(number: int, columns: Sequence[str | None], cells: Sequence[str]) -> Listed:
    given = {c: _bare(cell) for c, cell in zip(columns, cells, strict=False) if c is not None}
    read: dict[str, Any] = {}
    if "title" in given:
        read["title"] = clean(given["title"])
    if "description" in given:
        read["description"] = clean(given["description"], lines=True)
    if "price" in given:
        read |= _price(given["price"], given.get("currency", ""))
    if "visible" in given:
        read["visible"] = _visible(given["visible"])
    if "expires_days" in given:
        read["expires_days"] = _days(given["expires_days"])
    service_id = clean(given.get("id", ""))
    problems = [value for value in read.values() if isinstance(value, Problem)]
    if not service_id and not read.get("title"):
        problems.append(Problem("title", "required"))
    says = {name: value for name, value in read.items() if not isinstance(value, Problem)}
    return Listed(number, service_id, says, tuple(problems))


def _price(text: str, currency: str) -> dict[str, Any]:
    """Kind and sum of «1 500», «от 1500,50», «по договорённости»; nothing said is by agreement."""
    bare = clean(text).casefold().replace("ё", "е")
    if not bare or bare in _AGREED:
        return {"price": PriceKind.AGREEMENT, "amount": None}
    currency = clean(currency).upper() or "RUB"
    if currency not in EXPONENTS:
        return {"amount": Problem("currency", "money_currency")}
    start = next((word for word in _FROM if bare.startswith(word)), "")
    money = read_money(clean(text)[len(start) :], "price", currency)
    return {"price": PriceKind.FROM if start else PriceKind.FIXED, "amount": money}


def _visible(text: str) -> bool | Problem:
    bare = clean(text).casefold()
    if bare in _YES | {""}:
        return True
    return False if bare in _NO else Problem("visible", "yes_no")


def _days(text: str) -> int | Problem | None:
    if not clean(text):
        return None
    return read_count(text, "expires_days", least=1, most=MAX_DAYS)


def _bare(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:2] in _FORMULA else cell


def write(services: Iterable[Service], locale: str) -> bytes:
    """The file, as a spreadsheet of that language opens it."""
    russian = locale == "ru"
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";" if russian else ",", lineterminator="\r\n")
    writer.writerow(both[0 if russian else 1][0] for both in COLUMNS.values())
    for service in services:
        writer.writerow(
            [
                service.id,
                _safe(service.title),
                _safe(service.description),
                _price_text(service, russian),
                service.amount.currency if service.amount else "",
                (("нет", "да") if russian else ("no", "yes"))[service.visible],
                service.template.expires_days or "",
            ]
        )
    return out.getvalue().encode("utf-8-sig")


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _price_text(service: Service, russian: bool) -> str:
    if service.amount is None:
        return "по договорённости" if russian else "on request"
    start = "" if service.price is PriceKind.FIXED else "от " if russian else "from "
    return f"{start}{plain_sum(service.amount)}"
