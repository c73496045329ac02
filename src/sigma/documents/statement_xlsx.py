"""The month's statement as an XLSX file: a sheet of totals and a sheet of all operations.

Texts are written as strings: no spreadsheet program takes one for a formula. Rows are written one
by one to a temporary file, so memory does not grow with the number of operations. Blocks: seconds
for 30,000 operations (`python -m bench.reports`); not for the event loop.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import xlsxwriter

from sigma.domain.money import Money
from sigma.texts import Translator
from sigma.texts.statement_view import (
    CurrencyRows,
    StatementView,
    SumsRow,
    fraction_digits,
    operation_headers,
)

_SUM_COLUMNS = ("label", "payment_count", "refund_count", "gross", "refund", "fee", "net", "note")
_SUM_WIDTHS = (34, 10, 10, 16, 16, 16, 16, 60)
_OPERATION_WIDTHS = (20, 20, 10, 36, 24, 38, 14, 14, 14, 14, 36)


@dataclass(frozen=True)
class _Formats:
    title: Any
    bold: Any
    header: Any
    wrap: Any
    money: Any
    bold_money: Any


def statement_xlsx(view: StatementView, translator: Translator) -> bytes:
    """Return the file. Amounts are numbers with the digits of their currency."""
    content = io.BytesIO()
    # Constant memory: a row can only be written after the rows above it.
    book = xlsxwriter.Workbook(content, {"constant_memory": True, "strings_to_formulas": False})
    digits = max([fraction_digits(one.currency) for one in view.currencies], default=2)
    number = f"#,##0.{'0' * digits}"
    formats = _Formats(
        title=book.add_format({"bold": True, "font_size": 14}),
        bold=book.add_format({"bold": True}),
        header=book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
        wrap=book.add_format({"text_wrap": True, "valign": "top"}),
        money=book.add_format({"num_format": number}),
        bold_money=book.add_format({"bold": True, "num_format": number}),
    )
    _write_totals(book.add_worksheet(translator.t("statement.summary")), view, translator, formats)
    _write_operations(
        book.add_worksheet(translator.t("statement.operations")), view, translator, formats
    )
    book.close()
    return content.getvalue()


def _write_totals(
    sheet: Any, view: StatementView, translator: Translator, formats: _Formats
) -> None:
    for column, width in enumerate(_SUM_WIDTHS):
        sheet.set_column(column, column, width)
    row = 0
    sheet.write_string(row, 0, view.title, formats.title)
    for line in (*view.seller, view.period, view.made):
        row += 1
        sheet.write_string(row, 0, line)
    row += 1
    sheet.write_string(row, 0, view.agreement, formats.bold)
    for line in view.differences:
        row += 1
        sheet.write_string(row, 0, line)
    for one in view.currencies:
        row = _write_currency(sheet, row + 2, one, translator, formats)
    row += 2
    for line in view.notes:
        sheet.write_string(row, 0, line)
        row += 1


def _write_currency(
    sheet: Any, row: int, one: CurrencyRows, translator: Translator, formats: _Formats
) -> int:
    """Write the totals of one currency from `row` on; return the row after them."""
    headers = [translator.t(f"statement.column.{name}") for name in _SUM_COLUMNS]
    headers[0] = one.currency
    row = _write_header(sheet, row, headers, formats)
    for sums in (one.opening, one.total, one.closing):
        row = _write_sums(sheet, row, sums, formats, is_bold=sums is one.total)
    for title, group in (("kinds", one.kinds), ("days", one.days)):
        headers[0] = translator.t(f"statement.{title}")
        row = _write_header(sheet, row + 1, headers, formats)
        for sums in group:
            row = _write_sums(sheet, row, sums, formats)
    return row


def _write_header(sheet: Any, row: int, headers: Sequence[str], formats: _Formats) -> int:
    for column, header in enumerate(headers):
        sheet.write_string(row, column, header, formats.header)
    return row + 1


def _write_sums(
    sheet: Any, row: int, sums: SumsRow, formats: _Formats, *, is_bold: bool = False
) -> int:
    money = formats.bold_money if is_bold else formats.money
    sheet.write_string(row, 0, sums.label, formats.bold if is_bold else None)
    sheet.write_number(row, 1, sums.payment_count)
    sheet.write_number(row, 2, sums.refund_count)
    for column, amount in enumerate((sums.gross, sums.refunds, sums.fee, sums.net), start=3):
        sheet.write_number(row, column, _number(amount), money)
    sheet.write_string(row, 7, sums.unknown_fee)
    return row + 1


def _write_operations(
    sheet: Any, view: StatementView, translator: Translator, formats: _Formats
) -> None:
    for column, width in enumerate(_OPERATION_WIDTHS):
        sheet.set_column(column, column, width)
    sheet.freeze_panes(1, 0)
    has_currencies = len(view.currencies) > 1
    _write_header(sheet, 0, operation_headers(translator), formats)
    for row, one in enumerate(view.operations, start=1):
        texts = (one.at, one.kind, one.number, one.title, one.client, one.provider_id)
        for column, text in enumerate(texts):
            sheet.write_string(row, column, text)
        for column, amount in enumerate((one.gross, one.refund, one.fee, one.net), start=6):
            if amount is not None:
                sheet.write_number(row, column, _number(amount), formats.money)
        currency = f"{one.net.currency} " if has_currencies else ""
        sheet.write_string(row, 10, f"{currency}{one.note}".strip())


def _number(amount: Money) -> float:
    """Return the amount as a cell stores it; exact to the kopeck below 10^13 minor units."""
    return float(Decimal(amount.to_decimal_text()))
