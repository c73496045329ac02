"""Price lists as CSV files for spreadsheet programs. Pure.

The file can be imported again: every service is found by its id, and nothing changes.
"""

import csv
import io
from collections.abc import Iterable

from sigma.domain.catalogue.service import PriceKind, Service
from sigma.web.cabinet.invoices.form_edit import amount_text

# Headers in Russian and English. The import recognises each of them by its meaning.
COLUMNS = (
    ("id", "id"),
    ("код", "code"),
    ("категория", "category"),
    ("название", "title"),
    ("описание", "description"),
    ("цена", "price"),
    ("единица", "unit"),
    ("валюта", "currency"),
    ("видна", "visible"),
    ("срок счёта, дней", "invoice days"),
)
# A spreadsheet would run a cell that begins so as a formula; the apostrophe prevents it, and the
# import removes it.
_FORMULA_PREFIXES = ("=", "+", "-", "@", "'")


def to_csv(services: Iterable[Service], locale: str) -> bytes:
    """Return the CSV file as spreadsheet programs of that language expect it.

    UTF-8 with byte order mark, CRLF line ends, «;» between cells in Russian and "," in English.
    """
    russian = locale == "ru"
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";" if russian else ",", lineterminator="\r\n")
    writer.writerow(names[0 if russian else 1] for names in COLUMNS)
    for service in services:
        price = service.amount or service.max_amount
        writer.writerow(
            [
                service.id,
                _escape_formula(service.external_id),
                _escape_formula(service.category),
                _escape_formula(service.title),
                _escape_formula(service.description),
                _price_text(service, russian),
                _escape_formula(service.price_unit),
                price.currency if price else "",
                (("нет", "да") if russian else ("no", "yes"))[service.is_visible],
                service.invoice_template.expires_days or "",
            ]
        )
    return out.getvalue().encode("utf-8-sig")


def _escape_formula(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_PREFIXES) else cell


def _price_text(service: Service, russian: bool) -> str:
    if service.price_kind is PriceKind.FREE:
        return "бесплатно" if russian else "free"
    low = amount_text(service.amount) if service.amount else ""
    high = amount_text(service.max_amount) if service.max_amount else ""
    if low and high:
        return f"{low}–{high}"
    if high:
        return f"{'до' if russian else 'up to'} {high}"
    if not low:
        return "по договорённости" if russian else "on request"
    if service.price_kind is PriceKind.FROM:
        return f"{'от' if russian else 'from'} {low}"
    return low
